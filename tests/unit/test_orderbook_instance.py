"""The daily planning instance: who may make what, at what cost, and how commitments enter."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from order_world import DAY, DELHI, POLICY, build, built, factory, job_order, lot, pairs, score, skills, working_days
from scipy.optimize import linprog

from c2m.settings import PlanPolicy
from optimization.contract.instances import Instance

RATES = POLICY.rates
DELHI_TO_MUMBAI_KM = 1148  # published great-circle distance


def test_eligibility_is_what_brute_force_finds() -> None:
    random = np.random.default_rng(3)
    crafts, ids = ["print", "wash", "knit"], [f"f{i}" for i in range(12)]
    has = {f: {n: 0.8 for n in ["shirt", "dress", *crafts] if random.random() < 0.7} for f in ids}
    factories = [
        factory(f, status=str(random.choice(["active", "paused"], p=[0.8, 0.2])), min_lot=int(random.integers(20, 400)))
        for f in ids
    ]
    lots = [
        lot(
            f"l{i}",
            category=str(random.choice(["shirt", "dress"])),
            crafts=";".join(sorted(random.choice(crafts, random.integers(0, 4), replace=False))),
            quantity=int(random.integers(50, 400)),
        )
        for i in range(25)
    ]
    refused = [(f"l{i}", f"f{i % 12}") for i in range(25)]
    expected = {
        (row["lot_id"], maker["factory_id"])
        for row in lots
        for maker in factories
        if maker["status"] == "active"
        and row["category"] in has[maker["factory_id"]]
        and all(craft in has[maker["factory_id"]] for craft in row["crafts"].split(";") if craft)
        and maker["min_lot"] <= row["quantity"]
        and (row["lot_id"], maker["factory_id"]) not in refused
    }
    assert pairs(built(lots, factories, skills(**has), refusals=refused)) == expected


def test_cost_pace_and_transit_of_a_pair() -> None:
    maker = factory("f", latitude=DELHI[0], longitude=DELHI[1], efficiency_factor=0.9, yield_rate=0.5)
    arc = built(
        [lot(crafts="print;wash")],
        [maker],
        skills(f={"shirt": 0.8, "print": 0.6, "wash": 0.7}),
        scores=[score("f", yield_rate=0.96)],
    ).arcs.iloc[0]
    minutes = 12 / (0.6 * 0.9) / 0.96
    assert arc["minutes_per_piece"] == pytest.approx(minutes)
    spoiled = (1 / 0.96 - 1) * (1 - RATES.making_share) * 8
    freight = RATES.freight_share_per_km * DELHI_TO_MUMBAI_KM * 8
    assert arc["unit_cost"] == pytest.approx(0.1 * minutes + freight + spoiled, rel=1e-3)
    assert arc["transit_days"] == 1 + 3
    assert (arc["setup_cost"], arc["setup_minutes"], arc["min_lot"], arc["max_lot"]) == (40, 300, 50, 500)


def test_a_factory_without_score_or_destination_still_has_a_finite_pair() -> None:
    arc = built([lot(destination_latitude=None, destination_longitude=None)], [factory("f", yield_rate=np.nan)]).arcs
    assert arc["minutes_per_piece"].tolist() == [15.0]
    assert arc["transit_days"].tolist() == [2]


def test_replenishment_goes_where_the_merchants_other_orders_go() -> None:
    nowhere = {"destination_latitude": None, "destination_longitude": None}
    rows = [lot("l1"), lot("l2", **nowhere), lot("l3", merchant_id="n", **nowhere)]
    arcs = built(rows, [factory("f", latitude=DELHI[0], longitude=DELHI[1])]).arcs
    assert arcs["transit_days"].tolist() == [4, 4, 2]


def test_day_1_is_the_first_working_day_and_dates_become_days() -> None:
    rows = [lot("l1", release_on=date(2026, 3, 11), due_on=date(2026, 3, 20)), lot("l2", due_on=date(2026, 3, 2))]
    instance = built(rows, [factory("f")])
    assert instance.day_1 == date(2026, 3, 9)
    assert instance.orders["release_day"].tolist() == [3, 1]
    assert instance.orders["due_day"].tolist() == [12, -6]
    assert instance.horizon_days == POLICY.horizon_days
    assert set(instance.capacity["day"]) == {1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19}
    assert instance.capacity["overtime_cost"].unique() == pytest.approx([0.05])


def test_an_overdue_lot_is_still_made() -> None:
    late = built([lot(due_on=DAY - timedelta(days=30))], [factory("f")])
    order = late.orders.iloc[0]
    assert order["due_day"] + order["max_late_days"] == POLICY.max_late_days + 1
    assert pairs(late) == {("l1", "f")}


def test_late_and_unmet_costs_follow_price_and_cost() -> None:
    rows = [lot("dear"), lot("cheap", unit_value=6.0), lot("far", due_on=DAY + timedelta(days=80))]
    rows += [lot("sold", source="replenishment"), lot("plain", source="replenishment", unit_cost_basis=19.0)]
    orders = built(rows, [factory("f")]).orders.set_index("lot_id")
    assert orders.loc["dear", "late_cost"] == pytest.approx(RATES.late_share_per_day * 20)
    assert orders.loc["sold", "late_cost"] == pytest.approx((20 - 8) / 14)  # the margin of 14 days' sales
    assert orders.loc["plain", "late_cost"] == pytest.approx(RATES.late_share_per_day * 20)
    assert orders.loc["dear", "unmet_cost"] == pytest.approx(20 - (1 - RATES.making_share) * 8)
    assert orders.loc["cheap", "unmet_cost"] == pytest.approx(8)
    assert 0 < orders.loc["far", "unmet_cost"] < orders.loc["dear", "unmet_cost"] / 2


def test_a_small_replenishment_is_late_at_its_own_rate_and_more_surely_in_time() -> None:
    small, large = (lot(f"{n}", source="replenishment", quantity=n) for n in (POLICY.small_pieces, 301))
    surer = POLICY.model_copy(update={"small_level": 0.995})
    uneven = factory("f", efficiency_day_sd=0.25, efficiency_level_sd=0.05)
    instance = built([small, large, lot("300m", quantity=300)], [uneven], policy=surer)
    assert instance.orders.set_index("lot_id")["late_cost"].to_dict() == pytest.approx(
        {"300": RATES.small_late_share_per_day * 20, "301": 12 / 14, "300m": RATES.late_share_per_day * 20}
    )
    days = instance.arcs.set_index("lot_id")["transit_days"]
    assert days["300"] > days["301"] == days["300m"]


def test_a_date_of_a_plan_is_due_by_its_day_at_the_costs_of_the_contract() -> None:
    """Costs that weighed promises would reach the release policy, which limits the late share, and the plan's page."""
    due = DAY + timedelta(days=9)
    rows = [lot("new", due_on=due), lot("sooner", due_on=due, promised_on=due - timedelta(days=2))]
    rows += [lot("later", due_on=due, promised_on=due + timedelta(days=4))]
    orders = built(rows, [factory("f")]).orders.set_index("lot_id")
    assert (orders["due_day"] - orders.loc["new", "due_day"]).to_dict() == {"new": 0, "sooner": -2, "later": 0}
    assert (orders["late_cost"] == RATES.late_share_per_day * 20).all()
    assert orders["unmet_cost"].nunique() == 1


