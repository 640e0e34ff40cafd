"""From a job order to the plans that asked for it: job order <- allocation <- plan, with verdict and solver's log."""

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m import objects
from c2m.domain.crafts import told
from c2m.domain.operations import crafts_of, operations_of
from c2m.files import read_json, read_rows
from c2m.ids import derive_id
from c2m.ledger.states import LIVE
from c2m.ledger.tables import (
    Decision,
    JobOrder,
    JobOrderRevision,
    JobOrderSku,
    Lot,
    Outbox,
    Plan,
    PlanAllocation,
)
from c2m.settings import settings
from c2m.why.link import Link
from c2m.wire.messages import STORE

_CENT_OF_A_CENT = 1e-4  # to which the ledger keeps money
_INSTANCE = ("instance.json", "orders.csv", "arcs.csv", "capacity.csv", "factories.csv", "incumbent.csv")
_JOINT = ("stages.csv", "transfers.csv", "ready.csv", "pools.csv")  # where lots have stages or share a setup
_Pairs = dict[tuple[str, int, str], int]  # pieces by lot, stage and factory


def of_job_order(session: Session, job: JobOrder) -> list[Link]:
    """The job order, its allocation in each plan that asked for it, and these plans; the newest plan first."""
    asked = _revisions(session, job)
    links = [_job_order(session, job, asked)]
    links += [_allocation(session, job, revision) for revision in asked]
    plans = dict.fromkeys(revision.plan_id for revision in asked)
    return links + [_plan(session, plan_id, [job.lot_id]) for plan_id in plans]


def unplaced(session: Session, lot: Lot) -> Link:
    """A lot without a job order: what the newest plan says of it."""
    link = Link("job order", lot.lot_id, ["None was sent for this lot."])
    chosen = select(PlanAllocation, Plan).join(Plan, Plan.plan_id == PlanAllocation.plan_id)
    chosen = chosen.where(PlanAllocation.lot_id == lot.lot_id).order_by(Plan.at.desc())
    link.words += [_unsent_words(pair, plan) for pair, plan in session.execute(chosen.limit(1))]
    return link


def _unsent_words(pair: PlanAllocation, plan: Plan) -> str:
    why = "withheld at its release" if pair.withheld else f"the plan is {plan.state}"
    return f"Plan {plan.plan_id} gives {pair.quantity:,} pieces to {pair.factory_id}: {why}."


def _revisions(session: Session, job: JobOrder) -> list[JobOrderRevision]:
    chosen = select(JobOrderRevision).where(JobOrderRevision.job_order_id == job.job_order_id)
    return list(session.scalars(chosen.order_by(JobOrderRevision.revision.desc())))


def _job_order(session: Session, job: JobOrder, asked: Sequence[JobOrderRevision]) -> Link:
    """What it asks for is what its revisions and its messages asked for; its SKUs sum to it."""
    link = Link("job order", job.job_order_id)
    link.words = [
        f"{job.quantity:,} pieces at factory {job.factory_id}, {job.state}: {job.good_pieces:,} good, "
        f"{job.shipped:,} shipped. Attempt {job.attempt}, revision {job.revision}"
        f"{f', because: {job.reason}' if job.reason else ''}."
    ]
    names = ("lot_id", "order_id", "factory_id", "state", "quantity", "requested", "attempt", "revision", "shipped")
    link.figures = {name: getattr(job, name) for name in names} | {
        "revisions": [{"revision": one.revision, "quantity": one.quantity, "plan_id": one.plan_id} for one in asked]
    }
    link.expect("its id", derive_id(job.lot_id, job.factory_id, job.attempt), job.job_order_id)
    skus = session.scalars(select(JobOrderSku.quantity).where(JobOrderSku.job_order_id == job.job_order_id)).all()
    link.expect("pieces of its SKUs", job.quantity, sum(skus))
    _compare_revisions(link, session, job, asked)
    return link


def _compare_revisions(link: Link, session: Session, job: JobOrder, asked: Sequence[JobOrderRevision]) -> None:
    """What it asks for is what its newest revision does, or the one that the factory agreed to last."""
    in_force = _in_force(job, asked)
    if job.requested not in in_force:
        link.expect("pieces of a revision that a plan asked for", job.requested, sorted(in_force) or None)
    told = _told(session, job.job_order_id)
    if not told and job.state not in LIVE:
        link.unchecked.append("its messages have left the ledger (c2m prune)")
        return
    for one in asked:
        link.expect(f"pieces in the message of revision {one.revision}", one.quantity, told.get(one.revision))


