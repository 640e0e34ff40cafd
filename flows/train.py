"""Train: a model is trained, backtested, registered; the first of a registry becomes champion."""

from datetime import date

from prefect import flow, task

from c2m.published import manifest
from c2m.settings import settings
from c2m.steps import step
from flows import reports
from flows.parameters import Promote, Train
from flows.promote import promote
from models import registry
from models.evaluate import backtest
from models.panel import published_panel
from models.train import train as fit


@task
def train_and_register(day: date) -> str:
    """Trains, backtests, logs and registers; the same data and settings give the version that is already there."""
    policy, panel = settings().forecast, published_panel(day)
    trained = fit(panel, policy)
    return registry.log_and_register(trained, panel, backtest(panel, policy), manifest())


@flow(name="train")
def train(parameters: Train) -> None:
    """A model for the registry, unless the champion is young enough: the first is champion, later ones challenge it."""
    current = registry.registered(registry.CHAMPION)
    young = current and current.age_days(parameters.day) < settings().forecast.retrain_after_days
    if young and not parameters.force_training:
        return
    with step("train"):
        version = train_and_register(parameters.day)
        if current is None:
            registry.promote(version)
        elif not registry.is_judged(version):
            registry.challenge(version)
    reports.model(version)
    if current and settings().promotion.automatic:
        promote(Promote(business_date=parameters.day))
