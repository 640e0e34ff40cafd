"""Promised dates of whole orders: recorded with the plan, made once every factory that they stand on has accepted.

A plan that is not released promises nothing, and a factory may still refuse: so the merchant hears of a date when the
job orders that factories have accepted cover the order. All of it is kept for ever; the mart `promises` judges.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Select, and_, case, exists, func, select, update
from sqlalchemy.orm import Session

from c2m.ledger import orders
from c2m.ledger.states import LIVE, UNFINISHED
from c2m.ledger.store import EVERYONE, Scope, chunks, frame, insert_missing, rows
from c2m.ledger.tables import LATEST, JobOrder, Lot, Order, Plan, Promise, PromiseFactory

DATED = ["order_id", "unplaced", "planned_on", "promised_on", "modelled", "probability"]
MAKER = ["order_id", "factory_id", "transit_days"]


def record(session: Session, plan_id: str, dated: pd.DataFrame, makers: pd.DataFrame, at: datetime) -> None:
    """Keeps the dates of a plan; those that are there stay as they are.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        The plan that the dates follow from.
    dated
        Columns DATED: dates, pieces without a place, probabilities.
    makers
        Columns MAKER: who makes the order; transit in days.
    at
        UTC; noted with what it changes.
    """
    known: dict[str, tuple[str, int]] = {}
    wanted = Lot.state != "cancelled"
    for some in chunks(sorted(dated["order_id"])):
        of = select(Order.order_id, Order.merchant_id, func.sum(Lot.quantity)).join(Lot, Lot.order_id == Order.order_id)
        found = session.execute(of.where(Order.order_id.in_(some), wanted).group_by(Order.order_id, Order.merchant_id))
        known |= {order: (merchant, int(pieces)) for order, merchant, pieces in found}
    new = [
        row | {"plan_id": plan_id, "merchant_id": merchant, "pieces": pieces, "made_at": None, "at": at}
        for row in rows(Promise, dated, DATED)
        for merchant, pieces in [known[row["order_id"]]]
    ]
    insert_missing(session, Promise, new)
    insert_missing(session, PromiseFactory, [row | {"plan_id": plan_id} for row in rows(PromiseFactory, makers, MAKER)])


def make(session: Session, at: datetime) -> int:
    """Makes the promises of the released plan whose orders are covered by accepted job orders.

    Parameters
    ----------
    session
        Transaction of the ledger.
    at
        UTC, the moment from which they count as made.

    Returns
    -------
    int
        How many were made.
    """
    agreed = and_(JobOrder.state.in_(LIVE), JobOrder.accepted.is_(True))
    taken = case((agreed, JobOrder.quantity), else_=JobOrder.shipped)
    last = select(JobOrder.lot_id, func.sum(taken).label("pieces")).where(JobOrder.is_last)
    by_lot = last.group_by(JobOrder.lot_id).subquery()
    short = (
        select(Lot.order_id)
        .outerjoin(by_lot, by_lot.c.lot_id == Lot.lot_id)
        .where(Lot.state.in_(("open", "in_production")), func.coalesce(by_lot.c.pieces, 0) < Lot.quantity)
    )
    released = select(Plan.plan_id).where(Plan.state == "released")
    ripe = (Promise.plan_id.in_(released), Promise.made_at.is_(None), Promise.unplaced == 0)
    made = update(Promise).where(*ripe, Promise.order_id.not_in(short)).values(made_at=at, at=at)
    done = session.execute(made, execution_options={"synchronize_session": False})
    return int(done.rowcount)  # type: ignore[attr-defined]


def newest(session: Session, order_ids: list[str]) -> pd.DataFrame:
    """Each order's date by the last plan that dated it.

    Parameters
    ----------
    session
        Transaction of the ledger.
    order_ids
        Which orders.

    Returns
    -------
    pd.DataFrame
        order_id, pieces, unplaced (pieces without a factory), promised_on, probability.
    """
    names = (Promise.order_id, Promise.pieces, Promise.unplaced, Promise.promised_on, Promise.probability, Promise.at)
    dated: pd.DataFrame = frame(session, select(*names).where(Promise.order_id.in_(order_ids)).order_by(Promise.at))
    return dated.drop_duplicates("order_id", keep="last").drop(columns="at")


def undated(session: Session, today: date, scope: Scope = EVERYONE, order_id: str | None = None) -> pd.DataFrame:
    """Open orders whose merchants were told no date yet, and when they hear of one.

    Parameters
    ----------
    session
        Transaction of the ledger.
    today
        The business date.
    scope
        A merchant's or everyone's.
    order_id
        Only this one.

    Returns
    -------
    pd.DataFrame
        called (as people call the order), merchant_id, pieces, due_on, waits (why it cannot be planned), answer_by (of
        the last factory that was asked and has not answered), refused_by (factories, or those that never answered),
        plan_on (the day whose plan takes it in), order_id; hears, what comes first: correction, answer, release, plan.
    """
    found = _with_answers(session, _undated(scope, order_id))
    found["plan_on"], is_proposed = next_plan(session, today)
    found["hears"] = "release" if is_proposed else "plan"
    found["hears"] = found["hears"].mask(found["answer_by"].notna(), "answer").mask(found["waits"] != "", "correction")
    return found


def next_plan(session: Session, today: date) -> tuple[date, bool]:
    """The day whose plan takes in what no plan has yet.

    Parameters
    ----------
    session
        Transaction of the ledger.
    today
        The business date.

    Returns
    -------
    tuple
        That day, and whether the newest plan waits for a person.
    """
    newest_first = (Plan.business_date.desc(), Plan.round.desc(), *LATEST)
    newest = session.execute(select(Plan.business_date, Plan.state).order_by(*newest_first).limit(1)).first()
    return (max(today, newest[0] + timedelta(days=1)), newest[1] == "proposed") if newest else (today, False)


def _with_answers(session: Session, chosen: Select[Any]) -> pd.DataFrame:
    """The chosen orders with answer_by and refused_by, of the job orders that factories were asked for."""
    found, ids = frame(session, chosen), chosen.with_only_columns(Order.order_id, maintain_column_froms=True)
    columns = (JobOrder.order_id, JobOrder.factory_id, JobOrder.state, JobOrder.accept_by)
    jobs = frame(session, select(*columns).where(JobOrder.order_id.in_(ids.order_by(None))))
    asked = jobs[jobs["state"] == "Released"].groupby("order_id")["accept_by"].max()
    lost = jobs[jobs["state"].isin(["Refused", "Expired"])].sort_values("factory_id")
    refused = lost.groupby("order_id")["factory_id"].agg(lambda ids: ", ".join(dict.fromkeys(ids)))
    answers = {"answer_by": found["order_id"].map(asked), "refused_by": found["order_id"].map(refused).fillna("")}
    return found.assign(**answers)


def _undated(scope: Scope, order_id: str | None) -> Select[Any]:
    """The orders that are open, and of which no promise was made."""
    told = exists().where(Promise.order_id == Order.order_id, Promise.made_at.is_not(None))
    sums = (func.sum(Lot.quantity).label("pieces"), func.max(Lot.waits).label("waits"))
    chosen = select(orders.called().label("called"), Order.merchant_id, Order.due_on, *sums, Order.order_id)
    chosen = chosen.join(Lot, Lot.order_id == Order.order_id).group_by(Order.order_id)
    chosen = chosen.where(Order.state.in_(UNFINISHED), Lot.state.in_(UNFINISHED), ~told, *scope.conditions(Order))
    chosen = chosen.where(Order.order_id == order_id) if order_id is not None else chosen
    return chosen.order_by(Order.due_on, Order.order_id)


def last_date(session: Session) -> date:
    """The last date that any merchant was told; long ago where none was."""
    return session.scalar(select(func.max(Promise.promised_on)).where(Promise.made_at.is_not(None))) or date.min
