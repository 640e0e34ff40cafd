"""Tuning: trials nested in one MLflow run, the best no worse than today on the origins that were tried."""

from datetime import date
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from models_kit import POLICY, long_frame

from c2m.errors import InputError
from c2m.settings import ForecastPolicy
from models.governance import registry
from models.governance.tuning import HELD_OUT, TRIED, tune
from models.panel.long import panel_of


def test_trials_lie_below_one_run_and_the_best_becomes_an_environment(home: Path) -> None:
    panel = panel_of(long_frame(days=90))
    policy = POLICY.model_copy(update={"backtest_origins": 3})
    found = tune(panel, policy, date(2026, 4, 5), seconds=120, trials=4)
    assert found.trials == 4
    assert found.pinball.loc["best", TRIED] <= found.pinball.loc["today", TRIED]
    client = MlflowClient()
    experiment = client.get_experiment_by_name(registry.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (above,) = (run for run in runs if run.info.run_name == "tuning 2026-04-05")
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == above.info.run_id]
    assert len(trials) == 4
    whole = [run for run in trials if run.data.tags["given_up"] == "False"]
    assert min(run.data.metrics["pinball"] for run in whole) == pytest.approx(found.pinball.loc["best", TRIED])
    assert above.data.metrics[f"pinball {HELD_OUT} best"] == pytest.approx(found.pinball.loc["best", HELD_OUT])
    (file,) = client.list_artifacts(above.info.run_id)
    assert file.path == "best.env"


def test_the_environment_sets_what_was_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2m.settings import Settings

    found = tune(panel_of(long_frame(days=90)), POLICY, date(2026, 4, 5), seconds=120, trials=2)
    for line in found.environment.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    recipe = Settings().forecast
    assert recipe.rounds == found.policy.rounds
    assert recipe.trees.model_dump() == pytest.approx(found.policy.trees.model_dump(), rel=1e-5)


def test_a_history_without_two_origins_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="tuning needs two"):
        tune(panel_of(long_frame(days=16)), ForecastPolicy(horizon_days=7), date(2026, 1, 21), seconds=5)
