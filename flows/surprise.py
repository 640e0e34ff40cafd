"""Surprise: spikes of incoming orders, found by the hour, ordered for and planned at once, told with how sure it is."""

from datetime import date, datetime, timedelta

import pandas as pd
from prefect import State, flow, task
from prefect.events import emit_event

from c2m import clock
from c2m.domain import alert_rules
from c2m.domain.alert_rules import SPIKE
from c2m.feeds.landing import land_frame, read_landed
from c2m.feeds.world import World
from c2m.ledger import alerts
from c2m.ledger.store import session
from c2m.people import notify
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.arrivals import by_hour
from c2m.warehouse.published import read
from flows import spike_page, warehouse
from flows.ingest import land
from flows.parameters import Ingest
from flows.robot import emit
from models.surprise import detector, mode
from models.surprise.detector import STYLE


@task
def look(parameters: Ingest, moment: datetime) -> pd.DataFrame:
    """What stands of spikes at a moment; lands it, with the forecasts that are to be ordered by."""
    policy, day = settings().surprise, parameters.day
    rows = by_hour(moment, policy.history_days)
    if rows.empty:
        return pd.DataFrame()
    last = mode.last_rows(read_landed("spikes"), moment)
    seen = mode.without_past(detector.Arrivals.of(rows, policy.history_days), last, moment)
    ahead = mode.expected_lines(seen, read_landed("forecasts", business_date=day, ds=day))
    owed = mode.of_styles(seen, read("stock_position").merge(read("skus")), "owed")
    at = mode.Look(moment, day, settings().replenishment.window_days, owed)
    found = mode.spikes(seen, detector.usual(seen, ahead), last, at, policy)
    return mode.planned(found, policy)


def take_up(parameters: Ingest) -> pd.DataFrame:
    """One look: lands spikes and forecasts, keeps the alerts; the spikes that are worth a new plan."""
    moment = clock.now()
    with step("surprise"):
        found = look(parameters, moment)
        note(found, parameters, moment)
    return found[found["asks"]] if len(found) else found


def note(found: pd.DataFrame, parameters: Ingest, moment: datetime) -> None:
    """Lands what was found at a moment, and the forecasts that are to be ordered by; keeps the alerts."""
    if len(found):
        land_spikes(found, parameters.day, moment.replace(tzinfo=None))
    warn(found, moment)


def land_spikes(found: pd.DataFrame, day: date, known_at: datetime) -> None:
    """Spikes, and forecasts that stand in place of the champion's of the same moment."""
    windows = mode.windows(found, day, settings().replenishment.window_days)
    land_frame("spikes", found.assign(known_at=known_at))
    land_frame("forecast_windows", windows.assign(known_at=known_at + timedelta(microseconds=1)))


def warn(found: pd.DataFrame, moment: datetime) -> None:
    """Keeps the alerts of the spikes that stand."""
    standing = found[found["state"] == mode.LIVESTREAM] if len(found) else found
    with session() as s:
        alerts.record(s, alert_rules.spikes(standing), moment, SPIKE)


def ask_for_plan(asking: pd.DataFrame) -> None:
    """The event that the trigger of the deployment `plan` hears."""
    styles = ["/".join(style) for style in asking[STYLE].itertuples(index=False)]
    emit_event("c2m.replan.asked", resource={"prefect.resource.id": "c2m.plan"}, payload={"styles": styles})


@flow(name="surprise", flow_run_name="surprise {parameters.moment}")
def surprise(parameters: Ingest) -> State[None] | None:
    """Takes in the newest orders and looks for spikes; where one asks for it, the deployment `plan` plans again."""
    if over := warehouse.nothing_yet():
        return over
    with step("ingest"):
        land(World.load(parameters.folder))
    asking = take_up(parameters)
    with step("tell"):
        if len(asking):
            ask_for_plan(asking)
        notify.tell("prefect", emit, clock.now())
        notify.deliver(clock.now())
    spike_page.publish(parameters.day)
    return None
