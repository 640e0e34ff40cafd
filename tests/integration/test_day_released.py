"""Business days on real data, and with a person who releases the plan."""

import json
import subprocess
from datetime import date
from pathlib import Path

from day_kit import ENDS, ROOT, assert_plans_verify, command, environment, ledger, run_days
from mlflow.tracking import MlflowClient

from models.registry import NAME


def test_two_days_of_the_amazon_data_end_to_end(shared_data: Path, tmp_path: Path, prefect_url: str) -> None:
    from c2m.feeds.demo import write_supply

    week = tmp_path / "week"
    write_supply(week, seed=7, size="small", over=ROOT / "worlds" / "amazon_india", opening_on=date(2022, 6, 1))
    done = run_days(week, tmp_path / "home", prefect_url, days="2")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["rows"]["sales_lines"] == {"in": 128_975, "accepted": 128_975, "quarantined": 0}
    assert seen["plan"]["split_orders"] >= 3
    assert seen["job_orders"]["Ended"] >= 20
    assert set(seen["job_orders"]) <= ENDS
    assert_plans_verify(tmp_path / "home")


def test_a_plan_that_a_person_must_release_waits_and_then_is_made_and_the_next_day_judges_a_challenger(
    world: Path, tmp_path: Path, prefect_url: str
) -> None:
    own = {"C2M_RELEASE__AUTOMATIC": "false", "C2M_FORECAST__RETRAIN_AFTER_DAYS": "1"}
    done = run_days(world, tmp_path, prefect_url, **own)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["plan"]["state"] == "proposed"
    assert seen["job_orders"] == {}
    release = command("release", seen["plan"]["plan_id"], "--reason", "reviewed", "--actor", "test")
    subprocess.run(release, env=environment(tmp_path, prefect_url), check=True)
    first = seen["plan"]["business_date"]
    seen = json.loads(run_days(world, tmp_path, prefect_url, days="2", **own).stdout)
    assert (seen["plan"]["state"], seen["plan"]["business_date"] > first) == ("proposed", True)
    assert seen["job_orders"]["Ended"] > 5
    assert ledger(tmp_path)["decisions"][["actor", "reason"]].to_numpy().tolist() == [["test", "reviewed"]]
    gate = MlflowClient(f"sqlite:///{tmp_path}/mlflow/mlflow.db").get_model_version(NAME, "2").tags
    assert (gate["gate"], gate["gate.champion"]) in {("promoted", "1"), ("refused", "1")}
