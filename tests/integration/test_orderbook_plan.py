"""From forecast to plan with nothing replaced: quantities, the real ledger, instance, HiGHS, independent check."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from order_world import DAY, factory, score, skills, working_days
from scipy.stats import norm

from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.ledger import job_orders, orders, store
from c2m.settings import PlanPolicy, ReplenishmentPolicy
from optimization.book.daily_instance import HEADER, build_instance, merchant_lots
from optimization.book.lots import SAM
from optimization.book.replenishment import BATCH, replenish
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, read_plan
from optimization.planning.solve import solve
from optimization.verification.verifier import verify

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
POLICY = ReplenishmentPolicy.model_validate({"lead_time_days": 7, "review_days": 7})
STYLES = pd.DataFrame({"merchant_id": "m", "style_id": ["a", "b", "c"], "price": 30.0, "cost": 12.0, "currency": "USD"})
SKUS = STYLES.merge(pd.DataFrame({"size": ["S", "M", "L"], "size_share": [0.3, 0.5, 0.2]}), how="cross").assign(
    sku_id=lambda rows: rows["style_id"] + "-" + rows["size"],
    colour="red",
    category="shirt",
    crafts="",
    sam_minutes=10.0,
    **dict.fromkeys(SAM, 2.0),
)
NO_STOCK = pd.DataFrame(columns=["merchant_id", "sku_id", "on_hand", "in_transit", "on_order"])
NO_ORDERS = pd.DataFrame(columns=[*BATCH, "order_id"])
FACTORIES = [factory(f"f{i}", minute_cost=0.1 + i / 100, small_order_willingness=0.5) for i in range(4)]


def order_book(**mean: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Replenishment on a day on which the window forecast of each style is normal about its mean."""
    quantiles = {name: [norm.ppf(level, m, m / 6) for m in mean.values()] for name, level in WINDOW_QUANTILES.items()}
    key = {"merchant_id": "m", "style_id": list(mean), "business_date": DAY, "window_days": 14, "known_at": NOON}
    window = pd.DataFrame({**key, "model_version": "7", "mean": list(mean.values()), **quantiles})
    orders, lots, lot_skus, _ = replenish(window, NO_STOCK, STYLES, SKUS, NO_ORDERS, POLICY, DAY)
    return orders, lots, lot_skus


def instance_of_the_day(accepted: pd.DataFrame | None = None) -> Instance:
    """From what the ledger holds, and as if the factories had `accepted` a plan's allocation."""
    with store.session() as session:
        lots, live = orders.open_lots(session), job_orders.live(session)
        refusals = job_orders.refusals(session, datetime(2026, 1, 1, tzinfo=UTC))
    if accepted is not None:
        live = accepted.rename(columns={"quantity": "remaining"})
        live = live.assign(state="NotAllowedToStart", accepted=True)
        lots["committed"] = lots["lot_id"].map(live.groupby("lot_id")["remaining"].sum()).fillna(0)
    ids = [row["factory_id"] for row in FACTORIES]
    capabilities, calendar = skills(**{f: {"shirt": 0.8} for f in ids}), working_days(ids, minutes=4_800)
    scores = pd.DataFrame(columns=list(score("")))
    policy, factories = PlanPolicy.model_validate({}), pd.DataFrame(FACTORIES)
    instance = build_instance(lots, live, refusals, factories, capabilities, calendar, scores, policy, DAY)
    assert instance is not None
    return instance


def verified_plan(instance: Instance, folder: Path) -> Plan:
    plan = solve(instance, time_limit_s=20, threads=1)
    instances.write(instance, folder / "instance")
    plan.write(folder / "plan")
    assert verify(folder / "instance", folder / "plan").broken == []
    return plan


def planned(folder: Path, **mean: float) -> dict[str, int]:
    """Pieces per style in the day's plan."""
    book = order_book(**mean)
    with store.session() as session:
        orders.record(session, *book, NOON)
    plan = verified_plan(instance_of_the_day(), folder)
    made = plan.allocation.merge(book[1], on="lot_id", suffixes=("", "_lot"))
    return made.groupby("style_id")["quantity"].sum().to_dict()


@pytest.fixture
def ledger(home: Path) -> Path:
    store.migrate()
    return home


def test_the_plan_follows_the_forecast(ledger: Path, tmp_path: Path) -> None:
    before = planned(tmp_path / "before", a=400, b=300, c=20)
    after = planned(tmp_path / "after", a=400, b=600, c=200)
    assert before["a"] == after["a"] > 400
    assert after["b"] > 1.8 * before["b"]
    assert "c" not in before and after["c"] > 200


def test_the_same_day_twice_gives_the_same_instance(ledger: Path) -> None:
    fingerprints = []
    for _ in range(2):
        with store.session() as session:
            orders.record(session, *order_book(a=400, b=300), NOON)
        fingerprints.append(instance_of_the_day().sha256)
    assert fingerprints[0] == fingerprints[1]


def test_what_factories_accepted_stays_with_them_when_more_is_ordered(ledger: Path, tmp_path: Path) -> None:
    planned(tmp_path / "first", b=300, c=900)
    held = read_plan(tmp_path / "first" / "plan").allocation
    with store.session() as session:
        orders.record(session, *order_book(a=2_000), NOON)
    instance = instance_of_the_day(accepted=held)
    assert instance.incumbent["frozen"].all()
    allocation = verified_plan(instance, tmp_path / "next").allocation
    both = held.merge(allocation, on=["lot_id", "factory_id"], suffixes=("_held", ""))
    assert len(both) == len(held) and (both["quantity"] >= both["quantity_held"]).all()
    assert set(allocation["lot_id"]) > set(held["lot_id"])


def test_merchants_orders_are_planned_beside_replenishment(ledger: Path) -> None:
    line = {"merchant_id": "m", "order_id": "big", "sku_id": "a-M", "quantity": 3_000, "status": "open"}
    facts = {**dict.fromkeys(HEADER), **line, "placed_on": DAY, "due_on": date(2026, 3, 26), "currency": "USD"}
    with store.session() as session:
        orders.record(session, *merchant_lots(pd.DataFrame([{**facts, "tolerance_share": 0.02}]), SKUS), NOON)
        orders.record(session, *order_book(a=400), NOON)
    assert sorted(instance_of_the_day().orders["quantity"])[1] == 3_000
