"""The rules by which a factory's answers move a job order (the other half stands in c2m/wire/messages.py).

A response carries up to two things: a decision on a revision (`accepted`), which counts once per revision whenever it
arrives, and the state of the work, which counts only if (revision, sequence) is newer than all heard before.
Nothing here touches the database: c2m/ledger/conversation/inbox.py reads an `AnsweredJob` and writes what became of it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from c2m.domain.apportion import apportion
from c2m.ledger.conversation.outbox import Correspondence, NewMessage
from c2m.ledger.states import GIVEN_BACK, LIVE, RANK, STARTED, JobState, advance
from c2m.ledger.tables import JobOrder
from c2m.wire import messages
from c2m.wire.messages import CANCEL, START, STORE, Cancel, FactoryState, JobResponse, Start

Effect = Literal[
    "accepted",  # agreed to a revision
    "refused",  # the whole job order: its quantity is free at once
    "kept",  # refused a new quantity or a cancel: the earlier agreement stands
    "progressed",  # the state moved on
    "finished",  # ended, aborted, or its cancel is confirmed
    "conflict",  # goes on with what was given back already: told to stop
    "recorded",  # newer, but nothing follows from it
    "stale",  # older than what is known
]


@dataclass
class AnsweredJob:
    """A job order, locked, as an answer finds it; and what follows from the answer beyond the job order."""

    job: JobOrder
    said: Correspondence  # to the factory
    skus: dict[str, int]  # pieces
    letters: list[NewMessage] = field(default_factory=list)
    begun: bool = False  # work on its lot


def answer(case: AnsweredJob, said: JobResponse, time: datetime) -> Effect:
    """Applies one response."""
    job = case.job
    newer = (said.revision, said.sequence) > (job.answered_revision, job.sequence)
    if newer:
        job.answered_revision, job.sequence = said.revision, said.sequence
        job.reason, job.at = said.reason or job.reason, time
    if job.state not in LIVE:
        decision = (_decide_rank(case, said) or _decide(case, said)) if job.state == "Ended" else None
        return decision or (_after_the_end(case, said, time) if newer else "stale")
    ranked = _decide_rank(case, said)
    nothing_agreed = job.confirmed_revision == 0 or said.state in ("NotAllowedToStart", "Aborted")
    if said.accepted is False and nothing_agreed and not ranked:
        return _refuse(case, time) if newer else "stale"
    decision = ranked or _settle_cancel(case, said) or _decide(case, said)
    if _waits_for_start(case, said, newer, agreed=said.accepted is True or ranked is not None):
        start = Start(job_order_id=job.job_order_id, revision=job.revision)
        case.letters.append(NewMessage(job.factory_id, start, time))
    if not newer:
        return decision or "stale"
    moved = _progress(case, said.state, time)
    return decision or moved or "recorded"


def _decide_rank(case: AnsweredJob, said: JobResponse) -> Effect | None:
    """Settles a revision of rank or next factory alone: a factory that still has the job order takes it, or refuses.

    A refusal that follows an answer without a decision still counts, unless it may be that of a cancel.
    """
    job = case.job
    if not job.ranked_revision or said.revision != job.ranked_revision or said.state == "Aborted":
        return None
    asked, answered = case.said.offered(said.revision)
    refused = said.accepted is False
    if answered and (not refused or case.said.unanswered(CANCEL)):
        return None
    case.said.answered(STORE, said.revision)
    in_force = case.said.offered(job.confirmed_revision)[0] if refused and answered else asked
    job.agreed_rank = job.agreed_rank if refused and not answered else in_force.rank
    job.rank = job.agreed_rank
    if refused:
        job.next_factory_id = case.said.offered(job.confirmed_revision)[0].next_factory_id
    if said.accepted:
        job.confirmed_revision = said.revision
    return "kept" if refused else "accepted"


def _settle_cancel(case: AnsweredJob, said: JobResponse) -> Effect | None:
    """A cancel of begun work that the factory takes, but for what it has made: that stands until it is shipped."""
    if said.accepted and said.made and said.state in STARTED and case.said.unanswered(CANCEL):
        case.said.answered(CANCEL)
        _stand_at(case, dict.fromkeys(case.skus, 0), said.made)
        return "accepted"
    return None


def _stand_at(case: AnsweredJob, asked: dict[str, int], made: int | None) -> None:
    """The agreement is what was asked, or what is made of the earlier one, whichever is more."""
    more = min(max(0, (made or 0) - sum(asked.values())), sum(case.skus.values()) - sum(asked.values()))
    rest = {sku_id: max(0, pieces - asked.get(sku_id, 0)) for sku_id, pieces in case.skus.items()}
    added = apportion(more, list(rest.values())) if more > 0 else [0] * len(rest)
    case.skus = {sku_id: asked.get(sku_id, 0) + int(n) for sku_id, n in zip(rest, added, strict=True)}
    case.job.quantity = case.job.requested = sum(case.skus.values())
    case.job.made_pieces, case.job.cut_accepted = made, True


def _decide(case: AnsweredJob, said: JobResponse) -> Effect | None:
    """Settles what the factory was asked: a revision, or a cancel that it refuses."""
    if said.accepted is None:
        return None
    offer, answered = case.said.offered(said.revision)
    if answered and said.accepted is False:
        if case.said.unanswered(CANCEL) and case.job.asked_pieces is not None:
            case.job.cut_accepted = False
        case.said.answered(CANCEL)
    if answered:
        return None if said.accepted else "kept"
    if case.job.confirmed_revision == 0 and not said.accepted:
        return None
    # Undecided, therefore the latest: a job order is not revised while its last revision waits for an answer.
    case.said.answered(STORE, said.revision)
    if said.accepted:
        case.job.accepted, case.job.confirmed_revision = True, said.revision
        case.job.agreed_rank = offer.rank
    else:
        offer, _ = case.said.offered(case.job.confirmed_revision)
        case.job.rank, case.job.next_factory_id = case.job.agreed_rank, offer.next_factory_id
    if case.job.asked_pieces is not None and case.job.cut_accepted is None:
        case.job.cut_accepted = said.accepted
    if said.accepted and said.made is not None:
        _stand_at(case, offer.quantity_by_sku, said.made)
    else:
        _commit_to(case, offer)
    return "accepted" if said.accepted else "kept"


def _commit_to(case: AnsweredJob, agreed: messages.JobOrder) -> None:
    """The agreed quantity holds, per SKU too."""
    case.job.quantity = case.job.requested = agreed.quantity
    case.skus = dict.fromkeys(case.skus, 0) | agreed.quantity_by_sku


def _waits_for_start(case: AnsweredJob, said: JobResponse, newer: bool, agreed: bool) -> bool:
    job = case.job
    waiting = agreed and said.state == "NotAllowedToStart" and said.revision == job.revision
    overtaken = not newer and RANK[job.state] > RANK["NotAllowedToStart"]
    is_there = job.stage == 1 or job.arrived >= job.quantity  # what it is made from
    return waiting and is_there and not overtaken and not case.said.unanswered(CANCEL)


def _refuse(case: AnsweredJob, time: datetime) -> Effect:
    case.job.accepted = False
    case.said.answered(STORE, case.job.answered_revision)
    _finish(case, "Refused", time)
    return "refused"


def _progress(case: AnsweredJob, said: FactoryState, time: datetime) -> Effect | None:
    """Moves the state forward; None where it stays."""
    job = case.job
    if said in ("Ended", "Aborted"):
        cancelled = said == "Aborted" and case.said.unanswered(CANCEL)
        _finish(case, "Cancelled" if cancelled else said, time)
        return "finished"
    if RANK[said] >= RANK["AllowedToStart"]:
        case.said.answered(START)
    case.begun = said in STARTED
    if case.begun and job.begun_at is None:
        job.begun_at = time
    before, job.state = job.state, advance(job.state, said)
    return "progressed" if job.state != before else None


def _finish(case: AnsweredJob, state: JobState, time: datetime) -> None:
    """Nothing was made where the start was never confirmed: the quantity is free at once, else after the last scans.

    An offer that is open when the work has ended is asked about until it is decided: the factory made what it agreed
    to.
    """
    job = case.job
    job.counted = state != "Ended" and RANK[job.state] < RANK["AllowedToStart"]
    job.state, job.ended_at = state, time
    case.said.answered(CANCEL)
    if state == "Ended":
        case.said.answered(START)
    else:
        case.said.void()


def _after_the_end(case: AnsweredJob, said: JobResponse, time: datetime) -> Effect:
    """A factory that goes on with what it, or its silence, gave back is told to stop."""
    if case.job.state not in GIVEN_BACK or said.accepted is False:
        return "recorded"
    if said.state == "Aborted":
        case.said.answered(CANCEL)
        return "recorded"
    if said.state != "Ended":
        _stop(case, time)
    return "conflict"


def _stop(case: AnsweredJob, time: datetime) -> None:
    job = case.job
    stop = Cancel(job_order_id=job.job_order_id, revision=job.revision, reason=f"already {job.state}")
    letter = NewMessage(job.factory_id, stop, time)
    if not case.said.reopen(letter.message_id):
        case.letters.append(letter)