def test_an_order_that_was_placed_by_a_quote_is_not_late_to_be_made_cheaper() -> None:
    due = DAY + timedelta(days=9)
    orders = built([lot("a"), lot("b", due_on=due, promised_on=due, quoted=True)], [factory("f")]).orders
    assert orders["late_cost"].tolist() == pytest.approx(
        [rate * 20 for rate in (RATES.late_share_per_day, RATES.quoted_late_share_per_day)]
    )


@pytest.mark.parametrize(("willingness", "expected"), [(0.0, None), (0.2, None), (0.5, 30), (1.0, 30)])
def test_a_small_lot_goes_to_the_willing(willingness: float, expected: int | None) -> None:
    makers = [factory("big"), factory("f", min_lot=200, small_order_willingness=willingness)]
    instance = built([lot("small", quantity=30), lot("large")], makers)
    arcs = instance.arcs.set_index(["lot_id", "factory_id"])["min_lot"]
    assert arcs.get(("small", "f")) == expected
    assert arcs[("large", "f")] == 200 - willingness * 100


def test_a_lot_that_nobody_can_make_stays_and_is_seen() -> None:
    instance = built([lot("l1"), lot("l2", crafts="lace")], [factory("f")])
    assert instance.orders["lot_id"].tolist() == ["l1", "l2"]
    assert pairs(instance) == {("l1", "f")}


def test_nothing_to_plan() -> None:
    assert build([], [factory("f")]) is None
    assert build([lot(remaining=0)], [factory("f")]) is None
    assert build([lot(crafts="lace")], [factory("f")]) is None
    assert build([lot()], [factory("f")], calendar=working_days(["f"], minutes=0)) is None


def test_a_factory_without_capacity_is_dropped() -> None:
    instance = built([lot()], [factory("f"), factory("idle")], calendar=working_days(["f"]))
    assert pairs(instance) == {("l1", "f")}
    assert instance.factories["factory_id"].tolist() == ["f"]


def test_job_orders_enter_as_incumbents() -> None:
    live = [
        job_order("l1", "waits"),
        job_order("l1", "runs", state="Running", remaining=120),
        job_order("l1", "silent", state="Released", accepted=None, remaining=40),
        job_order("gone", "runs"),
    ]
    makers = [factory(f) for f in ["waits", "runs", "silent", "other"]]
    instance = built([lot(quantity=1000, remaining=900, committed=460)], makers, live=live)
    rows = instance.incumbent.set_index("factory_id")
    assert rows["quantity"].to_dict() == {"waits": 300, "runs": 120, "silent": 40}
    assert rows["frozen"].to_dict() == {"waits": True, "runs": True, "silent": False}
    assert rows["setup_done"].to_dict() == {"waits": False, "runs": True, "silent": False}
    assert rows["change_cost"].unique() == pytest.approx([RATES.change_share * 8])
    assert instance.orders["quantity"].tolist() == [900]
    assert instance.arcs.set_index("factory_id")["min_lot"].to_dict() == {
        "waits": 50,
        "runs": 50,
        "silent": 40,
        "other": 50,
    }


