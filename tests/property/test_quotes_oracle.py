"""What a quote finds on tiny cases, beside every split over pairs tried day by day: no linear program."""

from itertools import product
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_kit import instance

from optimization.contract.plan import cost_parts, day_loads
from optimization.promising.ways import cheapest, first_day, soonest
from optimization.unmet.rest import capacity_left

SECONDS = 30.0
few = st.integers(0, 3)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """One lot of up to 6 pieces, up to 3 factories, up to 4 days, beside work that a plan has there already."""
    days, names = draw(st.integers(1, 4)), ["F1", "F2", "F3"][: draw(st.integers(1, 3))]
    quantity = draw(st.integers(1, 6))
    order = {"lot_id": "new", "quantity": quantity, "due_day": 9, "max_factories": draw(st.integers(1, 3))}
    arcs = [
        {"lot_id": "new", "factory_id": name, "unit_cost": draw(st.integers(1, 9)), "setup_cost": draw(few)}
        | {
            "minutes_per_piece": draw(st.integers(1, 3)),
            "setup_minutes": draw(few),
            "transit_days": draw(st.integers(0, 2)),
        }
        | {"min_lot": (least := draw(st.integers(0, 3))), "max_lot": max(least, draw(st.integers(1, 6)))}
        for name in names
    ]
    capacity = [
        {
            "factory_id": name,
            "day": day,
            "minutes": draw(st.integers(0, 6)),
            "overtime_minutes": draw(few),
            "overtime_cost": 2,
        }
        for name, day in product(names, range(1, days + 1))
    ]
    taken = [{**row, "load": draw(st.integers(0, row["minutes"] + row["overtime_minutes"]))} for row in capacity]
    return {"order": order, "arcs": arcs, "capacity": capacity, "taken": taken, "days": days}


def splits(case: dict[str, Any]) -> list[tuple[int, ...]]:
    """Every way to give all pieces to the factories, by the rules about lots and factories."""
    quantity, most = case["order"]["quantity"], case["order"]["max_factories"]
    return [
        split
        for split in product(range(quantity + 1), repeat=len(case["arcs"]))
        if sum(split) == quantity
        and sum(map(bool, split)) <= most
        and all(not q or a["min_lot"] <= q <= a["max_lot"] for q, a in zip(split, case["arcs"], strict=True))
    ]


def cost_by(case: dict[str, Any], split: tuple[int, ...], day: int) -> float | None:
    """Least cost of a split that is all there by a day; None where it cannot be. Setup comes before any piece."""
    cost = 0.0
    for pieces, arc in zip(split, case["arcs"], strict=True):
        if pieces:
            rows = [
                r
                for r in case["taken"]
                if r["factory_id"] == arc["factory_id"] and r["day"] + arc["transit_days"] <= day
            ]
            regular = sum(max(0, row["minutes"] - row["load"]) for row in rows)
            left = sum(row["minutes"] + row["overtime_minutes"] - row["load"] for row in rows)
            needed = arc["setup_minutes"] + pieces * arc["minutes_per_piece"]
            if needed > left:
                return None
            cost += arc["unit_cost"] * pieces + arc["setup_cost"] + 2 * max(0, needed - regular)
    return cost


def best(case: dict[str, Any], day: int) -> float | None:
    costs = [cost for split in splits(case) if (cost := cost_by(case, split, day)) is not None]
    return min(costs, default=None)


@settings(max_examples=20, deadline=None)
@given(cases())
def test_the_soonest_day_and_its_least_cost_are_those_of_every_split_tried(case: dict[str, Any]) -> None:
    table = pd.DataFrame(case["capacity"])
    work = pd.DataFrame(case["taken"])[["factory_id", "day", "load"]].rename(columns={"load": "run_minutes"})
    left = capacity_left(table, work.assign(setup_minutes=0.0))
    part = instance([case["order"]], case["arcs"], left.to_dict("records"), horizon_days=case["days"])
    span = range(1, case["days"] + 3)
    expected = next((day for day in span if best(case, day) is not None), None)
    found = soonest(part, SECONDS)
    if expected is None:
        assert found is None and cheapest(part, SECONDS) is None
        return
    assert found is not None and first_day(part) is not None and first_day(part) <= expected
    transit = {arc["factory_id"]: arc["transit_days"] for arc in case["arcs"]}
    assert (found.schedule["day"] + found.schedule["factory_id"].map(transit)).max() <= expected
    cost = sum(cost_parts(part, found.allocation, found.schedule)[name] for name in ("unit", "setup", "overtime"))
    assert cost == pytest.approx(best(case, expected), abs=1e-3)
    load = day_loads(found.schedule).merge(table, on=["factory_id", "day"]).merge(work, on=["factory_id", "day"])
    assert (load["load"] + load["run_minutes"] <= load["minutes"] + load["overtime_minutes"] + 1e-6).all()
