"""Robot: when each job order will be finished, what stands in its way, and who must hear of it."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
from prefect import State, flow, task
from prefect.events import emit_event

from c2m import clock
from c2m.domain import alert_rules
from c2m.domain.alert_rules import ALERT, SEVERITY, URGENT
from c2m.domain.promises import recent
from c2m.feeds import file_outcomes
from c2m.feeds.landing import land_frame
from c2m.files import read_json
from c2m.ledger import alerts, job_orders, orders, plans, status
from c2m.ledger.conversation import leave
from c2m.ledger.rooms import tickets
from c2m.ledger.store import session
from c2m.people import notify
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.published import read
from flows import plan_page, reports, waiting_runs, warehouse
from flows.parameters import Robot
from models.finish import remedy
from models.finish.floor import FloorState, conflicting, inspected, last_of_lines, offline_hours, published_floor
from models.finish.outlook import outlook

FLOOR = "+job_order_progress +floor_days +factory_days +promises +scan_quality +batches"


@task
def look(day: date, moment: datetime) -> tuple[FloorState, pd.DataFrame]:
    """The floor at a moment, and the outlook of every job order on it."""
    floor = published_floor(day, moment)
    with session() as s:
        live = job_orders.on_the_floor(s)
    return floor, outlook(floor, live)


@task
def warn(floor: FloorState, rows: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Applies every rule, keeps the alerts in the ledger; those that stand."""
    policy = settings().robot
    with session() as s:
        factories, standing, beyond = status.factories(s), alerts.standing(s), job_orders.surplus(s)
        refused, waits = job_orders.refused_cuts(s), orders.waiting(s)
    late = set(standing.loc[standing["kind"] == "late", "subject"])
    doubtful = rows[rows["late_chance"] >= policy.relief_chance]
    found = alert_rules.all_of(
        alert_rules.offline(offline_hours(floor, factories), rows, policy),
        alert_rules.silent(rows, policy),
        alert_rules.stalled(last_of_lines(floor), rows, policy),
        alert_rules.yield_drop(inspected(floor, policy), rows, policy),
        alert_rules.late(rows, late, policy, remedy.moves(doubtful, floor, rows)),
        alert_rules.broken_promises(recent(read("promises"), clock.business_date(now))),
        alert_rules.surplus(beyond),
        alert_rules.refused_cuts(refused),
        alert_rules.waits(waits),
        alert_rules.undecided(plan_that_waits(now), settings().release.undecided_hours),
        alert_rules.twins(read("factories")),
        alert_rules.bad_batches(read("batches")),
        alert_rules.late_feeds(file_outcomes.missing(now)),
        alert_rules.drift(last_watched()),
        alert_rules.scans(conflicting(read("scan_quality"), clock.business_date(now))),
    )
    with session() as s:
        alerts.record(s, found, now)
        tickets.settle(s, now)
        leave.give(s, now)
        return alerts.standing(s)


def plan_that_waits(now: datetime) -> pd.DataFrame:
    """title, hours of the plan that waits for a person; rejected here where the settings say so after that time."""
    policy, columns = settings().release, ["title", "hours"]
    with session() as s:
        plan = plans.waiting(s)
        hours = (now - plan.at).total_seconds() / 3600 if plan else 0.0
        if plan and policy.undecided == "reject" and hours >= policy.undecided_hours:
            plans.reject(s, plan.plan_id, plans.POLICY, f"nobody decided within {policy.undecided_hours:g} hours", now)
            plan = None
    return pd.DataFrame([(plan.title, hours)] if plan else [], columns=columns)


def last_watched() -> pd.DataFrame:
    """The checks of the champion on the last day that was watched (flows/watch.py); no row: none was."""
    days = sorted(settings().runs.glob("*/drift.json"))
    return pd.DataFrame(
        read_json(days[-1]) if days else [], columns=["check", "of", "value", "limit", "alert", "alarm"]
    )


def emit(news: pd.DataFrame) -> bool:
    """Alerts as events for automations: c2m.alert.opened, .closed; one c2m.replan.asked for all dates that are lost.

    The trigger of the deployment `plan` in prefect.yaml hears the last.
    """
    for alert in news.to_dict("records"):
        resource = {"prefect.resource.id": f"c2m.alert.{alert['alert_id']}", "prefect.resource.name": alert["subject"]}
        payload = {name: alert[name] for name in ALERT} | {"severity": SEVERITY[alert["severity"]]}
        over = pd.notna(alert["closed_at"])
        emit_event(f"c2m.alert.{'closed' if over else 'opened'}", resource=resource, payload=payload)
    lost = news[(news["kind"] == "late") & (news["severity"] >= URGENT) & news["closed_at"].isna()]
    if len(lost):
        payload = {"alert_ids": list(lost["alert_id"]), "job_order_ids": list(lost["subject"])}
        emit_event("c2m.replan.asked", resource={"prefect.resource.id": "c2m.plan"}, payload=payload)
    return True


@flow(name="robot", flow_run_name="robot {parameters.moment}")
def robot(parameters: Robot) -> State[None] | None:
    """Predicts, warns, tells, and shows the floor.

    With `rebuild`, from what was scanned up to now: the marts as of tomorrow's start, which the next day's run builds
    anew from its own cut-off. Without, as of the start of the day.
    """
    if over := warehouse.nothing_yet():
        return over
    day, moment = parameters.day, clock.cut_off(parameters.day)
    with warehouse.held():
        if parameters.rebuild:
            moment = clock.now()
            with step("floor marts"):
                warehouse.build(day + timedelta(days=1), FLOOR)
        with step("robot"):
            floor, rows = look(day, moment)
            standing = warn(floor, rows, clock.now())
            land_frame("outlooks", rows.assign(at=moment.astimezone(UTC).replace(tzinfo=None)))
    with step("tell"):
        notify.tell("prefect", emit, clock.now())
        notify.deliver(clock.now())
    reports.floor(rows, standing, moment)
    plan_page.renew()
    waiting_runs.settle()
    return None
