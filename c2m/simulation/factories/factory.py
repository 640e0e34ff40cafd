"""A simulated factory in conversation: what it answers to a message, and what it has to tell as time goes by.

The rules of the conversation stand in c2m/wire/messages.py.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from types import MappingProxyType

from c2m.ids import derive_id
from c2m.settings import settings
from c2m.simulation.factories import production
from c2m.simulation.factories.booking import Segment, Taken, book, first_minutes, moment, take
from c2m.simulation.factories.manner import Manner, Turn, manner_of, turn, version_of
from c2m.simulation.factories.profile import Profile
from c2m.simulation.factories.state import Goods, SimulatedJob, State
from c2m.wire.messages import (
    ADDED,
    RECEIVE,
    SHIP,
    VERSION,
    Cancel,
    CancelMessage,
    JobOrder,
    JobResponse,
    Scan,
    Start,
    StartMessage,
    Status,
    StoreMessage,
    compose,
    factory_source,
)

SCANS_PER_MESSAGE = 100
_SMALL_ORDER_LOTS = 2  # an order below so many minimum lots is small: the factory may not want it
_GRACE_DAYS = 7  # that it may be late; a plan may be late on purpose
_IN_HAND = ("AllowedToStart", "Running", "Interrupted")
_BEGUN = "production has begun"


class SimulatedFactory:
    """One factory. Every method writes into `state`, inside the caller's transaction.

    manner, version: drawn by the shares of the settings where they are not given. peers: the factories that it may send
    pieces to.
    """

    def __init__(
        self,
        profile: Profile,
        seed: int,
        state: State,
        session: str,
        manner: Manner | None = None,
        version: int | None = None,
        peers: Mapping[str, Profile] = MappingProxyType({}),
    ) -> None:
        self.profile, self._peers = profile, peers
        self.through: datetime | None = None  # up to when this session has reported
        self.manner = manner or manner_of(profile, seed, settings().simulation)
        self.version = version or version_of(profile, seed, settings().simulation)
        self._seed = seed
        self._state = state
        self._session = session
        self._source = factory_source(profile.factory_id)
        self._jobs = {job.job_order_id: job for job in state.jobs(profile.factory_id)}
        self._arrivals = {job_order_id: number for number, job_order_id in enumerate(self._jobs)}
        self._minutes: dict[tuple[str, int], float] = {}  # of paid work, by job order and revision
        self._queue = self._in_turn()  # what has not begun, in the order of its bookings
        self._ready: dict[str, datetime] = {}  # when work begins on what may begin
        self._ahead: dict[str, list[production.Event]] = {}  # of what has begun: what the platform has not been told
        for job in self._jobs.values():
            if job.order and job.told and job.state in _IN_HAND:
                self._ahead[job.job_order_id] = self._events(job, job.order)
            self._note_begin(job)

    def refusal(self, message: StoreMessage | StartMessage | CancelMessage) -> str:
        """Why this factory cannot read a message, or '': the first version knows no field of a later one."""
        data = message.data
        if self.version >= VERSION or not isinstance(data, JobOrder) or data == data.of_version(self.version):
            return ""
        return f"unknown fields {', '.join(_added(data))}, expected version {self.version}"

    def receive(self, message: StoreMessage | StartMessage | CancelMessage, now: datetime) -> None:
        """Answers a message; one that was answered before gets the same answer again."""
        body = self._state.answer(self.profile.factory_id, message.id) or self._new_answer(message, now)
        self._state.post(self.profile.factory_id, "job-responses", body)

    def _new_answer(self, message: StoreMessage | StartMessage | CancelMessage, now: datetime) -> bytes:
        body = compose(self._answer(message.data, now), self._source, now).body()
        self._state.keep_answer(self.profile.factory_id, message.id, body)
        return body

    def advance(self, now: datetime) -> None:
        """Tells everything that has happened up to `now`, in order."""
        for job_order_id in [name for name, begin in self._ready.items() if begin <= now]:
            job = self._jobs[job_order_id]
            del self._ready[job_order_id]
            self._ahead[job_order_id] = self._events(job, job.order) if job.order else []
        told = [(job_order_id, event) for job_order_id, events in self._ahead.items() for event in _until(events, now)]
        # Of one moment, what came first: the order in which work was begun is not known after a restart.
        told.sort(key=lambda item: (item[1].at, self._arrivals[item[0]]))
        for _, group in groupby(told, key=lambda item: type(item[1])):
            batch = list(group)
            self._tell_scans([event for _, event in batch if isinstance(event, Scan)])
            for job_order_id, event in batch:
                if isinstance(event, production.Change):
                    self._tell_change(self._jobs[job_order_id], event)
        self._forget_told(told)

    def report(self, now: datetime) -> None:
        """Says that all is told up to `now`. The session makes the id a new one after a last will."""
        status = Status(online=True, through=now, version=self._said_version)
        name = derive_id(self._source, self._session, now.isoformat())
        self._state.post(self.profile.factory_id, "status", compose(status, self._source, now, name).body())
        self.through = now

    def farewell(self, now: datetime) -> bytes:
        """What is said when this process ends: by itself, or by the broker as its last will."""
        status = Status(online=False, version=self._said_version)
        return compose(status, self._source, now, derive_id(self._source, self._session, "will")).body()

    @property
    def _said_version(self) -> int | None:
        """A factory of the first version does not know the field."""
        return self.version if self.version > 1 else None

    def _answer(self, data: JobOrder | Start | Cancel, now: datetime) -> JobResponse:
        job = self._jobs.setdefault(data.job_order_id, SimulatedJob(job_order_id=data.job_order_id))
        self._arrivals.setdefault(data.job_order_id, len(self._arrivals))
        if data.revision < job.revision:
            return self._say(job)
        job.revision = data.revision
        if isinstance(data, JobOrder):
            return self._consider(job, data, now)
        return self._start(job, now) if isinstance(data, Start) else self._cancel(job, now)

    def _consider(self, job: SimulatedJob, order: JobOrder, now: datetime) -> JobResponse:
        if job.order and order.is_ranked_anew(job.order):
            return self._rank_anew(job, job.order, order, now)
        if job.order and order.is_sent_elsewhere(job.order):
            return self._send_elsewhere(job, job.order, order, now)
        if job.order and job.told and Counter(order.quantity_by_sku) < Counter(job.order.quantity_by_sku):
            return self._cut(job, job.order, order, now)
        if objection := self._objection(job, order, now):
            if job.state == "NotAllowedToStart":
                job.order, job.segments = None, []
                self._rebook(now)
            return self._say(job, False, objection)
        job.order = order
        self._rebook(now, job)
        return self._say(job, True)

    def _rank_anew(self, job: SimulatedJob, agreed: JobOrder, order: JobOrder, now: datetime) -> JobResponse:
        """Another place in the order of work; the rest of the agreement, and what is drawn from it, stays."""
        if job.told:
            return self._say(job, False, _BEGUN)
        job.order = agreed.model_copy(update={"rank": order.rank})
        self._rebook(now, job)
        return self._say(job)

    def _send_elsewhere(self, job: SimulatedJob, agreed: JobOrder, order: JobOrder, now: datetime) -> JobResponse:
        """Its pieces go to another factory than was said, unless they have left."""
        if job.state == "Ended":
            return self._say(job, False, "they have left")
        sent = agreed.model_copy(update={"next_factory_id": order.next_factory_id})
        if not job.told:
            return self._rank_anew(job, sent, order, now)
        job.order = sent
        return self._say(job)

    def _objection(self, job: SimulatedJob, order: JobOrder, now: datetime) -> str:
        """Why the factory does not want the job order, or '' where it does."""
        unwilling = self.profile.draws(self._seed, order.job_order_id).random() > self.profile.small_order_willingness
        unknown = [craft for craft in order.crafts or () if craft not in self.profile.crafts]
        objections = {
            "cancelled before": job.state == "Aborted",
            _BEGUN: job.told > 0,
            f"came after {order.accept_by.isoformat()}": now > order.accept_by,
            f"does not make {order.category}": order.category not in self.profile.efficiency_by_category,
            f"has no {', '.join(unknown)}": bool(unknown),
            "too small": order.quantity < _SMALL_ORDER_LOTS * self.profile.min_lot and unwilling,
        }
        found = next((reason for reason, holds in objections.items() if holds), "")
        return found or ("" if self._has_room(job, order, now) else "no capacity in time")

    def _has_room(self, job: SimulatedJob, order: JobOrder, now: datetime) -> bool:
        """Whether it would be done in time, behind what comes before it."""
        arrival = self._arrivals[job.job_order_id]
        place = turn(self.manner, order, arrival)
        before = [name for name in self._queue if name != job.job_order_id and self._turn(name) < place]
        segments = self._book(order, production.nominal_minutes(self.profile, order), self._taken(before, now), now)
        return bool(segments) and segments[-1].day <= self._done_by(order) + timedelta(days=_GRACE_DAYS)

    def _start(self, job: SimulatedJob, now: datetime) -> JobResponse:
        if job.order is None:
            return self._say(job, False, "nothing was agreed")
        if job.state == "NotAllowedToStart":
            if moment(self.profile, job.segments, 0.0) <= now:  # its time has come and gone
                self._rebook(now, job)
            job.state = "AllowedToStart"
            self._note_begin(job)
        return self._say(job)

    def _cancel(self, job: SimulatedJob, now: datetime) -> JobResponse:
        if job.order and job.told:
            return self._cut(job, job.order, None, now)
        return self._give_up(job, now)

    def _give_up(self, job: SimulatedJob, now: datetime) -> JobResponse:
        job.state, job.order, job.segments = "Aborted", None, []
        self._ahead.pop(job.job_order_id, None)
        self._rebook(now)
        return self._say(job, reason="cancelled")

    def _cut(self, job: SimulatedJob, agreed: JobOrder, asked: JobOrder | None, now: datetime) -> JobResponse:
        """Less of begun work, or none: a factory that agrees ends what is begun, and begins what is still asked."""
        made = production.steps(self.profile, agreed, self._seed, job.begun)
        begun = made[: production.begun(made, job.told)] if job.state in _IN_HAND else made
        pieces = production.good_pieces(agreed, begun) | Counter(asked.quantity_by_sku if asked else {})
        if objection := self._holds_on(agreed, asked, pieces.total(), now):
            return self._say(job, False, objection)
        if not pieces:
            return self._give_up(job, now)
        job.begun, job.order = begun, _of_pieces(agreed, asked, pieces)
        made = production.steps(self.profile, job.order, self._seed, begun)
        job.segments = first_minutes(job.segments, made[-1].minute)
        self._ahead[job.job_order_id] = self._events(job, job.order)
        self._rebook(now, self._jobs[self._queue[0]] if self._queue else None)
        return self._say(job, True, made=pieces.total())

    def _holds_on(self, agreed: JobOrder, asked: JobOrder | None, pieces: int, now: datetime) -> str:
        """Why the factory goes on with begun work as it is, or ''. One of the first version cannot say `made`."""
        if self.manner == "size" or self.version < VERSION or pieces >= agreed.quantity:
            return _BEGUN
        return f"came after {asked.accept_by.isoformat()}" if asked and now > asked.accept_by else ""

    def _in_turn(self) -> list[str]:
        """What was agreed and has not begun, in the order in which this factory takes it."""
        waiting = [name for name, job in self._jobs.items() if job.order and not job.told]
        return sorted(waiting, key=self._turn)

    def _turn(self, job_order_id: str) -> Turn:
        order = self._jobs[job_order_id].order
        assert order is not None, job_order_id
        return turn(self.manner, order, self._arrivals[job_order_id])

    def _rebook(self, now: datetime, changed: SimulatedJob | None = None) -> None:
        """Books anew from the first place in the queue where something has changed; what has begun goes on."""
        before, self._queue = self._queue, self._in_turn()
        first = next((i for i, pair in enumerate(zip(before, self._queue, strict=False)) if pair[0] != pair[1]), None)
        first = min(len(before), len(self._queue)) if first is None else first
        if changed:
            first = min(first, self._queue.index(changed.job_order_id))
        taken = self._taken(self._queue[:first], now)
        for name in set(before) - set(self._queue):
            self._ready.pop(name, None)
        for name in self._queue[first:]:
            self._book_anew(self._jobs[name], taken, now)

    def _book_anew(self, job: SimulatedJob, taken: Taken, now: datetime) -> None:
        """Books what the job order will really take: the factory learns it as it works, the simulation knows it now."""
        if job.order is None:
            return
        # Without room for it (the calendar has changed) what was promised stands, at whatever pace it takes.
        segments = self._book(job.order, self._real_minutes(job.order), taken, now) or job.segments
        segments = segments or self._book(job.order, production.nominal_minutes(self.profile, job.order), taken, now)
        take(taken, segments)
        if segments != job.segments:
            job.segments = segments
            self._state.keep(self.profile.factory_id, job)
        self._note_begin(job)

    def _real_minutes(self, order: JobOrder) -> float:
        key = order.job_order_id, order.revision
        if key not in self._minutes:
            self._minutes[key] = production.steps(self.profile, order, self._seed)[-1].minute
        return self._minutes[key]

    def _note_begin(self, job: SimulatedJob) -> None:
        if job.order and job.state == "AllowedToStart" and not job.told:
            self._ready[job.job_order_id] = moment(self.profile, job.segments, 0.0)

    def _taken(self, ahead: Iterable[str], now: datetime) -> Taken:
        """The minutes of what has begun, of what is ahead, and of the day so far."""
        taken: Taken = {self.profile.today(now): [(0.0, self.profile.gone_minutes(now))]}
        for job in self._jobs.values():
            if job.told and job.state in _IN_HAND:
                take(taken, job.segments)
        for name in ahead:
            take(taken, self._jobs[name].segments)
        return taken

    def _book(self, order: JobOrder, minutes: float, taken: Taken, now: datetime) -> list[Segment]:
        first = max(order.start_on, self.profile.today(now))
        return book(self.profile, taken, first, self._done_by(order), minutes)

    def _done_by(self, order: JobOrder) -> date:
        """The day on which it must be done to be there by `due_on`: at the factory of the next stage, or at its end."""
        if order.next_factory_id == self.profile.factory_id:
            return order.due_on
        to = self._peers.get(order.next_factory_id or "", order.destination)
        return order.due_on - timedelta(days=self.profile.lane_days(to.latitude, to.longitude))

    def _events(self, job: SimulatedJob, order: JobOrder) -> list[production.Event]:
        """What the platform has not been told yet."""
        made = production.steps(self.profile, order, self._seed, job.begun)
        return production.events(self.profile, order, made, job.segments)[job.told :]

    def receive_goods(self, goods: Goods) -> bool:
        """Scans goods of the stage before on the job order that they are for; whether there is one."""
        for job in self._jobs.values():
            if job.order and job.state not in ("Ended", "Aborted") and _is_for(goods, job.order):
                self._tell_scans([_receipt(self.profile.factory_id, job.job_order_id, goods)])
                return True
        return False

    def hands_over(self, scan: Scan) -> Goods | None:
        """What a scan sends to the factory of the next stage, the moment of leaving for that of arrival."""
        order = self._jobs[scan.job_order_id].order
        if scan.operation != SHIP or order is None or order.next_factory_id is None or order.stage is None:
            return None
        return Goods(
            from_factory=self.profile.factory_id,
            to_factory=order.next_factory_id,
            order_id=order.order_id,
            stage=order.stage + 1,
            **{name: getattr(scan, name) for name in ("scan_id", "sku_id", "quantity", "at")},
        )

    def _tell_scans(self, scans: list[Scan]) -> None:
        for goods in filter(None, map(self.hands_over, scans)):
            self._state.hand_over(goods)
        for start in range(0, len(scans), SCANS_PER_MESSAGE):
            batch = scans[start : start + SCANS_PER_MESSAGE]
            self._state.post(self.profile.factory_id, "scans", compose(batch, self._source, batch[-1].at).body())

    def _tell_change(self, job: SimulatedJob, change: production.Change) -> None:
        job.state = change.state
        body = compose(self._say(job, reason=change.reason), self._source, change.at).body()
        self._state.post(self.profile.factory_id, "job-responses", body)

    def _forget_told(self, told: list[tuple[str, production.Event]]) -> None:
        for job_order_id, group in groupby(sorted(job_order_id for job_order_id, _ in told)):
            job, count = self._jobs[job_order_id], len(list(group))
            if not job.told:
                self._queue.remove(job_order_id)
            job.told += count
            del self._ahead[job_order_id][:count]
            if not self._ahead[job_order_id]:
                del self._ahead[job_order_id]
            self._state.keep(self.profile.factory_id, job)

    def _say(
        self, job: SimulatedJob, accepted: bool | None = None, reason: str = "", made: int | None = None
    ) -> JobResponse:
        job.sequence += 1
        self._state.keep(self.profile.factory_id, job)
        return JobResponse(
            job_order_id=job.job_order_id,
            revision=job.revision,
            sequence=job.sequence,
            state=job.state,
            accepted=accepted,
            reason=reason,
            made=made,
        )


def _is_for(goods: Goods, order: JobOrder) -> bool:
    same = (order.order_id, order.stage) == (goods.order_id, goods.stage)
    return same and order.quantity_by_sku.get(goods.sku_id, 0) > 0


def _receipt(factory_id: str, job_order_id: str, goods: Goods) -> Scan:
    return Scan(
        scan_id=derive_id(factory_id, job_order_id, RECEIVE, goods.scan_id),
        job_order_id=job_order_id,
        sku_id=goods.sku_id,
        operation=RECEIVE,
        quantity=goods.quantity,
        at=goods.at,
    )


def _added(data: JobOrder) -> list[str]:
    """The fields in it that the first version does not know."""
    return [name for name in ADDED if getattr(data, name) is not None]


def _of_pieces(agreed: JobOrder, asked: JobOrder | None, pieces: Counter[str]) -> JobOrder:
    """The job order that is left: what is asked, or what is begun."""
    items = agreed.items and tuple(
        item.model_copy(update={"quantity": pieces[item.sku_id]}) for item in agreed.items if pieces[item.sku_id]
    )
    left = {"quantity": pieces.total(), "quantity_by_sku": dict(pieces), "items": items}
    return (asked or agreed).model_copy(update=left)


def _until(events: Iterable[production.Event], now: datetime) -> Iterator[production.Event]:
    for event in events:
        if event.at > now:
            return
        yield event
