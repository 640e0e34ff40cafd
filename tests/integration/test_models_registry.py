"""A model's life in MLflow: logged with its lineage, registered once, found by alias, served as it is."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from mlflow.pyfunc import scoring_server
from mlflow.tracking import MlflowClient
from models_kit import POLICY, long_frame

from c2m.errors import InputError
from c2m.files import sha256
from c2m.settings import settings
from flows.train import usable_champion
from models.demand.features import matrix
from models.demand.forecast import QUANTILES, asked_cells, forecast
from models.demand.train import Trained, train
from models.evaluation.backtest import OURS, backtest
from models.evaluation.baselines import BASELINES
from models.governance import registry
from models.governance.daily import bands, forecast_daily
from models.panel.long import panel_of
from models.panel.matrices import Panel

SERVE = """
import json, sys, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import models.demand.scorer
rows = pd.read_json(sys.argv[2], orient="split", dtype={"category": str}, precise_float=True)
rows = rows.astype({column: float for column in rows if column != "category"})
print(json.dumps([models.demand.scorer.__file__, model.predict(rows).to_dict("list")]))
"""


@pytest.fixture(scope="module")
def panel() -> Panel:
    frame = long_frame()
    return panel_of(frame.assign(series_id="m/" + frame["series_id"]))


@pytest.fixture(scope="module")
def trained(panel: Panel) -> Trained:
    return train(panel, POLICY)


@pytest.fixture
def lineage(home: Path) -> dict[str, Any]:
    """A published build with the one mart that the lineage names."""
    file = home / "published" / "b1" / "demand_daily.parquet"
    file.parent.mkdir(parents=True)
    long_frame(ahead=0).to_parquet(file)
    mart = {"file": "b1/demand_daily.parquet", "rows": 1, "sha256": sha256(file)}
    manifest = {
        "build_id": "b1",
        "business_date": "2026-03-06",
        "invocation_id": "inv-7",
        "marts": {"demand_daily": mart},
    }
    (home / "published" / "current.json").write_text(json.dumps(manifest))
    return manifest


def test_from_training_to_the_daily_forecast(panel: Panel, trained: Trained, lineage: dict[str, Any]) -> None:
    assert registry.registered(registry.CHAMPION) is None
    assert registry.version_of(registry.CHAMPION) is None
    with pytest.raises(InputError, match="no version of c2m-demand bears the alias champion"):
        registry.champion()

    costs = pd.DataFrame(
        {"series_id": ["a", "b"], "came": [1.0, 3.0], OURS: [2.0, 2.0], **dict.fromkeys(BASELINES, 3.0)}
    )
    judged = replace(backtest(panel, POLICY), costs=costs)
    version = registry.log_and_register(trained, panel, judged, lineage)
    assert registry.log_and_register(trained, panel, judged, lineage) == version  # a second run after a crash

    client = MlflowClient()
    run = client.get_run(client.get_model_version(registry.NAME, version).run_id)
    assert run.data.metrics["wape"] == pytest.approx(judged.scores.loc["c2m", "wape"])
    below = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    rivals = {child.info.run_name: child.data.metrics["wape"] for child in below}
    assert rivals == pytest.approx(judged.scores["wape"].drop("c2m").to_dict())
    assert run.data.params["seed"] == str(POLICY.seed)
    dataset = run.inputs.dataset_inputs[0]
    assert dataset.dataset.digest == lineage["marts"]["demand_daily"]["sha256"][:36]
    assert {tag.key: tag.value for tag in dataset.tags}["invocation_id"] == "inv-7"
    kept = {file.path for file in client.list_artifacts(run.info.run_id, "backtest")}
    pictures = {f"backtest/{name}.png" for name in ("fan", "calibrated", "error_by_horizon", "error_by_segment")}
    assert kept == {"backtest/scores.csv", "backtest/segments.csv", "backtest/costs.csv", *pictures}
    assert "cost_per_piece" in run.data.metrics
    assert "build b1 of the marts, dbt invocation inv-7" in client.get_model_version(registry.NAME, version).description
    assert (settings().home / "mlflow" / "artifacts").is_dir()

    registry.promote(version)
    champion = registry.champion()
    assert (champion.version, champion.age_days(date(2026, 3, 9))) == (version, 3)
    assert registry.version_of(registry.CHAMPION) == version
    pd.testing.assert_frame_equal(forecast(panel, "wape", champion), forecast(panel, "wape", trained.scorer()))
    daily, windows, features = forecast_daily(panel, champion, date(2026, 3, 6), 14)
    assert set(daily["merchant_id"]) == {"m"}
    assert daily["horizon_day"].min() == 1
    assert len(windows) == len(panel.ids)
    assert set(daily["model_version"]) == {version}
    band = bands(panel, daily).query("level == 'all' and ds.notna()").set_index("ds")
    added = daily.groupby("ds")[["mean", "q10", "q90"]].sum()
    np.testing.assert_allclose(band["mean"], added["mean"])
    assert (band["q90"] - band["q10"]).mean() < 0.8 * (added["q90"] - added["q10"]).mean()
    assert features[["merchant_id", "style_id", "ds"]].equals(daily[["merchant_id", "style_id", "ds"]])
    again = trained.scorer().predict(features)  # of the rows as kept, in floats of 32 bits
    np.testing.assert_allclose(again["mean"], daily["mean"], rtol=1e-6)
    check_elsewhere(panel, trained, version)


def check_elsewhere(panel: Panel, trained: Trained, version: str) -> None:
    """The model runs in a process of its own with its own code, and behind MLflow's scoring server."""
    uri = f"models:/{registry.NAME}/{version}"
    rows = matrix(panel, asked_cells(panel)).head(20)
    expected = trained.scorer().predict(rows)
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(uri)))
    answer = client.post("/invocations", json={"dataframe_split": json.loads(rows.to_json(orient="split"))})
    assert answer.status_code == 200, answer.text
    served = pd.DataFrame(answer.json()["predictions"])
    assert list(served) == ["mean", *QUANTILES]
    np.testing.assert_allclose(served, expected, rtol=1e-6)

    keys = pd.DataFrame({"series_id": panel.ids[asked_cells(panel).series], "ds": panel.ds[asked_cells(panel).target]})
    keys[["merchant_id", "style_id"]] = keys.pop("series_id").str.split("/", n=1, expand=True).to_numpy()
    by_keys = keys.astype({"ds": "str"}).head(20).to_dict("records")
    answer = client.post("/invocations", json={"dataframe_records": by_keys})
    assert answer.status_code == 200, answer.text
    served = pd.DataFrame(answer.json()["predictions"])
    assert list(served) == ["merchant_id", "style_id", "series_id", "ds", "mean", *QUANTILES]
    np.testing.assert_allclose(served[["mean", *QUANTILES]], expected, rtol=1e-6)

    elsewhere = settings().home / "elsewhere"
    elsewhere.mkdir()
    rows.to_json(elsewhere / "rows.json", orient="split", double_precision=15)
    environment = {"MLFLOW_TRACKING_URI": settings().mlflow, "DO_NOT_TRACK": "true", "PATH": ""}
    command = [sys.executable, "-c", SERVE, uri, str(elsewhere / "rows.json")]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    code, found = json.loads(done.stdout.splitlines()[-1])
    assert "artifacts" in code  # not the project's own file
    np.testing.assert_allclose(pd.DataFrame(found), expected, rtol=1e-6)


