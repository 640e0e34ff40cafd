"""Models in MLflow: logged with their figures and lineage, registered as `c2m-demand`, the champion found by its alias.

A version carries the fingerprint of its training (data, parameters, library), so that training the same again finds the
version that is there. The alias `champion` marks the version that the daily run uses, `challenger` the one to be judged
(`models.governance.promotion`). Rolling back is moving the alias back, here or in MLflow's page.
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from shutil import copy
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import numpy as np
import pandas as pd
import xgboost as xgb
from mlflow.data.meta_dataset import MetaDataset
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, Schema

from c2m.errors import InputError
from c2m.settings import settings
from c2m.upkeep.tracking import make_database
from c2m.warehouse import published
from models.demand.features import Cells, matrix
from models.demand.sample import HALF_LIFE
from models.demand.scorer import Scorer
from models.demand.train import Trained
from models.evaluation import plots
from models.evaluation.backtest import OURS, Backtest, scores
from models.governance import promotion_gate
from models.governance.card import card
from models.panel.history import saved
from models.panel.matrices import Panel

NAME = "c2m-demand"
CHAMPION, CHALLENGER = "champion", "challenger"
VERDICT = "## Promotion"
GATE = "gate"  # tag of a version on which the gate has spoken
EXPERIMENT = "demand"
HERE = Path(__file__).parent
# What the registered model imports of the project, and carries with it.
TRAVELLING = {"": ("__init__",), "demand": ("__init__", "features", "scorer")}
TRAVELLING["panel"] = ("__init__", "history", "matrices")
_REMEDY = "run the flow `train` with force_training, or move the alias to a version that can be used"


@dataclass(frozen=True)
class Registered:
    """A version of the model; `predict` goes through MLflow, with its check of the columns."""

    version: str
    trained_for: date  # the business date whose data it learned from
    pyfunc: Any  # the model as MLflow loads it
    scorer: Scorer
    tags: dict[str, str]  # of the version, by name: figures of the backtest and verdicts
    run_id: str

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns mean, q05 .. q95."""
        frame: pd.DataFrame = self.pyfunc.predict(features[self.scorer.spec["features"]])
        return frame

    def wape(self, method: str = OURS) -> float | None:
        """WAPE (a share of demand) of a method in the backtest that came with this model; None where history was too
        short for one.
        """
        known = self.tags.get(f"{method}.wape")
        return float(known) if known else None

    def age_days(self, day: date) -> int:
        """Days since its training data ended."""
        return (day - self.trained_for).days


def store(experiment: str = EXPERIMENT) -> MlflowClient:
    """MLflow on the platform's store; the folder and the experiment are made at the first call."""
    make_database()
    mlflow.set_tracking_uri(settings().mlflow)
    client = MlflowClient()
    if client.get_experiment_by_name(experiment) is None:
        own = (settings().home / "mlflow" / "artifacts").absolute().as_uri()
        artifacts = None if settings().mlflow.startswith("http") else own
        client.create_experiment(experiment, artifact_location=artifacts)
    return client


def run(name: str, nested: bool = False) -> mlflow.ActiveRun:
    """A new run of the platform's experiment, or one below the active one."""
    experiment = store().get_experiment_by_name(EXPERIMENT)
    return mlflow.start_run(experiment_id=experiment.experiment_id, run_name=name, nested=nested)


def log_and_register(trained: Trained, panel: Panel, backtest: Backtest, lineage: Mapping[str, Any]) -> str:
    """Logs a training with its backtest and registers it; the same training again gives the version that is there.

    Parameters
    ----------
    trained
        The boosters and the specification that they follow.
    panel
        What it was trained on.
    backtest
        How it did against the baselines.
    lineage
        The manifest of the published build: build_id, invocation_id, business_date, marts with their hashes.

    Returns
    -------
    str
        The version in MLflow's registry.
    """
    client = store()
    known = _version_of(client, trained.spec["fingerprint"])
    if known:
        return known
    with run(f"demand {lineage['business_date']}"):
        mlflow.log_params(_params(trained))
        mlflow.set_tags({"fingerprint": trained.spec["fingerprint"], "invocation_id": lineage["invocation_id"]})
        _log_dataset(lineage)
        _log_backtest(backtest)
        mlflow.log_figure(plots.importance(trained.scorer().gain()), "importance.png")
        uri = _log_model(trained, panel)
    tags = {"fingerprint": trained.spec["fingerprint"], "business_date": str(lineage["business_date"])}
    tags |= {f"{method}.wape": f"{row['wape']:.4f}" for method, row in backtest.scores.iterrows()}
    number = str(mlflow.register_model(uri, NAME, tags=tags).version)
    client.update_model_version(NAME, number, description=card(trained, backtest.scores, lineage))
    return number


