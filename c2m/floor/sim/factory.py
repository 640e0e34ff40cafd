"""A simulated factory in conversation: what it answers to a message, and what it has to tell as time goes by.

The rules of the conversation stand in c2m/floor/messages.py.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby

from c2m.floor.messages import (
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
    derive_id,
    factory_source,
)
from c2m.floor.sim import production
from c2m.floor.sim.booking import Segment, book
from c2m.floor.sim.profile import Profile
from c2m.floor.sim.state import Job, State

SCANS_PER_MESSAGE = 100
_SMALL_ORDER_LOTS = 2  # an order below so many minimum lots is small: the factory may not want it
_GRACE_DAYS = 7  # after due_on; a plan may be late on purpose
_IN_HAND = ("AllowedToStart", "Running", "Interrupted")
_BEGUN = "production has begun"


class Factory:
    """One factory. Every method writes into `state`, inside the caller's transaction."""

    def __init__(self, profile: Profile, seed: int, state: State, session: str) -> None:
        self.profile = profile
        self.through: datetime | None = None  # up to when this session has reported
        self._seed = seed
        self._state = state
        self._session = session
        self._source = factory_source(profile.factory_id)
        self._jobs = {job.job_order_id: job for job in state.jobs(profile.factory_id)}
        self._ahead = {
            job.job_order_id: self._events(job, job.order)
            for job in self._jobs.values()
            if job.order and job.state in _IN_HAND
        }

    def receive(self, message: StoreMessage | StartMessage | CancelMessage, now: datetime) -> None:
        """Answers a message; one that was answered before gets the same answer again."""
        body = self._state.answer(self.profile.factory_id, message.id)
        if body is None:
            body = compose(self._answer(message.data, now), self._source, now).body()
            self._state.keep_answer(self.profile.factory_id, message.id, body)
        self._state.post(self.profile.factory_id, "job-responses", body)

    def advance(self, now: datetime) -> None:
        """Tells everything that has happened up to `now`, in order."""
        told = [(job_order_id, event) for job_order_id, events in self._ahead.items() for event in _until(events, now)]
        told.sort(key=lambda item: item[1].at)
        for _, group in groupby(told, key=lambda item: type(item[1])):
            batch = list(group)
            self._tell_scans([event for _, event in batch if isinstance(event, Scan)])
            for job_order_id, event in batch:
                if isinstance(event, production.Change):
                    self._tell_change(self._jobs[job_order_id], event)
        self._forget_told(told)

    def report(self, now: datetime) -> None:
        """Says that all is told up to `now`. The session makes the id a new one after a last will."""
        status = Status(online=True, through=now)
        message = compose(status, self._source, now, derive_id(self._source, self._session, now.isoformat()))
        self._state.post(self.profile.factory_id, "status", message.body())
        self.through = now

    def farewell(self, now: datetime) -> bytes:
        """What is said when this process ends: by itself, or by the broker as its last will."""
        return compose(Status(online=False), self._source, now, derive_id(self._source, self._session, "will")).body()

    def _answer(self, data: JobOrder | Start | Cancel, now: datetime) -> JobResponse:
        job = self._jobs.setdefault(data.job_order_id, Job(job_order_id=data.job_order_id))
        if data.revision < job.revision:
            return self._say(job)
        job.revision = data.revision
        if isinstance(data, JobOrder):
            return self._consider(job, data, now)
        return self._start(job, now) if isinstance(data, Start) else self._cancel(job)

    def _consider(self, job: Job, order: JobOrder, now: datetime) -> JobResponse:
        segments = self._room(job, order, now)
        if objection := self._objection(job, order, segments, now):
            if job.state == "NotAllowedToStart":
                job.order, job.segments = None, []
            return self._say(job, False, objection)
        job.order, job.segments = order, segments
        if job.state == "AllowedToStart":
            self._plan(job, order, now)
        return self._say(job, True)

    def _room(self, job: Job, order: JobOrder, now: datetime) -> list[Segment]:
        if order.category not in self.profile.efficiency_by_category:
            return []
        return self._book(job, order, production.nominal_minutes(self.profile, order), now)

    def _objection(self, job: Job, order: JobOrder, segments: list[Segment], now: datetime) -> str:
        """Why the factory does not want the job order, or '' where it does."""
        unwilling = self.profile.draws(self._seed, order.job_order_id).random() > self.profile.small_order_willingness
        objections = {
            "cancelled before": job.state == "Aborted",
            _BEGUN: job.told > 0,
            f"came after {order.accept_by.isoformat()}": now > order.accept_by,
            f"does not make {order.category}": order.category not in self.profile.efficiency_by_category,
            "too small": order.quantity < _SMALL_ORDER_LOTS * self.profile.min_lot and unwilling,
            "no capacity in time": not segments or segments[-1].day > order.due_on + timedelta(days=_GRACE_DAYS),
        }
        return next((reason for reason, holds in objections.items() if holds), "")

    def _start(self, job: Job, now: datetime) -> JobResponse:
        if job.order is None:
            return self._say(job, False, "nothing was agreed")
        if job.state == "NotAllowedToStart":
            self._plan(job, job.order, now)
            job.state = "AllowedToStart"
        return self._say(job)

    def _cancel(self, job: Job) -> JobResponse:
        if job.told:
            return self._say(job, False, _BEGUN)
        job.state, job.order, job.segments = "Aborted", None, []
        self._ahead.pop(job.job_order_id, None)
        return self._say(job, reason="cancelled")

    def _plan(self, job: Job, order: JobOrder, now: datetime) -> None:
        """Books what the job order will really take: the factory learns it as it works, the simulation knows it now."""
        minutes = production.steps(self.profile, order, self._seed)[-1].minute
        # Without room for it (the calendar has changed) what was promised stands, at whatever pace it takes.
        job.segments = self._book(job, order, minutes, now) or job.segments
        self._ahead[job.job_order_id] = self._events(job, order)

    def _book(self, job: Job, order: JobOrder, minutes: float, now: datetime) -> list[Segment]:
        taken = [segment for other in self._jobs.values() if other is not job for segment in other.segments]
        first = max(order.start_on, self.profile.first_day(now))
        return book(self.profile, taken, first, order.due_on, minutes)

    def _events(self, job: Job, order: JobOrder) -> list[production.Event]:
        """What the platform has not been told yet."""
        made = production.steps(self.profile, order, self._seed)
        return production.events(self.profile, order, made, job.segments)[job.told :]

    def _tell_scans(self, scans: list[Scan]) -> None:
        for start in range(0, len(scans), SCANS_PER_MESSAGE):
            batch = scans[start : start + SCANS_PER_MESSAGE]
            self._state.post(self.profile.factory_id, "scans", compose(batch, self._source, batch[-1].at).body())

    def _tell_change(self, job: Job, change: production.Change) -> None:
        job.state = change.state
        body = compose(self._say(job, reason=change.reason), self._source, change.at).body()
        self._state.post(self.profile.factory_id, "job-responses", body)

    def _forget_told(self, told: list[tuple[str, production.Event]]) -> None:
        for job_order_id, group in groupby(sorted(job_order_id for job_order_id, _ in told)):
            job, count = self._jobs[job_order_id], len(list(group))
            job.told += count
            del self._ahead[job_order_id][:count]
            if not self._ahead[job_order_id]:
                del self._ahead[job_order_id]
            self._state.keep(self.profile.factory_id, job)

    def _say(self, job: Job, accepted: bool | None = None, reason: str = "") -> JobResponse:
        job.sequence += 1
        self._state.keep(self.profile.factory_id, job)
        return JobResponse(
            job_order_id=job.job_order_id,
            revision=job.revision,
            sequence=job.sequence,
            state=job.state,
            accepted=accepted,
            reason=reason,
        )


def _until(events: Iterable[production.Event], now: datetime) -> Iterator[production.Event]:
    for event in events:
        if event.at > now:
            return
        yield event
