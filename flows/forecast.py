"""Forecast: the champion gives a demand distribution per style and day, judged before it is used, then landed."""

import json
from datetime import date

import pandas as pd
from prefect import flow, task

from c2m.feeds.landing import land_frame
from c2m.files import write_atomically
from c2m.published import read
from c2m.settings import settings
from c2m.steps import step
from expectations.gate import check_forecast
from flows import reports
from flows.parameters import Day
from flows.train import panel_of
from models.forecast import forecast_daily
from models.registry import Champion, champion


@task
def score(day: date, model: Champion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quantiles per style and day, and of the total over lead time plus review period."""
    policy = settings().replenishment
    return forecast_daily(panel_of(day), model, day, policy.lead_time_days + policy.review_days)


@flow(name="forecast")
def forecast(parameters: Day) -> None:
    """Tomorrow's demand as a distribution, checked before anyone orders on it."""
    model = champion(required=True)
    with step("forecast"):
        daily, windows = score(parameters.day, model)
    with step("forecast gate"):
        verdict = check_forecast(daily, read("styles"), read("demand_daily"), parameters.day)
        reports.verdict("forecast", verdict)
        verdict.require()
    summary = {"model_version": model.version, "wape": model.wape(), "naive_wape": model.wape("seasonal_naive")}
    folder = settings().runs / parameters.day.isoformat()
    write_atomically(folder / "forecast.json", json.dumps(summary | {"basis": "backtest"}).encode())
    land_frame("forecasts", daily)
    land_frame("forecast_windows", windows)
    reports.forecast(daily, read("forecast_accuracy"), model.version)