def test_an_incumbent_keeps_its_pair_whatever_happened_to_the_factory() -> None:
    live = [job_order("l1", "f", remaining=30)]
    ended = {"status": "paused", "min_lot": 10_000}
    instance = built(
        [lot(committed=30)], [factory("f", **ended), factory("g")], skills(g={"shirt": 0.8}), live, [("l1", "f")]
    )
    assert pairs(instance) == {("l1", "f"), ("l1", "g")}
    assert instance.incumbent["frozen"].tolist() == [True]


def test_work_that_no_longer_fits_its_factory_is_freed_to_move() -> None:
    live = [job_order("l1", "f"), job_order("l2", "f"), job_order("l2", "g")]
    calendar = pd.concat([working_days(["f"], minutes=100, days=6), working_days(["g"])])
    instance = built(
        [lot("l1", committed=300), lot("l2", committed=600, quantity=800)],
        [factory("f"), factory("g")],
        live=live,
        calendar=calendar,
    )
    frozen = instance.incumbent.set_index(["lot_id", "factory_id"])["frozen"]
    assert frozen.to_dict() == {("l1", "f"): False, ("l2", "f"): False, ("l2", "g"): True}


def test_a_job_order_at_a_factory_that_left_the_feed_is_to_be_placed_again() -> None:
    instance = built([lot(committed=300)], [factory("g")], live=[job_order("l1", "gone")])
    assert instance.orders["quantity"].tolist() == [500]
    assert pairs(instance) == {("l1", "g")}
    assert not instance.incumbent["frozen"].any()


def test_what_counts_in_another_currency_is_left_out_and_the_rest_is_planned() -> None:
    lots = [lot("l1"), lot("l2"), lot("l3", currency="INR")]
    instance = built(lots, [factory("e", currency="EUR"), factory("g"), factory("h")])
    assert set(instance.orders["lot_id"]) == {"l1", "l2"}
    assert {factory_id for _, factory_id in pairs(instance)} == {"g", "h"}


def placeable_pieces(instance: Instance) -> float:
    """The most pieces that the offered pairs can place within capacity, by linear programming."""
    arcs, minutes = (
        instance.arcs,
        instance.capacity.groupby("factory_id")[["minutes", "overtime_minutes"]].sum().sum(axis=1),
    )
    by_lot = pd.get_dummies(arcs["lot_id"]).T.to_numpy(dtype=float)
    by_factory = pd.get_dummies(arcs["factory_id"]).T.to_numpy(dtype=float) * arcs["minutes_per_piece"].to_numpy()
    limits = [*instance.orders["quantity"], *minutes]
    return -float(linprog(-np.ones(len(arcs)), np.vstack([by_lot, by_factory]), limits).fun)


def test_the_shortlist_keeps_the_cheapest_and_still_has_room_for_all() -> None:
    makers = [factory(f"f{i:02}", minute_cost=0.10 + i / 1000) for i in range(40)]
    rows = [lot(f"l{i:03}", quantity=1_500) for i in range(200)]
    instance = built(rows, makers, policy=PlanPolicy.model_validate({"candidate_factories": 6}))
    offered = instance.arcs.groupby("lot_id")["factory_id"].agg(set)
    assert all({"f00", "f01", "f02"} <= names and len(names) == 6 for names in offered)
    assert placeable_pieces(instance) == pytest.approx(200 * 1_500)


def test_a_lot_too_large_for_its_cheapest_is_offered_the_roomiest() -> None:
    small = [factory(f"f{i}") for i in range(12)]
    large = [factory(f"g{i}", minute_cost=0.2) for i in range(4)]
    calendar = pd.concat(
        [working_days([m["factory_id"] for m in small], 900), working_days([m["factory_id"] for m in large])]
    )
    policy = PlanPolicy.model_validate({"candidate_factories": 4})
    instance = built([lot(quantity=20_000)], [*small, *large], policy=policy, calendar=calendar)
    assert {"g0", "g1", "g2", "g3"} <= set(instance.arcs["factory_id"])


def test_the_same_frames_in_any_row_order_give_the_same_instance() -> None:
    makers, rows = [factory(f"f{i}") for i in range(5)], [lot(f"l{i}") for i in range(5)]
    assert built(rows, makers).sha256 == built(rows[::-1], makers[::-1]).sha256


def test_an_assumed_rate_is_a_setting() -> None:
    policy = PlanPolicy.model_validate({"rates": {"late_share_per_day": 0.03}})
    orders = build([lot()], [factory("f")], policy=policy).orders
    assert orders["late_cost"].tolist() == pytest.approx(
        [3 * built([lot()], [factory("f")]).orders["late_cost"].item()]
    )
