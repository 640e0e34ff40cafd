"""Plan: orders and lots, the joint-factory plan, its verification, and the policy that releases it or asks a person."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow, get_run_logger, task

import optimization
from c2m import clock, objects
from c2m.domain.crafts import apart
from c2m.domain.promises import correction
from c2m.errors import C2MError, InputError
from c2m.feeds.landing import read_landed
from c2m.files import make_folder, read_json, read_rows, write_atomically
from c2m.ledger import changelog, job_orders, orders, plans, promises, quantities, status
from c2m.ledger.conversation import changes
from c2m.ledger.plans import Standing
from c2m.ledger.rooms import quotes, tickets
from c2m.ledger.store import session
from c2m.settings import PlanPolicy, settings
from c2m.steps import step
from c2m.stopping import until_stopped
from c2m.warehouse.published import manifest, read
from c2m.why.page import why_this_many
from flows import joint_page, materials, plan_page, reports, scenarios, waiting_runs
from flows.parameters import Plan, PlanLimits
from models.governance.registry import CHAMPION, version_of
from optimization.book.currencies import OF_FACTORY, OF_PIECE, in_currency, plan_currency
from optimization.book.daily_instance import build_instance, merchant_lots, promised_dates, tellable
from optimization.book.later_work import OBSERVED_DAYS
from optimization.book.plan_proposal import dated_allocation, lot_names, priced
from optimization.book.replenishment import replenish
from optimization.book.set_aside import set_apart
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import read_plan, search_log, unmet_pieces
from optimization.explanation.answer import summary
from optimization.planning.daybook import day_of
from optimization.planning.solve import solve
from optimization.routing.stage_lots import legs, with_next_factories
from optimization.routing.styles import with_operations
from optimization.verification.verifier import verify

_DATED = ("promises.csv", "promise_factories.csv", joint_page.ORDER_OF_WORK)  # in a plan's folder
_DATES = {"promises.csv": ["planned_on", "promised_on"]}


@task
def record_orders(day: date) -> None:
    """The day's orders and lots, and why they are that many."""
    reports.page("quantities", f"Why this many, {day}", *why_this_many(book_orders(day)))


def book_orders(day: date) -> pd.DataFrame:
    """Merchants' orders and our own replenishment become orders and lots in the ledger; why they are that many."""
    currency, rates = plan_currency(read("factories")), read("exchange_rates")
    skus, styles = (in_currency(read(mart), OF_PIECE, rates, currency) for mart in ("skus", "styles"))
    windows = read_landed("forecast_windows", business_date=day)
    with session() as s:
        policy, last = settings().replenishment, orders.last_of_style(s, before=day)
        made = replenish(windows, read("stock_position"), styles, skus, last, policy, day)
        of_merchants = merchant_lots(read("merchant_order_book"), skus, orders.held(s))
        orders.record(s, *set_apart(*_routed(*of_merchants), currency), clock.now())
        reasons = made[3].assign(build_id=manifest()["build_id"])
        orders.record(s, *set_apart(*_routed(*made[:3]), currency), clock.now(), reasons)
        quotes.promise(s, clock.now())
        changes.ask(s, clock.now())
        tickets.settle(s, clock.now())
        return quantities.of_day(s, day)


