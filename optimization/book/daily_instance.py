"""The order book of lots: merchants' orders as lots, and all open lots as the planning instance of one day.

In: marts and ledger frames (docs/reference). Out: frames for `ledger.orders.record`, and an `Instance`.
The rules and the assumed rates are told in docs/operations.md.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.domain.promises import Correction
from c2m.ledger.states import STARTED
from c2m.settings import PlanPolicy, settings
from c2m.wire.messages import VERSION
from optimization.book.arcs import arcs
from optimization.book.currencies import plan_currency
from optimization.book.factory_record import exposed, exposures
from optimization.book.identity import NOTHING, with_ledger_ids
from optimization.book.lots import make_lots
from optimization.book.plan_proposal import dates, places
from optimization.book.precedence import due_days, settled
from optimization.book.promised_dates import promises
from optimization.book.queue import WORK
from optimization.book.set_aside import unfinished_orders
from optimization.book.under_way import under_way
from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, at_last_stage, key_of, pair_key
from optimization.routing.distances import transit_days
from optimization.routing.hand_overs import LEAST_DAYS, in_chain
from optimization.routing.pools import pool_ids, pooled_pieces, pools_of
from optimization.routing.stage_lots import NO_STAGES, legs, minutes_of_stages, staged_book

DESTINATION = ["destination_latitude", "destination_longitude"]
HEADER = [
    *["merchant_id", "parent_order_id", "placed_on", "release_on", "due_on", "priority", "tolerance_share"],
    *["max_factories", "currency", *DESTINATION],
]
_MAKER = ["order_id", "factory_id"]
_TOLD = ["first_day", "due_day"]
_WORK_OF_PAIR = [*PAIR, "minutes_per_piece", "setup_minutes"]
DAYS_AHEAD = 120  # of the calendar, that a promise looks at


def merchant_lots(
    book: pd.DataFrame, skus: pd.DataFrame, held: pd.DataFrame = NOTHING
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Orders and lots of the mart merchant_order_book: one lot per style-colour of an order.

    Parameters
    ----------
    book
        The mart merchant_order_book: a row per line of an order, as it is known now; quantity in pieces.
    skus
        The mart `skus`.
    held
        The lots that the ledger knows, by which orders and lots keep their ids; empty: none.

    Returns
    -------
    tuple
        (orders, lots, lot_skus) for `ledger.orders.record`. A lot's `waits` says why it cannot be planned, '' where it
        can; what was cancelled has that state.
    """
    book = with_ledger_ids(book, held)
    headers = book.drop_duplicates("order_id")
    lots, lot_skus = make_lots(book[book["quantity"] > 0], skus, held)
    lots["waits"] = "" if settings().plan.orders_in_parts else lots["order_id"].map(unfinished_orders(book))
    return _with_state(_headers(headers, lots), headers), _with_state(lots, headers), lot_skus


def _headers(headers: pd.DataFrame, lots: pd.DataFrame) -> pd.DataFrame:
    """Orders in ledger columns, in the currency of their lots."""
    orders = (
        headers[["order_id", "merchant_order_id", *HEADER]]
        .assign(source="merchant", order_code=headers.get("order_code"))
        .reset_index(drop=True)
    )
    return orders.assign(currency=orders["order_id"].map(_counted_in(lots)).fillna(orders["currency"]))


def _counted_in(lots: pd.DataFrame) -> "pd.Series[str]":
    """By order the one currency of its SKUs, in which its lots count, whatever the order is paid in."""
    return lots.groupby("order_id")["currency"].agg(["nunique", "first"]).query("nunique == 1")["first"]


def _with_state(rows: pd.DataFrame, headers: pd.DataFrame) -> pd.DataFrame:
    """Rows of orders, with the state that their order has."""
    cancelled = headers.loc[headers["status"] == "cancelled", "order_id"]
    return rows.assign(state=np.where(rows["order_id"].isin(cancelled), "cancelled", "open"))


