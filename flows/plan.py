"""Plan: orders and lots, the joint-factory plan, its verification, and the policy that releases it or asks a person."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
from prefect import flow, task

from c2m import clock
from c2m.errors import C2MError
from c2m.feeds.landing import read_landed
from c2m.files import make_folder, write_atomically
from c2m.ledger import changelog, job_orders, orders, plans, promises, quantities
from c2m.ledger.store import session
from c2m.published import manifest, read
from c2m.settings import PlanPolicy, settings
from c2m.steps import step
from c2m.why.page import why_this_many
from flows import reports
from flows.parameters import Plan
from models.registry import CHAMPION, version_of
from optimization.explain import summary
from optimization.greedy import greedy
from optimization.orderbook import build_instance, merchant_lots, promised_dates
from optimization.plan import read_plan, search_log
from optimization.problem import Instance, write
from optimization.problem import read as read_instance
from optimization.proposal import breaches, dated_allocation, priced
from optimization.quantities import replenish
from optimization.solve import solve
from optimization.verify import verify

_DATED = ("promises.csv", "promise_factories.csv")  # in a plan's folder
_DATES = {"promises.csv": ["planned_on", "promised_on"]}


@task
def record_orders(day: date) -> None:
    """Merchants' orders and our own replenishment become orders and lots in the ledger."""
    skus, windows = read("skus"), read_landed("forecast_windows", business_date=day)
    with session() as s:
        policy, last = settings().replenishment, orders.last_of_style(s, before=day)
        made = replenish(windows, read("stock_position"), read("styles"), skus, last, policy, day)
        orders.record(s, *merchant_lots(read("merchant_order_book"), skus), clock.now())
        orders.record(s, *made[:3], clock.now(), made[3].assign(build_id=manifest()["build_id"]))
        ordered = quantities.of_day(s, day)
    reports.page("quantities", f"Why this many, {day}", *why_this_many(ordered))


def instance_of(day: date, policy: PlanPolicy) -> Instance | None:
    """Open lots, commitments, capable factories and their calendars in the format of the planning contract."""
    with session() as s:
        lots, live, refusals = orders.open_lots(s), job_orders.live(s), job_orders.refusals(s)
    factories, capabilities, calendar = read("factories"), read("factory_capabilities"), read("factory_calendar")
    scores = read("factory_scores")
    return build_instance(lots, live, refusals, factories, capabilities, calendar, scores, policy, day)


@task
def make(instance: Instance, folder: Path, policy: PlanPolicy) -> None:
    """The folder of a plan, unless it is there: made from the instance in a working folder, then moved whole."""
    make_folder(folder, lambda working: fill(working, instance, policy))


def fill(folder: Path, instance: Instance, policy: PlanPolicy) -> None:
    """Writes instance, plan, the search's log, the verdict, and the dates to promise.

    A plan that does not verify is an error of ours.
    """
    write(instance, folder / "instance")
    progress = reports.Progress(policy.time_limit_s)
    plan = solve(instance, policy.time_limit_s, policy.gap, node_limit=policy.node_limit, progress=progress)
    progress.end(plan)
    plan.write(folder / "plan")
    write_atomically(folder / "solver.log", search_log(plan.report).encode())
    verdict = verify(folder / "instance", folder / "plan")
    write_atomically(folder / "verdict.json", (json.dumps(verdict.as_dict(), indent=1) + "\n").encode())
    if not verdict.ok:
        raise C2MError("plan-does-not-verify", [*map(str, verdict.broken), f"the plan lies in {folder}"])
    with session() as s:
        lots = orders.open_lots(s)
    dated = promised_dates(instance, plan, lots, read("factories"), policy.promise_level)
    for name, rows in zip(_DATED, dated, strict=True):
        write_atomically(folder / name, rows.to_csv(index=False, lineterminator="\n").encode())


