"""Watch: does the champion still fit? Today's inputs against its training, its past forecasts against what came."""

import json
from datetime import date

import pandas as pd
from prefect import task
from prefect.events import emit_event

from c2m.files import read_json, write_atomically
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.published import read
from flows import reports
from models.demand import drift
from models.demand.features import matrix
from models.demand.forecast import asked_cells
from models.governance.registry import NAME, Registered
from models.panel.daily import published_panel


@task
def checked(day: date, current: Registered) -> pd.DataFrame:
    """The checks of `models.demand.drift` on the published marts."""
    policy, panel = settings().drift, published_panel(day)
    known, rows = current.scorer.spec["profile"], matrix(panel, asked_cells(panel))
    moved = pd.DataFrame({"index": drift.distance(known, rows), "chance": drift.chance(known, len(panel.ids))})
    came = drift.realised(read("forecast_accuracy"), current.version, day, policy.days)
    return drift.checks(moved, came, current.wape(), policy)


def drifts(day: date, current: Registered) -> bool:
    """Whether the champion drifts; keeps the checks with the day, shows them, and sends an event where it does."""
    with step("drift"):
        found = checked(day, current)
    alarm = drift.alarm(found, settings().drift)
    kept = found.assign(alarm=alarm).to_json(orient="records")
    write_atomically(settings().runs / day.isoformat() / "drift.json", kept.encode())
    reports.drift(found, history(), alarm)
    if alarm:
        resource = {"prefect.resource.id": f"c2m.model.{NAME}", "prefect.resource.name": NAME}
        alerts = json.loads(found[found["alert"]].to_json(orient="records"))
        emit_event("c2m.champion.drifts", resource=resource, payload={"version": current.version, "alerts": alerts})
    return alarm


def history() -> pd.DataFrame:
    """day, check, of, value, limit, alert, alarm (of the day) of every day that was watched."""
    days = [
        pd.DataFrame(read_json(file)).assign(day=file.parent.name)
        for file in sorted(settings().runs.glob("*/drift.json"))
    ]
    return pd.concat(days, ignore_index=True)
