"""What this way of working is worth, by replays of a history."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from c2m.cli.root import command

_DAY = ["%Y-%m-%d"]


@command()
def replay(
    world: Annotated[Path, typer.Argument(help="Folder of feed files, or of a world.yaml that names mappings.")],
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="First business day.")],
    last: Annotated[datetime, typer.Option("--to", formats=_DAY, help="Last business day.")],
    policy: Annotated[list[Path], typer.Option(help="File of a policy, or the name of one that comes along.")],
    out: Annotated[Path, typer.Option(help="Folder of all replays; the same command goes on where it stopped.")],
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Replays of each policy, by seeds 1, 2, ...")] = 10,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Replays that run at once.")] = 2,
) -> None:
    """Replay a history under several policies and write what each is worth: OUT/proof.html, OUT/outcomes.csv."""
    from c2m.proof.page import write
    from c2m.proof.policy import load
    from flows.replay import run_all

    policies = load(policy)
    kept = run_all(world, first.date(), last.date(), policies, list(range(1, seeds + 1)), out, processes)
    print(write(kept, out, world.resolve().name, first.date(), last.date(), policies))
