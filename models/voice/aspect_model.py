"""The model of aspects: terms weighed by TF-IDF, a line per code, its chance calibrated. Plain arrays, no pickle.

In: texts. Out: per text and code the chance that it says so (0 to 1), and whether that is enough to count it.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from c2m.domain.arrays import Floats
from models.voice.words import sentences, terms

Marks = npt.NDArray[np.bool_]  # of texts by codes
SHIPPED = Path(__file__).with_name("aspects.npz")


@dataclass(frozen=True)
class AspectModel:
    """coefficients: terms x codes, without dimension; slope and offset make a score a chance; least: what counts."""

    codes: list[str]
    vocabulary: dict[str, int]  # column of the coefficients by term
    # (terms,) weight of each term, the rarer the more; without dimension, like all numbers here but chances
    idf: Floats
    coefficients: Floats  # (terms, codes)
    intercepts: Floats  # (codes,)
    slope: Floats  # (codes,) of the line from score to log-odds
    offset: Floats  # (codes,) of that line
    least: Floats  # (codes,) chance from which on a code counts
    about: dict[str, str]  # facts of its making by name, for people

    def scores(self, sentence: str) -> Floats:
        """(codes,) score of each code at a sentence, in units of the line that makes it a chance."""
        counts = Counter(term for term in terms(sentence) if term in self.vocabulary)
        at = [self.vocabulary[term] for term in counts]
        weights = self.idf[at] * [1 + math.log(count) for count in counts.values()]
        length = float(np.linalg.norm(weights)) or 1.0
        found: Floats = weights / length @ self.coefficients[at] + self.intercepts
        return found

    def hear(self, text: str) -> tuple[Floats, list[str]]:
        """(codes,) chance of each code, by its surest sentence, and those sentences."""
        said = sentences(text)
        if not said:
            return np.zeros(len(self.codes)), [""] * len(self.codes)
        scored = np.array([self.scores(one) for one in said])
        surest = scored.argmax(axis=0)
        return self.chance(scored.max(axis=0)), [said[at] for at in surest]

    def chance(self, score: Floats) -> Floats:
        """Scores (reviews, codes) as chances of the same shape."""
        found: Floats = 1 / (1 + np.exp(-(self.slope * score + self.offset)))
        return found

    def says(self, texts: Sequence[str]) -> Marks:
        """Texts x codes: what counts as said."""
        found: Marks = np.array([self.hear(text)[0] >= self.least for text in texts])
        return found

    def save(self, path: Path) -> None:
        """As arrays and JSON in one file of NumPy's."""
        np.savez_compressed(
            path,
            told=self._told(),
            idf=self.idf.astype(np.float32),
            coefficients=self.coefficients.astype(np.float16),
            calibration=np.stack([self.intercepts, self.slope, self.offset, self.least]),
        )

    def _told(self) -> npt.NDArray[np.uint8]:
        """All that is text, as the bytes of a JSON."""
        told = {"codes": self.codes, "terms": list(self.vocabulary), "about": self.about}
        return np.frombuffer(json.dumps(told, ensure_ascii=False).encode(), np.uint8)


def load(path: Path = SHIPPED) -> AspectModel:
    """A saved model; the one that comes with the code by default. Nothing in the file is run."""
    with np.load(path, allow_pickle=False) as held:
        told = json.loads(held["told"].tobytes())
        intercepts, slope, offset, least = held["calibration"]
        idf, coefficients = held["idf"].astype(np.float64), held["coefficients"].astype(np.float64)
    vocabulary = {term: at for at, term in enumerate(told["terms"])}
    return AspectModel(told["codes"], vocabulary, idf, coefficients, intercepts, slope, offset, least, told["about"])
