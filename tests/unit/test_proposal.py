"""What a plan says of its pairs: the place in the factory's order of work, and the factory's price."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimization.book.daily_instance import tellable
from optimization.book.plan_proposal import places, priced
from optimization.contract.instances import Instance

COLUMNS = ["lot_id", "factory_id", "day", "setup_minutes", "run_minutes"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(1, 90)), min_size=1, max_size=25))
def test_made_whole_in_their_places_no_lot_is_done_later_than_by_the_schedule(cuts: list[tuple[int, int, int]]) -> None:
    rows = [(f"L{lot}", "F", day, 0.0, float(minutes)) for lot, day, minutes in cuts]
    schedule = pd.DataFrame(rows, columns=COLUMNS).groupby(COLUMNS[:3], as_index=False).sum()
    order = places(schedule).sort_values("place")["lot_id"]
    assert sorted(order) == sorted(schedule["lot_id"].unique())
    worked_by = schedule.groupby("day")["run_minutes"].sum().cumsum()  # of days that are no longer than their work
    ends = schedule.groupby("lot_id")["day"].max()
    needed = schedule.groupby("lot_id")["run_minutes"].sum().loc[order].cumsum()
    assert all(needed[lot] <= worked_by[ends[lot]] for lot in order)


def test_each_factory_counts_its_places_from_one() -> None:
    rows = [("L1", "F", 2, 0.0, 5.0), ("L2", "F", 1, 0.0, 5.0), ("L1", "G", 1, 0.0, 5.0)]
    found = places(pd.DataFrame(rows, columns=COLUMNS)).set_index(["lot_id", "factory_id"])["place"].to_dict()
    assert found == {("L2", "F"): 1, ("L1", "F"): 2, ("L1", "G"): 1}
    assert places(pd.DataFrame(columns=COLUMNS)).empty


def test_the_price_pays_the_minutes_and_a_share_of_the_setup() -> None:
    arc = {"order_id": "L1", "factory_id": "F", "unit_cost": 99.0, "minutes_per_piece": 20.0, "setup_cost": 50.0}
    arc |= {"setup_minutes": 1.0, "min_lot": 1, "max_lot": 100, "transit_days": 1}
    lot = {"order_id": "L1", "quantity": 100, "release_day": 1, "due_day": 9, "max_late_days": 0, "max_factories": 1}
    tables = {
        "orders": pd.DataFrame([lot | {"late_cost": 1.0, "unmet_cost": 9.0}]),
        "arcs": pd.DataFrame([arc]),
        "capacity": pd.DataFrame(
            [{"factory_id": "F", "day": 1, "minutes": 5000.0, "overtime_minutes": 0.0, "overtime_cost": 1.0}]
        ),
    }
    instance = Instance.from_tables(tables, 9, date(2026, 1, 6), "INR")
    day = date(2026, 1, 6)
    lot = {"lot_id": "L1", "factory_id": "F", "quantity": 80, "start_on": day, "finish_on": day, "place": 1}
    dated = pd.DataFrame([lot])
    factories = pd.DataFrame({"factory_id": ["F", "G"], "minute_cost": [0.1234, 9.0], "currency": "INR"})
    rates = pd.DataFrame({"currency": ["INR"], "quote_currency": ["BDT"], "rate": [1.4]})
    row = priced(dated, instance, factories, rates).iloc[0]
    assert row["price"] == pytest.approx(20 * 0.1234 + 50 / 80, abs=5e-5)
    assert (row["currency"], row["place"], row["quantity"]) == ("INR", 1, 80)
    row = priced(dated, instance, factories.assign(currency="BDT"), rates).iloc[0]
    assert row["price"] == pytest.approx(20 * 0.1234 + 1.4 * 50 / 80, abs=5e-5), "what it charges, in its own currency"
    assert row["currency"] == "BDT"


def test_crafts_count_only_where_the_messages_can_name_them() -> None:
    rows = [
        (f, kind, name, 0.7) for f in ("F1", "F2", "F3") for kind, name in (("category", "shirt"), ("craft", "knit"))
    ]
    capabilities = pd.DataFrame(rows, columns=["factory_id", "kind", "name", "efficiency"])
    kept = tellable(capabilities, {"F1": 2, "F2": 1})  # F3 has never said anything
    assert list(zip(kept["factory_id"], kept["kind"], strict=True)) == [
        ("F1", "category"), ("F1", "craft"), ("F2", "category"), ("F3", "category"),
    ]  # fmt: skip
