"""The verifier finds every planted fault of a plan with stages, transfers, ready pieces and pools by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from joint_kit import joint, open_days
from plan_kit import checked

from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts

A1F, A2G = {"lot_id": "A", "stage": 1, "factory_id": "F"}, {"lot_id": "A", "stage": 2, "factory_id": "G"}
A1H = A1F | {"factory_id": "H"}
LANE = {"lot_id": "A", "stage": 1, "from_factory": "F", "to_factory": "G"}
BF, CF = ({"lot_id": name, "stage": 1, "factory_id": "F"} for name in "BC")


def problem() -> Instance:
    """A in two stages, made at F and H (2 pieces frozen), then at G; 2 pieces lie ready at F. B and C in a pool."""
    pooled = {"factory_id": "F", "stage": 1, "setup_cost": 4, "setup_minutes": 3, "min_lot": 4, "max_lot": 3}
    return joint(
        orders=[
            {"order_id": "A", "quantity": 10, "due_day": 5, "max_late_days": 1, "max_factories": 2, "late_cost": 1},
            {"order_id": "B", "quantity": 3, "due_day": 4},
            {"order_id": "C", "quantity": 3, "due_day": 4},
        ],
        arcs=[
            {"order_id": "A", "stage": 1, "factory_id": "F", "release_day": 2, "max_minutes_per_day": 8, "min_lot": 3},
            {"order_id": "A", "stage": 1, "factory_id": "H", "max_lot": 3},
            {"order_id": "A", "stage": 1, "factory_id": "G"},
            {"order_id": "A", "stage": 2, "factory_id": "G", "setup_minutes": 1, "max_lot": 9, "transit_days": 1},
            {"order_id": "A", "stage": 2, "factory_id": "H"},
            *({"order_id": name} | pooled for name in ("B", "C")),
        ],
        capacity=open_days("FGH", 6),
        stages=[{"order_id": "A", "stage": stage} for stage in (1, 2)],
        transfers=[
            {"from_factory": "F", "to_factory": "G", "cost": 0.5, "days": 3, "order_id": ""},
            {"from_factory": "F", "to_factory": "G", "cost": 1.0, "days": 1, "order_id": "A"},
            {"from_factory": "H", "to_factory": "G", "cost": 1.0, "days": 0, "order_id": ""},
        ],
        ready=[{"order_id": "A", "stage": 1, "factory_id": "F", "day": 2, "quantity": 2}],
        pools=[{"order_id": name, "pool_id": "P"} for name in ("B", "C")],
        incumbent=[
            {"order_id": "A", "stage": 1, "factory_id": "H", "quantity": 2, "frozen": True},
            {"order_id": "A", "stage": 2, "factory_id": "H", "quantity": 1, "change_cost": 2},
        ],
    )


def work(at: dict[str, Any], day: int, run: float, setup: float = 0.0) -> dict[str, Any]:
    return at | {"day": day, "setup_minutes": setup, "run_minutes": run}


ALLOCATION = [
    A1F | {"quantity": 5},
    A1H | {"quantity": 3},
    A2G | {"quantity": 8},
    BF | {"quantity": 3},
    CF | {"quantity": 2},
]
SCHEDULE = [
    *(work(A1F, 2, 3), work(A1F, 3, 2), work(A1H, 1, 3)),
    *(work(A2G, 1, 0, 1), work(A2G, 3, 3), work(A2G, 4, 5)),
    *(work(BF, 1, 0, 2), work(CF, 1, 0, 1), work(BF, 1, 3), work(CF, 2, 2)),
]
MOVES = [
    LANE | {"day": 2, "quantity": 2.5},
    LANE | {"day": 3, "quantity": 4.5},
    LANE | {"from_factory": "H", "day": 1, "quantity": 1.0},
]


def tables() -> dict[str, pd.DataFrame]:
    schedule = pd.DataFrame(SCHEDULE).groupby(["lot_id", "stage", "factory_id", "day"], as_index=False).sum()
    return {"allocation": pd.DataFrame(ALLOCATION), "schedule": schedule, "moves": pd.DataFrame(MOVES)}


def claimed(instance: Instance, given: dict[str, pd.DataFrame]) -> Plan:
    """The plan with the report that its tables deserve."""
    allocation, schedule, moves = given["allocation"], given["schedule"], given["moves"]
    cost = cost_parts(instance, allocation, schedule, moves)
    last = allocation["stage"] == allocation["lot_id"].map({"A": 2, "B": 1, "C": 1})
    made = allocation[last].groupby("lot_id")["quantity"].sum()
    left = {o: int(q - made.get(o, 0)) for o, q in {"A": 10, "B": 3, "C": 3}.items()}
    report = {"status": "feasible", "objective": sum(cost.values()), "bound": 0.0, "gap": 1.0, "cost": cost}
    report["unmet"] = [{"order_id": o, "quantity": n} for o, n in left.items() if n]
    return Plan(allocation, schedule, report, None, moves)


def at(key: dict[str, Any], **values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The rows with a key changed."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        here = pd.concat([table[name] == wanted for name, wanted in key.items()], axis=1).all(axis=1)
        assert here.any(), key
        return table.assign(**{name: table[name].astype("object").mask(here, value) for name, value in values.items()})

    return changed


def without(**key: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table[~pd.concat([table[name] == value for name, value in key.items()], axis=1).all(axis=1)]


def more(*rows: dict[str, Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: pd.concat([table, pd.DataFrame(list(rows))], ignore_index=True)


def test_the_plan_without_a_fault_is_valid(tmp_path: Path) -> None:
    report = checked(problem(), claimed(problem(), tables()), tmp_path)
    assert report.broken == []
    assert report.cost == {
        **{"unit": 21.0, "setup": 4.0, "engagement": 0.0, "overtime": 0.0, "late": 0.0},
        **{"unmet": 300.0, "shortfall": 0.0, "change": 2.0, "transfer": 8.0},
    }


AM1 = LANE | {"day": 2}
HM1 = LANE | {"from_factory": "H", "day": 1}
PLANTED: dict[str, tuple[str, dict[str, Callable[[pd.DataFrame], pd.DataFrame]]]] = {
    "a stage that the order has not": ("known-pair", {"allocation": at(A2G, stage=3)}),
    "a factory without an arc at this stage": ("known-pair", {"allocation": at(BF, factory_id="H")}),
    "a pair in two rows": ("one-row-per-pair", {"allocation": more(A2G | {"quantity": 1})}),
    "a pair and day in two rows": ("one-row-per-day", {"schedule": more(work(A2G, 4, 0))}),
    "half a piece at a stage": ("whole-pieces", {"allocation": at(A1F, quantity=4.5)}),
    "no piece at a stage": ("whole-pieces", {"allocation": at(A1F, quantity=0)}),
    "more at the last stage than asked": ("order-quantity", {"allocation": at(A2G, quantity=11)}),
    "more at the first stage than asked": ("stage-quantity", {"allocation": at(A1F, quantity=8)}),
    "made beside what is ready": ("stage-quantity", {"allocation": at(A1F, quantity=6)}),
    "fewer than the minimum lot of a stage": ("min-lot", {"allocation": at(A1F, quantity=2)}),
    "more than the largest lot of a stage": ("max-lot", {"allocation": at(A1H, quantity=4)}),
    "more of a pooled lot than its own largest": ("max-lot", {"allocation": at(BF, quantity=4)}),
    "three factories at a stage": ("max-factories", {"allocation": more(A1F | {"factory_id": "G", "quantity": 1})}),
    "frozen pieces of a stage taken away": ("frozen-kept", {"allocation": at(A1H, quantity=1)}),
    "frozen pair taken away": ("frozen-kept", {"allocation": without(**A1H)}),
    "a pool below its minimum lot": ("pool-min-lot", {"allocation": at(BF, quantity=1)}),
    "a pool of one lot below its minimum lot": ("pool-min-lot", {"allocation": without(**BF)}),
    "work of a stage that makes nothing": (
        "scheduled-pair-allocated",
        {"schedule": more(work(A2G | {"stage": 1}, 4, 1))},
    ),
    "setup of a pool at a lot that it does not make": ("scheduled-pair-allocated", {"allocation": without(**CF)}),
    "a stage begun before its material": ("window", {"schedule": at(A1F | {"day": 2}, day=1)}),
    "the last stage after its latest arrival": ("window", {"schedule": at(A2G | {"day": 4}, day=6)}),
    "a first stage after the horizon": ("window", {"schedule": at(A1H | {"day": 1}, day=7)}),
    "more minutes of a stage than a day allows": (
        "max-minutes-per-day",
        {"schedule": at(A1F | {"day": 2}, run_minutes=9)},
    ),
    "too few minutes of a stage": ("run-minutes", {"schedule": at(A1F | {"day": 3}, run_minutes=1)}),
    "minutes of a stage at its other factory": ("run-minutes", {"schedule": at(A1H | {"day": 1}, factory_id="F")}),
    "setup of a stage left out": ("setup-minutes", {"schedule": without(**A2G, day=1)}),
    "setup of a pool done by each lot": ("setup-minutes", {"schedule": at(CF | {"day": 1}, setup_minutes=3)}),
    "setup of a pool cut short": ("setup-minutes", {"schedule": at(CF | {"day": 1}, setup_minutes=0)}),
    "setup of a stage after its first piece": ("setup-before-run", {"schedule": at(A2G | {"day": 1}, day=4)}),
    "setup of a pool after its first piece": ("setup-before-run", {"schedule": at(CF | {"day": 1}, day=3)}),
    "two stages beyond the minutes of a day": ("capacity", {"schedule": at(A2G | {"day": 4}, run_minutes=11)}),
    "a move of nothing": ("finite-moves", {"moves": at(HM1, quantity=0)}),
    "an endless move": ("finite-moves", {"moves": at(HM1, quantity=float("inf"))}),
    "a move in two rows": ("one-row-per-move", {"moves": more(HM1 | {"quantity": 1.0})}),
    "a move after the horizon": ("move-day", {"moves": at(AM1, day=7)}),
    "a move before day 1": ("move-day", {"moves": at(AM1, day=0)}),
    "a move out of the last stage": ("move-stage", {"moves": more(LANE | {"stage": 2, "day": 5, "quantity": 1.0})}),
    "a move of an order with one stage": ("move-stage", {"moves": at(HM1, lot_id="B")}),
    "a move of an unknown order": ("move-stage", {"moves": at(HM1, lot_id="X")}),
    "a move without a transfer": ("move-lane", {"moves": at(HM1, to_factory="F")}),
    "half a piece over a lane": ("whole-moves", {"moves": at(AM1, quantity=2.0)}),
    "more made at a stage than came in": ("moves-in", {"allocation": at(A2G, quantity=9)}),
    "pieces that came in and are not made": ("moves-in", {"moves": at(HM1, quantity=2)}),
    "pieces that came to the wrong factory": ("moves-in", {"moves": at(HM1, to_factory="H")}),
    "pieces left behind": ("moves-out", {"moves": without(**HM1)}),
    "more moved out than made and ready": ("moves-out", {"moves": at(LANE | {"day": 3}, quantity=5.5)}),
    "moved before it is finished": ("moved-when-finished", {"moves": at(LANE | {"day": 3}, day=2)}),
    "moved before it is ready": ("moved-when-finished", {"moves": at(AM1, day=1)}),
    "worked before it arrives": ("run-when-arrived", {"schedule": at(A2G | {"day": 3}, run_minutes=4)}),
    "worked on the day it leaves over a lane of a day": ("run-when-arrived", {"schedule": at(A2G | {"day": 4}, day=3)}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_by_its_rule(name: str, tmp_path: Path) -> None:
    rule, changes = PLANTED[name]
    given = tables()
    faulty = {table: changes.get(table, lambda same: same)(rows) for table, rows in given.items()}
    plan = replace(claimed(problem(), given), **faulty)
    assert rule in {found.rule for found in checked(problem(), plan, tmp_path).broken}


@pytest.mark.parametrize("part", ["unit", "setup", "unmet", "change", "transfer"])
def test_a_wrong_part_of_the_cost_is_found(part: str, tmp_path: Path) -> None:
    plan = claimed(problem(), tables())
    plan.report["cost"] = plan.report["cost"] | {part: plan.report["cost"][part] + 1}
    assert f"cost-{part}" in {found.rule for found in checked(problem(), plan, tmp_path).broken}


def test_half_pieces_of_a_day_are_allowed_and_frozen_ones_may_stay(tmp_path: Path) -> None:
    given = tables()
    given["moves"] = at(HM1, quantity=0.25)(given["moves"])
    given["moves"] = more(HM1 | {"day": 2, "quantity": 0.75})(given["moves"])
    assert checked(problem(), claimed(problem(), given), tmp_path).broken == []
