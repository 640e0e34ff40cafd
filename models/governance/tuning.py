"""Tuning of the trees by Optuna, within a time: trials are runs nested in one MLflow run.

A trial is judged by pinball on all rolling origins but the last, and given up early where it is worse than the median
of the others on the origins so far. What is best there is compared with today's settings on the last origin, which no
trial has seen. Adopting it is left to people: the environment file of the run, a training, and the gate.
"""

from dataclasses import dataclass
from datetime import date
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.settings import ForecastPolicy
from models.demand.forecast import asked_cells, forecast
from models.demand.train import train
from models.evaluation import backtest
from models.evaluation.backtest import fold, score
from models.governance import registry
from models.panel.matrices import Panel

if TYPE_CHECKING:
    from optuna import Study, Trial

TRIED = "tried origins"
HELD_OUT = "last origin"


@dataclass(frozen=True)
class Tuned:
    """policy: the best found. pinball: today's and the best, on the origins that were tried and on the last one."""

    policy: ForecastPolicy
    pinball: pd.DataFrame
    trials: int

    @property
    def environment(self) -> str:
        """Settings that make it the recipe of the next training."""
        trees = {f"TREES__{name.upper()}": value for name, value in self.policy.trees.model_dump().items()}
        every = {"ROUNDS": self.policy.rounds, **trees}
        return "".join(f"C2M_FORECAST__{name}={value:.6g}\n" for name, value in every.items())


@dataclass(frozen=True)
class Folds:
    """What a trial forecasts: each origin's panel, beside what came."""

    panel: Panel
    known: list[Panel]

    @classmethod
    def of(cls, panel: Panel, policy: ForecastPolicy) -> "Folds":
        """The policy's rolling origins; two at least."""
        horizon = min(panel.season or policy.horizon_days, policy.horizon_days)
        at = backtest.origins(panel, policy, horizon)
        if len(at) < 2:
            fault = f"{panel.end + 1} periods of history give {len(at)} origins; tuning needs two, each with a past"
            raise InputError("short-history", [fault])
        return cls(panel, [fold(panel, origin, horizon, at[0]) for origin in at])

    def pinball(self, number: int, policy: ForecastPolicy) -> float:
        """Of a model trained by the policy, at one origin."""
        known = self.known[number]
        cells = asked_cells(known)
        frame = forecast(known, "wape", train(known, policy, totals=False).scorer())
        return score(frame.assign(y=self.panel.y[cells.series, cells.target]))["pinball"]


def tune(panel: Panel, policy: ForecastPolicy, day: date, seconds: float, trials: int | None = None) -> Tuned:
    """Trials of settings until the time or their number is reached, today's first; kept in MLflow below one run.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    policy
        Today's settings, which the first trial tries.
    day
        Names the run.
    seconds
        After which no trial begins.
    trials
        How many at most; None: as many as the time allows.

    Returns
    -------
    Tuned
        The best settings and the pinball loss of each fold beside today's.

    Raises
    ------
    InputError
        Optuna is not installed, or history gives fewer than two origins.
    """
    optuna = _optuna()
    folds = Folds.of(panel, policy)
    sampler, pruner = optuna.samplers.TPESampler(seed=policy.seed), optuna.pruners.MedianPruner(n_startup_trials=5)
    study = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
    study.enqueue_trial({"rounds": policy.rounds, **policy.trees.model_dump()})
    with registry.run(f"tuning {day}"):
        study.optimize(partial(_pinball, folds=folds, policy=policy), n_trials=trials, timeout=seconds)
        tuned = _tuned(study, folds, policy)
        mlflow.log_params(study.best_params)
        mlflow.log_metrics({"trials": tuned.trials, **_flat(tuned.pinball)})
        mlflow.log_text(tuned.environment, "best.env")
    return tuned


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise InputError("not-installed", ["Optuna is not installed; pip install 'c2m[tune]'"]) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: ModuleType = optuna
    return found


def _pinball(trial: "Trial", folds: Folds, policy: ForecastPolicy) -> float:
    """Mean pinball of the trial on all origins but the last; a nested run of MLflow."""
    import optuna

    asked, losses = proposed(trial, policy), list[float]()
    with registry.run(f"trial {trial.number}", nested=True):
        mlflow.log_params(trial.params)
        while len(losses) < len(folds.known) - 1 and not trial.should_prune():
            losses.append(folds.pinball(len(losses), asked))
            trial.report(float(np.mean(losses)), len(losses))
            mlflow.log_metric("pinball", float(np.mean(losses)), step=len(losses))
        given_up = len(losses) < len(folds.known) - 1
        mlflow.set_tag("given_up", given_up)
    if given_up:
        raise optuna.TrialPruned
    return float(np.mean(losses))


def _tuned(study: "Study", folds: Folds, policy: ForecastPolicy) -> Tuned:
    """Today's settings and the best, on the origins that were tried and on the last."""
    best = proposed(study.best_trial, policy)
    last = len(folds.known) - 1
    table = {
        "today": [study.trials[0].value, folds.pinball(last, policy)],
        "best": [study.best_value, folds.pinball(last, best)],
    }
    return Tuned(best, pd.DataFrame(table, index=[TRIED, HELD_OUT]).T, len(study.trials))


def _flat(pinball: pd.DataFrame) -> dict[str, float]:
    return {f"pinball {column} {row}": float(value) for column in pinball for row, value in pinball[column].items()}


def proposed(trial: "Trial", policy: ForecastPolicy) -> ForecastPolicy:
    """The policy with the trial's trees."""
    trees = {
        "max_depth": trial.suggest_int("max_depth", 2, 10),
        "eta": trial.suggest_float("eta", 0.01, 0.3, log=True),
        "subsample": trial.suggest_float("subsample", 0.4, 1),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1),
        "min_child_weight": trial.suggest_float("min_child_weight", 1, 100, log=True),
    }
    rounds = trial.suggest_int("rounds", 10, 600, log=True)
    return policy.model_copy(update={"rounds": rounds, "trees": policy.trees.model_copy(update=trees)})
