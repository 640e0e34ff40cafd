"""The model of aspects in MLflow: logged as plain arrays, registered as `c2m-voice`, promoted through the same gate.

Cost, for the gate, is wrong marks: of the reviews labelled by hand that no model learns from, by review and aspect. A
home without a champion hears with the model that comes with the code, and the first challenger is judged beside that.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from c2m.settings import settings
from models.governance import gate, registry
from models.voice import model
from models.voice.model import Marks, Model
from models.voice.words import codes

NAME = "c2m-voice"
SHIPPED = "shipped"
_FILE = "aspects.npz"


def champion() -> tuple[str, Model]:
    """Version and model that hear; the one that comes with the code where no version is champion."""
    client = registry.store()
    try:
        found = client.get_model_version_by_alias(NAME, registry.CHAMPION)
    except MlflowException:
        return SHIPPED, model.load()
    file = mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=_FILE)
    return str(found.version), model.load(Path(file))


def train(folder: Path) -> tuple[str, gate.Promotion, pd.DataFrame]:
    """Trains on the labelled reviews, logs, registers, judges beside the champion; promoted where the gate says so.

    Parameters
    ----------
    folder
        Of the public data that the labels name.

    Returns
    -------
    tuple
        The version, the verdict, and the figures by code on reviews that it has not learned from.
    """
    from models.voice import judge, labelled, training  # scikit-learn: a second that the daily run does not need

    texts, truth = labelled.test_set(folder)
    found = training.train(labelled.training_set(folder))
    table = judge.by_code(truth, found.says(texts))
    version = _register(found, table)
    holder = champion()[1]
    policy = settings().promotion
    verdict = gate.judge(costs(truth, holder.says(texts), found.says(texts)), policy)
    if verdict.promoted:
        registry.store().set_registered_model_alias(NAME, registry.CHAMPION, version)
    registry.store().set_model_version_tag(NAME, version, registry.GATE, "; ".join(verdict.reasons))
    return version, verdict, table


def _register(found: Model, table: pd.DataFrame) -> str:
    client = registry.store()
    from models.voice import judge

    with registry.run("voice") as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(found.about | {"terms": len(found.vocabulary)})
        mlflow.log_metrics({"macro_f1": judge.macro_f1(table)})
        mlflow.log_text(table.to_csv(index=False), "by_code.csv")
        found.save(Path(folder, _FILE))
        mlflow.log_artifact(str(Path(folder, _FILE)))
        source = mlflow.get_artifact_uri(_FILE)
    _ignore_known(lambda: client.create_registered_model(NAME))
    return str(client.create_model_version(NAME, source, run.info.run_id).version)


def _ignore_known(make: Callable[[], object]) -> None:
    try:
        make()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def costs(truth: Marks, champion: Marks, challenger: Marks) -> pd.DataFrame:
    """Wrong marks by review (series_id) and aspect (segment) of both, as the gate takes them."""
    aspects = [code.split(":")[0] for code in codes()]
    parts = []
    for aspect in sorted(set(aspects)):
        of = np.array([one == aspect for one in aspects])
        wrong = {
            name: (truth[:, of] != marks[:, of]).sum(axis=1).astype(float)
            for name, marks in ((gate.CHAMPION, champion), (gate.CHALLENGER, challenger))
        }
        parts.append(pd.DataFrame({"series_id": np.arange(len(truth)), "segment": aspect, **wrong}))
    return pd.concat(parts, ignore_index=True)