@task
def look_at(folder: Path, policy: PlanPolicy) -> None:
    """Beside the plan: what the rule of common planning tools makes of the day, and why this plan."""
    instance, made = read_instance(folder / "instance"), read_plan(folder / "plan")
    if not (folder / "shadow" / "report.json").exists():
        greedy(instance).write(folder / "shadow")
    if not (folder / "explanation.md").exists():
        write_atomically(folder / "explanation.md", summary(instance, made, policy.explanation_s).encode())


@task
def propose(day: date, number: int, attempt: int, folder: Path, policy: PlanPolicy) -> None:
    """Enters the plan of a folder into the ledger; the same plan again is the plan that is there."""
    instance, plan = read_instance(folder / "instance"), read_plan(folder / "plan")
    dated = dated_allocation(instance, plan.allocation, plan.schedule)
    proposed = plans.ProposedPlan(
        business_date=day,
        round=number,
        attempt=attempt,
        instance_sha256=instance.sha256,
        limits=policy.limits,
        objective=plan.report["objective"],
        bound=plan.report["bound"],
        gap=plan.report["gap"],
        status=plan.report["status"],
        unmet_pieces=sum(lot["quantity"] for lot in plan.report["unmet"]),
        model_version=version_of(CHAMPION),
        folder=str(folder.relative_to(settings().home)),
        allocation=priced(dated, instance, read("factories")),
        at=clock.now(),
    )
    dated, makers = (pd.read_csv(folder / name, parse_dates=_DATES.get(name)) for name in _DATED)
    with session() as s:
        plan_id = plans.propose(s, proposed)
        promises.record(s, plan_id, dated, makers, clock.now())


@task
def release_within_limits(plan_id: str, folder: Path) -> list[str]:
    """Releases the plan by policy; or the limits that it breaks, and then it waits for `c2m release`."""
    instance, plan = read_instance(folder / "instance"), read_plan(folder / "plan")
    over = breaches(instance, plan.allocation, plan.report, settings().release)
    if not over:
        with session() as s:
            plans.release(s, plan_id, "policy", "within every limit of the release policy", [], clock.now())
    return over


def new_plan(day: date, number: int, policy: PlanPolicy) -> str | None:
    """Makes a plan and proposes it; its id, or None where there is nothing to plan."""
    with step("orders"):
        record_orders(day)
    instance = instance_of(day, policy)
    if instance is None:
        return None
    with session() as s:
        attempt = plans.attempt(s, day, number)
    plan_id = plans.derive_plan_id(day, number, attempt, instance.sha256, policy.limits)
    folder = settings().runs / day.isoformat() / plan_id
    with step("solve"):
        make(instance, folder, policy)
    with step("propose"):
        propose(day, number, attempt, folder, policy)
    return plan_id


@flow(name="plan")
def plan(parameters: Plan) -> bool:
    """Proposes the day's plan and releases it if it is within limits; whether its job orders have gone out.

    A plan proposed before for this day and round is kept: what is being reviewed does not change under a person.
    What a person has decided stands. Without a round it is the next one, once the day has a plan.
    """
    day = parameters.day
    with session() as s:
        number = parameters.round or plans.next_round(s, day)
        plan_id = plans.of_round(s, day, number) if number else None
    if number is None:
        reports.page("plan", "Joint-factory plan", "The day has no plan yet; its first takes in all that is known.")
        return False
    plan_id = plan_id or new_plan(day, number, parameters.policy)
    if plan_id is None:
        reports.page("plan", "Joint-factory plan", "Nothing to plan: no open lot that a factory could make.")
        return False
    with session() as s:
        standing = plans.standing(s, plan_id)
    folder = settings().home / standing.folder
    over: list[str] = []
    with step("release"):
        if standing.state == "proposed":
            over = release_within_limits(plan_id, folder)
        changelog.export()
    look_at(folder, parameters.policy)
    lots = set(read_plan(folder / "plan").allocation["order_id"])
    with session() as s:
        standing = plans.standing(s, plan_id)
        labels = orders.labels(s, sorted(lots))
    reports.plan(standing, folder, labels, read("factory_scores"), over)
    return standing.was_released
