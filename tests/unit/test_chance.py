"""Days in hand and promised dates: whole orders hold at the stated rate, by futures worked through in loops."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from order_world import CERTAIN, DAY, POLICY, build, built, factory, job_order, lot, working_days
from scipy.stats import norm

from c2m.settings import PlanPolicy
from optimization.book.daily_instance import promised_dates, queues
from optimization.book.plan_proposal import dated_allocation
from optimization.book.promised_dates import MEMORY, slack_days, steps
from optimization.planning.solve import solve

NOBODY = pd.DataFrame(columns=["factory_id", "quantity", "standard_minutes", "start_on", "told_at"])
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
UNSURE = {"efficiency_level_sd": 0.05, "efficiency_day_sd": 0.2, "efficiency_deviation": -0.1, "efficiency_kept": 1.0}


def lines(count: int, **facts: float) -> pd.DataFrame:
    return pd.DataFrame([factory(f"f{n}", **UNSURE | facts) for n in range(count)])


def futures(random: np.random.Generator, row: "pd.Series[float]", step: np.ndarray) -> np.ndarray:
    """(20,000, D) ratios of one factory's days: a joint Gaussian, given the level and the state before them."""
    level, level_sd, day_sd, deviation, kept = (
        row[f"efficiency_{name}"] for name in ("level", "level_sd", "day_sd", "deviation", "kept")
    )
    faded = MEMORY**step
    days = MEMORY ** np.abs(step[:, None] - step) - kept**2 * np.outer(faded, faded)
    about = 1 - kept * faded
    covariance = day_sd**2 * days + level_sd**2 * np.outer(about, about)
    return random.multivariate_normal(level + deviation * faded, covariance, 20_000)


@pytest.mark.parametrize("pairs", [1, 2, 4])
def test_all_pairs_of_an_order_hold_together_at_the_level(pairs: int) -> None:
    minutes, due = np.full((pairs, 60), 100.0), 45
    factories = lines(pairs)
    slack = slack_days(factories, minutes, np.full((1, pairs), float(due)), np.array([pairs]), 0.9)[0]
    assert (slack > 0).all()
    step, random = steps(minutes), np.random.default_rng(2)
    ratios = [futures(random, factories.iloc[f], step[f]) for f in range(pairs)]
    done = np.array([ratio[:, :due].sum(axis=1) * 100 for ratio in ratios])

    def held(more: int) -> float:
        planned = (due - slack + more) * 100.0  # what the plan has done by the day that is left, at mean efficiency
        return float((done >= planned[:, None]).all(axis=0).mean())

    # Whole days: the level holds, and would not with a day less in hand.
    assert held(0) >= 0.9 - 0.005
    assert held(1) < 0.9


def test_a_factory_whose_days_are_alike_keeps_no_day_in_hand_and_a_late_one_is_stretched() -> None:
    minutes, last = np.full((1, 30), 100.0), np.full((1, 1), 20.0)
    sure = pd.DataFrame([factory("f", **CERTAIN)])
    assert slack_days(sure, minutes, last, np.array([4]), 0.95) == 0
    late = pd.DataFrame([factory("f", **CERTAIN | {"lead_ratio_q90": 1.25})])
    assert slack_days(late, minutes, last, np.array([4]), 0.95) == 4


def test_days_in_hand_lie_in_transit_and_do_not_shorten_the_window() -> None:
    facts = {"due_on": DAY + timedelta(days=20), "quantity": 2_000}
    sure, unsure = built([lot(**facts)], [factory("f")]), built([lot(**facts)], [factory("f", **UNSURE)])
    more = int(unsure.arcs["transit_days"].iloc[0] - sure.arcs["transit_days"].iloc[0])
    assert more > 0
    assert unsure.orders["max_late_days"].iloc[0] == sure.orders["max_late_days"].iloc[0] + more
    bold = PlanPolicy.model_validate({"promise_level": 0.5})
    assert built([lot(**facts)], [factory("f", **UNSURE)], policy=bold).arcs["transit_days"].iloc[0] < 2 + more


def test_an_order_of_many_lots_needs_more_days_in_hand_than_one() -> None:
    rows = [lot(f"l{n}", order_id="one", due_on=DAY + timedelta(days=20), quantity=2_000) for n in range(5)]
    together = built(rows, [factory(f"f{n}", **UNSURE) for n in range(5)])
    apart = built([row | {"order_id": row["lot_id"]} for row in rows], [factory(f"f{n}", **UNSURE) for n in range(5)])
    assert (together.arcs["transit_days"] >= apart.arcs["transit_days"]).all()
    assert together.arcs["transit_days"].sum() > apart.arcs["transit_days"].sum()


