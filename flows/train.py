"""Train: a model is trained, backtested, registered; the first of a registry becomes champion."""

from dataclasses import replace
from datetime import date

from prefect import flow, task

import models.demand.train
from c2m.errors import InputError
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.published import manifest
from flows import reports
from flows.parameters import Promote, Train
from flows.promote import promote
from flows.watch import drifts
from models.evaluation import cost
from models.evaluation.backtest import OURS, backtest
from models.evaluation.baselines import BASELINES
from models.governance import registry
from models.governance.registry import Registered
from models.panel.daily import published_panel


@task
def train_and_register(day: date) -> str:
    """Trains, backtests, logs and registers; the same data and settings give the version that is already there."""
    policy, panel = settings().forecast, published_panel(day)
    everyone: dict[str, cost.Contestant] = {OURS: cost.Ours(policy)}
    everyone |= {name: cost.Baseline(points) for name, points in BASELINES.items()}
    folds = -(-policy.backtest_origins // 2)  # each trains the mean twice, to see how totals spread about it
    judged = replace(backtest(panel, policy), costs=cost.published(panel, everyone, folds))
    return registry.log_and_register(models.demand.train.train(panel, policy), panel, judged, manifest())


def usable_champion(forced: bool) -> Registered | None:
    """The champion; None where none is, and in forced training where none can be used, so that the new model is it."""
    try:
        return registry.registered(registry.CHAMPION)
    except InputError:
        if forced:
            return None
        raise


def is_due(day: date, current: Registered) -> bool:
    """Whether the champion is old, or drifts and did not learn just now."""
    policy, age_days = settings().drift, current.age_days(day)
    due = drifts(day, current) and policy.retrain and age_days >= policy.rest_days
    return due or age_days >= settings().forecast.retrain_after_days


@flow(name="train", flow_run_name="train {parameters.day}")
def train(parameters: Train) -> None:
    """A model for the registry, unless the champion is young and fits: the first is champion, later ones challenge."""
    current = usable_champion(parameters.force_training)
    if current and not (is_due(parameters.day, current) or parameters.force_training):
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
