"""A proof where people look at runs: a run in MLflow for each replay and for the page; what was found, in Prefect."""

from datetime import date
from pathlib import Path

import mlflow
from prefect import flow

from c2m.files import read_json
from c2m.markdown import table
from c2m.proof import page
from c2m.proof.outcomes import value
from c2m.proof.policy import load
from c2m.proof.report import Report
from c2m.settings import settings
from flows import reports
from flows.replay import run_all

EXPERIMENT = "proof"
_SHOWN = ["base", "outcome", "platform", "base_value", "difference", "low", "high", "verdict"]


@flow(name="prove", flow_run_name="prove {world.name}")
def prove(world: Path, first: date, last: date, policies: list[Path], seeds: int, out: Path, processes: int) -> Path:
    """Replays what is not there yet, writes the page, and keeps both where runs are kept; the page."""
    chosen = load(policies)
    kept = run_all(world, first, last, chosen, list(range(1, seeds + 1)), out, processes)
    written = page.write(kept, out, world.resolve().name, first, last, chosen)
    report = Report(kept, first, last, chosen)
    keep(report, world.resolve().name, written)
    publish(report, world.resolve().name, written)
    return written


def keep(report: Report, world: str, written: Path) -> None:
    """A run in MLflow for each replay that has none, with its policy and outcomes; one for the page."""
    mlflow.set_tracking_uri(settings().mlflow)
    mlflow.set_experiment(EXPERIMENT)
    span = f"{world} {report.first} to {report.last}"
    held = {run.data.tags["replay"] for run in mlflow.search_runs(output_format="list")}
    policies = {policy.name: policy.model_dump(mode="json") for policy in report.policies}
    for (policy, seed), sums in report.sums.groupby(["policy", "seed"]):
        name = f"{span} {policy} {seed}"
        if name in held:
            continue
        done = read_json(report.kept / policy / str(seed) / "done.json")
        with mlflow.start_run(run_name=name, tags={"replay": name, "world": world, "policy": policy}):
            mlflow.log_params({"seed": seed, "first": report.first, "last": report.last} | policies[policy])
            mlflow.log_metrics({str(outcome): value(rows) for outcome, rows in sums.groupby("outcome")})
            mlflow.log_metrics({"seconds": done["seconds"], "peak_mib": done["peak_mib"]})
    with mlflow.start_run(run_name=span, tags={"replay": span, "world": world}):
        mlflow.log_artifact(str(written))
        mlflow.log_artifact(str(written.with_name("outcomes.csv")))


def publish(report: Report, world: str, written: Path) -> None:
    """What was found, as an artifact of Prefect."""
    found = report.outcomes()
    told = f"{report.first} to {report.last}, {report.sums['seed'].nunique()} seeds; the page: {written}"
    tables = (f"## Against {base}\n\n{table(rows[_SHOWN[1:]])}" for base, rows in found[_SHOWN].groupby("base"))
    reports.page("proof", f"What it is worth: {world}", told, "", *tables)
