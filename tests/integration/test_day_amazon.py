"""Two days of the Amazon data: a person releases the first plan, and `c2m why` finds every source.

`python -m benchmarks.life.links` asks the same of the whole week that README runs.
"""

import json
import re
import subprocess
from pathlib import Path

import docs_kit
import pytest
from day_kit import ENDS, assert_plans_verify, command, environment, ledger, run_days, told
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner

from benchmarks.life import links
from c2m.cli import app
from c2m.settings import settings
from models.governance.registry import NAME

pytestmark = [
    pytest.mark.long,
    pytest.mark.shared,
    pytest.mark.timeout(3_600),
]


@pytest.fixture(scope="module")
def feeds(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public order lines with a supply side beside them."""
    folder = tmp_path_factory.mktemp("amazon") / "week"
    words = docs_kit.of("README.md", "demo-world worlds/amazon_week", worlds_amazon_week=folder)
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for both tests: the second asks of what the first has done."""
    return tmp_path_factory.mktemp("amazon-home")


def test_two_days_with_a_person_who_releases_the_first_plan(feeds: Path, home: Path, prefect_url: str) -> None:
    words = docs_kit.of("README.md", "run --world worlds/amazon_week", world=feeds, days=1)
    first = told(command(*words, "--json"), home, prefect_url, C2M_RELEASE__AUTOMATIC="false")
    assert first.returncode == 0, first.stderr
    seen = json.loads(first.stdout)
    assert (seen["plan"]["state"], seen["job_orders"]) == ("proposed", {})
    release = command("release", seen["plan"]["plan_id"], "--reason", "reviewed", "--actor", "test")
    subprocess.run(release, env=environment(home, prefect_url), check=True)
    both = run_days(feeds, home, prefect_url, days="2", C2M_FORECAST__RETRAIN_AFTER_DAYS="1")
    assert both.returncode == 0, both.stderr
    seen = json.loads(both.stdout)
    assert seen["rows"]["sales_lines"] == {"in": 128_975, "accepted": 128_975, "quarantined": 0, "left_out": 0}
    assert seen["plan"]["split_orders"] >= 3
    assert seen["job_orders"]["Ended"] >= 20
    assert set(seen["job_orders"]) <= ENDS
    assert_plans_verify(home)
    assert ["test", "reviewed"] in ledger(home)["decisions"][["actor", "reason"]].to_numpy().tolist()
    gate = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db").get_model_version(NAME, "2").tags
    assert (gate["gate"], gate["gate.champion"]) in {("promoted", "1"), ("refused", "1")}


def test_every_link_of_both_days_holds(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("C2M_HOME", str(home))
    settings.cache_clear()
    assert links.main() == 0, capsys.readouterr().out
    jobs, lots, orders, held = map(int, re.findall(r"\d+", capsys.readouterr().out)[:4])
    assert min(jobs, lots, orders) > 20
    assert held > 1_000
    settings.cache_clear()
