"""Lots that share no factory with lots in stages or pools: planned as if these were not there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joint_kit import joint, open_days
from plan_kit import checked

from optimization.contract import groups
from optimization.contract.instances import Instance
from optimization.contract.plan import cost_parts
from optimization.engines.first.rule import greedy
from optimization.explanation import answer
from optimization.planning.daybook import day_of
from optimization.planning.solve import solve
from optimization.whatif.running_plan import as_incumbents

SETUP = {"setup_cost": 5.0, "setup_minutes": 2.0, "min_lot": 3}


def book(plain: bool = True) -> Instance:
    """L in two stages at F then G, a pool of three single pieces at P, and the plain lots A and B at X and Y."""
    orders = [{"order_id": "L", "quantity": 8}, *({"order_id": one, "quantity": 1} for one in ("S1", "S2", "S3"))]
    arcs = [{"order_id": "L", "stage": 1, "factory_id": "F"}, {"order_id": "L", "stage": 2, "factory_id": "G"}]
    arcs += [{"order_id": one, "stage": 1, "factory_id": "P", **SETUP} for one in ("S1", "S2", "S3")]
    if plain:
        orders += [{"order_id": "A", "quantity": 60}, {"order_id": "B", "quantity": 30}]
        arcs += [
            {"order_id": lot, "stage": 1, "factory_id": f, "unit_cost": cost, "setup_cost": 4.0}
            for lot in "AB"
            for f, cost in (("X", 1.0), ("Y", 1.5))
        ]
    return joint(
        orders,
        arcs,
        open_days("FGPXY" if plain else "FGP", 9),
        stages=[{"order_id": "L", "stage": 1, "name": "knit"}, {"order_id": "L", "stage": 2, "name": "pack"}],
        transfers=[{"from_factory": "F", "to_factory": "G", "cost": 0.1, "days": 1}],
        pools=[{"order_id": one, "pool_id": "Q"} for one in ("S1", "S2", "S3")],
    )


def test_both_parts_are_the_instances_of_their_own() -> None:
    whole = book()
    plain, staged = groups.apart(whole) or pytest.fail("not apart")
    assert staged.sha256 == book(plain=False).sha256
    assert not plain.joint
    assert set(plain.orders["lot_id"]) == {"A", "B"}
    assert set(plain.capacity["factory_id"]) == {"X", "Y"}


def test_a_factory_in_common_keeps_them_together() -> None:
    whole = book()
    row = whole.arcs[whole.arcs["lot_id"] == "A"].iloc[[0]].assign(factory_id="P")
    arcs = pd.concat([whole.arcs, row]).sort_values(["lot_id", "stage", "factory_id"], ignore_index=True)
    assert groups.apart(replace(whole, arcs=arcs)) is None
    assert groups.apart(book(plain=False)) is None


def test_the_plan_is_that_of_both_parts_and_the_plain_one_to_the_digit() -> None:
    whole = book()
    plain, staged = groups.apart(whole) or pytest.fail("not apart")
    plan, alone, other = solve(whole, 20), solve(plain, 20), solve(staged, 20)
    mine = groups.plan_of(plain, plan)
    pd.testing.assert_frame_equal(mine.allocation, alone.allocation)
    pd.testing.assert_frame_equal(mine.schedule, alone.schedule)
    assert mine.report["objective"] == alone.report["objective"]
    assert plan.report["objective"] == alone.report["objective"] + other.report["objective"]
    assert plan.report["bound"] == alone.report["bound"] + other.report["bound"]
    assert sum(plan.report["cost"].values()) == pytest.approx(plan.report["objective"])
    assert plan.report["status"] == "optimal"
    assert plan.report["cost"] == pytest.approx(cost_parts(whole, plan.allocation, plan.schedule, plan.moves))
    assert "; stages, because" in plan.report["engine"]["way"]


@pytest.mark.parametrize("held", [False, True])
def test_prices_of_the_plain_lots_confirm_a_bound_of_all(tmp_path: Path, held: bool) -> None:
    whole = book()
    if held:
        whole = as_incumbents(whole, solve(whole, 20).allocation, 3.0)
    plain, staged = groups.apart(whole) or pytest.fail("not apart")
    plan = solve(whole, 20)
    of_plain = checked(plain, solve(plain, 20), tmp_path / "plain").confirmed_bound
    cheapest = staged.arcs.groupby(["lot_id", "stage"])["unit_cost"].min().groupby("lot_id").sum()
    least = (cheapest * staged.orders.set_index("lot_id")["quantity"]).sum()
    report = checked(whole, plan, tmp_path / "whole")
    assert report.confirmed_bound == pytest.approx((of_plain or np.nan) + least)
    assert 0 < report.confirmed_bound <= plan.report["objective"]
    free = plan.prices.assign(factory_id="P", price=1.0)
    assert checked(whole, replace(plan, prices=free), tmp_path / "shared").confirmed_bound is None


def test_beside_the_common_rule_what_it_cannot_make_counts_as_planned() -> None:
    whole = book()
    plain, _ = groups.apart(whole) or pytest.fail("not apart")
    plan = solve(whole, 20)
    day = day_of(whole, whole, plan)
    saved = greedy(plain).report["objective"] - groups.plan_of(plain, plan).report["objective"]
    assert day.figures["saved"] == pytest.approx(saved)
    alone = book(plain=False)
    made = solve(alone, 20)
    assert np.isclose(day_of(alone, alone, made).figures["saved"], 0.0)


def test_stages_pools_and_plain_lots_are_explained_in_one_page() -> None:
    whole = book()
    plan = solve(whole, 20)
    told = answer.summary(whole, plan, 1.0, names={f"S{number}": f"Shopper {number}, Sock" for number in (1, 2, 3)})
    assert "knit at F from day" in told
    assert "* Shopper 1, Sock to Shopper 3, Sock (pool Q): 3 lots with 3 pieces at P, 2.67 a piece." in told
    assert "Their one setup costs 5, 1.67 a piece" in told
    assert "2 lots: 90 pieces" in told
