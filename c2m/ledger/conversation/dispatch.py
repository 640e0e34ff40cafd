"""From a released plan to job orders: what is new, what changes, what is taken back, and the messages that say so.

Invariant: the job orders of a lot that may still deliver never ask for more, together, than the lot needs; per SKU too.
Hence a change that takes pieces from one factory to give them to another comes in two steps: they are taken back now,
and planned anew once the factory has confirmed. What has to wait so is held.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from c2m.domain import personalisation
from c2m.domain.apportion import apportion
from c2m.domain.operations import Operation, crafts_of, operations_of
from c2m.ids import derive_id
from c2m.ledger import orders, status
from c2m.ledger.conversation import outbox
from c2m.ledger.conversation.outbox import NewMessage
from c2m.ledger.conversation.ranks import QueuePlace, ranks
from c2m.ledger.states import LIVE, STARTED, UNFINISHED, WAITING
from c2m.ledger.store import chunks, upsert
from c2m.ledger.tables import JobOrder, JobOrderRevision, JobOrderSku, Lot, LotSku, Order, PlanAllocation
from c2m.settings import settings
from c2m.wire import messages
from c2m.wire.messages import CANCEL, OPERATIONS, STORE, VERSION, Cancel, Destination, Item, RoutingStep

Pair = tuple[str, int, str]  # lot_id, stage, factory_id
Pieces = dict[str, int]  # by sku_id
Turn = tuple[bool, int, date, str, int]  # see `_in_plan`
_BEFORE_ALL: Turn = (False, 0, date.min, "", 0)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PICTURES = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421}  # of control characters, such as U+2409 of tab
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Dispatched:
    """How many job orders a release wrote. held: allocations that wait for pieces to come back; ranked: told another
    rank alone.
    """

    new: int = 0
    revised: int = 0
    ranked: int = 0
    cancelled: int = 0
    held: int = 0
    withheld: int = 0


@dataclass
class _Desk:
    """What a release finds, and what it is going to write."""

    at: datetime
    lots: dict[str, Lot] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    rooms: dict[tuple[str, int], Pieces] = field(default_factory=dict)  # per lot and stage: nobody's yet
    skus: dict[str, Pieces] = field(default_factory=dict)  # per live job order
    attempts: dict[tuple[str, str], int] = field(default_factory=dict)  # per lot and factory
    cancelling: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)  # of the messages, by factory that has said it
    words: dict[str, dict[str, dict[str, str | None]]] = field(default_factory=dict)  # TOLD, per lot, by sku_id
    ranks: dict[Pair, int | None] = field(default_factory=dict)
    told_anew: list[tuple[JobOrder, PlanAllocation]] = field(default_factory=list)  # rank, or where pieces go
    turns: dict[str, Turn] = field(default_factory=dict)  # per job order that is written to
    new: list[JobOrder] = field(default_factory=list)
    letters: list[NewMessage] = field(default_factory=list)
    changed_skus: dict[str, Pieces] = field(default_factory=dict)
    overtaken: list[str] = field(default_factory=list)
    revisions: list[JobOrderRevision] = field(default_factory=list)


def dispatch(session: Session, pairs: Sequence[PlanAllocation], without: frozenset[str], at: datetime) -> Dispatched:
    """Brings the job orders in line with the allocation; lots in `without` are left as they are."""
    live = _live(session, sorted({pair.plan_id for pair in pairs}))
    wanted = {_key(pair): pair for pair in pairs}
    desk = _prepare(session, sorted({pair.lot_id for pair in pairs} - without), at)
    desk.ranks = _ranks(desk, live, pairs, without)
    done: Counter[str] = Counter()
    for key in sorted(live.keys() | wanted.keys()):
        effect = "withheld" if key[0] in without else _bring_in_line(desk, live.get(key, []), wanted.get(key))
        if pair := wanted.get(key):
            pair.withheld = effect in ("withheld", "held")
            done[effect] += 1
        else:
            done["cancelled"] += effect == "cancelled"
    done["ranked"] = len(desk.told_anew)
    _write(session, desk)
    return Dispatched(**{each.name: done[each.name] for each in fields(Dispatched)})


def _key(work: PlanAllocation | JobOrder) -> Pair:
    return work.lot_id, work.stage, work.factory_id


def _ranks(
    desk: _Desk, live: Mapping[Pair, Sequence[JobOrder]], pairs: Sequence[PlanAllocation], without: frozenset[str]
) -> dict[Pair, int | None]:
    """Per pair whose work has not begun, and whose factory knows ranks, the one that the plan's order gives it."""
    queues: dict[str, list[tuple[Pair, QueuePlace]]] = defaultdict(list)
    for pair in sorted(pairs, key=_in_plan):
        key = _key(pair)
        job = next((job for job in live.get(key, ()) if job.state not in STARTED), None)
        begun = job is None and pair.quantity <= sum(started.to_make for started in live.get(key, ()))
        if not begun and desk.versions.get(pair.factory_id, 1) >= VERSION:
            asked = job is not None and job.job_order_id in desk.cancelling | desk.unanswered
            queues[pair.factory_id].append((key, QueuePlace(job.rank if job else None, asked or key[0] in without)))
    return {
        key: rank
        for queue in queues.values()
        for (key, _), rank in zip(queue, ranks([place for _, place in queue]), strict=True)
    }