def test_a_panel_is_served_as_one_with_that_history(panel: Panel, trained: Trained, lineage: dict[str, Any]) -> None:
    """Four days more were observed: as if the history had held them. What is wrong is told in words."""
    registry.promote(registry.log_and_register(trained, panel, backtest(panel_of(long_frame(days=9)), POLICY), lineage))
    model = registry.champion().pyfunc
    long = long_frame(days=60, ahead=7).assign(series_id=lambda each: "m/" + each["series_id"])
    longer = long.assign(y=long["y"].where(long["y"].notna() | (long["ds"] > "2026-03-09"), 2.0))
    expected = forecast(panel_of(longer), "wape", trained.scorer())
    found = model.predict(longer[longer["ds"] > "2026-03-05"])
    assert len(found) == len(expected) == 3 * len(panel.ids)
    pd.testing.assert_frame_equal(found[["mean", *QUANTILES]], expected[["mean", *QUANTILES]], rtol=1e-6)
    new = pd.DataFrame({"series_id": ["m/new"], "ds": [pd.Timestamp("2026-03-07")], "category": ["c1"]})
    assert (model.predict(new)["mean"] >= 0).all()
    with pytest.raises(ValueError, match="needed are series_id"):
        model.predict(longer[["ds", "y"]])
    with pytest.raises(ValueError, match="not after the last observation"):
        model.predict(pd.DataFrame({"series_id": panel.ids[:1], "ds": [pd.Timestamp("2026-02-02")]}))
    with pytest.raises(ValueError, match="features scale are missing"):
        model.predict(matrix(panel, asked_cells(panel)).drop(columns="scale"))


def test_a_model_of_another_library_is_refused_in_words(
    panel: Panel, trained: Trained, lineage: dict[str, Any]
) -> None:
    older = replace(trained, spec=trained.spec | {"xgboost": "2.0.3"})
    registry.promote(registry.log_and_register(older, panel, backtest(panel_of(long_frame(days=9)), POLICY), lineage))
    with pytest.raises(InputError, match=r"was trained with XGBoost 2\.0\.3") as caught:
        registry.champion()
    assert "force_training" in caught.value.faults[0]


def test_a_model_of_another_format_is_refused_in_words_and_replaced_by_forced_training(
    panel: Panel, trained: Trained, lineage: dict[str, Any]
) -> None:
    older = replace(trained, spec=trained.spec | {"format": 1, "fingerprint": "older"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.demand.scorer.FORMAT", 1)  # as the code that made it
        number = registry.log_and_register(older, panel, backtest(panel_of(long_frame(days=9)), POLICY), lineage)
    registry.promote(number)
    with pytest.raises(InputError, match="saved in format 1, and this code reads format 6"):
        registry.champion()
    with pytest.raises(InputError):
        usable_champion(forced=False)
    assert usable_champion(forced=True) is None
