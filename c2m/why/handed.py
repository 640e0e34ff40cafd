"""From a job order of a later stage to those of the stage before: what they sent, what came, what is awaited."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import duckdb
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from c2m.feeds import landing
from c2m.ledger.states import LIVE
from c2m.ledger.tables import JobOrder
from c2m.why.link import Link
from c2m.wire.messages import RECEIVE, SHIP

_ENDS = """
    SELECT coalesce(sum(quantity) FILTER (WHERE operation = $ship AND job_order_id <> $own), 0)::BIGINT,
        coalesce(sum(quantity) FILTER (WHERE operation = $receive AND job_order_id = $own), 0)::BIGINT,
        max(s.at) FILTER (WHERE operation = $receive AND job_order_id = $own),
        min(s.at) FILTER (WHERE operation <> $receive AND job_order_id = $own)
    FROM (
        SELECT DISTINCT ON (factory_id, scan_id) * FROM {scans} WHERE job_order_id IN $all_of_them
            AND (factory_id, scan_id) NOT IN (SELECT (factory_id, corrects) FROM {scan_corrections})
    ) AS s
"""


class Ends(NamedTuple):
    """What the scans at both ends of a hand-over tell: pieces, and when the last came and work began (UTC)."""

    shipped: int
    received: int
    last_at: datetime | None
    began_at: datetime | None


def senders(session: Session, job: JobOrder) -> Sequence[JobOrder]:
    """The job orders of the stage before whose pieces come to its factory, also those that are still to make them."""
    same = (JobOrder.lot_id == job.lot_id, JobOrder.stage == job.stage - 1, JobOrder.next_factory_id == job.factory_id)
    chosen = select(JobOrder).where(*same, or_(JobOrder.shipped > 0, JobOrder.state.in_(LIVE)))
    return session.scalars(chosen.order_by(JobOrder.job_order_id)).all()


def of_job_order(connection: duckdb.DuckDBPyConnection, job: JobOrder, made_by: Sequence[JobOrder]) -> Link:
    """The hand-over to a job order of a later stage, counted from the scans at both ends."""
    ends = _ends(connection, job, made_by)
    link = Link("hand-over", job.job_order_id, [_words(job, made_by, ends)])
    link.figures = {"stage": job.stage, "stages": job.stages, "from": [one.job_order_id for one in made_by]}
    link.figures |= {"shipped": ends.shipped, "received": ends.received}
    link.expect("pieces that came without having left", 0, max(0, ends.received - ends.shipped))
    if ends.began_at:
        link.expect("pieces of the stage before, there when it began", job.quantity, min(ends.received, job.quantity))
        link.expect("whether it began before they came", False, ends.last_at is None or ends.began_at < ends.last_at)
    return link


def _ends(connection: duckdb.DuckDBPyConnection, job: JobOrder, made_by: Sequence[JobOrder]) -> Ends:
    names = [job.job_order_id, *(one.job_order_id for one in made_by)]
    query = _ENDS.format(**{name: landing.source(name) for name in ("scans", "scan_corrections")})
    asked = {"ship": SHIP, "receive": RECEIVE, "own": job.job_order_id, "all_of_them": names}
    return Ends(*connection.execute(query, asked).fetchall()[0])


def _words(job: JobOrder, made_by: Sequence[JobOrder], ends: Ends) -> str:
    """Where its pieces come from, and what it waits for as long as they are not all there."""
    places = ", ".join(sorted({one.factory_id for one in made_by})) or "nobody"
    said = f"Stage {job.stage} of {job.stages} works on pieces of {places}: {ends.received:,} came"
    if ends.received >= job.quantity:
        began = f"; work began {ends.began_at:%Y-%m-%d %H:%M}" if ends.began_at else "; it may begin"
        return f"{said}, the last {ends.last_at:%Y-%m-%d %H:%M}{began}."
    moving = max(0, ends.shipped - ends.received)
    left = job.quantity - ends.received - moving
    return f"{said}; it waits for {moving:,} that are on the way and {max(0, left):,} that are still to be made."
