"""Models of one file in MLflow: logged, registered under a name of their own, found by alias, judged by the gate."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from models.governance import registry
from models.governance.promotion_gate import Promotion

M = TypeVar("M")


def champion(name: str, file: str, load: Callable[[Path], M]) -> tuple[str, M, dict[str, str]] | None:
    """Version, model and tags of the champion of that name; None where there is none."""
    try:
        found = registry.store().get_model_version_by_alias(name, registry.CHAMPION)
    except MlflowException:
        return None
    with tempfile.TemporaryDirectory() as folder:  # MLflow leaves a folder behind wherever none is named
        held = mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=file, dst_path=folder)
        return str(found.version), load(Path(held)), dict(found.tags)


def register(
    name: str,
    title: str,
    file: str,
    save: Callable[[Path], None],
    said: Mapping[str, Mapping[str, Any]],
    table: pd.DataFrame,
) -> str:
    """Logs and registers a model.

    Parameters
    ----------
    name
        Under which it is registered.
    title
        Of the run.
    file
        Name of the file that `save` writes.
    save
        Writes the model.
    said
        params, metrics and tags.
    table
        Figures to keep beside it.

    Returns
    -------
    str
        The version.
    """
    client = registry.store()
    with registry.run(title) as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(dict(said["params"]))
        mlflow.log_metrics(dict(said["metrics"]))
        mlflow.log_text(table.to_csv(index=False), "figures.csv")
        save(Path(folder, file))
        mlflow.log_artifact(str(Path(folder, file)))
        source = mlflow.get_artifact_uri(file)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return str(client.create_model_version(name, source, run.info.run_id, tags=dict(said.get("tags", {}))).version)


def crown(name: str, version: str) -> None:
    """Makes a version the champion."""
    registry.store().set_registered_model_alias(name, registry.CHAMPION, version)


def settle(name: str, version: str, verdict: Promotion) -> None:
    """Keeps the gate's verdict with a version, and moves the alias where it passed."""
    registry.store().set_model_version_tag(name, version, registry.GATE, "; ".join(verdict.reasons))
    if verdict.promoted:
        crown(name, version)