def _version_of(client: MlflowClient, fingerprint: str) -> str | None:
    """The version with this fingerprint."""
    for found in client.search_model_versions(f"name = '{NAME}'"):
        if found.tags.get("fingerprint") == fingerprint and found.status == "READY":
            return str(found.version)
    return None


def _params(trained: Trained) -> dict[str, Any]:
    """What a data scientist compares runs by."""
    spec = trained.spec
    policy = dict(spec["policy"])
    return {
        **policy.pop("trees"),
        **policy,
        **{key: spec[key] for key in ("rows", "series", "periods", "end", "xgboost")},
        "half_life": HALF_LIFE,
        "features": len(spec["features"]),
    }


def _log_dataset(lineage: Mapping[str, Any]) -> None:
    """The published mart as the run's dataset: where it lies, its hash, and dbt's invocation that built it."""
    sha256 = lineage["marts"]["demand_daily"]["sha256"]
    tags = {"invocation_id": lineage["invocation_id"], "sha256": sha256}
    mlflow.log_input(_dataset(sha256), context="training", tags=tags)


def _dataset(sha256: str) -> MetaDataset:
    source = LocalArtifactDatasetSource(published.path("demand_daily").absolute().as_uri())
    return MetaDataset(source, name="demand_daily", digest=sha256[:36])


def _log_backtest(backtest: Backtest) -> None:
    """Figures of ours in the run, of each baseline in a run below it, for MLflow's comparison; pictures beside ours."""
    if backtest.scores.empty:
        return
    table = backtest.scores
    if not backtest.costs.empty:
        rivals = [str(name) for name in table.index if name != OURS]
        costs = promotion_gate.beside(backtest.costs, OURS, rivals, settings().promotion)
        mlflow.log_text(costs.to_csv(), "backtest/costs.csv")
        table = table.join(costs["cost_per_piece"])
    for method, row in table.iterrows():
        with nullcontext() if method == OURS else run(str(method), nested=True):
            mlflow.log_metrics({str(name): float(value) for name, value in row.items()})
    mlflow.log_text(table.to_csv(), "backtest/scores.csv")
    by_segment = {segment: scores(cells) for segment, cells in backtest.cells.groupby("segment")}
    mlflow.log_text(pd.concat(by_segment, names=["segment"]).to_csv(), "backtest/segments.csv")
    for picture in (plots.fan, plots.calibrated, plots.error_by_horizon, plots.error_by_segment):
        mlflow.log_figure(picture(backtest.cells), f"backtest/{picture.__name__}.png")


def _log_model(trained: Trained, panel: Panel) -> str:
    """Logs the model from code, boosters as UBJSON beside it; returns its URI."""
    example = matrix(panel, Cells(*(np.array([at] * 2) for at in (0, panel.end - 1, panel.end))))
    # MLflow compares the names with a range, which text of its own type in pandas 2.3 refuses; pandas 3 does not.
    example = example.set_axis(example.columns.astype(object), axis=1)
    with tempfile.TemporaryDirectory() as folder:
        trained.save(Path(folder, "model"))
        code = Path(folder, "models")  # what the model imports travels with it, under the name by which it is imported
        saved(panel, Path(folder, "model", "history.npz"))
        for part, modules in TRAVELLING.items():
            (code / part).mkdir(parents=True)
            for module in modules:
                copy(HERE.parent / part / f"{module}.py", code / part / f"{module}.py")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(HERE / "predictor.py"),
            artifacts={"model": str(Path(folder, "model"))},
            code_paths=[str(code)],
            signature=_signature(panel, example, trained.scorer().predict(example)),
            input_example=example,
            # Named by hand: MLflow would load the model in another process to find them.
            pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "scipy", "xgboost")],
        )
    return str(logged.model_uri)


