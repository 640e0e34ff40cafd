"""Job orders as planning and tracking see them: what is live, what came back, what was made."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Subquery, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import Session

from c2m.domain.operations import minutes_of, operations_of
from c2m.ledger import orders
from c2m.ledger.conversation import outbox
from c2m.ledger.states import LIVE, UNFINISHED
from c2m.ledger.store import EVERYONE, Scope, chunks, frame, rows
from c2m.ledger.tables import Counted, JobOrder, JobOrderSku, Lot, LotSku, Order, Outbox
from c2m.settings import settings
from c2m.wire.messages import INSPECT, RECEIVE, SHIP

GOOD_AT, SHIPPED_AT = INSPECT, SHIP  # a piece is good once it has passed inspection
MADE = ["good_pieces", "shipped", "surplus"]
KEY = ["job_order_id", "sku_id"]
ARRIVED = ["received", "lost"]  # of what was shipped
_LOST = ("Refused", "Expired")
_TAKEN = case((JobOrder.state.in_(LIVE), JobOrder.quantity), else_=JobOrder.shipped)  # what its factory is to make
_RECEIVER = ["lot_id", "stage", "factory_id"]
OVERVIEW = [
    "job_order_id",
    "factory_id",
    "order_id",
    "lot_id",
    "merchant_id",
    "state",
    "quantity",
    "good_pieces",
    "shipped",
    "defects",
    "asked_pieces",
    "made_pieces",
    "cut_accepted",
    "start_on",
    "due_on",
    "transit_days",
    "revision",
    "attempt",
    "reason",
    "ended_at",
    "stage",
    "stages",
    "next_factory_id",
    "arrived",
]
FLOOR = [
    "job_order_id",
    "lot_id",
    "order_id",
    "merchant_id",
    "factory_id",
    "state",
    "quantity",
    "start_on",
    "due_on",
    "transit_days",
    "at",
]
LOT_ON_THE_FLOOR = [
    "style_id",
    "category",
    "crafts",
    "sam_cut_minutes",
    "sam_sew_minutes",
    "sam_finish_minutes",
    "sam_inspect_minutes",
    "sam_pack_minutes",
]


def live(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Job orders that factories still work on, or are to answer.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        job_order_id, lot_id, factory_id, quantity and remaining (pieces, the latter not good yet), state, accepted,
        attempt, revision, start_on, due_on, rank, begun_at, stage, stages, next_factory_id, arrived, told_at (when the
        factory was first told of it), and arrival, which grows in the order of that.
    """
    remaining = JobOrder.to_make.label("remaining")
    columns = (JobOrder.job_order_id, JobOrder.lot_id, JobOrder.factory_id, JobOrder.quantity, remaining)
    more = (JobOrder.state, JobOrder.accepted, JobOrder.attempt, JobOrder.revision, JobOrder.start_on, JobOrder.due_on)
    staged = (JobOrder.stage, JobOrder.stages, JobOrder.next_factory_id, JobOrder.arrived)
    work = (JobOrder.rank, JobOrder.begun_at, *staged)
    told = [
        select(func.min(column)).where(Outbox.job_order_id == JobOrder.job_order_id).scalar_subquery().label(name)
        for name, column in (("arrival", Outbox.position), ("told_at", Outbox.at))
    ]
    chosen = select(*columns, *more, *work, *told).where(JobOrder.state.in_(LIVE), *scope.conditions(JobOrder))
    return frame(session, chosen.order_by(JobOrder.job_order_id))