def _in_plan(pair: PlanAllocation) -> Turn:
    """Sorts pairs by their place in the factory's order of work; what has none comes by its date."""
    return pair.place is None, pair.place or 0, pair.finish_on, pair.lot_id, pair.stage


def _live(session: Session, plan_ids: Sequence[str]) -> dict[Pair, list[JobOrder]]:
    """Live job orders, locked. Started work goes on in any case: of it only what the plan speaks of is read.

    Found first, then locked by their ids: PostgreSQL judges a row anew that changed while its lock was waited for, by
    its own columns as they are now, by a subquery beside it as it was; so it may leave the row out.
    """
    jobs = select(JobOrder.job_order_id)
    planned = select(PlanAllocation.lot_id).where(PlanAllocation.plan_id.in_(plan_ids))
    concerned = union(jobs.where(JobOrder.state.in_(WAITING)), jobs.where(JobOrder.lot_id.in_(planned)))
    live: dict[Pair, list[JobOrder]] = defaultdict(list)
    for some in chunks(sorted(session.scalars(concerned))):
        chosen = select(JobOrder).where(JobOrder.job_order_id.in_(some)).order_by(JobOrder.job_order_id)
        for job in session.scalars(chosen.with_for_update(key_share=True)):
            if job.state in LIVE:
                live[_key(job)].append(job)
    return live


def _prepare(session: Session, lot_ids: Sequence[str], at: datetime) -> _Desk:
    desk = _Desk(at, cancelling=outbox.unanswered(session, CANCEL), unanswered=outbox.unanswered(session, STORE))
    desk.versions = status.versions(session)
    for some in chunks(lot_ids):
        lots = {lot.lot_id: lot for lot in session.scalars(select(Lot).where(Lot.lot_id.in_(some)))}
        desk.lots |= lots
        of_lots = select(Lot.order_id).where(Lot.lot_id.in_(some))
        desk.orders |= {o.order_id: o for o in session.scalars(select(Order).where(Order.order_id.in_(of_lots)))}
        desk.rooms |= _rooms(session, lots)
        desk.skus |= _live_skus(session, some)
        desk.words |= _words(session, some)
        pairs = select(JobOrder.lot_id, JobOrder.factory_id, func.count()).where(JobOrder.lot_id.in_(some))
        counts = session.execute(pairs.group_by(JobOrder.lot_id, JobOrder.factory_id))
        desk.attempts |= {(lot_id, factory_id): count for lot_id, factory_id, count in counts}
    return desk


def _rooms(session: Session, lots: Mapping[str, Lot]) -> dict[tuple[str, int], Pieces]:
    """Per lot, stage and SKU what is neither shipped nor asked of anyone; negative where more was than is ordered."""
    rooms: dict[tuple[str, int], Pieces] = defaultdict(dict)
    for lot_id, stage, sku_id, pieces in orders.rooms_of_stages(session, sorted(lots)):
        rooms[lot_id, stage][sku_id] = pieces
    chosen = orders.rooms().where(LotSku.lot_id.in_(sorted(lots)))
    for lot_id, sku_id, pieces in session.execute(chosen.order_by(LotSku.lot_id, LotSku.sku_id)):
        rooms[lot_id, lots[lot_id].stages][sku_id] = int(pieces)
    return rooms


