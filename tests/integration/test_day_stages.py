"""Worlds whose styles are made in stages, end to end: nothing but their files says what a sock or a glove is.

Gloves are worked off without servers, socks as a user runs them. What is asked of both is asked of ledger and scans.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import docs_kit
import duckdb
import pandas as pd
import pytest
from day_kit import ROOT, assert_plans_verify, command, ledger, told
from test_day_why import asked

from c2m.proof.policy import Policy
from c2m.settings import settings
from c2m.warehouse.published import read

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]

FIRST = date(2026, 4, 13)
# What was sent to a job order of a next stage is what it received, SKU by SKU, and it began nothing before.
HANDED_OVER = """
WITH handed AS (
    SELECT j.lot_id, j.stage, s.sku_id,
        coalesce(sum(s.quantity) FILTER (WHERE s.operation = 'ship'), 0) AS shipped,
        coalesce(sum(s.quantity) FILTER (WHERE s.operation = 'receive'), 0) AS received,
        max(s.at) FILTER (WHERE s.operation = 'receive') AS last_received,
        min(s.at) FILTER (WHERE s.operation <> 'receive') AS began
    FROM scans AS s JOIN jobs AS j USING (job_order_id, factory_id)
    GROUP BY ALL
)
SELECT sender.lot_id, sender.stage, sender.sku_id, sender.shipped, receiver.received, receiver.began
FROM handed AS sender LEFT JOIN handed AS receiver
    ON receiver.lot_id = sender.lot_id AND receiver.sku_id = sender.sku_id AND receiver.stage = sender.stage + 1
JOIN jobs AS j ON j.lot_id = sender.lot_id AND j.stage = sender.stage
WHERE sender.stage < j.stages AND (
    sender.shipped IS DISTINCT FROM receiver.received OR receiver.began <= receiver.last_received)
"""


@pytest.fixture(scope="module")
def worked_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of one business day of gloves, worked off by the functions of the daily flow alone."""
    from flows import replay

    world, base = ROOT / "worlds" / "gloves", tmp_path_factory.mktemp("gloves")
    policy = Policy(name="quick", title="without a model", forecast="mean_28")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(base))
        replay.land(world, FIRST, base / "shared")
        cell = replay.Cell(world, FIRST, 1, policy, 1, base / "home", base / "shared", shelf=False)
        day = replay.Replay(cell)
        day.one_day(FIRST)
        day.work_off()
        yield cell.home
    settings.cache_clear()


@pytest.fixture(scope="module")
def run_as_a_user(tmp_path_factory: pytest.TempPathFactory, prefect_url: str) -> Path:
    """The home of `c2m run` on socks, with all its servers; it ends well only where all data tests pass."""
    home = tmp_path_factory.mktemp("user") / "home"
    words = docs_kit.of("how-to/make-in-stages.md", "run --world", world=ROOT / "worlds" / "socks")
    done = told(command(*words, "--json"), home, prefect_url)
    assert done.returncode == 0, done.stderr
    (home / "status.json").write_text(done.stdout)
    return home


def test_each_stage_is_handed_over_and_every_order_closes(worked_off: Path) -> None:
    assert_handed_over(worked_off)
    goods = read("goods")
    places = goods[["at_factory", "in_transit", "received", "lost", "surplus"]].sum(axis=1)
    assert ((goods["made"] + goods["unscanned"]) == places).all()
    assert goods["made"].sum() > 0


def test_a_user_sees_the_same(run_as_a_user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = json.loads((run_as_a_user / "status.json").read_text())
    assert_handed_over(run_as_a_user, {row["order_id"] for row in seen["open_orders"] if row["reason"]})
    assert_plans_verify(run_as_a_user)
    monkeypatch.setenv("C2M_HOME", str(run_as_a_user))
    settings.cache_clear()
    for job in ledger(run_as_a_user)["job_orders"]["job_order_id"]:
        assert [link.as_dict() for link in asked(job).links if not link.holds] == []


def assert_handed_over(home: Path, explained: frozenset[str] | set[str] = frozenset()) -> None:
    """A job order for each stage of each lot, scanned at both ends of each hand-over; all closed or explained."""
    facts = ledger(home)
    jobs, ordered = facts["job_orders"], facts["orders"]
    assert set(ordered.loc[ordered["state"] != "closed", "order_id"]) <= explained
    lots = facts["lots"][~facts["lots"]["order_id"].isin(explained)]
    assert set(jobs["state"]) == {"Ended"}
    assert lots["stages"].max() > 1
    made = jobs.groupby(["lot_id", "stage"])["quantity"].sum()
    wanted = {(lot, stage): pieces for lot, stages, pieces in lots[["lot_id", "stages", "quantity"]].to_numpy()
              for stage in range(1, stages + 1)}  # fmt: skip
    assert made.to_dict() == wanted
    assert handed_over_wrongly(home, jobs).empty


def handed_over_wrongly(home: Path, jobs: pd.DataFrame) -> pd.DataFrame:
    """Hand-overs whose two ends differ, or whose next stage began too early."""
    scans = home / "landing" / "scans" / "[!.]*.parquet"
    with duckdb.connect() as connection:
        connection.register("jobs", jobs)
        connection.read_parquet(str(scans), union_by_name=True).create_view("scans")
        return connection.execute(HANDED_OVER).df()
