"""Worlds to begin with, and homes kept in a file."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from c2m.cli.root import Json, command, date_of, refuse_without_effect


@command("demo-world")
def demo_world(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes another world of the same kind.")] = 1,
    size: Annotated[
        Literal["corner", "small", "city", "nation"], typer.Option(help="How many merchants, factories and orders.")
    ] = "small",
    over: Annotated[
        Path | None, typer.Option(help="World with a mapped catalogue: write only the supply side for it.")
    ] = None,
    opening_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --over: date of the stock.")
    ] = None,
    cover_days: Annotated[
        float | None, typer.Option(min=0, help="With --over: opening stock, days of average demand; default: 10.")
    ] = None,
) -> None:
    """Write a believable world as feed files."""
    from c2m.simulation import world

    if over:
        world.write_supply(folder, seed, size, over, date_of(opening_on), 10 if cover_days is None else cover_days)
    else:
        refuse_without_effect({"--opening-on": opening_on, "--cover-days": cover_days}, "with --over")
        world.write_world(folder, seed, size)
    print(f"{folder}: run it with  c2m run --world {folder}")


@command()
def backup(file: Annotated[Path, typer.Argument(help="File to write, such as c2m.tar.gz. It holds the keys.")]) -> None:
    """Write all state of this home to one file, also while the day runs."""
    from c2m.settings import settings
    from c2m.upkeep import backup

    saved = backup.save(file)
    size_mb = file.stat().st_size / 1e6
    dumped = f" and {', '.join(saved.databases)} on PostgreSQL" if saved.databases else ""
    print(f"{file}: {saved.files:,} files of {settings().home.absolute()}{dumped}, {size_mb:,.1f} MB")
    for name in saved.elsewhere:
        print(f"not in it: {name}, a server that has tools of its own for this")


@command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, as_json: Json = False
) -> None:
    """Remove what is older than the setting `retention` keeps it, and merge the scans of past days."""
    from c2m.cli import show
    from c2m.home import turn
    from c2m.upkeep import retention

    with turn("warehouse"):
        rows = retention.totals(retention.prune(dry_run))
    if as_json:
        print(json.dumps(rows))
    elif rows:
        show.table("Would go" if dry_run else "Gone", rows)
    else:
        print("nothing is older than it is kept for")


@command()
def upgrade() -> None:
    """Bring a home of an older version to this one: a backup first, then the ledger's migrations."""
    from c2m.home import occupied
    from c2m.upkeep.upgrade import upgrade

    with occupied("c2m upgrade"):
        file = upgrade()
    print(f"upgraded; as it was before: {file}" if file else "this home is at the version of this code")


@command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that c2m backup wrote.")],
    home: Annotated[Path, typer.Option(help="New folder to lay the home out in.")],
) -> None:
    """Lay out a saved home at a new place, on this or another machine. Only one of the two may go on.

    What lay on PostgreSQL goes into the empty databases that C2M_LEDGER_URL, C2M_PREFECT_DATABASE_URL and
    C2M_MLFLOW_URI name.
    """
    from c2m.upkeep import backup

    backup.restore(file, home)
    print(f"{home}: C2M_HOME={home.absolute()} c2m run   goes on from here")