def _words(session: Session, lot_ids: Sequence[str]) -> dict[str, dict[str, dict[str, str | None]]]:
    """Size and codes of the SKUs of lots, as a message can carry them."""
    words: dict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)
    for sku in session.scalars(select(LotSku).where(LotSku.lot_id.in_(lot_ids))):
        codes = {name: _tellable_code(getattr(sku, name)) for name in orders.CODES}
        words[sku.lot_id][sku.sku_id] = {"size": _tellable_text(sku.size), **codes}
    return words


def _live_skus(session: Session, lot_ids: Sequence[str]) -> dict[str, Pieces]:
    skus: dict[str, Pieces] = defaultdict(dict)
    chosen = (
        select(JobOrderSku.job_order_id, JobOrderSku.sku_id, JobOrderSku.quantity)
        .join(JobOrder, JobOrder.job_order_id == JobOrderSku.job_order_id)
        .where(JobOrder.lot_id.in_(lot_ids), JobOrder.state.in_(LIVE))
    )
    for job_order_id, sku_id, pieces in session.execute(chosen.order_by(JobOrderSku.sku_id)):
        skus[job_order_id][sku_id] = pieces
    return skus


def _bring_in_line(desk: _Desk, jobs: Sequence[JobOrder], pair: PlanAllocation | None) -> str:
    """Started work goes on unchanged; the rest of the pair's pieces are one more job order, which may still change."""
    started = sum(job.to_make for job in jobs if job.state in STARTED)
    waiting = next((job for job in jobs if job.state not in STARTED), None)
    pieces = pair.quantity - started if pair else 0
    for job in jobs:
        if pair and job.state in STARTED and job.job_order_id not in desk.cancelling | desk.unanswered:
            _tell_anew(desk, job, pair)
    if waiting is None:
        return _open(desk, pair, pieces) if pair and pieces > 0 else "left"
    cancelling, unanswered = (waiting.job_order_id in asked for asked in (desk.cancelling, desk.unanswered))
    if pieces == waiting.requested and not cancelling:
        return "left" if unanswered else _tell_anew(desk, waiting, pair)
    # One question at a time: of two open ones nobody could tell which one a refusal answers. Only a first offer may be
    # cancelled while it is unanswered, because a factory cannot have begun with it.
    if cancelling or (unanswered and (pieces > 0 or waiting.confirmed_revision > 0)):
        return "held" if pieces > 0 else "left"
    return _revise(desk, waiting, pair, pieces) if pair and pieces > 0 else _take_back(desk, waiting)


def _tell_anew(desk: _Desk, job: JobOrder, pair: PlanAllocation | None) -> str:
    """Its place in the order of work, or where its pieces go, has changed, and nothing else.

    Written once what was agreed has been read. Work that has begun keeps its place.
    """
    rank = None if job.state in STARTED else desk.ranks.get(_key(job))
    if pair and (rank not in (None, job.rank) or pair.next_factory_id != job.next_factory_id):
        job.rank, job.next_factory_id = job.rank if rank is None else rank, pair.next_factory_id
        job.transit_days = pair.transit_days
        desk.told_anew.append((job, pair))
        desk.turns[job.job_order_id] = _in_plan(pair)
    return "left"


def _is_tellable(desk: _Desk, pair: PlanAllocation) -> bool:
    """Whether the factory's version of the messages can say what the lot needs.

    The first knows no crafts, no stages and nothing of a shopper's own.
    """
    lot = desk.lots[pair.lot_id]
    needs = lot.crafts or lot.operations or lot.personalisation
    return desk.versions.get(pair.factory_id, 1) >= VERSION or not needs


def _open(desk: _Desk, pair: PlanAllocation, pieces: int) -> str:
    if not _is_tellable(desk, pair):
        return "withheld"
    skus = _reserve(desk, (pair.lot_id, pair.stage), pieces)
    if skus is None:
        return "held"
    lot, attempt = desk.lots[pair.lot_id], desk.attempts.get((pair.lot_id, pair.factory_id), 0) + 1
    desk.attempts[pair.lot_id, pair.factory_id] = attempt  # the same factory may make another stage
    job = JobOrder(
        job_order_id=derive_id(pair.lot_id, pair.factory_id, attempt),
        lot_id=pair.lot_id,
        order_id=lot.order_id,
        merchant_id=lot.merchant_id,
        factory_id=pair.factory_id,
        stage=pair.stage,
        stages=lot.stages,
        arrived=0,
        attempt=attempt,
        revision=0,
        quantity=pieces,
        state="Released",
        answered_revision=0,
        sequence=0,
        confirmed_revision=0,
        reason="",
        good_pieces=0,
        shipped=0,
        defects=0,
        counted=False,
    )
    desk.new.append(job)
    desk.changed_skus[job.job_order_id] = skus
    _offer(desk, job, pair, skus)
    return "new"


