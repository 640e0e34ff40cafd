"""From signal to receipt: the stages of an order, and its conversation, in which the platform tells each step."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from c2m import clock
from c2m.domain.operations import operations_of
from c2m.ledger.rooms import room
from c2m.ledger.rooms.room import RoomEvent
from c2m.ledger.store import session
from c2m.people import video
from c2m.rooms.entry import NotYoursError, Person
from c2m.rooms.tenants.scanned import Counts
from c2m.wire.messages import OPERATIONS, RECEIVE, SHIP

PLATFORM = "platform"
Mark = tuple[str, datetime | None, dict[str, Any]]  # a stage, when it was reached, the figures of its words
_MARKS = {"signalled": "signalled", "ordered": "ordered", "planned": "planned", "promised": "promised"}
_MARKS |= {"accepted": "accepted", "begun": "begun", "closed": "closed"}


@dataclass(frozen=True)
class Stage:
    """A stage: done, now (the next to come) or ahead. at: when it was reached; figures fill in its words."""

    what: str
    state: str
    at: datetime | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ConversationEntry:
    """Something in a conversation. what: key of the platform's words, '' for a person's `text`."""

    at: datetime
    who: str
    what: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    factory_id: str = ""
    person: str = ""
    text: str = ""


def operations(jobs: pd.DataFrame) -> list[str]:
    """The operations of job orders: those of apparel, or what the routings of their styles name, in their order."""
    routed = jobs["operations"].dropna().unique()
    if not len(routed):
        return list(OPERATIONS)
    named = [one.name for text in routed for one in operations_of(text, 1, 1)]
    return list(dict.fromkeys([RECEIVE, *(name for name in named if name != SHIP), SHIP]))


def stages(
    order: dict[str, Any],
    jobs: pd.DataFrame,
    steps: Iterable[RoomEvent],
    counts: Counts,
    pieces: pd.DataFrame,
    arrived: datetime | None = None,
) -> list[Stage]:
    """The stages of an order from signal to receipt; a signal is shown where the platform ordered by its forecast.

    arrived: when the last of the goods arrived, where a build of the marts knows it; else receipt has no later date.
    """
    first = {step.what: step for step in reversed(list(steps)) if step.what in _MARKS}
    marks = [*_said(first), *_scanned(jobs, counts, pieces, arrived)]
    marks.append(("closed", order.get("closed_at") or (first["closed"].at if "closed" in first else None), {}))
    reached = [number for number, (_, at, _) in enumerate(marks) if at is not None]
    furthest = max(reached, default=-1)
    over = order["state"] in ("closed", "cancelled")
    return [
        Stage(what, _state(number, furthest, at, over, figures), at, figures)
        for number, (what, at, figures) in enumerate(marks)
    ]


def _said(first: Mapping[str, RoomEvent]) -> Iterator[Mark]:
    """What comes before the first scan, of the first step of each kind."""
    for what in ("signalled", "ordered", "planned", "promised", "accepted", "begun"):
        if what in first:
            yield what, first[what].at, first[what].figures
        elif what != "signalled":
            yield what, None, {}


def _scanned(jobs: pd.DataFrame, counts: Counts, pieces: pd.DataFrame, arrived: datetime | None) -> Iterator[Mark]:
    """What factories scan, operation by operation, and what the merchant has received."""
    total = int(pieces["quantity"].sum())
    for what in operations(jobs):
        if what not in (SHIP, RECEIVE):
            good, at = _sum(counts, what)
            yield what, at if good else None, {"good": good, "total": total}
    last = set(jobs.loc[jobs["stage"] == jobs["stages"], "job_order_id"])
    scanned, shipped_at = _sum({key: made for key, made in counts.items() if key[0] in last}, SHIP)
    shipped = max(int(pieces["shipped"].sum()), scanned)
    yield from _delivered(total, shipped, int(pieces["received"].sum()), shipped_at, arrived or shipped_at)


def _delivered(
    total: int, shipped: int, received: int, shipped_at: datetime | None, received_at: datetime | None
) -> Iterator[Mark]:
    at = shipped_at if shipped else None
    yield "ship", at, {"good": shipped, "total": total}
    yield "in_transit", at, {"good": max(0, shipped - received)}
    yield "received", received_at if received else None, {"good": received, "total": total}


def _state(number: int, furthest: int, at: datetime | None, over: bool, figures: dict[str, Any]) -> str:
    if at is None:
        return "now" if number == furthest + 1 and not over else "ahead"
    partly = "total" in figures and figures["good"] < figures["total"]
    return "now" if partly and not over else "done"


def _sum(counts: Counts, operation: str) -> tuple[int, datetime | None]:
    of_operation = [made for (_, what), made in counts.items() if what == operation]
    last = max((made.last for made in of_operation), default=None)
    return sum(made.good for made in of_operation), last and last.replace(tzinfo=UTC)


def conversation(
    steps: Iterable[RoomEvent], posts: pd.DataFrame, tickets: pd.DataFrame, jobs: pd.DataFrame, counts: Counts
) -> list[ConversationEntry]:
    """Posts of people and steps of the platform, in their order."""
    found = [ConversationEntry(step.at, PLATFORM, step.what, step.figures, step.factory_id) for step in steps]
    for post in posts.to_dict("records"):
        who = {"factory_id": post["factory_id"], "person": post["person"], "text": post["text"]}
        found.append(ConversationEntry(post["at"], post["role"], **who))
    for ticket in tickets.to_dict("records"):
        for state, at in ticket["history"]:
            figures = {"kind": ticket["kind"], "state": state, "person": ticket["person"]}
            found.append(ConversationEntry(datetime.fromisoformat(at), PLATFORM, "change", figures))
    of_factory = dict(zip(jobs["job_order_id"], jobs["factory_id"], strict=True))
    turn = {operation: number for number, operation in enumerate(operations(jobs))}
    for (job, operation), made in sorted(counts.items(), key=lambda one: turn.get(one[0][1], len(turn))):
        figures = {"good": made.good, "operation": operation}
        found.append(ConversationEntry(made.last.replace(tzinfo=UTC), PLATFORM, "made", figures, of_factory[job]))
    return sorted(found, key=lambda one: one.at)


def say(person: Person, order_id: str, said: str, nonce: str) -> None:
    """What somebody says in the room of an order; the same form sent twice is said once, nothing is not said.

    Raises
    ------
    NotYoursError
        The room is not theirs to enter.
    """
    with session() as s:
        if said.strip() and not room.say(s, order_id, said.strip(), person.grant, nonce, clock.now()):
            raise NotYoursError


def videos(jobs: pd.DataFrame) -> list[dict[str, Any]]:
    """Where the video of the lines lies that scanned these job orders; empty where no factory has cameras."""
    if not video.is_set():
        return []
    found = [video.windows(job) for job in jobs["job_order_id"]]
    seen = [row for rows in found for row in rows.to_dict("records") if row["video"]]
    return [{str(name): value for name, value in row.items()} for row in seen]