def _in_force(job: JobOrder, asked: Sequence[JobOrderRevision]) -> set[int]:
    """Pieces of the newest revision and of the confirmed one."""
    newest = max((one.revision for one in asked), default=0)
    return {one.quantity for one in asked if one.revision in (newest, job.confirmed_revision)}


def _told(session: Session, job_order_id: str) -> dict[int, int]:
    """Pieces asked for by revision, as the messages say."""
    chosen = select(Outbox.revision, Outbox.payload).where(Outbox.job_order_id == job_order_id, Outbox.type == STORE)
    return {revision: payload["data"]["quantity"] for revision, payload in session.execute(chosen)}


def _allocation(session: Session, job: JobOrder, asked: JobOrderRevision) -> Link:
    link = Link("allocation", f"{asked.plan_id} {job.lot_id} {job.factory_id}")
    pair = session.get(PlanAllocation, (asked.plan_id, job.lot_id, job.stage, job.factory_id))
    if pair is None:
        link.expect("a row of the plan for this lot and factory", "one", None)
        return link
    begun = f", of which {asked.started:,} were under way there in job orders that had begun" if asked.started else ""
    link.words = [
        f"Revision {asked.revision} asks for {asked.quantity:,} pieces: the plan gives {pair.quantity:,} of the lot to "
        f"{job.factory_id}{begun}, from {pair.start_on} to arrive on {pair.finish_on}."
    ]
    link.words += _crafts(session, job, asked.plan_id)
    link.figures = {"revision": asked.revision, "allocated": pair.quantity, "asked": asked.quantity}
    link.figures |= {"started": asked.started, "start_on": pair.start_on, "finish_on": pair.finish_on}
    link.expect("pieces of the job order and of those that had begun", pair.quantity, asked.quantity + asked.started)
    link.expect("whether the plan held it back", False, pair.withheld)
    return link


def _crafts(session: Session, job: JobOrder, plan_id: str) -> list[str]:
    """What the plan knew of the factory in the job order's crafts, where that was not the factory's own."""
    plan, lot = session.get(Plan, plan_id), session.get_one(Lot, job.lot_id)
    file = objects.here(settings().home / plan.folder) / "crafts.csv" if plan else None
    if not lot.operations or not file or not file.exists():
        return []
    rows = read_rows(file)
    crafts = crafts_of(operations_of(lot.operations, job.stage, lot.stages))
    known = rows[(rows["factory_id"] == job.factory_id) & rows["craft"].isin(crafts)].to_dict("records")
    return [f"By craft the plan knew {job.factory_id} as {'; '.join(map(told, known))}."] if known else []


def _plan(session: Session, plan_id: str, lot_ids: Sequence[str]) -> Link:
    """The plan in the ledger is the plan of its folder, was made from that instance, was verified and released."""
    link = Link("plan", plan_id)
    plan = session.get(Plan, plan_id)
    if plan is None:
        link.expect("a plan of that name in the ledger", "one", None)
        return link
    objective, bound = float(plan.objective), float(plan.bound)
    link.words = [
        f"Of {plan.business_date}, round {plan.round}, {plan.state}: costs {objective:,.2f}, no plan costs less than "
        f"{bound:,.2f} (gap {plan.gap:.2%}, {plan.status}); {plan.unmet_pieces:,} pieces unmet."
    ]
    link.figures = {"business_date": plan.business_date, "round": plan.round, "state": plan.state, "gap": plan.gap}
    link.figures |= {"objective": objective, "bound": bound, "instance_sha256": plan.instance_sha256}
    _released(session, link)
    folder = objects.here(settings().home / plan.folder)
    link.figures["folder"] = plan.folder
    try:
        _read_folder(link, plan, folder, lot_ids, _pairs(session, plan_id))
    except (OSError, ValueError, KeyError) as error:
        link.broken.append(f"its folder {plan.folder}: expected instance, plan and verdict, seen {error!r}")
    return link


def _released(session: Session, link: Link) -> None:
    decisions = session.scalars(select(Decision).where(Decision.plan_id == link.of).order_by(Decision.at)).all()
    link.words += [_decision_words(one) for one in decisions]
    link.expect("a release", True, any(one.decision == "released" for one in decisions))


def _decision_words(one: Decision) -> str:
    return f"{one.decision.capitalize()} by {one.actor}, {one.at:%Y-%m-%d %H:%M}: {one.reason}"