def _signature(panel: Panel, features: pd.DataFrame, answer: pd.DataFrame) -> ModelSignature:
    """Feature rows, or keys with what is known of them: which of the two is told by the columns, all optional."""
    known = infer_signature(features, answer)
    kinds = {column.name: column.type for column in known.inputs.inputs}
    text, number = dict.fromkeys(("merchant_id", "style_id", "series_id"), DataType.string), DataType.double
    keys = text | {"ds": DataType.datetime, "y": number} | dict.fromkeys([*panel.numbers, *panel.past], number)
    every = keys | dict.fromkeys(panel.categories, DataType.string) | kinds
    return ModelSignature(Schema([ColSpec(kind, name, required=False) for name, kind in every.items()]), known.outputs)


def promote(number: str) -> None:
    """Makes a version the champion that the next run uses; it is a challenger no longer."""
    client = store()
    client.set_registered_model_alias(NAME, CHAMPION, number)
    if version_of(CHALLENGER) == number:
        client.delete_registered_model_alias(NAME, CHALLENGER)


def challenge(number: str) -> None:
    """Makes a version the challenger.

    Raises
    ------
    InputError
        There is no such version.
    """
    try:
        store().set_registered_model_alias(NAME, CHALLENGER, number)
    except MlflowException as error:
        raise InputError("no-such-version", [f"{NAME} version {number}: {error.message}"]) from None


def is_judged(number: str) -> bool:
    """Whether the gate has spoken on a version."""
    return GATE in store().get_model_version(NAME, number).tags


def note(number: str, tags: Mapping[str, str], page: str) -> None:
    """Keeps a verdict with a version: as tags, and below the card on the page that MLflow shows for it."""
    client = store()
    for name, value in tags.items():
        client.set_model_version_tag(NAME, number, name, value)
    above = _card_alone(client.get_model_version(NAME, number).description or "")
    client.update_model_version(NAME, number, description=f"{above}\n\n{VERDICT}\n\n{page}")


def _card_alone(description: str) -> str:
    """What stands above the verdict of before."""
    return description.partition(f"\n\n{VERDICT}")[0]


def version_of(alias: str) -> str | None:
    """The version that bears an alias, without loading it."""
    found = _bearer(alias)
    return str(found.version) if found else None


def _bearer(alias: str) -> ModelVersion | None:
    try:
        return store().get_model_version_by_alias(NAME, alias)
    except MlflowException:
        return None


def registered(alias: str) -> Registered | None:
    """The model that bears an alias; None where none does.

    Raises
    ------
    InputError
        It was made with another release of XGBoost or format.
    """
    found = _bearer(alias)
    if found is None:
        return None
    pyfunc = _loaded(settings().mlflow, str(found.version))
    scorer = pyfunc.unwrap_python_model().scorer
    _refuse_other_library(str(found.version), scorer.spec["xgboost"])
    day = date.fromisoformat(found.tags["business_date"])
    return Registered(str(found.version), day, pyfunc, scorer, found.tags, str(found.run_id))


@lru_cache(maxsize=2)
def _loaded(store: str, number: str) -> Any:
    """The model of a version, which never changes; the daily run asks for it in several flows."""
    try:
        return mlflow.pyfunc.load_model(f"models:/{NAME}/{number}")
    except ValueError as error:
        raise InputError("model-of-another-format", [f"{NAME} version {number} was {error}; {_REMEDY}"]) from None


def champion() -> Registered:
    """The model of the daily run.

    Raises
    ------
    InputError
        No version bears the alias, or it was made with another release of XGBoost or format.
    """
    found = registered(CHAMPION)
    if found is None:
        fault = f"no version of {NAME} bears the alias {CHAMPION}; train a model, or set the alias in MLflow"
        raise InputError("no-champion", [fault])
    return found


def _refuse_other_library(number: str, made_with: str) -> None:
    """XGBoost loads models of other releases and quietly scores otherwise (quantiles changed in 3.4)."""
    if made_with.split(".")[:2] != xgb.__version__.split(".")[:2]:
        raise InputError("model-of-another-library", [
            f"{NAME} version {number} was trained with XGBoost {made_with}, and {xgb.__version__} is installed; "
            f"{_REMEDY}, or install xgboost=={made_with}"
        ])  # fmt: skip
