"""A proof is kept where runs are kept: a run of MLflow for each replay, once, with the page."""

from datetime import date
from pathlib import Path

import mlflow
import pandas as pd

from c2m.proof.policy import load
from c2m.proof.report import Report
from flows import prove

DAY = date(2026, 4, 13)


def test_each_replay_is_a_run_once(home: Path) -> None:
    report = Report(home / "kept", DAY, DAY, load([Path("platform")]))
    sums = pd.DataFrame({"policy": "platform", "seed": [1, 2], "outcome": "lead_time_days", "week": 0, "above": 14.0})
    report.__dict__["sums"] = sums.assign(below=2.0)
    for seed in (1, 2):
        folder = home / "kept" / "platform" / str(seed)
        folder.mkdir(parents=True)
        (folder / "done.json").write_text('{"seconds": 3.0, "peak_mib": 900}')
    page = home / "proof.html"
    page.write_text("the page")
    page.with_name("outcomes.csv").write_text("base,outcome\n")
    for _ in range(2):
        prove.keep(report, "a-world", page)
    runs = mlflow.search_runs(experiment_names=[prove.EXPERIMENT], output_format="list")
    replays = [run for run in runs if "policy" in run.data.tags]
    assert len(replays) == 2
    assert replays[0].data.metrics == {"lead_time_days": 7.0, "seconds": 3.0, "peak_mib": 900.0}
    assert replays[0].data.params["spikes"] == "True"
    kept = list((home / "mlflow" / "artifacts").rglob("proof.html"))
    assert len(kept) == len(runs) - len(replays) > 0
