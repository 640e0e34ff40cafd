"""Business days on real data, and with a person who releases the plan."""

import json
import subprocess
from datetime import date
from pathlib import Path

from day_kit import ENDS, ROOT, assert_plans_verify, command, environment, ledger, run_days


def test_two_days_of_the_amazon_data_end_to_end(shared_data: Path, tmp_path: Path, prefect_url: str) -> None:
    from c2m.feeds.demo import write_supply

    week = tmp_path / "week"
    write_supply(week, seed=7, size="small", over=ROOT / "worlds" / "amazon_india", opening_on=date(2022, 6, 1))
    done = run_days(week, tmp_path / "home", prefect_url, days="2", C2M_FORECAST__RETRAIN_AFTER_DAYS="1")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["rows"]["sales_lines"] == {"in": 128_975, "accepted": 128_975, "quarantined": 0}
    assert seen["plan"]["split_orders"] >= 3
    assert seen["job_orders"]["Ended"] >= 20
    assert set(seen["job_orders"]) <= ENDS
    assert_plans_verify(tmp_path / "home")
    gate = version_tags(tmp_path / "home", "2")
    assert (gate["gate"], gate["gate.champion"]) in {("promoted", "1"), ("refused", "1")}


def version_tags(home: Path, number: str) -> dict[str, str]:
    """What the registry of a home says of a version: the second day's challenger has been judged."""
    from mlflow.tracking import MlflowClient

    from models.registry import NAME

    store = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db")
    found: dict[str, str] = store.get_model_version(NAME, number).tags
    return found


def test_a_plan_that_a_person_must_release_waits_and_then_is_made(
    world: Path, tmp_path: Path, prefect_url: str
) -> None:
    done = run_days(world, tmp_path, prefect_url, days="1", C2M_RELEASE__AUTOMATIC="false")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["plan"]["state"] == "proposed"
    assert seen["job_orders"] == {}
    release = command("release", seen["plan"]["plan_id"], "--reason", "reviewed", "--actor", "test")
    subprocess.run(release, env=environment(tmp_path, prefect_url), check=True)
    seen = json.loads(run_days(world, tmp_path, prefect_url, days="1").stdout)
    assert seen["plan"]["state"] == "released"
    assert seen["job_orders"]["Ended"] > 5
    assert ledger(tmp_path)["decisions"][["actor", "reason"]].to_numpy().tolist() == [["test", "reviewed"]]
