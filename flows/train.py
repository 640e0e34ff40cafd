"""Train: a model is trained, backtested, registered; the first of a registry becomes champion."""

from datetime import date

from prefect import flow, task

from c2m.published import manifest, read
from c2m.settings import settings
from c2m.steps import step
from flows import reports
from flows.parameters import Train
from models.evaluate import backtest
from models.panel import Panel, daily_panel
from models.registry import champion, log_and_register, promote
from models.train import train as fit


def panel_of(day: date) -> Panel:
    """The demand panel as known at the start of `day`."""
    policy = settings().forecast
    return daily_panel(read("demand_daily"), read("styles"), read("demand_drivers"), day, policy.history_days)


@task
def train_and_register(day: date) -> str:
    """Trains, backtests, logs and registers; the same data and settings give the version that is already there."""
    policy, panel = settings().forecast, panel_of(day)
    trained = fit(panel, policy)
    return log_and_register(trained, panel, backtest(panel, policy), manifest())


@flow(name="train")
def train(parameters: Train) -> None:
    """A model for the registry, unless the champion is young enough."""
    current = champion()
    if (
        current
        and not parameters.force_training
        and current.age_days(parameters.day) < settings().forecast.retrain_after_days
    ):
        return
    with step("train"):
        version = train_and_register(parameters.day)
        if current is None:
            promote(version)
    reports.model(version)
