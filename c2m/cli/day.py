"""Business days and the services around them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from c2m.cli import show
from c2m.cli.root import Day, Json, WorldFolder, command, date_of


@command()
def run(
    world: WorldFolder = None,
    date: Day = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="Business days, one after the other.")] = 1,
    to_the_end: Annotated[
        bool, typer.Option(help="Then let the factories work until every job order has ended.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Business days in time-lapse: real broker, relay and collector, simulated factories. Default: a demo world."""
    from flows import timelapse

    timelapse.run(world or timelapse.demo_world(), date_of(date), days, to_the_end)
    show.status(as_json)
    if not as_json:
        _print_where_to_look()


@command()
def replay(
    world: Annotated[Path, typer.Argument(help="Folder of feed files, or of a world.yaml that names mappings.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First business day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last business day.")],
    policy: Annotated[list[Path], typer.Option(help="File of a policy, or the name of one of worlds/proof/policies.")],
    out: Annotated[Path, typer.Option(help="Folder of all replays; the same command goes on where it stopped.")],
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="Replays of each policy, by seeds 1, 2, ...")] = 10,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Replays that run at once.")] = 2,
    keep: Annotated[bool, typer.Option("--keep", help="Keep runs in MLflow and the findings in Prefect too.")] = False,
) -> None:
    """Replay a history under several policies and write what each is worth: OUT/proof.html, OUT/outcomes.csv."""
    from c2m.errors import InputError
    from c2m.proof.policy import OURS, load

    policies = load(policy)
    if OURS not in {one.name for one in policies}:
        named = ", ".join(one.name for one in policies)
        raise InputError("nothing-to-compare", [f"policies {named}: add --policy {OURS}, with which they are compared"])
    if keep:
        from flows.services import prefect_api

        with prefect_api():
            from flows.prove import prove

            print(prove(world, first.date(), last.date(), policy, seeds, out, processes))
        return

    from c2m.proof.page import write
    from flows.replay import run_all

    kept = run_all(world, first.date(), last.date(), policies, list(range(1, seeds + 1)), out, processes)
    print(write(kept, out, world.resolve().name, first.date(), last.date(), policies))


@command()
def up(
    simulate: Annotated[bool, typer.Option(help="Simulated factories on the floor.")] = True,
) -> None:
    """Prefect, MLflow, documents, broker, relay, collector, factories in the foreground; Ctrl-C stops everything."""
    from flows import up

    up.up(simulate)


@command()
def env(as_json: Json = False) -> None:
    """What Prefect's and MLflow's own commands need to work with this home: eval "$(c2m env)". It contains the key."""
    import json
    import shlex

    from c2m import doors
    from c2m.floor.child import LOOPBACK
    from c2m.settings import settings

    told = {
        "PREFECT_API_URL": f"http://{LOOPBACK}:{settings().prefect_port}/api",
        "PREFECT_API_AUTH_STRING": f"{doors.USER}:{doors.key()}",
        "MLFLOW_TRACKING_URI": settings().mlflow,
    }
    if as_json:
        print(json.dumps(told))
        return
    print(f"# Prefect's pages ask for {told['PREFECT_API_AUTH_STRING']}")
    print(f"# MLflow and the documents ask for user {doors.USER}, password {doors.key()}")
    print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in told.items()))


def _print_where_to_look() -> None:
    from c2m.settings import settings

    home = settings().home
    places = {
        "make up": "Prefect (steps, reports), MLflow (models), Data Docs, dbt docs",
        f"{home}/runs/<date>/<plan>": "the plan: instance, allocation, schedule, report, verdict, page",
        f"{home}/published/current.json": "the marts, as Parquet",
        f"{home}/quarantine": "rows that were not accepted: c2m quarantine",
        "c2m status": "all this again",
    }
    print("Where to look:")
    for place, holds in places.items():
        print(f"  {place:<{max(map(len, places))}}  {holds}")
