"""Plans as people who decide on them see them: the recent ones, what was decided, the lots of one."""

from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from c2m.ledger.rooms.sights import labels
from c2m.ledger.store import EVERYONE, frame
from c2m.ledger.tables import LATEST, Decision, Lot, Order, Plan, PlanAllocation

PLAN = ("business_date", "round", "state", "objective", "split_orders", "unmet_pieces", "at", "folder", "plan_id")


def recent(session: Session, limit: int) -> list[dict[str, Any]]:
    """PLAN with decision, actor, reason, decided_at of the newest plans, the newest first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    limit
        How many at most.

    Returns
    -------
    list of dict
        A row per plan; what was not decided is None.
    """
    decided = (Decision.decision, Decision.actor, Decision.reason, Decision.at.label("decided_at"))
    chosen = select(*(getattr(Plan, name) for name in PLAN), *decided)
    joined = chosen.outerjoin(Decision, Decision.plan_id == Plan.plan_id)
    newest = joined.order_by(Plan.business_date.desc(), Plan.round.desc(), *LATEST).limit(limit)
    return [dict(row) for row in session.execute(newest).mappings()]


def of_id(session: Session, plan_id: str) -> dict[str, Any] | None:
    """The same of one plan; None where there is none of this id.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    dict or None
        As `recent`, with without_lots.
    """
    decided = (Decision.decision, Decision.actor, Decision.reason, Decision.at.label("decided_at"))
    chosen = select(*(getattr(Plan, name) for name in PLAN), *decided, Decision.without_lots)
    found = session.execute(
        chosen.outerjoin(Decision, Decision.plan_id == Plan.plan_id).where(Plan.plan_id == plan_id)
    ).mappings()
    return next((dict(row) for row in found), None)


def lots(session: Session, plan_id: str, limit: int) -> pd.DataFrame:
    """A plan's lots, the earliest due first: what people know them by, pieces, factories, starts, ends.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.
    limit
        At most so many lots, the largest.

    Returns
    -------
    pandas.DataFrame
        Columns of `sights.labels`, and pieces, factories (how many), start_on, finish_on, withheld.
    """
    pieces = func.sum(PlanAllocation.quantity).label("pieces")
    chosen = select(
        PlanAllocation.lot_id,
        pieces,
        func.count().label("factories"),
        func.min(PlanAllocation.start_on).label("start_on"),
        func.max(PlanAllocation.finish_on).label("finish_on"),
        func.sum(case((PlanAllocation.withheld, 1), else_=0)).label("withheld"),
    ).where(PlanAllocation.plan_id == plan_id)
    found = frame(session, chosen.group_by(PlanAllocation.lot_id).order_by(pieces.desc()).limit(limit))
    named = labels(session, EVERYONE, list(found["lot_id"]))
    return named.merge(found, on="lot_id").sort_values(["due_on", "code", "lot_id"], ignore_index=True)


def count_lots(session: Session, plan_id: str) -> int:
    """How many lots a plan gives to factories.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    int
        Lots.
    """
    distinct = select(func.count(PlanAllocation.lot_id.distinct())).where(PlanAllocation.plan_id == plan_id)
    return session.scalar(distinct) or 0


def count_late(session: Session, plan_id: str) -> int:
    """How many lots of a plan arrive after their orders are due.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    int
        Lots.
    """
    ends = select(PlanAllocation.lot_id, func.max(PlanAllocation.finish_on).label("finish_on"))
    ends_of = ends.where(PlanAllocation.plan_id == plan_id).group_by(PlanAllocation.lot_id).subquery()
    late = select(func.count()).select_from(ends_of).join(Lot, Lot.lot_id == ends_of.c.lot_id)
    late = late.join(Order, Order.order_id == Lot.order_id).where(ends_of.c.finish_on > Order.due_on)
    return session.scalar(late) or 0


def due_dates(session: Session, plan_id: str) -> dict[str, date]:
    """When the lots of a plan are due.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    dict
        Date by lot_id.
    """
    chosen = select(PlanAllocation.lot_id, Order.due_on).distinct().where(PlanAllocation.plan_id == plan_id)
    joined = chosen.join(Lot, Lot.lot_id == PlanAllocation.lot_id).join(Order, Order.order_id == Lot.order_id)
    return {row[0]: row[1] for row in session.execute(joined)}
