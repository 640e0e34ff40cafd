"""Price proposals, and what a person or the policy decided on them. A price in force is the last one released of a SKU.

proposed -> released or rejected; held is never released (hold-out: its style shows what the others would have earned);
lapsed once a later day proposes.
"""

from datetime import date, datetime

import pandas as pd
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ledger.store import EVERYONE, Scope, frame, insert_missing, rows, serialise
from c2m.ledger.tables import PriceProposal

_SAID = ("state", "actor", "reason", "decided_at", "at")
_IN_FORCE = (PriceProposal.merchant_id, PriceProposal.sku_id, PriceProposal.price, PriceProposal.day.label("since"))
PROPOSAL = [c.name for c in PriceProposal.__table__.columns if c.name not in _SAID]


def record(session: Session, proposals: pd.DataFrame, day: date, at: datetime) -> None:
    """Takes over a day's proposals; the same ones change nothing, and undecided ones of earlier days lapse.

    Parameters
    ----------
    session
        Transaction of the ledger.
    proposals
        Columns PROPOSAL.
    day
        Theirs.
    at
        UTC; noted with what it changes.
    """
    serialise(session, "prices")
    _lapse(session, day, at)
    said = {"actor": "", "reason": "", "decided_at": None, "at": at}
    new = [row | said | {"state": _first_state(row)} for row in rows(PriceProposal, proposals, PROPOSAL)]
    insert_missing(session, PriceProposal, new)


def _lapse(session: Session, day: date, at: datetime) -> None:
    undecided = PriceProposal.state == "proposed"
    session.execute(update(PriceProposal).where(undecided, PriceProposal.day < day).values(state="lapsed", at=at))


def _first_state(row: dict[str, object]) -> str:
    return "held" if row["held_out"] else "proposed"


def decide(session: Session, name: str, state: str, actor: str, reason: str, at: datetime) -> int:
    """Releases or rejects what is proposed.

    Parameters
    ----------
    session
        Transaction of the ledger.
    name
        A proposal, a style as merchant/style, or all.
    state
        released or rejected.
    actor
        Who decides.
    reason
        Why.
    at
        UTC.

    Returns
    -------
    int
        How many proposals.

    Raises
    ------
    InputError
        Nothing of that name waits.
    """
    serialise(session, "prices")
    waits = PriceProposal.state == "proposed"
    named = waits if name == "all" else waits & _is_called(name)
    ids = session.scalars(select(PriceProposal.proposal_id).where(named)).all()
    if not ids and name != "all":
        raise InputError("nothing-to-decide", [f"{name}: no proposal of that name waits; `c2m prices` lists them"])
    told = {"state": state, "actor": actor, "reason": reason, "decided_at": at, "at": at}
    session.execute(update(PriceProposal).where(PriceProposal.proposal_id.in_(ids)).values(**told))
    return len(ids)


def _is_called(name: str) -> ColumnElement[bool]:
    style = PriceProposal.merchant_id + "/" + PriceProposal.style_id
    return (PriceProposal.proposal_id == name) | (style == name)


def listed(session: Session, scope: Scope = EVERYONE, day: date | None = None) -> pd.DataFrame:
    """Proposals, the largest gain first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        A merchant's own only.
    day
        Default: the last that has any.

    Returns
    -------
    pd.DataFrame
        All columns.
    """
    chosen = select(*PriceProposal.__table__.columns).where(*scope.conditions(PriceProposal))
    newest = day or session.scalar(select(func.max(PriceProposal.day)))
    by_gain = (PriceProposal.gain.desc(), PriceProposal.style_id, PriceProposal.sku_id)
    return frame(session, chosen.where(PriceProposal.day == newest).order_by(*by_gain))


def of_styles(proposals: pd.DataFrame) -> pd.DataFrame:
    """Proposals as people read them: a row per style, whose SKUs change by one factor and share their gain.

    proposals: as `listed` gives them. Out: style (MERCHANT/STYLE), skus, now, proposed, gain, gain_80 (its range),
    elasticity_90 (its interval), currency, state; in the order of proposals.
    """
    styles = proposals.groupby(["merchant_id", "style_id", "state"], sort=False)
    first = styles.first().reset_index()
    return pd.DataFrame(
        {
            "style": first["merchant_id"] + "/" + first["style_id"],
            "skus": styles.size().to_numpy(),
            "now": _between(styles["price_now"].min(), styles["price_now"].max()),
            "proposed": _between(styles["price"].min(), styles["price"].max()),
            "gain": first["gain"].astype(float).round(2),  # of objects where nothing was proposed
            "gain_80": _between(first["gain_low"], first["gain_high"]),
            "elasticity_90": _between(first["elasticity_low"], first["elasticity_high"]),
            "currency": first["currency"],
            "state": first["state"],
        }
    )


def _between(low: "pd.Series[float]", high: "pd.Series[float]") -> list[str]:
    pairs = zip(low, high, strict=True)
    return [f"{least:,.2f}" if least == most else f"{least:,.2f} to {most:,.2f}" for least, most in pairs]


def in_force(session: Session) -> pd.DataFrame:
    """merchant_id, sku_id, price, since: of each SKU the last price that was released."""
    released = select(*_IN_FORCE).where(PriceProposal.state == "released").order_by(PriceProposal.day)
    return frame(session, released).drop_duplicates(["merchant_id", "sku_id"], keep="last")


def changes(session: Session) -> pd.DataFrame:
    """merchant_id, style_id, day, held_out: the first change of each style that was released, or held out."""
    keys = (PriceProposal.merchant_id, PriceProposal.style_id, PriceProposal.held_out)
    first = select(*keys, func.min(PriceProposal.day).label("day"))
    return frame(session, first.where(PriceProposal.state.in_(("released", "held"))).group_by(*keys))