def build_instance(
    lots: pd.DataFrame,
    live: pd.DataFrame,
    refusals: pd.DataFrame,
    factories: pd.DataFrame,
    capabilities: pd.DataFrame,
    calendar: pd.DataFrame,
    scores: pd.DataFrame,
    policy: PlanPolicy,
    business_date: date,
    of_stages: pd.DataFrame = NO_STAGES,
    ready: pd.DataFrame | None = None,
) -> Instance | None:
    """The instance of the day after `business_date`; None where there is nothing to plan.

    That is: no open lot, no working day ahead, or no factory for any lot. A lot that no factory can make stays in
    `orders` without an arc, so that the plan reports it as unmet. Live job orders enter as incumbents: they alone keep
    their pair whatever happened to the factory since.

    Parameters
    ----------
    lots
        Open lots (`ledger.orders.open_lots`), with what remains of each (pieces).
    live
        Live job orders: lot_id, factory_id, remaining and what was agreed (`ledger.job_orders.live`).
    refusals
        Pairs that a factory refused: lot_id, factory_id.
    factories
        The mart of this name; rates in its currency, transit in days.
    capabilities
        Those that count, see `tellable`: factory_id, kind, name, efficiency.
    calendar
        factory_id, day, minutes, overtime_minutes.
    scores
        The mart `factory_scores`: lead times, yields, bands.
    policy
        Horizon, rates and limits of the plan.
    business_date
        The day before the first that can be planned.
    of_stages
        Job orders of lots that are made in stages (`ledger.job_orders.of_stages`); empty: none.
    ready
        lot_id, ready_on of each material that a lot takes, NaT where nothing covers it; None: no lot waits for any.

    Returns
    -------
    Instance or None
        In the currency of the factories; orders of another one are left out.
    """
    day_1 = first_working_day(calendar, business_date)
    currency = plan_currency(factories) or lots["currency"].min()
    lots = lots[(lots["currency"] == currency) | lots["lot_id"].isin(live["lot_id"])]
    book = lots = lots.assign(pool_id=pool_ids(lots, policy.pooled_pieces))
    staged = staged_book(lots, of_stages, factories)
    live, refusals = staged.flat(live), staged.flat(refusals)
    lots = staged.stages_of(lots, live)
    held = _held(live, lots)
    lots = _to_plan(lots, held)
    if day_1 is None or lots.empty:
        return None
    factories = _of_currency(factories, currency).sort_values("factory_id", ignore_index=True)
    orders = _orders(lots, day_1, policy)
    cloth = _cloth_days(orders, ready, day_1, policy.horizon_days)
    capacity = working_days(calendar, factories, day_1, policy.horizon_days)
    exposure = exposures(factories, scores)
    running = _running_minutes(capacity, factories, policy.horizon_days) * exposure[:, None]
    offered = arcs(
        lots.drop(columns=["max_factories", "priority"]).merge(
            orders.assign(release_day=cloth.to_numpy()), on=["lot_id", "quantity"]
        ),
        *(factories, capabilities, scores),
        held,
        refusals,
        running,
        policy.candidate_factories,
        np.where(is_small(lots, policy), policy.small_level, policy.promise_level),
        policy.rates,
    )
    if offered.empty:
        return None
    used = factories["factory_id"].isin(offered["factory_id"])
    incumbents = _incumbents(held, lots, offered, capacity, policy.rates.change_share)
    if ready is not None:
        offered, incumbents = _begun_when_there(offered, incumbents, orders, cloth)
    capacity = exposed(
        capacity, pd.Series(exposure, factories["factory_id"]), _frozen_work(incumbents, offered, orders)
    )
    tables = {
        "orders": orders.assign(max_late_days=_latest(orders, offered)),
        "arcs": offered,
        "capacity": capacity[capacity["factory_id"].isin(factories.loc[used, "factory_id"])],
        "factories": factories.loc[used, ["factory_id", "engagement_cost"]],
        "incumbent": incumbents,
    }
    tables = staged.as_contract(tables, factories, policy.rates)
    tables["pools"] = pools_of(book, tables["orders"]["lot_id"])
    return Instance.from_tables(tables, policy.horizon_days, day_1, currency)


def _cloth_days(orders: pd.DataFrame, ready: pd.DataFrame | None, day_1: date, horizon_days: int) -> "pd.Series[int]":
    """By lot_id the first day on which a lot is released and all of its material is there, H + 1 where it never is."""
    released = orders.set_index("lot_id")["release_day"]
    if ready is None:
        return released
    day = _days(ready["ready_on"], day_1).fillna(horizon_days + 1).clip(1, horizon_days + 1)
    # Of a lot that is made in stages, the first takes the cloth: lot/1.
    taker = released.index.str.removesuffix("/1")
    there = taker.map(day.groupby(ready["lot_id"]).max().to_dict()).to_numpy(dtype=float)
    return pd.Series(np.fmax(released, there), released.index).astype(np.int64)


