"""Alerts as they come, last and go, and who has been told of them.

An alert is open from the run that found it first until the first run that does not find it; found again later it is
another one. Notices keep what each target has heard, so that nobody is told the same twice, and that a target that
could not be reached is told in the next run.
"""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

import pandas as pd
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from c2m.domain.alert_rules import ALERT, PLATFORM, SPIKE
from c2m.ledger.store import frame, rows, serialise, upsert
from c2m.ledger.tables import Alert, AlertNotice

OVER = 0  # severity of a notice that the alert is over


def record(session: Session, found: pd.DataFrame, at: datetime, alone: str | None = None) -> None:
    """Opens what is new, brings up to date what lasts, closes what was not found again.

    Parameters
    ----------
    session
        Transaction of the ledger.
    found
        The alerts that hold now, with the columns ALERT.
    at
        UTC; noted with what it changes.
    alone
        The one kind that these are of: those of `c2m up` on itself, or of spikes; None: those of the robot on the
        floor. Nobody closes another's.
    """
    serialise(session, "alerts")
    own = Alert.kind == alone if alone else Alert.kind.not_in((PLATFORM, SPIKE))
    still_open = select(Alert).where(Alert.closed_at.is_(None), own)
    gone = {(alert.kind, alert.subject): alert for alert in session.scalars(still_open)}
    for values in rows(Alert, found, ALERT):
        about = (values["kind"], values["subject"])
        alert = gone.pop(about, None)
        if alert is None:
            alert = Alert(alert_id=str(uuid5(NAMESPACE_URL, "/".join((*about, at.isoformat())))), opened_at=at)
            session.add(alert)
        for name, value in values.items():
            setattr(alert, name, value)
        alert.seen_at = at
    for alert in gone.values():
        alert.closed_at = at


def standing(session: Session) -> pd.DataFrame:
    """Open alerts, the gravest and then the oldest first, with the columns of the table `alerts`."""
    chosen = select(*Alert.__table__.columns).where(Alert.closed_at.is_(None))
    return frame(session, chosen.order_by(Alert.severity.desc(), Alert.opened_at, Alert.kind, Alert.subject))


def _is_news() -> ColumnElement[bool]:
    """Open, and new to the target or graver than what it has heard."""
    told = AlertNotice.severity
    return and_(Alert.closed_at.is_(None), or_(told.is_(None), told < Alert.severity))


def _is_over() -> ColumnElement[bool]:
    """Closed, and the target knows it as open."""
    return and_(Alert.closed_at.is_not(None), AlertNotice.severity > OVER)


def untold(session: Session, target: str) -> pd.DataFrame:
    """What a target has not heard: open alerts that are new to it or graver now, and those it knows that are over.

    Parameters
    ----------
    session
        Transaction of the ledger.
    target
        Who is told: a listener's name.

    Returns
    -------
    pd.DataFrame
        The columns of the table `alerts`, the gravest first.
    """
    heard = and_(AlertNotice.alert_id == Alert.alert_id, AlertNotice.target == target)
    chosen = select(*Alert.__table__.columns).outerjoin(AlertNotice, heard).where(or_(_is_news(), _is_over()))
    return frame(session, chosen.order_by(Alert.severity.desc(), Alert.opened_at, Alert.kind, Alert.subject))


def note(session: Session, target: str, told: pd.DataFrame, at: datetime) -> None:
    """Remembers that a target has heard of alerts.

    Parameters
    ----------
    session
        Transaction of the ledger.
    target
        Who is told: a listener's name.
    told
        Rows of `untold`.
    at
        UTC.
    """
    severity = told["severity"].where(told["closed_at"].isna(), OVER)
    heard = zip(told["alert_id"].tolist(), severity.tolist(), strict=True)
    notices = [{"alert_id": one, "target": target, "severity": int(grade), "at": at} for one, grade in heard]
    upsert(session, AlertNotice, notices)
