"""Worlds to begin with."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from c2m.cli.root import command, date_of, refuse_without_effect


@command("demo-world")
def demo_world(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    seed: Annotated[int, typer.Option(min=0)] = 1,
    size: Annotated[Literal["small", "city", "nation"], typer.Option()] = "small",
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
