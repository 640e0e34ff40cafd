"""What making a design costs is what a plan of that lot alone costs, by the plan's own instance and statement."""

import json
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from order_world import DAY, POLICY, built, factory, job_order, lot, score, skills, working_days

from c2m.domain.designs import Design, design_of
from optimization import solve
from optimization.contract.plan import Plan
from optimization.costing.purchase import MaterialMarket
from optimization.costing.study import StudyFacts, costs
from optimization.promising.free_capacity import FreeCapacity, ready
from optimization.promising.known import Known
from optimization.routing.hand_overs import HandOvers

NAMES = ["near", "cheap", "dyer"]
MAKERS = [factory("near"), factory("cheap", minute_cost=0.07, setup_cost=90.0, latitude=28.6, longitude=77.2)]
MAKERS += [factory("dyer", min_lot=20)]
SKILLS = skills(near={"shirt": 0.8, "print": 0.7}, cheap={"shirt": 0.75, "print": 0.8}, dyer={"shirt": 0.9, "dye": 0.9})
SCORES = [score(name) for name in NAMES]
OWN = ("unit", "setup", "engagement", "overtime")


@pytest.fixture(scope="module")
def given() -> StudyFacts:
    """A plan in force that has given nothing away; material is half of the cost of a shirt, and there at once."""
    instance = built([lot()], MAKERS, SKILLS, scores=SCORES, policy=POLICY)
    nothing = pd.DataFrame(columns=["lot_id", "factory_id", "quantity"]).astype({"quantity": int})
    work = pd.DataFrame(columns=["lot_id", "factory_id", "day", "setup_minutes", "run_minutes"])
    plan = Plan(nothing, work.astype({"day": int, "setup_minutes": float, "run_minutes": float}), {})
    told = pd.DataFrame(columns=["factory_id", "quantity", "standard_minutes", "told_at", "start_on"])
    skus = pd.DataFrame(columns=["merchant_id", "sku_id", "style_id", "colour", "category", "crafts", "currency",
                                 "price", "cost", "sam_minutes", *(f"sam_{n}_minutes" for n in ("cut", "sew", "finish",
                                 "inspect", "pack"))])  # fmt: skip
    calendar, until = working_days(NAMES), datetime.combine(DAY, datetime.min.time())
    known = Known(pd.DataFrame(MAKERS), SKILLS, calendar, pd.DataFrame(SCORES), skus, {}, told, until)
    live = pd.DataFrame(
        columns=[*job_order("", ""), "quantity", "begun_at", "start_on", "due_on", "rank", "arrival", "told_at"]
    )
    room: FreeCapacity = ready("plan", instance, plan, pd.DataFrame([lot()]), live, known, 0.9)
    usual = pd.Series({"shirt": 0.26})
    return StudyFacts(room, MaterialMarket(pd.DataFrame(), pd.DataFrame()), usual, 0, DAY, POLICY)


def shirt(*steps: dict[str, Any]) -> Design:
    row = {"merchant_id": "m", "design_id": "d", "category": "shirt", "price": 20.0, "currency": "USD"}
    return design_of(row | {"routing": json.dumps(steps)})


def alone(pieces: int, crafts: str, sam_minutes: float, room: FreeCapacity) -> float:
    """Least cost of a lot that a plan has to itself, anywhere within the horizon."""
    basis = 20.0 * 0.26 / (1 - POLICY.rates.making_share)
    ends_on = room.date_of(room.last_day(DAY))
    one = lot("x", quantity=pieces, crafts=crafts, sam_minutes=sam_minutes, unit_cost_basis=basis, due_on=ends_on)
    plan = solve(built([one], MAKERS, SKILLS, scores=SCORES), gap=1e-9)
    assert not plan.report["unmet"]
    return float(sum(plan.report["cost"][name] for name in OWN))


@pytest.mark.parametrize("pieces", [100, 300, 1000])
def test_a_design_costs_what_a_plan_of_it_alone_costs(given: StudyFacts, pieces: int) -> None:
    design = shirt(
        {"operation": "sew", "sam_minutes": 11.0}, {"operation": "print", "sam_minutes": 2.0, "craft": "print"}
    )
    rows = costs(design, [pieces], True, given)
    assert rows["making_cost"].min() == pytest.approx(alone(pieces, "print", 13.0, given.room), rel=1e-4)
    assert rows["material_cost"].tolist() == [pytest.approx(pieces * 5.2)] * len(rows)
    assert (rows["unit_cost"] * pieces).tolist() == pytest.approx(
        (rows["material_cost"] + rows["making_cost"]).tolist()
    )
    assert (rows["lead_days"] > 0).all()


def test_stages_that_no_factory_does_together_are_made_one_after_the_other(given: StudyFacts) -> None:
    steps = (
        {"operation": "print", "sam_minutes": 3.0, "craft": "print"},
        {"operation": "dye", "sam_minutes": 4.0, "craft": "dye", "stage": 2},
    )
    rows = costs(shirt(*steps), [200], False, given)
    both = [alone(200, craft, minutes, given.room) for craft, minutes in (("print", 3.0), ("dye", 4.0))]
    assert rows["making_cost"].min() == pytest.approx(sum(both), rel=1e-4)
    one = costs(shirt(steps[0]), [200], True, given)
    assert rows["lead_days"].min() > one["lead_days"].min()
    assert {name for names in rows["factories"] for name in names.split(";")} >= {"dyer"}


def test_what_a_quote_asks_for_waits_for_no_stage() -> None:
    work = pd.DataFrame({"lot_id": ["s", "s", "new"], "stage": [1.0, 2.0, None], "begun": False, "start_day": 1.0})
    assert HandOvers(work.assign(lane_days=1.0)).stages == [1]