def _routed(
    ordered: pd.DataFrame, lots: pd.DataFrame, skus: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Orders, lots and SKUs, whose lots have the operations of their styles."""
    return ordered, with_operations(lots, read("routings"), read("factory_capabilities")), skus


def instance_of(day: date, policy: PlanPolicy, ready: pd.DataFrame | None = None) -> Instance | None:
    """Open lots, commitments, capable factories and their calendars in the format of the planning contract.

    ready: lot_id, ready_on of each material that a lot takes; None: no lot waits for material.
    """
    with session() as s:
        lots, live, refusals = orders.open_lots(s), job_orders.live(s), job_orders.refusals(s)
        versions, of_stages = status.versions(s), job_orders.of_stages(s)
    factories, capabilities, calendar = read("factories"), read("factory_capabilities"), read("factory_calendar")
    factories = in_currency(factories, OF_FACTORY, read("exchange_rates"), plan_currency(factories))
    scores, capabilities = read("factory_scores"), tellable(capabilities, versions)
    facts = factories, capabilities, calendar, scores
    return build_instance(lots, live, refusals, *facts, policy, day, of_stages, ready)


@task
def make(instance: Instance, folder: Path, policy: PlanPolicy) -> None:
    """The folder of a plan, unless it is there: made from the instance in a working folder, then moved whole."""
    make_folder(folder, lambda working: fill(working, instance, policy))


def fill(folder: Path, instance: Instance, policy: PlanPolicy) -> None:
    """Writes instance, plan, limits, the search's log and the verdict; then the dates to promise and the scores.

    A plan that does not verify is an error of ours.
    """
    instances.write(instance, folder / "instance")
    keep_plan(folder, instance, search(instance, policy), policy, policy.limits)


def search(instance: Instance, policy: PlanPolicy) -> optimization.Plan:
    """The plan, with a bar that shows how far the search is; who ends the run gets the best so far."""
    progress = reports.ProgressBar(policy.time_limit_s)
    ours = partial(solve, instance, policy.time_limit_s, policy.gap, node_limit=policy.node_limit, progress=progress)
    plan = until_stopped(lambda stop: ours(stop=stop))
    progress.end(plan)
    return plan


def keep_plan(
    folder: Path, instance: Instance, plan: optimization.Plan, policy: PlanPolicy, limits: Mapping[str, object]
) -> None:
    """Writes a plan beside its instance, how it was made and what the verifier says; then dates, scores and crafts."""
    plan.write(folder / "plan")
    keep(folder / "limits.json", dict(limits))
    write_atomically(folder / "solver.log", search_log(plan.report).encode())
    verdict = verify(folder / "instance", folder / "plan")
    keep(folder / "verdict.json", verdict.as_dict())
    if not verdict.ok:
        raise C2MError("plan-does-not-verify", [*map(str, verdict.broken), f"the plan lies in {folder}"])
    keep_dates(folder, instance, plan, policy)
    scored = read("factory_scores").merge(instance.factories["factory_id"]).sort_values("score")
    keep(folder / "scores.csv", scored[["factory_id", "category", "score", "band", "reason"]])
    of_crafts = apart(read("factory_capabilities"), read("factories"))
    keep(folder / "crafts.csv", of_crafts[of_crafts["factory_id"].isin(instance.factories["factory_id"])])


def keep(file: Path, content: pd.DataFrame | dict[str, Any]) -> None:
    """Writes a table as CSV, figures as JSON."""
    if isinstance(content, pd.DataFrame):
        text = content.to_csv(index=False, lineterminator="\n")
    else:
        text = json.dumps(content, indent=1) + "\n"
    write_atomically(file, text.encode())


def keep_dates(folder: Path, instance: Instance, plan: optimization.Plan, policy: PlanPolicy) -> None:
    """Writes what `dates_of` finds."""
    for name, rows in zip(_DATED, dates_of(instance, plan, policy), strict=True):
        keep(folder / name, rows)


def dates_of(
    instance: Instance, plan: optimization.Plan, policy: PlanPolicy
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Dates of whole orders by the plan, who makes them, and in which order each factory is to work."""
    with session() as s:
        lots, live, versions = orders.open_lots(s), job_orders.live(s), status.versions(s)
        told = job_orders.told(s, clock.now() - timedelta(days=OBSERVED_DAYS))
    day = clock.business_date(clock.now())
    known = read("factories"), read("factory_calendar"), versions, told, clock.cut_off(day)
    learned = correction(read("promises"), day)
    return promised_dates(instance, plan, lots, live, *known, policy.promise_level, learned)


@task
def look_at(standing: Standing, policy: PlanPolicy) -> None:
    """Beside the plan: the day's book and its figures, what the common rule makes of it, and why this plan."""
    folder = settings().home / standing.folder
    if (folder / "explanation.md").exists():
        return
    instance, made = instances.read(folder / "instance"), read_plan(folder / "plan")
    with session() as s:
        first = plans.first_released(s, standing.business_date)
        labels = orders.labels(s, sorted(instance.orders["lot_id"]))
    begun = instances.read(objects.here(settings().home / first.folder) / "instance") if first else instance
    day = day_of(begun, instance, made)
    if day.book is not instance:
        instances.write(day.book, folder / "book")
    day.rule.write(folder / "shadow")
    keep(folder / "day.json", day.figures)
    placed = joint_page.dated(instance, made, folder)
    keep(folder / "joint.json", joint_page.rows_of(instance, made, labels, placed))
    try:
        told = summary(instance, made, policy.explanation_s, day, lot_names(labels))
    except Exception as error:  # the plan is verified whatever becomes of its explanation, and the day goes on
        get_run_logger().exception("The plan could not be explained")
        told = f"This plan could not be explained: {error}\n"
    write_atomically(folder / "explanation.md", told.encode())
    objects.keep(folder)


@dataclass(frozen=True)
class PlanIdentity:
    """What a plan is known by, before it is in the ledger."""

    plan_id: str
    day: date
    round: int
    attempt: int
    limits: Mapping[str, object]
    model_version: str | None

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return settings().runs / self.day.isoformat() / self.plan_id


@task
def propose(
    plan_id: str, day: date, number: int, attempt: int, limits: Mapping[str, object], waits: Standing | None
) -> None:
    """Enters a plan into the ledger, in place of the one that waits; the same plan again is the plan that is there."""
    proposal = PlanIdentity(plan_id, day, number, attempt, limits, version_of(CHAMPION))
    folder = proposal.folder
    dated = (read_rows(folder / name, _DATES.get(name, ())) for name in _DATED)
    promised, makers, order = dated
    enter(proposal, instances.read(folder / "instance"), read_plan(folder / "plan"), promised, makers, order, waits)


def enter(
    proposal: PlanIdentity,
    instance: Instance,
    plan: optimization.Plan,
    promised: pd.DataFrame,
    makers: pd.DataFrame,
    order: pd.DataFrame,
    waits: Standing | None = None,
) -> None:
    """Enters a plan and its dates into the ledger."""
    placed = dated_allocation(instance, plan.allocation, plan.schedule, order, legs(instance, plan))
    allocation = priced(placed, instance, read("factories"), read("exchange_rates"))
    proposed = plans.ProposedPlan(
        business_date=proposal.day,
        round=proposal.round,
        attempt=proposal.attempt,
        instance_sha256=instance.sha256,
        limits=spelled(proposal.limits),
        **{name: plan.report[name] for name in ("objective", "bound", "gap", "status")},
        unmet_pieces=int(unmet_pieces(instance, plan.allocation).sum()),
        model_version=proposal.model_version,
        folder=str(proposal.folder.relative_to(settings().home)),
        allocation=with_next_factories(allocation, instance, plan),
        at=clock.now(),
        purchases=materials.proposed(proposal.folder),
    )
    objects.keep(proposal.folder)  # before the ledger names it
    with session() as s:
        why = f"replaced by plan {proposal.plan_id}, made with {spelled(proposal.limits)}"
        plans.propose(s, proposed, waits.plan_id if waits else None, why)
        promises.record(s, proposal.plan_id, promised, makers, clock.now())


@task
def release_within_limits(standing: Standing) -> None:
    """Releases the plan by policy if it is within limits; else it waits for `c2m release`."""
    if not plan_page.reasons_to_wait(standing):
        with session() as s:
            plans.release(
                s, standing.plan_id, plans.POLICY, "within every limit of the release policy", [], clock.now()
            )


def new_plan(day: date, number: int, parameters: PlanLimits, waits: Standing | None) -> str | None:
    """Makes a plan and proposes it in place of the one that waits; its id, or None where there is nothing to plan.

    What would be the plan that waits once more, by the same facts and limits, stays that plan.
    """
    policy = parameters.policy
    with step("orders"):
        record_orders(day)
    needed = materials.of_day(day)
    instance = instance_of(day, policy, needed.ready if needed else None)
    if instance is None:
        return None
    if waits and (waits.instance_sha256, limits_of(waits)) == (instance.sha256, policy.limits):
        return waits.plan_id
    with session() as s:
        attempt = plans.attempt(s, day, number) + (waits is not None)
    limits = spelled(policy.limits)
    plan_id = plans.derive_plan_id(day, number, attempt, instance.sha256, limits)
    folder = settings().runs / day.isoformat() / plan_id
    with step("solve"):
        make(instance, folder, policy)
    materials.keep(needed, folder, day, plan_id)
    with step("propose"):
        propose(plan_id, day, number, attempt, policy.limits, waits)
    return plan_id


def take(waits: Standing, scenario: str, actor: str, reason: str) -> str:
    """Releases the plan of a scenario in place of the plan that waits; its id.

    Raises
    ------
    InputError
        The scenario is unknown, or the book as it is does not allow it.
    """
    policy, day, number = settings().plan, waits.business_date, waits.round
    instance, made = scenarios.taken(waits, scenario)
    limits = limits_of(waits) | {"scenario": scenario}
    with session() as s:
        attempt = plans.attempt(s, day, number) + 1
    plan_id = plans.derive_plan_id(day, number, attempt, instance.sha256, spelled(limits))

    def write(folder: Path) -> None:
        instances.write(instance, folder / "instance")
        keep_plan(folder, instance, made, policy, limits)

    make_folder(settings().runs / day.isoformat() / plan_id, write)
    propose(plan_id, day, number, attempt, limits, waits)
    with session() as s:
        plans.release(s, plan_id, actor, reason, [], clock.now())
        standing = plans.standing(s, plan_id)
    look_at(standing, policy)
    return plan_id


def limits_of(standing: Standing) -> dict[str, Any]:
    """The limits that a plan was made with."""
    file = settings().home / standing.folder / "limits.json"
    limits: dict[str, Any] = read_json(file) if file.exists() else {}
    return limits


def spelled(limits: Mapping[str, object]) -> str:
    """Limits in one line."""
    return ", ".join(f"{name} {limits[name]}" for name in sorted(limits))


def refuse_without_effect(standing: Standing, parameters: PlanLimits, day_plans: pd.DataFrame) -> None:
    """What a run asks for and cannot have: the plan is there, made with other limits.

    A run that is repeated asks for what it had, and is not refused: a rejected plan of the day, whatever its round,
    tells that one was replaced before.
    """
    made = limits_of(standing)
    other = {name: value for name, value in parameters.asked.items() if made.get(name) != value}
    had = spelled({name: made.get(name, "unknown") for name in other})
    named = f"the plan of {standing.business_date}, round {standing.round}"
    if standing.state == "proposed":
        if other and not parameters.replace:
            seen = f"{named}, waits for a decision; it was made with {had}, and this run asks for {spelled(other)}"
            raise InputError("plan-waits", [f"{seen}: decide on it, or run with replace: true, which plans anew"])
    elif other or (parameters.replace and not (day_plans["state"] == "rejected").any()):
        seen = f"{named}, is decided ({standing.state}); {spelled(other) or 'replace'} has no effect on it"
        raise InputError("plan-decided", [f"{seen}: run with an empty round to plan what has changed since"])


def refuse_before_first(parameters: PlanLimits) -> None:
    """Limits for the next round of a day that has no plan yet."""
    if parameters.asked or parameters.replace:
        fault = f"{parameters.day} has no plan yet, so there is nothing to plan again: ask for round 1"
        raise InputError("no-plan-yet", [fault])


def refuse_past_one_that_waits(day_plans: pd.DataFrame, number: int) -> None:
    """A new plan of another round while one waits for a decision: that would be superseded while it is reviewed."""
    waiting = day_plans[(day_plans["state"] == "proposed") & (day_plans["round"] != number)]
    if len(waiting):
        raise InputError(
            "plan-waits",
            [
                f"round {waiting['round'].iloc[0]} of the day waits for a decision, "
                f"and this run asks for round {number}: decide on it first"
            ],
        )


@flow(name="plan", flow_run_name="plan {parameters.title}")
def plan(parameters: Plan) -> bool:
    """Proposes the day's plan and releases it if it is within limits; whether its job orders have gone out.

    A plan proposed before for this day and round is kept, unless it is to be replaced: what is being reviewed does not
    change under a person. What was decided stands. Without a round it is the next one, once the day has a plan.
    """
    day = parameters.day
    with session() as s:
        number = parameters.round or plans.next_round(s, day)
        plan_id = plans.of_round(s, day, number) if number else None
        standing = plans.standing(s, plan_id) if plan_id else None
        day_plans = plans.of_day(s, day)
    if number is None:
        refuse_before_first(parameters)
        plan_page.without_plan(day, "The day has no plan yet; its first takes in all that is known.")
        return False
    if standing:
        refuse_without_effect(standing, parameters, day_plans)
    if standing is None or (parameters.replace and standing.state == "proposed"):
        refuse_past_one_that_waits(day_plans, number)
        plan_id = new_plan(day, number, parameters, standing)
    if plan_id is None:
        plan_page.without_plan(day, f"Nothing to plan in round {number}: no open lot that a factory could make.")
        return False
    return decide_and_show(plan_id, parameters.policy)


def decide_and_show(plan_id: str, policy: PlanPolicy) -> bool:
    """Releases a plan that waits if it is within limits, and shows how it stands; whether its job orders went out."""
    with session() as s:
        standing = plans.standing(s, plan_id)
    with step("release"):
        if standing.state == "proposed":
            release_within_limits(standing)
        changelog.export()
    look_at(standing, policy)
    with session() as s:
        standing = plans.standing(s, plan_id)
    if standing.state == "proposed":
        waiting_runs.ask(standing, plan_page.reasons_to_wait(standing))
    waiting_runs.settle()
    plan_page.publish(plan_id)
    return standing.was_released
