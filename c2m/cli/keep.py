"""A home kept in a file, and laid out again."""

from pathlib import Path
from typing import Annotated

import typer

from c2m.cli.root import command


@command()
def backup(file: Annotated[Path, typer.Argument(help="File to write, such as c2m.tar.gz. It holds the keys.")]) -> None:
    """Write all state of this home to one file, also while the day runs."""
    from c2m import backup
    from c2m.settings import settings

    count = backup.save(file)
    size_mb = file.stat().st_size / 1e6
    print(f"{file}: {count:,} files of {settings().home.absolute()}, {size_mb:,.1f} MB")


@command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that c2m backup wrote.")],
    home: Annotated[Path, typer.Option(help="New folder to lay the home out in.")],
) -> None:
    """Lay out a saved home at a new place, on this or another machine. Only one of the two may go on."""
    from c2m import backup

    backup.restore(file, home)
    print(f"{home}: C2M_HOME={home.absolute()} c2m run   goes on from here")
