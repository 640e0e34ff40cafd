"""The model of aspects in MLflow: logged as plain arrays, registered as `c2m-voice`, promoted through the same gate.

Cost, for the gate, is wrong marks: of the reviews labelled by hand that no model learns from, by review and aspect. A
home without a champion hears with the model that comes with the code, and the first challenger is judged beside that.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from c2m.settings import settings
from models.governance import plain, promotion_gate
from models.voice import aspect_model
from models.voice.aspect_model import AspectModel, Marks
from models.voice.words import codes

NAME = "c2m-voice"
SHIPPED = "shipped"
_FILE = "aspects.npz"


def champion() -> tuple[str, AspectModel]:
    """Version and model that hear; the one that comes with the code where no version is champion."""
    found = plain.champion(NAME, _FILE, aspect_model.load)
    return found[:2] if found else (SHIPPED, aspect_model.load())


def train(folder: Path) -> tuple[str, promotion_gate.Promotion, pd.DataFrame]:
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
    verdict = promotion_gate.judge(costs(truth, holder.says(texts), found.says(texts)), policy)
    plain.settle(NAME, version, verdict)
    return version, verdict, table


def _register(found: AspectModel, table: pd.DataFrame) -> str:
    from models.voice import judge

    params = found.about | {"terms": len(found.vocabulary)}
    metrics = {"macro_f1": judge.macro_f1(table)}
    return plain.register(NAME, "voice", _FILE, found.save, {"params": params, "metrics": metrics}, table)


def costs(truth: Marks, champion: Marks, challenger: Marks) -> pd.DataFrame:
    """Wrong marks by review (series_id) and aspect (segment) of both, as the gate takes them."""
    aspects = [code.split(":")[0] for code in codes()]
    parts = []
    for aspect in sorted(set(aspects)):
        of = np.array([one == aspect for one in aspects])
        wrong = {
            name: (truth[:, of] != marks[:, of]).sum(axis=1).astype(float)
            for name, marks in ((promotion_gate.CHAMPION, champion), (promotion_gate.CHALLENGER, challenger))
        }
        parts.append(pd.DataFrame({"series_id": np.arange(len(truth)), "segment": aspect, **wrong}))
    return pd.concat(parts, ignore_index=True)
