"""Purchase orders in the ledger: proposed with a plan, and released or held back by the decision on it.

A line is a material of a purchase order; quantity is in units of the material. There is no decision of their own: a
purchase order was released if `released_at` says when.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from c2m.ledger.store import frame, insert_missing, rows
from c2m.ledger.tables import Plan, Purchase

LINE = [c.name for c in Purchase.__table__.columns if c.name not in ("plan_id", "withheld", "released_at", "at")]


def propose(session: Session, plan_id: str, lines: pd.DataFrame, at: datetime) -> None:
    """Enters the purchase orders of a plan; the same again changes nothing.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        With which they are proposed.
    lines
        LINE: a row per purchase order and material.
    at
        UTC.
    """
    facts = {"plan_id": plan_id, "withheld": False, "released_at": None, "at": at}
    insert_missing(session, Purchase, [row | facts for row in rows(Purchase, lines, LINE)])


def ids(session: Session, plan_id: str) -> set[str]:
    """The purchase orders of a plan."""
    return set(session.scalars(select(Purchase.purchase_order_id).where(Purchase.plan_id == plan_id)))


def release(session: Session, plan_id: str, without: Collection[str], at: datetime) -> None:
    """Releases the purchase orders of a plan, except those that are held back."""
    mine = update(Purchase).where(Purchase.plan_id == plan_id)
    held = Purchase.purchase_order_id.in_(sorted(without))
    session.execute(mine.where(~held).values(released_at=at, at=at))
    session.execute(mine.where(held).values(withheld=True, at=at))


def of_plan(session: Session, plan_id: str) -> pd.DataFrame:
    """A plan's purchase orders, by supplier and material.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    pd.DataFrame
        LINE, withheld, released_at.
    """
    return frame(session, _lines("withheld", "released_at").where(Purchase.plan_id == plan_id))


def of_day(session: Session, business_date: date) -> pd.DataFrame:
    """The purchase orders of all plans of a day, by supplier and material.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        The day.

    Returns
    -------
    pd.DataFrame
        LINE, withheld, released_at, and the plan's round and state.
    """
    chosen = _lines("withheld", "released_at").add_columns(Plan.round, Plan.state)
    joined = chosen.join(Plan, Plan.plan_id == Purchase.plan_id)
    return frame(session, joined.where(Plan.business_date == business_date))


def released_later(session: Session, known: Collection[str]) -> pd.DataFrame:
    """Released lines of purchase orders that the warehouse does not have: it hears of them with its next build.

    Parameters
    ----------
    session
        Transaction of the ledger.
    known
        Ids of the purchase orders that it has.

    Returns
    -------
    pd.DataFrame
        LINE.
    """
    found = frame(session, _lines().where(Purchase.released_at.is_not(None)))
    return found[~found["purchase_order_id"].isin(list(known))]


def _lines(*more: str) -> Select[Any]:
    columns = (getattr(Purchase, name) for name in (*LINE, *more))
    return select(*columns).order_by(Purchase.supplier_id, Purchase.material_id, Purchase.purchase_order_id)
