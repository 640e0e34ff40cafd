"""What the merchant API keeps for a while only: quotes that nobody took, answers that an idempotency key gets again."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from c2m.ledger.tables import ApiAnswer, Base, Quoted


def old(session: Session, before: datetime) -> int:
    """How many quotes ended and answers were given before a moment; a quote that became an order stays.

    Parameters
    ----------
    session
        Transaction of the ledger.
    before
        UTC.

    Returns
    -------
    int
        Rows.
    """
    return sum(session.scalar(select(func.count()).where(is_old)) or 0 for is_old in _old(before).values())


def forget(session: Session, before: datetime) -> None:
    """Deletes old answers and quotes. A request whose key comes again after that is a new one.

    Parameters
    ----------
    session
        Transaction of the ledger.
    before
        UTC.
    """
    for table, is_old in _old(before).items():
        session.execute(delete(table).where(is_old))


def _old(before: datetime) -> dict[type[Base], ColumnElement[bool]]:
    return {Quoted: Quoted.accepted_at.is_(None) & (Quoted.valid_until < before), ApiAnswer: ApiAnswer.at < before}