def _revise(desk: _Desk, job: JobOrder, pair: PlanAllocation, pieces: int) -> str:
    """More is reserved at once; less holds only when the factory agrees."""
    skus, more = desk.skus[job.job_order_id], pieces - job.quantity
    if more > 0:
        added = _reserve(desk, (job.lot_id, job.stage), more)
        if added is None:
            return "held"
        skus = {sku_id: skus.get(sku_id, 0) + added.get(sku_id, 0) for sku_id in sorted(skus.keys() | added.keys())}
        job.quantity = pieces
        desk.changed_skus[job.job_order_id] = skus
    else:
        skus = _share(pieces, skus)
    desk.overtaken.append(job.job_order_id)
    _offer(desk, job, pair, skus)
    return "revised"


def _take_back(desk: _Desk, job: JobOrder) -> str:
    desk.overtaken.append(job.job_order_id)
    cancel = Cancel(job_order_id=job.job_order_id, revision=job.revision, reason="no longer in the plan")
    desk.letters.append(NewMessage(job.factory_id, cancel, desk.at))
    return "cancelled"


def _reserve(desk: _Desk, of: tuple[str, int], pieces: int) -> Pieces | None:
    """Takes pieces of a lot's stage out of its room, SKU by SKU in proportion; None where there is not enough."""
    room = desk.rooms.get(of, {})
    free = {sku_id: left for sku_id, left in room.items() if left > 0}
    if desk.lots[of[0]].state not in UNFINISHED or sum(free.values()) < pieces:
        return None
    skus = _share(pieces, free)
    for sku_id, share in skus.items():
        room[sku_id] -= share
    return skus


def _share(pieces: int, over: Pieces) -> Pieces:
    shares = apportion(pieces, list(over.values()))
    return {sku_id: int(share) for sku_id, share in zip(over, shares, strict=True)}


def _offer(desk: _Desk, job: JobOrder, pair: PlanAllocation, skus: Pieces) -> None:
    """The next revision of a job order."""
    job.revision, job.requested, job.at = job.revision + 1, sum(skus.values()), desk.at
    job.start_on, job.due_on, job.transit_days = pair.start_on, pair.finish_on, pair.transit_days
    job.rank, job.next_factory_id = desk.ranks.get(_key(pair)), pair.next_factory_id
    desk.turns[job.job_order_id] = _in_plan(pair)
    job.accept_by = desk.at + timedelta(hours=settings().plan.accept_within_hours)
    lot = desk.lots[job.lot_id]
    order = desk.orders[lot.order_id]
    operations = _operations(lot, job.stage)
    offer = messages.JobOrder(
        job_order_id=job.job_order_id,
        revision=job.revision,
        order_id=lot.order_id,
        merchant_id=lot.merchant_id,
        style_id=lot.style_id,
        category=lot.category,
        quantity=job.requested,
        quantity_by_sku={sku_id: share for sku_id, share in skus.items() if share},
        start_on=pair.start_on,
        due_on=pair.finish_on,
        accept_by=job.accept_by,
        operations=tuple(RoutingStep(name=one.name, sam_minutes=one.sam_minutes) for one in operations),
        destination=Destination(latitude=order.destination_latitude, longitude=order.destination_longitude),
        rank=job.rank,
        items=tuple(Item(**row) for row in _items(desk, lot, skus)),
        style_name=_tellable_text(lot.style_name),
        crafts=tuple(crafts_of(operations) if lot.operations else filter(None, lot.crafts.split(";"))),
        price=None if pair.price is None else float(pair.price),
        currency=None if pair.price is None else pair.currency,
        specification_url=_tellable_address(lot.specification_url),
        order_code=_tellable_code(order.order_code or order.merchant_order_id),
        style_code=_tellable_code(lot.style_code),
        **_stages(job),
    )
    told = offer.of_version(desk.versions.get(job.factory_id, 1))
    desk.letters.append(NewMessage(job.factory_id, told, desk.at))
    _note_plan(desk, job, pair)


