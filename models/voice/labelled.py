"""Labels by hand, kept without a text: by data set, row and sentence; the texts are read where the user has them.

In: labels/*.csv (review: w or f and the number of its row; sentence; says: codes in short), the two public files.
Out: `models.voice.training.Labelled`, or texts with marks.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.simulation.world import reviews
from models.voice.aspect_model import Marks
from models.voice.training import Labelled
from models.voice.words import codes, sentences

LABELS = Path(__file__).with_name("labels")
_FILES = {"w": "womens_reviews/Womens Clothing E-Commerce Reviews.csv.gz", "f": "fashion_reviews/reviews.csv.gz"}
_COLUMNS = {"w": ["Unnamed: 0", "Title", "Review Text"], "f": ["review", "title", "text"]}
_SHORT = dict(
    zip(
        ["S-", "S+", "S=", "F+", "F-", "C+", "C-", "M+", "M-", "K+", "K-", "P+", "P-", "D+", "D-", "O+", "O-"],
        ["size:small", "size:large", "size:true", "fit:good", "fit:bad", "cloth:good", "cloth:bad", "making:good",
         "making:bad", "colour:good", "colour:bad", "price:good", "price:bad", "delivery:good", "delivery:bad",
         "comfort:good", "comfort:bad"],
        strict=True,
    )
)  # fmt: skip


def texts(folder: Path) -> dict[str, str]:
    """Title and text of each review of both public data sets, by w or f and the number of its row."""
    if lacking := [str(folder / file) for file in _FILES.values() if not (folder / file).exists()]:
        raise InputError("no-reviews", [f"{file} is not there; give the folder of the public data" for file in lacking])
    found: dict[str, str] = {}
    for key, file in _FILES.items():
        rows = pd.read_csv(folder / file, usecols=_COLUMNS[key], keep_default_na=False)[_COLUMNS[key]]
        for row, title, text in rows.itertuples(index=False):
            whole = " ".join(f"{title.strip()}. {text}".split())
            found[f"{key}{row}"] = whole.removeprefix(". ")
    return found


def marks(says: str) -> Marks:
    """Codes in short ('S- C+') as marks."""
    told = {_SHORT[short] for short in says.split()}
    return np.array([code in told for code in codes()])


def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(LABELS / f"{name}.csv", dtype={"review": str}, keep_default_na=False)


def test_set(folder: Path, labelling: str = "test") -> tuple[list[str], Marks]:
    """Texts that no model learns from, and what they say.

    Parameters
    ----------
    folder
        Of the public data.
    labelling
        Which labelling of whole reviews.

    Returns
    -------
    tuple
        Texts, and marks (texts, codes).

    Raises
    ------
    InputError
        The public data is not there.
    """
    rows, known = _table(labelling), texts(folder)
    return [known[name] for name in rows["review"]], np.array([marks(says) for says in rows["says"]])


def training_set(folder: Path) -> Labelled:
    """Labelled sentences of the public data, and generated ones in Chinese and English.

    Raises
    ------
    InputError
        The public data is not there.
    """
    known = texts(folder)
    said: list[str] = []
    names: list[str] = []
    of: list[Marks] = []
    whole: list[bool] = []
    for review, is_whole, sentence, says in _table("training").itertuples(index=False, name=None):
        parts = sentences(known[review])
        told = dict(part.split(":") for part in says.split())
        for at in range(len(parts)) if is_whole else [int(sentence)]:
            said.append(parts[at])
            names.append(f"{review}/{is_whole}")
            of.append(marks(told.get(str(at), "").replace(",", " ")))
            whole.append(bool(is_whole))
    for number, (text, code) in enumerate(reviews.phrases(held_out=False)):
        said.append(text)
        names.append(f"generated/{number % 50}")
        of.append(np.array([one == code for one in codes()]))
        whole.append(False)
    return Labelled(said, names, np.array(of), whole)
