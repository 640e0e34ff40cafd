"""A factory's room: its job orders in the order of work, and the page of each, where it answers and reports by hand."""

from collections.abc import Mapping, Sequence
from secrets import token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from c2m import clock
from c2m.errors import InputError
from c2m.ledger.job_orders import is_overdue
from c2m.ledger.rooms import room, sights, tickets, work
from c2m.ledger.rooms.work import Job
from c2m.ledger.states import LIVE
from c2m.ledger.store import reading
from c2m.people.json_rows import records
from c2m.rooms import entry, page
from c2m.rooms.entry import Factory, NotYoursError, Person
from c2m.rooms.scoped import view
from c2m.rooms.tenants import byhand, scanned, told
from c2m.rooms.tenants.byhand import CountedPieces
from c2m.wire.messages import RECEIVE

routes = APIRouter(prefix="/factory")


@routes.get("")
def job_orders(request: Request, person: Factory) -> Response:
    """Its job orders in the order of work: what is live first."""
    with reading(view(person.grant).scope) as s:
        rows = sights.job_orders(s, view(person.grant).scope)
        machine = work.has_machine(s, person.grant.tenant)
    found = records(rows.assign(is_late=is_overdue(rows, clock.business_date(clock.now()))))
    open_ = [job for job in found if job["state"] in LIVE]
    ended = [job for job in found if job["state"] not in LIVE]
    return page.shown(request, "factory.html", live=open_, over=ended, machine=machine)


@routes.get("/job-orders/{job_order_id}")
def job_order(request: Request, person: Factory, job_order_id: str) -> Response:
    """One job order."""
    return _job(request, person, job_order_id)


@routes.post("/job-orders/{job_order_id}/answers", dependencies=[entry.Unforged])
def answer(
    request: Request,
    person: Factory,
    job_order_id: str,
    act: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=500)] = "",
    made: Annotated[int | None, Form(ge=0)] = None,
    alone: Annotated[str, Form()] = "",
) -> Response:
    """Accepts, refuses, starts, interrupts, ends: as a machine of theirs would."""
    job = _own(person, job_order_id)
    try:
        _refuse_two_voices(job, alone)
        if act in ("refuse", "go_on") and not reason.strip():
            raise InputError("no-reason", [page.words(request, "job.reason_needed")])
        byhand.answer(job, act, reason.strip(), made)
    except InputError as error:
        return _job(request, person, job_order_id, error.faults)
    return RedirectResponse(f"/factory/job-orders/{job_order_id}", 303)


@routes.post("/job-orders/{job_order_id}/reports", dependencies=[entry.Unforged])
async def report(request: Request, person: Factory, job_order_id: str) -> Response:
    """Pieces that an operation has finished."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_report, request, person, job_order_id, form)


def _report(request: Request, person: Person, job_order_id: str, form: Mapping[str, str]) -> Response:
    job = _own(person, job_order_id)
    try:
        _refuse_two_voices(job, form.get("alone", ""))
        said = {
            item.sku_id: CountedPieces(_pieces(form, f"good-{item.sku_id}"), _pieces(form, f"defects-{item.sku_id}"))
            for item in job.items
        }
        byhand.report(job, form.get("operation", ""), said, form.get("nonce", ""))
    except InputError as error:
        return _job(request, person, job_order_id, error.faults)
    return RedirectResponse(f"/factory/job-orders/{job_order_id}#report", 303)


@routes.post("/job-orders/{job_order_id}/posts", dependencies=[entry.Unforged])
def say(
    person: Factory, job_order_id: str, said: Annotated[str, Form()], nonce: Annotated[str, Form(max_length=64)]
) -> Response:
    """Says something in the room of the order; its merchant and operations read it."""
    told.say(person, _own(person, job_order_id).order_id, said, nonce)
    return RedirectResponse(f"/factory/job-orders/{job_order_id}#conversation", 303)


def _own(person: Person, job_order_id: str) -> Job:
    with reading(view(person.grant).scope) as s:
        job = work.of_factory(s, job_order_id, view(person.grant).scope)
    if job is None:
        raise NotYoursError
    return job


def _pieces(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "").strip()
    if text and not text.isdecimal():
        raise InputError("no-number", [f"{text!r} is no number of pieces: give 0, 1, 2, ..."])
    return int(text or 0)


def _refuse_two_voices(job: Job, alone: str) -> None:
    """Where a machine speaks, a person beside it must say that it is down: its counter would fall behind."""
    with reading() as s:
        speaks = work.has_machine(s, job.factory_id)
    if speaks and alone != "yes":
        told = "your own system answers and reports by itself: say that it is down, then speak in its place"
        raise InputError("machine-speaks", [told])


def _operations(job: Job) -> list[str]:
    """What can be scanned of it; pieces of the stage before are received."""
    named = [step.name for step in job.asked.operations]
    return [RECEIVE, *named] if (job.asked.stage or 1) > 1 else named


def _job(request: Request, person: Person, job_order_id: str, faults: Sequence[str] = ()) -> Response:
    job, scope = _own(person, job_order_id), view(person.grant).scope
    with reading(scope) as s:
        steps, said = room.steps(s, job.order_id, scope), room.posts(s, job.order_id, scope)
        asked, jobs = tickets.of_orders(s, scope, job.order_id), sights.job_orders(s, scope)
        machine = work.has_machine(s, job.factory_id)
    jobs = jobs[jobs["order_id"] == job.order_id]
    counts = scanned.made({job.job_order_id: job.factory_id})
    return page.shown(
        request,
        "job.html",
        409 if faults else 200,
        job=job,
        counts=counts,
        operations=_operations(job),
        made={what: of_job for (_, what), of_job in counts.items()},
        machine=machine,
        changes=records(asked),
        names={item.sku_id: f"{item.colour} {item.size}".strip() for item in job.items},
        feed=told.conversation(steps, said, asked, jobs, counts),
        nonce=token_urlsafe(16),
        faults=faults,
    )
