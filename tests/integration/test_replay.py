"""A replay of socks: it does not look ahead, and it plans with what its policy leaves of the platform."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from day_kit import ROOT, ledger

from benchmarks.faults.kills import SMALL
from benchmarks.proof import speed
from benchmarks.proof.same_ledger import cut, different, replayed
from c2m.feeds.contracts import PRODUCED
from c2m.feeds.landing import folder, is_empty, merge, read_landed
from c2m.files import write_atomically
from c2m.ledger import changelog, store
from c2m.proof.policy import FOLDER, Policy, load
from c2m.settings import settings
from c2m.warehouse.quick import NEEDED
from flows.replay import Cell, Replay, land, settle_in

SOCKS = ROOT / "worlds" / "socks"
FIRST = date(2026, 4, 13)
pytestmark = pytest.mark.long  # dbt compiles its models first, which takes longer than the days
PLATFORM = Policy(name="platform", title="Without a model to train", forecast="mean_7")


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for replays whose models of dbt are compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", "set by each replay")
        folder = tmp_path_factory.mktemp("replays")
        yield folder
    settings.cache_clear()


def landed(world: Path, folder: Path) -> Path:
    """The folder that replays in `folder` share."""
    models, shared = folder.parent / "models.json", folder / "shared"
    if models.exists():
        write_atomically(shared / "models.json", models.read_bytes())
    land(world, FIRST, shared)
    shutil.copy(shared / "models.json", models)
    return shared


def first_day(world: Path, folder: Path, policy: Policy = PLATFORM) -> dict[str, pd.DataFrame]:
    """The ledger after a day."""
    replay = Replay(Cell(world, FIRST, 1, policy, 1, folder / "home", landed(world, folder)))
    replay.one_day(FIRST)
    with store.session() as session:
        return store.snapshot(session)


def test_rows_that_become_known_later_change_nothing(replays: Path) -> None:
    whole = first_day(SOCKS, replays / "whole")
    without = first_day(cut(SOCKS, FIRST, 1, replays / "cut_world"), replays / "cut")
    assert len(whole["job_orders"]) > 0
    assert set(whole["job_orders"]["stages"]) >= {3}
    for name, table in whole.items():
        pd.testing.assert_frame_equal(without[name], table, obj=name)


def test_a_day_is_that_of_servers(
    undisturbed: Path, world: Path, replays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same orders, lots, job orders and plans, and the same marts as by dbt's own build."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("flows.replay.SEARCH", {})
    monkeypatch.setattr("flows.replay.LEAN", {})
    assert different(ledger(undisturbed), replayed(world, 1, replays / "demo")) == []
    by_dbt, ours = (
        next((home / "published").glob(f"{FIRST:%Y%m%d}-*")) for home in (undisturbed, replays / "demo" / "home")
    )
    for name in NEEDED:
        files = [pd.read_parquet(build / f"{name}.parquet") for build in (ours, by_dbt)]
        pd.testing.assert_frame_equal(*files, obj=name)


def test_what_a_replay_takes_is_printed(
    replays: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    landed(SOCKS, replays / "speed")
    policy = replays / "speed" / "policy.yaml"
    policy.write_text(yaml.safe_dump(PLATFORM.model_dump(mode="json", exclude_unset=True)))
    words = [SOCKS, "--from", FIRST, "--days", 1, "--policy", policy, "--out", replays / "speed"]
    monkeypatch.setattr("sys.argv", ["speed", *map(str, words)])
    speed.main()
    assert "a day" in capsys.readouterr().out


def test_files_of_a_week_become_one_with_the_same_rows(replays: Path) -> None:
    first_day(SOCKS, replays / "merged")
    names = [name for name in PRODUCED if not is_empty(name)]
    before = {name: read_landed(name) for name in names}
    merge("before-another-day", 1)
    assert len(names) > 10
    for name in names:
        assert [file.name for file in folder(name).glob("[!._]*")] == ["before-another-day.parquet"]
        pd.testing.assert_frame_equal(read_landed(name)[before[name].columns], before[name], obj=name)
    assert changelog.export() == []


def test_parts_are_taken_away(replays: Path) -> None:
    """What a replay under each policy works by: its settings, and the marts that it is not told."""
    (replays / "parts" / "shared" / "landing").mkdir(parents=True)
    told = {}
    for policy in load([Path(file.name).with_suffix("") for file in sorted(FOLDER.glob("*.yaml"))]):
        replay = object.__new__(Replay)  # in its home, before its first day
        replay.cell = Cell(SOCKS, FIRST, 2, policy, 1, replays / "parts" / policy.name, replays / "parts" / "shared")
        settle_in(replay.cell)
        now = settings()
        told[policy.name] = {
            "minimum": now.replenishment.minimum_order_pieces,
            "rounds": now.plan.rounds,
            "prices": now.prices.automatic,
            "held": sorted(replay.held(FIRST + timedelta(days=1))),
        }
    usual = {"minimum": 100, "rounds": 4, "prices": False, "held": []}
    scores = ["factories", "factory_capabilities", "factory_scores"]
    assert told["platform"] == told["without_joint_factory"] == told["without_spikes"] == told["without_model"] == usual
    assert told["without_small_minimum"] == usual | {"minimum": 1000}
    assert told["without_replan"] == usual | {"rounds": 1}
    assert told["without_scores"] == usual | {"held": scores}
    assert told["without_stages"] == usual | {"held": ["routings"]}
    assert told["with_pricing"] == usual | {"prices": True}
    assert told["make_to_stock"] == {"minimum": 1000, "rounds": 1, "prices": False, "held": scores}


def test_without_stages_nobody_can_make_socks(replays: Path) -> None:
    held = first_day(SOCKS, replays / "one_stage", PLATFORM.model_copy(update={"stages": False}))
    assert len(held["lots"]) > 0
    assert held["job_orders"].empty