def test_dates_to_promise_stand_beside_the_plan() -> None:
    rows = [lot("l1", order_id="o", quantity=3_000), lot("l2", order_id="o", quantity=2_000), lot("l3", quantity=500)]
    makers = [factory(f"f{n}", **UNSURE) for n in range(3)]
    instance = build(rows, makers, calendar=working_days(["f0", "f1", "f2"], 4_800), policy=POLICY)
    assert instance is not None
    plan = solve(instance, time_limit_s=10, threads=1)
    columns = ["lot_id", "factory_id", "quantity", "remaining", "state", "start_on", "due_on", "arrival"]
    columns += ["job_order_id", "rank", "begun_at", "told_at"]
    none = pd.DataFrame(columns=columns)
    known = pd.DataFrame(makers), working_days(["f0", "f1", "f2"], 4_800)
    promised, behind, order = promised_dates(
        instance, plan, pd.DataFrame(rows), none, *known, {}, NOBODY, MIDNIGHT, 0.9
    )
    assert promised["order_id"].tolist() == ["o", "order-l3"]
    assert (promised["promised_on"] > promised["planned_on"]).all()
    assert (promised["unplaced"] == 0).all()
    made = plan.allocation.assign(order_id=plan.allocation["lot_id"].map({"l1": "o", "l2": "o", "l3": "order-l3"}))
    pairs = set(made[["order_id", "factory_id"]].itertuples(index=False, name=None))
    assert set(behind[["order_id", "factory_id"]].itertuples(index=False, name=None)) == pairs
    assert (order.groupby("factory_id")["place"].min() == 1).all()
    arrives = dated_allocation(instance, plan.allocation, plan.schedule, order).groupby("lot_id")["finish_on"].max()
    assert promised.loc[0, "planned_on"] < max(arrives["l1"], arrives["l2"])  # the plan's arrival has days in hand


def test_the_level_of_a_pair_is_a_root_of_the_order_s() -> None:
    minutes, last = np.full((1, 60), 100.0), np.full((2, 1), 40.0)
    slack = slack_days(lines(1), minutes, last, np.array([1, 3]), 0.9)
    alone = slack_days(lines(1), minutes, last[:1], np.array([1]), 0.9 ** (1 / 3))
    assert slack[1, 0] == alone[0, 0] >= slack[0, 0]
    assert norm.ppf(0.9 ** (1 / 3)) > norm.ppf(0.9)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("told", "pieces", "first"), [(None, 600, "new"), (8, 600, "held"), (8, 50, "new"), (40, 600, "new")]
)
def test_a_new_lot_goes_behind_one_whose_promised_date_it_would_put_at_stake(
    version: int, told: int | None, pieces: int, first: str
) -> None:
    """Five days of work are agreed; a lot that is due sooner comes in, of a day or less. Version 1 goes by due days."""
    monday = DAY + timedelta(days=3)
    promised_on = DAY + timedelta(days=told) if told else None
    rows = [lot("held", quantity=2_500, committed=2_500, due_on=DAY + timedelta(days=25), promised_on=promised_on)]
    rows += [lot("new", quantity=pieces, due_on=DAY + timedelta(days=5))]
    live = job_order("held", "f", remaining=2_500, quantity=2_500, start_on=monday, due_on=DAY + timedelta(days=12))
    live |= {"arrival": 1, "told_at": monday, "begun_at": None, "rank": 1_000_000 if version > 1 else None}
    makers = [factory("f", **UNSURE | {"efficiency_deviation": 0.0, "works_by_rank": 1.0})]
    known = pd.DataFrame(makers), working_days(["f"])
    instance = build(rows, makers, live=[{name: live[name] for name in job_order("", "")}], policy=POLICY)
    assert instance is not None
    plan = solve(instance, time_limit_s=10, threads=1)
    found = promised_dates(
        instance, plan, pd.DataFrame(rows), pd.DataFrame([live]), *known, {"f": version}, NOBODY, MIDNIGHT, 0.9
    )
    assert found[2].sort_values("place")["lot_id"].iloc[0] == first
    dated = dated_allocation(instance, plan.allocation, plan.schedule, found[2]).set_index("lot_id")
    assert dated["place"].idxmin() == first
    if version == 1:
        assert (dated.loc["new", "finish_on"] > live["due_on"]) == (first == "held")


@pytest.mark.parametrize(
    ("state", "made", "left"), [("NotAllowedToStart", 0, 300), ("Running", 0, 300), ("Running", 1, 0)]
)
def test_a_line_that_has_made_nothing_yet_is_still_to_be_set_up(state: str, made: int, left: float) -> None:
    monday = DAY + timedelta(days=3)
    rows = [lot("held", committed=500)]
    live = job_order("held", "f", remaining=500 - made, quantity=500, state=state, start_on=monday, due_on=monday)
    live |= {"arrival": 1, "told_at": monday, "begun_at": None, "rank": 1}
    instance = build(rows, [factory("f")], live=[{name: live[name] for name in job_order("", "")}], policy=POLICY)
    assert instance is not None
    plan = solve(instance, time_limit_s=10, threads=1)
    work = queues(instance, monday, plan, pd.DataFrame([live | {"in_overtime": False, "had_minutes": np.nan}]))
    assert work["setup_minutes"].tolist() == [left]
