"""Forecast: the champion gives a demand distribution per style and day, judged before it is used, then landed."""

import json
from datetime import date

import pandas as pd
from prefect import flow, task
from prefect.events import emit_event

from c2m.feeds.landing import land_frame
from c2m.files import write_atomically, write_with
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse import origins
from c2m.warehouse.published import manifest, read
from expectations.gate import check_forecast
from flows import reports
from flows.parameters import Day
from models.demand.hierarchy import levels
from models.governance.daily import bands, forecast_daily
from models.governance.registry import NAME, Registered, champion
from models.panel.daily import published_panel
from models.trend.shares import shared_out, shares


@task
def score(day: date, model: Registered) -> tuple[tuple[str, ...], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Notes on the history, which name its mistakes.

    Quantiles per style and day, and of the total over lead time plus review period; the feature rows behind them.
    """
    panel = published_panel(day)
    return panel.notes, *forecast_daily(panel, model, day, settings().replenishment.window_days)


def tell_if_moved(version: str) -> None:
    """An event where another version is champion than in the run before, whoever moved the alias and wherever."""
    seen = settings().home / "champion"
    before = seen.read_text() if seen.exists() else None
    if before != version:
        tell_move(before, version)
        write_atomically(seen, version.encode())


def tell_move(before: str | None, version: str) -> None:
    """Emits the event."""
    resource = {"prefect.resource.id": f"c2m.model.{NAME}", "prefect.resource.name": NAME}
    emit_event("c2m.champion.moved", resource=resource, payload={"from": before, "to": version})


@flow(name="forecast", flow_run_name="forecast {parameters.day}")
def forecast(parameters: Day) -> None:
    """Tomorrow's demand as a distribution, checked before anyone orders on it."""
    model = champion()
    tell_if_moved(model.version)
    with step("forecast"):
        build_id = manifest()["build_id"]
        notes, daily, windows, features = score(parameters.day, model)
    with step("forecast gate"):
        verdict = check_forecast(daily, read("styles"), read("demand_daily"), parameters.day)
        reports.verdict("forecast", verdict)
        verdict.require()
    summary = {"model_version": model.version, "wape": model.wape(), "naive_wape": model.wape("seasonal_naive")}
    folder = settings().runs / parameters.day.isoformat()
    write_atomically(folder / "forecast.json", json.dumps(summary | {"basis": "backtest"}).encode())
    sums = levels(daily, read("skus"))
    write_with(folder / "forecast_levels.parquet", sums.to_parquet)
    files = land_frame("forecasts", daily), land_frame("forecast_windows", windows)
    land_frame("forecast_shares", shared_out(daily, shares(read("demand_weekly"), settings().trend)))
    origin = summary | {"run_id": model.run_id, "fingerprint": model.tags["fingerprint"]}
    origins.keep(parameters.day.isoformat(), *files, origin, build_id, features)
    total = bands(published_panel(parameters.day), daily)
    write_with(folder / "forecast_bands.parquet", total.to_parquet)
    reports.forecast(total, sums, read("forecast_accuracy"), model.version, notes)