def _operations(lot: Lot, stage: int) -> list[Operation]:
    """What the factory does: by the style's routing, else by the minutes of apparel; shipping takes no line time."""
    if lot.operations:
        return operations_of(lot.operations, stage, lot.stages)
    return [Operation(name, None, getattr(lot, f"sam_{name}_minutes", 0.0), 1) for name in OPERATIONS]


def _stages(job: JobOrder) -> dict[str, Any]:
    """Which stage of how many, and where the pieces go; nothing of a lot that is made whole."""
    names = ("stage", "stages", "next_factory_id") if job.stages > 1 else ()
    return {name: getattr(job, name) for name in names}


def _note_plan(desk: _Desk, job: JobOrder, pair: PlanAllocation) -> None:
    """Which plan asked for this revision."""
    started = pair.quantity - job.requested  # what the plan leaves to job orders that have begun
    of_plan = {"plan_id": pair.plan_id, "quantity": job.requested, "started": started}
    desk.revisions.append(JobOrderRevision(job_order_id=job.job_order_id, revision=job.revision, **of_plan))


def _items(desk: _Desk, lot: Lot, skus: Pieces) -> Iterator[dict[str, Any]]:
    words, colour = desk.words.get(lot.lot_id, {}), _tellable_text(lot.colour)
    own = personalisation.pairs(lot.personalisation).items()
    personal = {_tellable_text(name): _tellable_text(text) for name, text in own} or None
    for sku_id, share in skus.items():
        if share:
            told = {"sku_id": sku_id, "colour": colour, "quantity": share, "personalisation": personal}
            yield told | words.get(sku_id, {})


def _tellable_text(text: str | None) -> str | None:
    """A merchant's words as a message can carry them: a feed may have a tab or a new line in a cell, a message may not.

    One such cell would otherwise stop the release of the whole plan.
    """
    return text and _CONTROL.sub(" ", text)


def _tellable_code(code: str | None) -> str | None:
    """The same of a code, in which two different ones must not become one."""
    return code and code.translate(_PICTURES)


def _tellable_address(url: str | None) -> str | None:
    """The same of an address, whose spaces of any script are encoded; none where it becomes too long by that."""
    coded = url and _BLANK.sub(lambda found: quote(found[0]), url)
    return coded if coded and len(coded) <= messages.MAX_URL else None


def _tell_order_and_way(session: Session, desk: _Desk) -> None:
    """A revision of rank and next factory alone: all else is as it was agreed, the time to answer too."""
    agreed = outbox.agreed(session, {job.job_order_id: job.confirmed_revision for job, _ in desk.told_anew})
    for job, pair in desk.told_anew:
        job.revision += 1
        job.ranked_revision, job.at = job.revision, desk.at
        anew = {"revision": job.revision, "rank": job.rank, "next_factory_id": job.next_factory_id}
        told = agreed[job.job_order_id].model_copy(update=anew)
        desk.letters.append(NewMessage(job.factory_id, told, desk.at))
        desk.overtaken.append(job.job_order_id)
        _note_plan(desk, job, pair)


def _write(session: Session, desk: _Desk) -> None:
    """Messages in the order of work: a factory that takes what comes first then takes what the plan has first."""
    _tell_order_and_way(session, desk)
    desk.letters.sort(key=lambda letter: desk.turns.get(letter.data.job_order_id, _BEFORE_ALL))
    session.add_all(desk.new)
    session.flush()
    session.add_all(desk.revisions)
    write_skus(session, desk.changed_skus)
    outbox.void(session, desk.overtaken)
    outbox.put(session, desk.letters)


def write_skus(session: Session, skus: Mapping[str, Pieces]) -> None:
    """Sets the pieces per SKU of job orders; what was made of them stays."""
    made = {"good_pieces": 0, "shipped": 0}
    rows = [
        {"job_order_id": job_order_id, "sku_id": sku_id, "quantity": quantity} | made
        for job_order_id, pieces in skus.items()
        for sku_id, quantity in pieces.items()
    ]
    upsert(session, JobOrderSku, rows, keep=tuple(made))