def _pairs(session: Session, plan_id: str) -> _Pairs:
    chosen = select(PlanAllocation.lot_id, PlanAllocation.stage, PlanAllocation.factory_id, PlanAllocation.quantity)
    found = session.execute(chosen.where(PlanAllocation.plan_id == plan_id))
    return {(lot, stage, at): made for lot, stage, at, made in found}


def _read_folder(link: Link, plan: Plan, folder: Path, lot_ids: Sequence[str], pairs: _Pairs) -> None:
    report = read_json(folder / "plan" / "report.json")
    verdict = read_json(folder / "verdict.json")
    link.expect("SHA-256 of the instance in its folder", plan.instance_sha256, _fingerprint(folder / "instance"))
    _compare_report(link, plan, report, verdict)
    rows = _rows(folder / "plan", "allocation")
    placed = {(row["order_id"], int(row.get("stage", 1)), row["factory_id"]): int(row["quantity"]) for row in rows}
    if placed != pairs:
        link.broken.append(_differ(pairs, placed))
    _lots(link, folder, lot_ids, placed, report)
    log = (folder / "solver.log").read_text(encoding="utf-8").splitlines()
    link.words.append(f"Verified independently: {_told_by(verdict)}.")
    link.words.append(f"The search: {log[-1]} ({plan.folder}/solver.log).")
    link.figures |= {"verdict": verdict["verdict"], "seconds": report["seconds"]}


def _compare_report(link: Link, plan: Plan, report: dict[str, Any], verdict: dict[str, Any]) -> None:
    link.expect("SHA-256 of the instance in its report", plan.instance_sha256, report["instance_sha256"])
    for name in ("objective", "bound"):
        _compare_money(link, f"{name} in its report", float(getattr(plan, name)), report[name])
    link.expect("sum of its cost parts", report["objective"], sum(report["cost"].values()))
    link.expect("verdict", True, verdict["ok"])
    link.expect("cost that the verifier found", report["objective"], verdict["objective"])


def _compare_money(link: Link, what: str, kept: float, reported: float) -> None:
    """The ledger keeps money to the hundredth of a cent."""
    if abs(kept - reported) > _CENT_OF_A_CENT:
        link.expect(what, kept, reported)


def _told_by(verdict: dict[str, Any]) -> str:
    confirmed = verdict.get("bound_confirmed_share")
    share = f", {confirmed:.2%} of its bound confirmed by prices" if confirmed is not None else ""
    return f"{'no rule is broken' if verdict['ok'] else 'rules are broken'}{share}"


def _lots(link: Link, folder: Path, lot_ids: Sequence[str], placed: _Pairs, report: dict[str, Any]) -> None:
    """What was to be placed of a lot is what its last stage places and what is unmet."""
    asked = {row["order_id"]: int(row["quantity"]) for row in _rows(folder / "instance", "orders")}
    unmet = Counter({row["order_id"]: int(row["quantity"]) for row in report["unmet"]})
    for lot_id in lot_ids:
        at = {(stage, factory): made for (lot, stage, factory), made in sorted(placed.items()) if lot == lot_id}
        last_stage = max((stage for stage, _ in at), default=0)
        last = sum(made for (stage, _), made in at.items() if stage == last_stage)
        link.words.append(_placed_words(asked.get(lot_id, 0), at, unmet[lot_id]))
        link.expect(f"pieces of lot {lot_id} to place", last + unmet[lot_id], asked.get(lot_id))


def _placed_words(asked: int, at: dict[tuple[int, str], int], unmet: int) -> str:
    several = len({stage for stage, _ in at}) > 1
    places = [
        f"{made:,} at {factory}{f' in stage {stage}' if several else ''}" for (stage, factory), made in at.items()
    ]
    return f"Of the lot's {asked:,} pieces to place: {', '.join([*places, f'{unmet:,} unmet'])}."


def _differ(ledger: _Pairs, placed: _Pairs) -> str:
    lot, stage, factory = min(pair for pair in ledger.keys() | placed.keys() if ledger.get(pair) != placed.get(pair))
    held, found = (pairs.get((lot, stage, factory), "none") for pairs in (ledger, placed))
    return f"pieces of lot {lot} at {factory} in its folder: expected {held}, seen {found}"


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _fingerprint(folder: Path) -> str:
    """As optimization.contract.instances reckons it: names and contents of the tables, in order."""
    digest = hashlib.sha256()
    for name in (*_INSTANCE, *(name for name in _JOINT if (folder / name).exists())):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return digest.hexdigest()