def overview(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Every job order, for people: who makes how much of what, how far it is, and why it stopped.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        OVERVIEW; counts are pieces.
    """
    columns = (getattr(JobOrder, name) for name in OVERVIEW)
    chosen = select(*columns).where(*scope.conditions(JobOrder))
    return frame(session, chosen.order_by(JobOrder.factory_id, JobOrder.due_on, JobOrder.job_order_id))


def on_the_floor(session: Session) -> pd.DataFrame:
    """Live job orders with what making them takes: FLOOR, and their lot's.

    `order_due_on` is the merchant's date; passes_on: to a next stage.
    """
    columns = (getattr(JobOrder, name) for name in FLOOR)
    lot = (getattr(Lot, name) for name in LOT_ON_THE_FLOOR)
    chosen = select(*columns, *lot, Order.due_on.label("order_due_on")).where(JobOrder.state.in_(LIVE))
    chosen = chosen.add_columns((JobOrder.stage < JobOrder.stages).label("passes_on"))
    of_stage = (Lot.operations, JobOrder.stage, JobOrder.stages)
    joined = chosen.add_columns(*of_stage).join(Lot, JobOrder.lot_id == Lot.lot_id)
    joined = joined.join(Order, JobOrder.order_id == Order.order_id)
    rows = frame(session, joined.order_by(JobOrder.job_order_id))
    return _counted_at_inspection(rows).drop(columns=[column.key for column in of_stage])


def _counted_at_inspection(rows: pd.DataFrame) -> pd.DataFrame:
    """Minutes of a routing of its own names all stand with the inspection: how far a piece is before, is not told."""
    routed = rows["operations"].notna()
    names = [name for name in LOT_ON_THE_FLOOR if name.startswith("sam_")]
    rows.loc[routed, names] = 0.0
    rows.loc[routed, "sam_inspect_minutes"] = _minutes_of_stage(rows[routed])
    return rows


def _minutes_of_stage(rows: pd.DataFrame) -> list[float]:
    """Standard minutes of a piece, from the operations, stage and stages of each row."""
    of = zip(rows["operations"].astype(str), rows["stage"].astype(int), rows["stages"].astype(int), strict=True)
    return [minutes_of(operations_of(*row)) for row in of]


def is_overdue(rows: pd.DataFrame, day: date) -> "pd.Series[bool]":
    """Whether work had to end before a day, for the pieces to be where they go on due_on.

    Parameters
    ----------
    rows
        due_on, and transit_days of the way there.
    day
        The day.

    Returns
    -------
    pd.Series
        A flag by row.
    """
    way = pd.to_timedelta(rows["transit_days"], "D")
    return pd.to_datetime(rows["due_on"]) - way < pd.Timestamp(day)


def told(session: Session, since: datetime) -> pd.DataFrame:
    """What factories were told of, each job order once.

    Parameters
    ----------
    session
        Transaction of the ledger.
    since
        UTC; what was first told before does not count.

    Returns
    -------
    pd.DataFrame
        factory_id, quantity (pieces), standard_minutes (of a piece, in the job order's stage), start_on, told_at.
    """
    first = _first_told(since)
    columns = (JobOrder.factory_id, JobOrder.quantity, Lot.sam_minutes.label("standard_minutes"), JobOrder.start_on)
    of_stage = (Lot.operations, JobOrder.stage, JobOrder.stages)
    chosen = select(*columns, first.c.told_at, *of_stage).join(first, first.c.job_order_id == JobOrder.job_order_id)
    rows = frame(session, chosen.join(Lot, Lot.lot_id == JobOrder.lot_id).order_by(JobOrder.job_order_id))
    staged = rows["stages"] > 1
    rows.loc[staged, "standard_minutes"] = _minutes_of_stage(rows[staged])
    return rows.drop(columns=[column.key for column in of_stage])


def _first_told(since: datetime) -> Any:
    """When the factory was told of each job order, of those that it was not told of before."""
    told_at = func.min(Outbox.at).label("told_at")
    return select(Outbox.job_order_id, told_at).group_by(Outbox.job_order_id).having(told_at >= since).subquery()


def refusals(session: Session, since: datetime | None = None) -> pd.DataFrame:
    """Which factories refused a lot or never answered.

    Parameters
    ----------
    session
        Transaction of the ledger.
    since
        UTC, from when on; None: ever.

    Returns
    -------
    pd.DataFrame
        lot_id, stage, factory_id, each once.
    """
    pairs = select(JobOrder.lot_id, JobOrder.stage, JobOrder.factory_id).distinct()
    pairs = pairs.where(JobOrder.state.in_(_LOST))
    if since is not None:
        pairs = pairs.where(JobOrder.ended_at >= since)
    return frame(session, pairs.order_by(JobOrder.lot_id, JobOrder.stage, JobOrder.factory_id))


def lacks_a_maker(session: Session, since: datetime) -> bool:
    """Whether pieces of a lot that a factory has refused, or did not answer, are with no other factory yet.

    Parameters
    ----------
    session
        Transaction of the ledger.
    since
        UTC; what was refused before does not count.

    Returns
    -------
    bool
        True where a plan anew could place them.
    """
    refused = _refused(since)
    short = exists().where(Lot.lot_id == refused.c.lot_id, Lot.state.in_(UNFINISHED), refused.c.pieces < Lot.quantity)
    return bool(session.scalar(select(short)))


def _refused(since: datetime) -> Subquery:
    """Lots by stage that somebody has refused since then: lot_id, pieces that others are to make."""
    by_stage = select(JobOrder.lot_id, func.sum(_TAKEN).label("pieces")).group_by(JobOrder.lot_id, JobOrder.stage)
    return by_stage.having(func.max(case((_gone(since), 1), else_=0)) == 1).subquery()


def _gone(since: datetime) -> ColumnElement[bool]:
    return and_(JobOrder.state.in_(_LOST), JobOrder.ended_at >= since)


def of_stages(session: Session) -> pd.DataFrame:
    """Job orders of unfinished lots that are made in stages, for what lies where between the stages.

    lot_id, stage, stages, factory_id, next_factory_id, made (pieces that passed inspection or left), shipped, arrived,
    lost (of what was shipped).
    """
    of_skus = select(func.coalesce(func.sum(JobOrderSku.lost), 0))
    lost = of_skus.where(JobOrderSku.job_order_id == JobOrder.job_order_id).scalar_subquery().label("lost")
    made = case((JobOrder.good_pieces > JobOrder.shipped, JobOrder.good_pieces), else_=JobOrder.shipped).label("made")
    names = ("lot_id", "stage", "stages", "factory_id", "next_factory_id", "shipped", "arrived")
    chosen = select(*(getattr(JobOrder, name) for name in names), made, lost).join(Lot, Lot.lot_id == JobOrder.lot_id)
    unfinished = chosen.where(JobOrder.stages > 1, Lot.state.in_(UNFINISHED))
    return frame(session, unfinished.order_by(JobOrder.job_order_id))


def lost_between(session: Session, hand_overs: pd.DataFrame) -> pd.DataFrame:
    """Whose pieces are missing between stages: they left, and by scan nobody received them in time.

    Parameters
    ----------
    session
        Transaction of the ledger.
    hand_overs
        The mart of this name: lot_id, stage (that receives), factory_id, sku_id, missing (pieces).

    Returns
    -------
    pd.DataFrame
        job_order_id, sku_id, received (0), lost: job orders that sent them, the newest first.
    """
    missing = hand_overs.loc[hand_overs["missing"] > 0, [*_RECEIVER, "sku_id", "missing"]]
    if missing.empty:
        return pd.DataFrame(columns=[*KEY, *ARRIVED])
    rows = frame(session, _sent_on().where(JobOrder.lot_id.in_(sorted(set(missing["lot_id"])))))
    rows = rows.merge(missing, on=[*_RECEIVER, "sku_id"]).sort_values(["attempt", *KEY], ascending=False)
    return rows.assign(received=0, lost=_of_newest(rows))[[*KEY, *ARRIVED]].reset_index(drop=True)


def _sent_on() -> Select[Any]:
    """What left for a next stage: the receiver, the job order and its SKU with its pieces, how often it was tried."""
    receiver = (JobOrder.lot_id, (JobOrder.stage + 1).label("stage"), JobOrder.next_factory_id.label("factory_id"))
    sent = select(*receiver, *(getattr(JobOrderSku, name) for name in (*KEY, "shipped")), JobOrder.attempt)
    return sent.join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id).where(JobOrderSku.shipped > 0)


def _of_newest(rows: pd.DataFrame) -> "pd.Series[int]":
    """Of the missing pieces those of each row, the first rows first."""
    newer = rows.groupby([*_RECEIVER, "sku_id"])["shipped"].cumsum() - rows["shipped"]
    return (rows["missing"] - newer).clip(0, rows["shipped"])


def expire(session: Session, now: datetime) -> int:
    """Gives up job orders that nobody answered in time, clock skew allowed; their quantity is free again.

    Parameters
    ----------
    session
        Transaction of the ledger.
    now
        UTC.

    Returns
    -------
    int
        How many were given up.
    """
    limit = now - timedelta(seconds=settings().plan.clock_skew_s)
    silent = select(JobOrder.job_order_id).where(JobOrder.state == "Released", JobOrder.accept_by < limit)
    job_order_ids = session.scalars(silent.order_by(JobOrder.job_order_id).with_for_update(key_share=True)).all()
    _give_up(session, job_order_ids, now)
    return len(job_order_ids)


def _give_up(session: Session, job_order_ids: Sequence[str], now: datetime) -> None:
    for some in chunks(job_order_ids):
        given_up = update(JobOrder).where(JobOrder.job_order_id.in_(some))
        session.execute(given_up.values(state="Expired", reason="no answer", ended_at=now, counted=True, at=now))
    outbox.void(session, job_order_ids)


def apply_progress(session: Session, progress: pd.DataFrame, at: datetime, goods: pd.DataFrame | None = None) -> int:
    """Takes over what was made and what arrived.

    Scans that were taken back count no more, and what closed by them opens again. What a job order that ended by then
    did not ship is free for planning. Rows of unknown job orders or SKUs are left out, and so is a progress older than
    the last one.

    Parameters
    ----------
    session
        Transaction of the ledger.
    progress
        job_order_id, sku_id, operation, good_pieces, defects (pieces), from every scan made before `at`, as it holds
        then.
    at
        UTC; noted with what it changes.
    goods
        The mart of this name: what arrived of each job order; None: nothing is known of arrivals.

    Returns
    -------
    int
        How many job orders changed.
    """
    if not _is_newer(session, at):
        return 0
    ended = select(JobOrder.job_order_id).where(JobOrder.counted.is_(False), JobOrder.ended_at <= at)
    concerned = sorted(set(progress["job_order_id"]) | set(session.scalars(ended)) | _without_scans(session, progress))
    arrived = (pd.DataFrame(columns=[*KEY, *ARRIVED]) if goods is None else goods).set_index(KEY)[ARRIVED]
    changed: list[JobOrder] = []
    for some in chunks(concerned):
        known = select(JobOrder).where(JobOrder.job_order_id.in_(some)).order_by(JobOrder.job_order_id)
        jobs = session.scalars(known.with_for_update(key_share=True)).all()
        made, moved = _count_skus(session, jobs, progress, arrived)
        defects = progress.groupby("job_order_id")["defects"].sum()
        came = progress[progress["operation"] == RECEIVE].groupby("job_order_id")["good_pieces"].sum()
        counted = {job.job_order_id for job in jobs if _count(job, made.get(job.job_order_id), defects, came, at)}
        changed += [job for job in jobs if job.job_order_id in counted | moved]
    session.flush()
    orders.settle(session, sorted({job.lot_id for job in changed}), at)
    return len(changed)


def _is_newer(session: Session, at: datetime) -> bool:
    """Whether no later progress was counted before; a day that is run again must not take its successors' pieces."""
    last = session.get(Counted, "progress", with_for_update=True)
    if last is None:
        session.add(Counted(what="progress", through=at))
    elif at >= last.through:
        last.through = at
    return last is None or at >= last.through


def _without_scans(session: Session, progress: pd.DataFrame) -> set[str]:
    """Job orders that had pieces, and have no scan any more: their file was set aside."""
    if progress.empty:
        return set()
    had = or_(JobOrder.good_pieces > 0, JobOrder.shipped > 0, JobOrder.defects > 0)
    return set(session.scalars(select(JobOrder.job_order_id).where(had))) - set(progress["job_order_id"])


def _count_skus(
    session: Session, jobs: Sequence[JobOrder], progress: pd.DataFrame, arrived: pd.DataFrame
) -> tuple[dict[str, pd.Series], set[str]]:
    """Sets the pieces per SKU; returns good_pieces and shipped per job order, and the job orders that changed."""
    skus = _asked_skus(session, jobs)
    begun = {job.job_order_id for job in jobs if job.has_begun} | _worked(progress)
    counted = _made_skus(skus, progress, begun)
    counted[ARRIVED] = arrived.reindex(skus.index).astype(float).fillna(0).astype("int64")
    pieces = [*MADE, *ARRIVED]
    changed = counted[(counted[pieces] != skus[pieces]).any(axis=1)].reset_index()
    if len(changed):
        session.execute(update(JobOrderSku), rows(JobOrderSku, changed, [*KEY, *pieces]))
    sums = counted.groupby("job_order_id")[MADE].sum()
    return {str(job_order_id): made for job_order_id, made in sums.iterrows()}, set(changed["job_order_id"])


def _asked_skus(session: Session, jobs: Sequence[JobOrder]) -> pd.DataFrame:
    """By KEY the SKUs of these job orders, with the tolerance of their orders."""
    chosen = select(*JobOrderSku.__table__.columns, Order.tolerance_share)
    chosen = chosen.join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
    chosen = chosen.join(Order, Order.order_id == JobOrder.order_id)
    chosen = chosen.where(JobOrderSku.job_order_id.in_([job.job_order_id for job in jobs]))
    return frame(session, chosen).set_index(KEY)


def _made_skus(skus: pd.DataFrame, progress: pd.DataFrame, begun: set[str]) -> pd.DataFrame:
    """With good_pieces, what counts as shipped, and the surplus: what was shipped above that, or before any work."""
    counts = progress.groupby([*KEY, "operation"])["good_pieces"].sum()
    good, shipped = (_of_operation(counts, operation, skus.index) for operation in (GOOD_AT, SHIPPED_AT))
    most = orders.most_pieces(skus["quantity"], skus["tolerance_share"])
    most = most.where(skus.index.get_level_values("job_order_id").isin(begun), 0)
    counted = shipped.clip(upper=most)
    return skus.assign(good_pieces=good, shipped=counted, surplus=shipped - counted)


def _of_operation(counts: pd.Series, operation: str, index: pd.Index) -> "pd.Series[int]":
    of_operation = counts[counts.index.get_level_values("operation") == operation].droplevel("operation")
    return of_operation.reindex(index).astype(float).fillna(0).astype("int64")


def _worked(progress: pd.DataFrame) -> set[str]:
    """Job orders with a scan of an operation before shipping."""
    made = progress["good_pieces"] + progress["defects"] > 0
    return set(progress.loc[made & ~progress["operation"].isin([RECEIVE, SHIPPED_AT]), "job_order_id"])


def _count(job: JobOrder, made: pd.Series | None, defects: pd.Series, came: pd.Series, at: datetime) -> bool:
    before = (job.good_pieces, job.shipped, job.defects, job.arrived, job.counted)
    if made is not None:
        job.good_pieces, job.shipped = int(made["good_pieces"]), int(made["shipped"])
    job.defects, job.arrived = int(defects.get(job.job_order_id, 0)), int(came.get(job.job_order_id, 0))
    job.counted = job.counted or (job.ended_at is not None and job.ended_at <= at)
    changed = before != (job.good_pieces, job.shipped, job.defects, job.arrived, job.counted)
    if changed:
        job.at = at
    return changed


def refused_cuts(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Live job orders that were to be cancelled or cut, and whose factories refused.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        OVERVIEW.
    """
    jobs = overview(session, scope)
    return jobs[jobs["state"].isin(LIVE) & (jobs["cut_accepted"].eq(False))].reset_index(drop=True)


def surplus(session: Session, scope: Scope = EVERYONE) -> pd.DataFrame:
    """Pieces shipped that nobody agreed to, or that the merchant no longer orders.

    Parameters
    ----------
    session
        Transaction of the ledger.
    scope
        Whose are seen.

    Returns
    -------
    pd.DataFrame
        order_id, lot_id, merchant_id, pieces; job_order_id and factory_id of the former, else ''.
    """
    beyond = func.sum(JobOrderSku.surplus).label("pieces")
    job = (JobOrder.order_id, JobOrder.lot_id, JobOrder.merchant_id, JobOrder.job_order_id, JobOrder.factory_id)
    agreed = select(*job, beyond).join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
    agreed = agreed.where(JobOrderSku.surplus > 0, *scope.conditions(JobOrder)).group_by(*job)
    lot = (Lot.order_id, Lot.lot_id, Lot.merchant_id)
    ordered = select(*lot, func.sum(LotSku.surplus).label("pieces")).join(Lot, Lot.lot_id == LotSku.lot_id)
    ordered = ordered.where(LotSku.surplus > 0, *scope.conditions(Lot)).group_by(*lot)
    found = [frame(session, agreed), frame(session, ordered).assign(job_order_id="", factory_id="")]
    return pd.concat(found, ignore_index=True).astype({"pieces": "int64"}).sort_values(["lot_id", "job_order_id"])
