"""A proof where people look at runs: a run in MLflow for each replay and for the page; what was found, in Prefect."""

from datetime import date
from math import isfinite
from pathlib import Path

import mlflow
import pandas as pd
from prefect import flow

from c2m.files import read_json
from c2m.markdown import table
from c2m.proof import page
from c2m.proof.outcomes import value
from c2m.proof.policy import load
from c2m.proof.report import Report
from flows import reports
from flows.replay import run_all
from models.governance.registry import store

EXPERIMENT = "proof"
_SHOWN = ["base", "outcome", "platform", "base_value", "difference", "low", "high", "verdict"]


@flow(name="prove", flow_run_name="prove {world.name}")
def prove(world: Path, first: date, last: date, policies: list[Path], seeds: int, out: Path, processes: int) -> Path:
    """Replays what is not there yet, writes the page, and keeps both where runs are kept.

    Parameters
    ----------
    world
        Folder of the world.
    first
        First business day that is planned.
    last
        Last one.
    policies
        Files of policies, or names of those that come along.
    seeds
        Replays of each policy.
    out
        Folder of all replays.
    processes
        How many run at once.

    Returns
    -------
    Path
        The page.
    """
    chosen = load(policies)
    kept = run_all(world, first, last, chosen, list(range(1, seeds + 1)), out, processes)
    written = page.write(kept, out, world.resolve().name, first, last, chosen)
    report = Report(kept, first, last, chosen)
    keep(report, world.resolve().name, written)
    publish(report, world.resolve().name, written)
    return written


def keep(report: Report, world: str, written: Path) -> None:
    """A run in MLflow for each replay that has none, and one for the page."""
    store(EXPERIMENT)
    mlflow.set_experiment(EXPERIMENT)
    span = f"{world} {report.first} to {report.last}"
    held = {run.data.tags["replay"] for run in mlflow.search_runs(output_format="list")}
    for policy in report.policies:
        of_policy = report.sums[report.sums["policy"] == policy.name]
        for seed, sums in of_policy.groupby("seed"):
            name = f"{span} {policy.name} {seed}"
            if name not in held:
                with mlflow.start_run(run_name=name, tags={"replay": name, "world": world, "policy": policy.name}):
                    mlflow.log_params({"seed": seed, **policy.model_dump(mode="json")})
                    mlflow.log_metrics(_figures(sums, report.kept / policy.name / str(seed)))
    with mlflow.start_run(run_name=span, tags={"replay": span, "world": world}):
        for file in (written, written.with_name("outcomes.csv")):
            mlflow.log_artifact(str(file))


def _figures(sums: pd.DataFrame, replay: Path) -> dict[str, float]:
    """Each outcome of a replay that has a value, and what the replay cost."""
    done = read_json(replay / "done.json")
    figures = {str(outcome): value(rows) for outcome, rows in sums.groupby("outcome")}
    figures |= {"seconds": done["seconds"], "peak_mib": done["peak_mib"]}
    return {name: figure for name, figure in figures.items() if isfinite(figure)}


def publish(report: Report, world: str, written: Path) -> None:
    """What was found, as an artifact of Prefect."""
    found = report.outcomes()
    told = f"{report.first} to {report.last}, {report.sums['seed'].nunique()} seeds; the page: {written}"
    tables = (f"## Against {base}\n\n{table(rows[_SHOWN[1:]])}" for base, rows in found[_SHOWN].groupby("base"))
    reports.page("proof", f"What it is worth: {world}", told, "", *tables)