def _begun_when_there(
    offered: pd.DataFrame, incumbents: pd.DataFrame, orders: pd.DataFrame, cloth: "pd.Series[int]"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Arcs that begin when the cloth is there, unless the pair has begun; work that waits for cloth is not frozen.

    What is frozen and must begin later may no longer fit, which would leave the whole day without a plan.
    """
    begun = incumbents.loc[incumbents["setup_done"], PAIR].assign(begun=True)
    released = offered["lot_id"].map(orders.set_index("lot_id")["release_day"])
    has_begun = offered[PAIR].merge(begun, on=PAIR, how="left")["begun"].eq(True).to_numpy()
    day = offered["lot_id"].map(cloth).mask(has_begun, released).astype(np.int64)
    waits = pd.MultiIndex.from_frame(offered.loc[day > released.clip(lower=1), PAIR])
    frozen = incumbents["frozen"] & ~pd.MultiIndex.from_frame(incumbents[PAIR]).isin(waits)
    return offered.assign(release_day=day), incumbents.assign(frozen=frozen)


def tellable(capabilities: pd.DataFrame, versions: Mapping[str, int]) -> pd.DataFrame:
    """The capabilities that count: crafts only of factories whose version of the messages can tell a craft.

    Parameters
    ----------
    capabilities
        The mart `factory_capabilities`: factory_id, kind, name, efficiency.
    versions
        Version of the messages by factory_id; a factory that has never said one understands the first.

    Returns
    -------
    pd.DataFrame
        Rows of the mart.
    """
    version = capabilities["factory_id"].map(versions).fillna(1)
    return capabilities[(capabilities["kind"] != "craft") | (version >= VERSION)]


def promised_dates(
    instance: Instance,
    plan: Plan,
    lots: pd.DataFrame,
    live: pd.DataFrame,
    factories: pd.DataFrame,
    calendar: pd.DataFrame,
    versions: Mapping[str, int],
    told: pd.DataFrame,
    until: datetime,
    level: float,
    correction: Correction = Correction(),
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """When whole orders will have arrived, who makes them, and the order of work that these dates assume.

    Parameters
    ----------
    instance
        With day_1, since dates are asked for.
    plan
        Its plan.
    lots
        Open lots (`ledger.orders.open_lots`).
    live
        Live job orders (`ledger.job_orders.live`).
    factories
        The mart of this name; transit in days.
    calendar
        factory_id, day, minutes.
    versions
        Version of the messages that each factory understands, by factory_id.
    told
        What factories were told of in the last days (`ledger.job_orders.told`).
    until
        The moment up to which pieces are counted.
    level
        Probability with which a promised date shall hold.
    correction
        What past promises teach about stated probabilities.

    Returns
    -------
    tuple
        (order_id, unplaced, planned_on, promised_on, modelled, probability) and (order_id, factory_id, transit_days)
        for `ledger.promises.record`; (lot_id, factory_id, place, first_day, due_day, lane_days) for
        `proposal.dated_allocation`.

    Raises
    ------
    ValueError
        The instance has no day_1.
    """
    if instance.day_1 is None:
        raise ValueError("promised_dates: the instance has no day_1, so its days have no dates")
    rows = named(lots)
    of = rows.set_index("lot_id")
    live = live.join(under_way(live, factories, calendar, until))
    work = standing_work(instance, instance.day_1, plan, rows, live, factories)
    minutes, overtime = calendar_days(calendar, factories, instance.day_1, DAYS_AHEAD)
    work = in_chain(work, factories, minutes + overtime)
    order = order_of_work(work, factories, minutes, overtime, versions)
    lately = told_work(told, instance, rows, factories, instance.day_1)
    found = promises(work, factories, minutes, overtime, lately, level, correction)
    for name in ("planned", "promised"):
        found[f"{name}_on"] = dates(found[f"{name}_day"], instance.day_1)
    asked, placed = (
        found["order_id"].map(frame.groupby(frame["lot_id"].map(of["order_id"]))["quantity"].sum())
        for frame in (instance.orders, at_last_stage(instance, plan.allocation))
    )
    found["unplaced"] = asked - placed.astype(float).fillna(0).astype(asked.dtype)
    makers = at_last_stage(instance, work)[[*_MAKER, "transit_days"]].drop_duplicates(_MAKER)
    dated = ["order_id", "unplaced", "planned_on", "promised_on", "modelled", "probability"]
    return found[dated], makers, order


def order_of_work(
    work: pd.DataFrame, factories: pd.DataFrame, minutes: Floats, overtime: Floats, versions: Mapping[str, int]
) -> pd.DataFrame:
    """The order in which factories are to work, which keeps what they were told.

    Parameters
    ----------
    work
        `standing_work`; in it place and due_day become those that keep what was told.
    factories
        The mart of this name.
    minutes
        (F, D) paid minutes, `calendar_days`.
    overtime
        (F, D) minutes of overtime.
    versions
        Version of the messages by factory_id. The first knows no rank, and due days stand for it.

    Returns
    -------
    pd.DataFrame
        lot_id, factory_id, place, first_day and due_day (of what is new), lane_days.
    """
    knows_rank = work["factory_id"].map(versions).fillna(1) >= VERSION
    work["place"] = work["place"].where(knows_rank, work["due_day"])
    place = settled(work, factories, minutes, overtime)
    work["due_day"] = work["due_day"].where(knows_rank, due_days(work, place))
    work["place"] = place.where(knows_rank, work["due_day"])
    return _of_pairs(work.assign(place=place))


def _of_pairs(work: pd.DataFrame) -> pd.DataFrame:
    """Each factory's pairs in their order; of a pair what is new or waits counts: what has begun is in the lines."""
    key = key_of(work)
    order = work.sort_values(["begun", "before"], ascending=[True, False]).drop_duplicates(key)
    order = order.sort_values(["factory_id", "place"], ignore_index=True)
    order[_TOLD] = order[_TOLD].where(np.isinf(order["before"]))
    order["place"] = order.groupby("factory_id").cumcount() + 1
    return order[[*key, "place", *_TOLD, "lane_days"]]


def standing_work(
    instance: Instance, day_1: date, plan: Plan, lots: pd.DataFrame, live: pd.DataFrame, factories: pd.DataFrame
) -> pd.DataFrame:
    """The job orders of each factory as they will be, with the day by which each must be done for the date told.

    Parameters
    ----------
    instance
        What is planned.
    day_1
        Date of day 1.
    plan
        Its plan.
    lots
        `named`.
    live
        Live job orders, with `under_way`.
    factories
        The mart of this name.

    Returns
    -------
    pd.DataFrame
        The columns of `queues`, order_id, transit_days, told_by.
    """
    work: pd.DataFrame = queues(instance, day_1, plan, live)
    row = pd.Index(lots["lot_id"]).get_indexer(work["lot_id"])
    column = pd.Index(factories["factory_id"]).get_indexer(work["factory_id"])
    known = (row >= 0) & (column >= 0)
    work = work[known].reset_index(drop=True)
    row, column = row[known], column[known]
    told_on = _days(lots["promised_on"], day_1).to_numpy()[row]
    transit = transit_days(lots, factories)[row, column]
    passed_on, work["lane_days"] = work["lane_days"], transit
    work["transit_days"], work["told_by"] = transit, told_on - transit
    if instance.staged:  # what goes to another stage has no date of its own: the last stage has that of the order
        earlier = ~work.index.isin(at_last_stage(instance, work).index)
        work["transit_days"], work["told_by"] = work["transit_days"].mask(earlier, 0), work["told_by"].mask(earlier)
        work["lane_days"] = work["lane_days"].mask(earlier, passed_on)
    work["order_id"] = lots["order_id"].to_numpy()[row]
    return work


def queues(instance: Instance, day_1: date, plan: Plan, live: pd.DataFrame) -> pd.DataFrame:
    """The job orders of each factory as they will be once the plan is released: `queue.WORK`, lot_id, planned_day.

    What live job orders make stays theirs, with the days that they were told; what the plan adds to a pair is a job
    order of its own, which comes after them.
    """
    key = pair_key(instance)
    span = plan.schedule.groupby(key, as_index=False).agg(first=("day", "min"), planned_day=("day", "max"))
    pairs = plan.allocation.merge(span, on=key).merge(legs(instance, plan), on=key)
    pairs = pairs.merge(places(plan.schedule), on=key)
    held = _queued(live, pairs, key, day_1)
    fresh = _to_come(pairs, held, key)
    work = pd.concat([held, fresh[fresh["pieces"] > 0]], ignore_index=True)
    work["minutes"] = work["pieces"] * work["minutes_per_piece"]
    work["start_day"] = work["first"]
    if instance.staged:
        work["start_day"] = _not_before(work, instance.ready.groupby(["lot_id", "stage"])["day"].max())
        work["first"] = once_there(work)
    work = work.rename(columns={"first": "first_day"}).drop(columns="quantity")
    work = work.rename(columns={"pieces": "quantity", "transit_days": "lane_days"})
    return work[[*key[:-1], "planned_day", "start_day", *WORK]]


def _queued(live: pd.DataFrame, pairs: pd.DataFrame, key: list[str], day_1: date) -> pd.DataFrame:
    """What live job orders still make of the plan's pairs, with the place of each in its factory's queue."""
    held = live.rename(columns={"quantity": "agreed"}).merge(pairs, on=key)
    held = held[held["remaining"] > 0].assign(begun=held["state"].isin(STARTED))
    held["begun_on"] = pd.to_datetime(held["begun_at"], utc=True).dt.tz_localize(None).dt.normalize()
    for name, day in (("first", "start_on"), ("due_day", "due_on"), ("begun_day", "begun_on")):
        held[name] = _days(held[day], day_1)
    # A line that is being set up has begun, and has made nothing yet.
    is_set_up = held["begun"] & (held["remaining"] < held["agreed"])
    held = held.assign(pieces=held["remaining"], made=held["agreed"] - held["remaining"])
    held = held.assign(setup_minutes=held["setup_minutes"].where(~is_set_up, 0))
    held = held.assign(knew=_knew(held), begun_day=held["begun_day"].fillna(0))
    so_far = held.sort_values(["factory_id", "rank", "due_on", "job_order_id"], na_position="first")
    return held.assign(before=so_far.groupby("factory_id").cumcount().astype(float))


def _to_come(pairs: pd.DataFrame, held: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """What the plan adds to the pairs: it comes behind all that is held."""
    covered = held.groupby(key)["remaining"].sum().rename("covered")
    fresh = pairs.join(covered, on=key)
    fresh["pieces"] = fresh["quantity"] - fresh["covered"].astype(float).fillna(0)
    fresh = fresh.assign(
        begun=False, due_day=fresh["planned_day"] + fresh["transit_days"], arrival=10**12 + fresh["place"]
    )
    return fresh.assign(knew=0, begun_day=0, before=np.inf, in_overtime=False, made=0, had_minutes=np.nan)


def once_there(work: pd.DataFrame) -> "pd.Series[int]":
    """The first day of job orders by lot_id and stage: never before all pieces of the stage before are due there.

    A setup may be planned earlier, but a factory is told to begin once it has them all. Of futures, each has its own
    first day (`routing/hand_overs.py`); this one is for what looks at no future, as the order of work does at first.
    """
    there = work[["lot_id", "stage", "due_day"]].assign(done=work["planned_day"] + LEAST_DAYS)
    there["day"] = there[["due_day", "done"]].max(axis=1)
    return _not_before(work, there.groupby(["lot_id", "stage"])["day"].max())


def _not_before(work: pd.DataFrame, there: "pd.Series[int]") -> "pd.Series[int]":
    """start_day, or the day on which the stage before is there, by lot_id and stage, where that is later."""
    before = there.reindex(pd.MultiIndex.from_arrays([work["lot_id"], work["stage"] - 1]))
    first = np.fmax(work["start_day"].to_numpy(dtype=float), before.to_numpy(dtype=float))
    return pd.Series(first, work.index).astype("int64")


def told_work(
    told: pd.DataFrame, instance: Instance, lots: pd.DataFrame, factories: pd.DataFrame, day_1: date
) -> pd.DataFrame:
    """What factories were told of as `later_work.TOLD`; a factory's minutes of a standard one are those of its arcs.

    Parameters
    ----------
    told
        `ledger.job_orders.told`.
    instance
        Its arcs say how many minutes a factory takes for a standard one.
    lots
        lot_id, sam_minutes, and operations where lots have stages.
    factories
        The mart of this name: minutes of a setup.
    day_1
        Date of day 1.

    Returns
    -------
    pd.DataFrame
        `later_work.TOLD`.
    """
    arcs = instance.arcs.merge(lots[["lot_id", "sam_minutes"]], on="lot_id")
    if instance.staged:
        arcs["sam_minutes"] = minutes_of_stages(arcs, lots)
    pace = (arcs["minutes_per_piece"] / arcs["sam_minutes"]).groupby(arcs["factory_id"]).mean()
    setup = factories.set_index("factory_id")["setup_minutes"].astype(float)
    run = told["quantity"] * told["standard_minutes"] * told["factory_id"].map(pace).fillna(pace.mean())
    told_on = pd.to_datetime(told["told_at"], utc=True).dt.tz_localize(None).dt.normalize()
    return told[["factory_id", "quantity"]].assign(
        minutes=run + told["factory_id"].map(setup),
        told_day=_days(told_on, day_1),
        first_day=_days(told["start_on"], day_1),
    )


def _knew(held: pd.DataFrame) -> "pd.Series[int]":
    """Of each job order the arrival of the newest that its factory had been told of when it began; if that is not
    known, its own."""
    others = held[["factory_id", "arrival", "told_at"]].rename(columns={"arrival": "known"})
    pairs = held[["job_order_id", "factory_id", "begun_at"]].merge(others, on="factory_id")
    told = pd.to_datetime(pairs["told_at"], utc=True) <= pd.to_datetime(pairs["begun_at"], utc=True)
    newest = pairs[told].groupby("job_order_id")["known"].max()
    return held["job_order_id"].map(newest).fillna(held["arrival"]).astype(np.int64)


def calendar_days(calendar: pd.DataFrame, factories: pd.DataFrame, day_1: date, days: int) -> tuple[Floats, Floats]:
    """The days of each factory, from the day before day 1 on; past the calendar's end, as in its last four weeks.

    Parameters
    ----------
    calendar
        Mart factory_calendar: factory_id, day, minutes, overtime_minutes.
    factories
        The mart of this name.
    day_1
        Date of day 1.
    days
        Days from day 1 on.

    Returns
    -------
    tuple of numpy.ndarray
        (F, days + 1) paid minutes and (F, days + 1) overtime minutes.
    """
    day = (pd.to_datetime(calendar["day"]) - pd.Timestamp(day_1)).dt.days.to_numpy() + 1
    row = pd.Index(factories["factory_id"]).get_indexer(calendar["factory_id"])
    inside = (day >= 0) & (day <= days) & (row >= 0)
    found = []
    for name in ("minutes", "overtime_minutes"):
        table = np.zeros((len(factories), days + 1))
        table[row[inside], day[inside]] = calendar[name].to_numpy(dtype=float)[inside]
        end = int(day.max(initial=0)) + 1
        for later in range(max(end, 28), days + 1):
            table[:, later] = table[:, later - 28]
        found.append(table)
    return found[0], found[1]


def _days(dates: "pd.Series[Any]", day_1: date) -> "pd.Series[int]":
    """The days of the instance that dates are."""
    return (pd.to_datetime(dates) - pd.Timestamp(day_1)).dt.days + 1


def first_working_day(calendar: pd.DataFrame, business_date: date) -> date | None:
    """The first day after `business_date` on which any factory has paid minutes."""
    days = pd.to_datetime(calendar["day"])
    ahead = days[(calendar["minutes"] > 0) & (days > pd.Timestamp(business_date))]
    return None if ahead.empty else ahead.min().date()


def _held(live: pd.DataFrame, lots: pd.DataFrame) -> pd.DataFrame:
    """lot_id, factory_id, quantity, accepted, setup_done: what live job orders still have to make of these lots."""
    rows = live[live["lot_id"].isin(lots["lot_id"]) & (live["remaining"] > 0)]
    rows = rows.assign(accepted=rows["accepted"].eq(True), setup_done=rows["state"].isin(STARTED))
    facts = {"quantity": ("remaining", "sum"), "accepted": ("accepted", "any"), "setup_done": ("setup_done", "any")}
    return rows.groupby(PAIR, as_index=False).agg(**facts)


def _to_plan(lots: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Lots with `to_place` (held by no job order) and `quantity` (all open pieces), sorted."""
    held_pieces = held.groupby("lot_id")["quantity"].sum()
    rows = named(lots)
    rows["to_place"] = (rows["remaining"] - rows["committed"].astype(float).fillna(0)).clip(lower=0).astype(np.int64)
    rows["quantity"] = rows["to_place"] + rows["lot_id"].map(held_pieces).astype(float).fillna(0).astype(np.int64)
    rows = rows[rows["quantity"] > 0].reset_index(drop=True)
    return rows.assign(setup_pieces=pooled_pieces(rows))


def named(lots: pd.DataFrame) -> pd.DataFrame:
    """Lots (columns of `ledger.orders.open_lots`) in the order of their ids, with a destination if the merchant has
    one.
    """
    rows = lots.sort_values("lot_id").astype(dict.fromkeys(("unit_value", "unit_cost_basis", *DESTINATION), float))
    # Replenishment names no destination: it goes where the merchant's other open orders go.
    rows[DESTINATION] = rows[DESTINATION].fillna(rows.groupby("merchant_id")[DESTINATION].transform("first"))
    return rows


def _orders(lots: pd.DataFrame, day_1: date, policy: PlanPolicy) -> pd.DataFrame:
    """The late limit counts from the due day or from today, whichever is later: an overdue lot is still made.

    What a merchant was promised is due by then. That nothing new passes it is the order of work's to see to
    (`precedence.settled`): costs are those of the contract, whatever was promised.
    """
    release, due, promised = (_days(lots[day], day_1) for day in ["release_on", "due_on", "promised_on"])
    due = pd.Series(np.where(promised < due, promised, due), due.index).astype(np.int64)
    orders = lots[["lot_id", "quantity"]].assign(
        release_day=release.fillna(1).astype(np.int64),
        due_day=due.astype(np.int64),
        max_late_days=policy.max_late_days + (1 - due).clip(lower=0).astype(np.int64),
        max_factories=lots["max_factories"].astype(float).fillna(policy.max_factories).astype(np.int64),
        late_cost=_late_cost(lots, policy),
        priority=lots["priority"].astype(float).fillna(1).astype(np.int64),
    )
    return orders.assign(unmet_cost=_unmet_cost(lots, orders, policy))


def is_small(lots: pd.DataFrame, policy: PlanPolicy) -> "pd.Series[bool]":
    """Whether each lot is a small replenishment, whose lead time is kept where that can be paid."""
    return (lots["source"] == "replenishment") & (lots["quantity"] <= policy.small_pieces)


def _late_cost(lots: pd.DataFrame, policy: PlanPolicy) -> "pd.Series[float]":
    """Per piece and day. A replenishment covers some days of sales, and each day late loses the margin of one.

    Who took a quote chose its date at its price: it is not late to be made cheaper. Nor is a small replenishment.
    """
    rates = policy.rates
    share = lots["quoted"].map({True: rates.quoted_late_share_per_day, False: rates.late_share_per_day})
    share = share.mask(is_small(lots, policy), share.clip(lower=rates.small_late_share_per_day))
    season = share * lots["unit_value"]
    sales = (lots["unit_value"] - lots["unit_cost_basis"]) / settings().replenishment.window_days
    return season.mask(lots["source"] == "replenishment", np.maximum(season, sales))


def _unmet_cost(lots: pd.DataFrame, orders: pd.DataFrame, policy: PlanPolicy) -> "pd.Series[float]":
    """Price less the material saved, and never below the cost: no order taken is dropped to save its making.

    Where the lot's window runs past the horizon, unmet means left for a later plan, and only the share of the window
    that lies within the horizon is charged: the price of waiting.
    """
    cost = lots["unit_cost_basis"]
    lost = (lots["unit_value"] - (1 - policy.rates.making_share) * cost).clip(lower=cost)
    first = orders["release_day"].clip(lower=1)
    last = (orders["due_day"] + orders["max_late_days"]).clip(lower=first)
    return lost * ((policy.horizon_days - first + 1) / (last - first + 1)).clip(0, 1)


def working_days(calendar: pd.DataFrame, factories: pd.DataFrame, day_1: date, horizon_days: int) -> pd.DataFrame:
    """Working days of the horizon. Unit costs carry every minute's wage already: overtime adds its premium alone.

    Parameters
    ----------
    calendar
        Mart factory_calendar: factory_id, day, minutes, overtime_minutes.
    factories
        factory_id, minute_cost, overtime_minute_cost.
    day_1
        Date of day 1.
    horizon_days
        Days from day 1 on.

    Returns
    -------
    pd.DataFrame
        factory_id, day, minutes, overtime_minutes, overtime_cost (premium per minute).
    """
    rows = calendar.assign(day=(pd.to_datetime(calendar["day"]) - pd.Timestamp(day_1)).dt.days + 1)
    rows = rows[rows["day"].between(1, horizon_days) & (rows["minutes"] + rows["overtime_minutes"] > 0)]
    rows = rows.merge(factories[["factory_id", "minute_cost", "overtime_minute_cost"]], on="factory_id")
    rows["overtime_cost"] = (rows["overtime_minute_cost"] - rows["minute_cost"]).clip(lower=0).astype(float)
    return rows[["factory_id", "day", "minutes", "overtime_minutes", "overtime_cost"]]


def _running_minutes(capacity: pd.DataFrame, factories: pd.DataFrame, horizon_days: int) -> Floats:
    """(F, H + 1) minutes and overtime of each factory up to and with each day; 0 on day 0."""
    minutes = np.zeros((len(factories), horizon_days + 1))
    factory = pd.Index(factories["factory_id"]).get_indexer(capacity["factory_id"])
    minutes[factory, capacity["day"]] = capacity["minutes"] + capacity["overtime_minutes"]
    return minutes.cumsum(axis=1)


def _incumbents(
    held: pd.DataFrame, lots: pd.DataFrame, offered: pd.DataFrame, capacity: pd.DataFrame, change_share: float
) -> pd.DataFrame:
    """Held pairs. What a factory accepted is frozen, unless it can no longer make all that it accepted.

    Its work may then move, at change_cost, instead of leaving the whole day without a plan; such a plan is over the
    release policy's limit on change when the move is large, and waits for a person.
    """
    rows = held.merge(offered[_WORK_OF_PAIR], on=PAIR, how="left")
    rows = rows.merge(lots[["lot_id", "unit_cost_basis"]], on="lot_id")
    load = _minutes_left(rows).where(rows["accepted"], 0).groupby(rows["factory_id"]).sum()
    room = capacity.set_index("factory_id")[["minutes", "overtime_minutes"]].sum(axis=1).groupby(level=0).sum()
    fits = rows["factory_id"].map(load <= room.reindex(load.index, fill_value=0))
    frozen = rows["accepted"] & fits & rows["minutes_per_piece"].notna()
    return rows[[*PAIR, "quantity", "setup_done"]].assign(
        frozen=frozen, change_cost=change_share * rows["unit_cost_basis"]
    )


def _frozen_work(incumbents: pd.DataFrame, offered: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """factory_id, minutes, release_day of the commitments that stay where they are."""
    rows = incumbents[incumbents["frozen"]].merge(offered[_WORK_OF_PAIR], on=PAIR)
    rows = rows.merge(orders[["lot_id", "release_day"]], on="lot_id")
    return rows[["factory_id", "release_day"]].assign(minutes=_minutes_left(rows))


def _minutes_left(held: pd.DataFrame) -> "pd.Series[float]":
    """What the rest of each held pair takes; a setup that is done takes no more."""
    setup = held["setup_minutes"].where(~held["setup_done"], 0)
    return held["quantity"] * held["minutes_per_piece"] + setup


def _latest(orders: pd.DataFrame, offered: pd.DataFrame) -> "pd.Series[int]":
    """max_late_days with the days in hand: they make a date surer, they do not shorten the window of a lot."""
    in_hand = offered.groupby("lot_id")["slack_days"].max()
    return orders["max_late_days"] + orders["lot_id"].map(in_hand).fillna(0).astype(np.int64)


def _of_currency(factories: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Factories, of which those that count in another currency than the plan get no new work."""
    return factories.assign(status=factories["status"].where(factories["currency"] == currency, "paused"))
