"""What the ledger says of the whole: the part of `c2m status` that it owns, and how far each factory has reported."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from c2m.ledger.states import LIVE
from c2m.ledger.store import frame, serialise, upsert
from c2m.ledger.tables import LATEST, DeadLetter, FactoryReport, FactoryStatus, JobOrder, Order, Outbox, Plan
from c2m.settings import settings

PLAN = [
    *("plan_id", "business_date", "round", "state", "objective", "bound", "gap", "status"),
    *("split_orders", "unmet_pieces", "folder"),
]


def summary(session: Session) -> dict[str, Any]:
    """Counts by state, dead letters that are open, and the latest plan (None before the first)."""
    latest = select(*(getattr(Plan, name) for name in PLAN))
    newest = latest.order_by(Plan.business_date.desc(), Plan.round.desc(), *LATEST).limit(1)
    plan = session.execute(newest).first()
    return {
        "orders": _count_by(session, Order.state),
        "job_orders": _count_by(session, JobOrder.state),
        "outbox": _count_by(session, Outbox.state),
        "dead_letters": session.scalar(select(func.count()).where(DeadLetter.readmitted_at.is_(None))),
        "plan": {name: _plain(value) for name, value in zip(PLAN, plan, strict=True)} if plan else None,
    }


def _plain(value: Any) -> Any:
    """JSON knows neither dates nor decimals."""
    return value.isoformat() if isinstance(value, date) else float(value) if isinstance(value, Decimal) else value


def _count_by(session: Session, state: InstrumentedAttribute[Any]) -> dict[str, int]:
    counts = select(state, func.count()).group_by(state).order_by(state)
    return dict(session.execute(counts).tuples().all())


def report(
    session: Session,
    factory_id: str,
    online: bool,
    through: datetime | None,
    at: datetime,
    collector: str = "",
    version: int | None = None,
) -> None:
    """Records a factory's status. `through` never goes back: the last will of a lost connection carries none.

    collector: of several that share the scans, the one that heard it. Who is online and names no version understands
    the first; a last will that names none says nothing about it.
    """
    if collector and through:
        through = _heard_by_all(session, factory_id, through, collector)
    held = select(FactoryStatus.through, FactoryStatus.version).where(FactoryStatus.factory_id == factory_id)
    known, spoken = session.execute(held).tuples().one_or_none() or (None, 1)
    furthest = max((moment for moment in (known, through) if moment), default=None)
    understood = version or (1 if online else spoken)
    row = {"factory_id": factory_id, "online": online, "through": furthest, "version": understood, "at": at}
    upsert(session, FactoryStatus, [row])


def register(session: Session, factory_id: str, version: int, at: datetime) -> None:
    """Records the version of the messages that a factory understands, by its own word to whoever takes it in.

    Parameters
    ----------
    session
        Transaction of the ledger.
    factory_id
        Which factory.
    version
        Of the messages.
    at
        UTC.
    """
    row = {"factory_id": factory_id, "online": False, "through": None, "version": version, "at": at}
    upsert(session, FactoryStatus, [row], keep=("online", "through"))


def versions(session: Session) -> dict[str, int]:
    """Version of the messages by factory that has said something; every other factory understands the first."""
    return dict(session.execute(select(FactoryStatus.factory_id, FactoryStatus.version)).tuples().all())


def _heard_by_all(session: Session, factory_id: str, through: datetime, collector: str) -> datetime | None:
    """Up to when every collector has the factory's word, and with it the scans that fell to it; None before that."""
    serialise(session, "status", [factory_id])
    upsert(session, FactoryReport, [{"factory_id": factory_id, "collector": collector, "through": through}])
    named = FactoryReport.collector.in_(settings().collectors)
    heard = session.scalars(select(FactoryReport.through).where(FactoryReport.factory_id == factory_id, named)).all()
    return min(heard) if len(heard) == len(settings().collectors) else None


def factories_behind(session: Session, moment: datetime) -> list[str]:
    """Factories with live job orders that have not reported all that fell due up to `moment`."""
    reported = select(FactoryStatus.factory_id).where(FactoryStatus.through >= moment)
    busy = select(JobOrder.factory_id).where(JobOrder.state.in_(LIVE), JobOrder.factory_id.not_in(reported))
    return list(session.scalars(busy.distinct().order_by(JobOrder.factory_id)))


def factories(session: Session) -> pd.DataFrame:
    """factory_id, online, through, version, at."""
    return frame(session, select(*FactoryStatus.__table__.columns).order_by(FactoryStatus.factory_id))
