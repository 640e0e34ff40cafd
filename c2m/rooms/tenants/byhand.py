"""What a factory says by hand, where no machine speaks for it: the same messages, through the same gate as a machine's.

Each is composed as the factory's own CloudEvent and handed to the collector's `commit`: schema, dead letters, inbox,
audit and landed scans are then what they would be had a machine sent it to the HTTP endpoint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from c2m import clock
from c2m.errors import InputError
from c2m.floor.collect import Arrival, commit
from c2m.ids import derive_id
from c2m.ledger.rooms.work import Job
from c2m.wire.messages import KIND_OF_TYPE, JobResponse, Scan, compose, factory_source, topic, type_of


@dataclass(frozen=True)
class CountedPieces:
    """Good and defective pieces of a SKU."""

    good: int
    defects: int


def answer(job: Job, act: str, reason: str = "", made: int | None = None) -> None:
    """A factory's word on a job order.

    Parameters
    ----------
    job
        As it stands: `job.acts` are the words that may follow.
    act
        accept, refuse, give_back, go_on, start, interrupt, resume or finish.
    reason
        In the factory's words.
    made
        With give_back after work has begun: good pieces that it has made and will deliver.

    Raises
    ------
    InputError
        The word does not fit how the job order stands, or it could not be obeyed.
    """
    if act not in job.acts:
        raise InputError("out-of-turn", [f"{act}: the job order is {job.state}; load the page anew"])
    begun = job.has_begun
    here = job.state if job.state in ("Running", "Interrupted") else "NotAllowedToStart"
    follows = {
        "give_back": "Running" if begun and made else "Aborted",
        "start": "Running",
        "interrupt": "Interrupted",
        "resume": "Running",
        "finish": "Ended",
    }
    state = follows.get(act, here)
    agreed = {"accept": True, "refuse": False, "give_back": True if begun and made else None, "go_on": False}.get(act)
    facts: dict[str, Any] = {"job_order_id": job.job_order_id, "revision": job.revision, "state": state}
    facts |= {"sequence": job.sequence + 1, "accepted": agreed, "reason": reason, "made": made if begun else None}
    _send(job.factory_id, _checked(JobResponse, facts), clock.now())


def report(job: Job, operation: str, said: Mapping[str, CountedPieces], nonce: str) -> int:
    """Scans of an operation, one per SKU with pieces; the same form twice is one report. How many.

    Raises
    ------
    InputError
        Nothing was reported, or what was is no scan.
    """
    at = clock.now()
    scans = [
        _checked(
            Scan,
            {
                "scan_id": derive_id("by-hand", job.job_order_id, nonce, operation, sku_id),
                "job_order_id": job.job_order_id,
                "sku_id": sku_id,
                "operation": operation,
                "quantity": pieces.good,
                "defects": pieces.defects,
                "at": at,
            },
        )
        for sku_id, pieces in said.items()
        if pieces.good or pieces.defects
    ]
    if not scans:
        raise InputError("nothing-reported", ["no pieces were given: fill in at least one size"])
    _send(job.factory_id, scans, at)
    return len(scans)


def _checked(model: type[Any], facts: dict[str, Any]) -> Any:
    try:
        return model(**facts)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError("not-a-message", faults) from None


def _send(factory_id: str, data: Any, at: datetime) -> None:
    kind = KIND_OF_TYPE[type_of(data)]
    body = compose(data, factory_source(factory_id), at).body()
    reasons = commit([Arrival(topic(factory_id, kind), body, lambda _: None)], at)
    if faults := [reason for reason in reasons if reason]:
        raise InputError("not-obeyed", faults)
