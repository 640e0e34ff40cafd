"""Planted causes of a lot that is not whole, or late: each is named, and its top fix, mends it."""

from typing import Any

import pytest
from plan_kit import instance

from optimization.contract.edits import edited
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.explanation.cures import fixes
from optimization.planning.solve import solve
from optimization.unmet.causes import Want, cause, days_late

LOT = {"order_id": "A", "quantity": 20, "due_day": 3}
AT_F = {"order_id": "A", "factory_id": "F"}
AT_G = {"order_id": "A", "factory_id": "G"}
RIVAL = {"order_id": "B", "quantity": 90, "due_day": 3, "unmet_cost": 500}
RIVAL_AT_F = {"order_id": "B", "factory_id": "F"}


def days(factory: str, minutes: float, last: int = 6, first: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [{"factory_id": factory, "day": d, "minutes": minutes, **more} for d in range(first, last + 1)]


UNMET: dict[str, tuple[str, dict[str, Any]]] = {
    "no factory": ("no-capable-factory", {"orders": [LOT, RIVAL], "arcs": [RIVAL_AT_F], "capacity": days("F", 40)}),
    "minimum lots above the quantity": (
        "minimum-lot",
        {
            "orders": [LOT],
            "arcs": [AT_F | {"min_lot": 50}, AT_G | {"min_lot": 30}],
            "capacity": days("F", 40) + days("G", 40),
        },
    ),
    "minimum lot above what one factory leaves": (
        "minimum-lot",
        {
            "orders": [LOT],
            "arcs": [AT_F | {"min_lot": 10, "max_lot": 12}, AT_G | {"min_lot": 15, "max_lot": 18}],
            "capacity": days("F", 40) + days("G", 40),
        },
    ),
    "largest lots below the quantity": (
        "maximum-lot",
        {
            "orders": [LOT],
            "arcs": [AT_F | {"max_lot": 7}, AT_G | {"max_lot": 9}],
            "capacity": days("F", 40) + days("G", 40),
        },
    ),
    "daily limit": (
        "daily-limit",
        {"orders": [LOT], "arcs": [AT_F | {"max_minutes_per_day": 5}], "capacity": days("F", 40)},
    ),
    "at most one factory": (
        "max-factories",
        {"orders": [LOT | {"max_factories": 1}], "arcs": [AT_F, AT_G], "capacity": days("F", 5) + days("G", 4)},
    ),
    "at most one factory, and others in the first": (
        "max-factories",
        {
            "orders": [LOT | {"max_factories": 1}, RIVAL],
            "arcs": [AT_F, AT_G, RIVAL_AT_F],
            "capacity": days("F", 35) + days("G", 4),
        },
    ),
    "material after the last day": (
        "window-empty",
        {"orders": [LOT], "arcs": [AT_F | {"release_day": 4}], "capacity": days("F", 40)},
    ),
    "transport longer than the window": (
        "window-empty",
        {"orders": [LOT], "arcs": [AT_F | {"transit_days": 5}], "capacity": days("F", 40)},
    ),
    "days off": ("no-working-day", {"orders": [LOT], "arcs": [AT_F], "capacity": days("F", 40, first=4)}),
    "window too short": ("window-too-short", {"orders": [LOT], "arcs": [AT_F], "capacity": days("F", 5)}),
    "setup longer than the window allows": (
        "setup-minutes",
        {"orders": [LOT], "arcs": [AT_F | {"setup_minutes": 15}], "capacity": days("F", 8)},
    ),
    "other lots": (
        "capacity-full",
        {"orders": [LOT, RIVAL], "arcs": [AT_F, RIVAL_AT_F], "capacity": days("F", 33, overtime_minutes=0)},
    ),
    "frozen work of others": (
        "frozen-work",
        {
            "orders": [LOT, RIVAL],
            "arcs": [AT_F, RIVAL_AT_F],
            "capacity": days("F", 33, last=3),
            "incumbent": [{"order_id": "B", "factory_id": "F", "quantity": 90, "frozen": True}],
        },
    ),
    "a piece dearer than leaving it": (
        "making-dearer",
        {"orders": [LOT | {"unmet_cost": 3}], "arcs": [AT_F | {"unit_cost": 4}], "capacity": days("F", 40)},
    ),
    "setup dearer than leaving it": (
        "setup-dearer",
        {"orders": [LOT | {"unmet_cost": 3}], "arcs": [AT_F | {"setup_cost": 70}], "capacity": days("F", 40)},
    ),
    "engagement dearer than leaving it": (
        "engagement-dearer",
        {
            "orders": [LOT | {"unmet_cost": 3}],
            "arcs": [AT_F],
            "capacity": days("F", 40),
            "factories": [{"factory_id": "F", "engagement_cost": 70}],
        },
    ),
    "overtime dearer than leaving it": (
        "overtime-dearer",
        {"orders": [LOT], "arcs": [AT_F], "capacity": days("F", 5, overtime_minutes=9, overtime_cost=200)},
    ),
    "lateness dearer than leaving it": (
        "lateness-dearer",
        {
            "orders": [LOT | {"max_late_days": 9, "late_cost": 500}],
            "arcs": [AT_F],
            "capacity": days("F", 5),
        },
    ),
}
LATE: dict[str, tuple[str, dict[str, Any]]] = {
    "late for want of time": (
        "window-too-short",
        {"orders": [LOT | {"max_late_days": 2, "late_cost": 1}], "arcs": [AT_F], "capacity": days("F", 5)},
    ),
    "late by others": (
        "capacity-full",
        {
            "orders": [LOT | {"max_late_days": 2, "late_cost": 1}, RIVAL],
            "arcs": [AT_F, RIVAL_AT_F],
            "capacity": days("F", 33),
        },
    ),
    "late because overtime is dearer": (
        "overtime-dearer",
        {
            "orders": [LOT | {"max_late_days": 2, "late_cost": 1}],
            "arcs": [AT_F],
            "capacity": days("F", 5, overtime_minutes=9, overtime_cost=50),
        },
    ),
}


def unmet_pieces(problem: Instance, plan: Plan) -> int:
    asked = problem.orders.set_index("lot_id")["quantity"]["A"]
    return int(asked - plan.allocation["quantity"][plan.allocation["lot_id"] == "A"].sum())


@pytest.mark.parametrize("name", UNMET)
def test_planted_cause_of_unmet_pieces_is_named_and_its_top_fix_makes_the_lot_whole(name: str) -> None:
    code, tables = UNMET[name]
    problem = instance(**tables, horizon_days=6)
    plan = solve(problem)
    assert unmet_pieces(problem, plan) > 0
    want = Want(problem, plan, "A", on_time=False)
    found = cause(want)
    assert found.code == code, found.words
    assert [lot["code"] for lot in plan.report["unmet"] if lot["order_id"] == "A"] == [code]
    top = fixes(want)[0]
    mended = edited(problem, top.edits)
    again = solve(mended)
    assert unmet_pieces(mended, again) == 0, top.words
    assert again.report["objective"] - plan.report["objective"] == pytest.approx(top.extra_cost, abs=0.01)


@pytest.mark.parametrize("name", LATE)
def test_planted_cause_of_lateness_is_named_and_its_top_fix_brings_it_on_time(name: str) -> None:
    code, tables = LATE[name]
    problem = instance(**tables, horizon_days=6)
    plan = solve(problem)
    assert days_late(problem, plan)["A"] > 0
    want = Want(problem, plan, "A", on_time=True)
    found = cause(want)
    assert found.code == code, found.words
    mended = edited(problem, fixes(want)[0].edits)
    again = solve(mended)
    assert unmet_pieces(mended, again) == 0 == days_late(mended, again)["A"]
