"""How right a model of aspects is on reviews that it has not learned from: F1 by code, and agreement of two labellings.

In: marks (reviews x codes). Out: figures between 0 and 1.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from models.voice.aspect_model import Marks
from models.voice.words import codes

LEAST_SAID = 10  # reviews that say so, below which a code is told and not averaged


def by_code(truth: Marks, found: Marks) -> pd.DataFrame:
    """How well each code was heard.

    Parameters
    ----------
    truth
        What reviews say.
    found
        What was heard.

    Returns
    -------
    pd.DataFrame
        code, said and found (reviews), precision, recall, f1 (shares).
    """
    both, said, told = (truth & found).sum(axis=0), truth.sum(axis=0), found.sum(axis=0)
    figures = {"precision": both / np.maximum(told, 1), "recall": both / np.maximum(said, 1)}
    return pd.DataFrame(
        {"code": codes(), "said": said, "found": told, **figures, "f1": 2 * both / np.maximum(said + told, 1)}
    )


def macro_f1(table: pd.DataFrame) -> float:
    """Mean F1 (a share) of the codes that enough reviews say. table: `by_code`."""
    return float(table.loc[table["said"] >= LEAST_SAID, "f1"].mean())


def kappa(first: Marks, second: Marks) -> "pd.Series[float]":
    """Cohen's kappa of two labellings by code: agreement beyond chance."""
    chance = _by_chance(first.mean(axis=0), second.mean(axis=0))
    agreed = (first == second).mean(axis=0)
    return pd.Series((agreed - chance) / (1 - chance), index=codes() if len(chance) == len(codes()) else None)


def _by_chance(first: Floats, second: Floats) -> Floats:
    """How often two who mark such shares agree by chance."""
    both: Floats = first * second + (1 - first) * (1 - second)
    return both
