"""Trains the model of aspects on labelled sentences.

In: sentences, which review each is of, what it says. Out: `models.voice.aspect_model.Model`.
"""

from dataclasses import dataclass

import numpy as np
import sklearn
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from c2m.domain.arrays import Floats
from models.voice.aspect_model import AspectModel, Marks
from models.voice.words import codes, terms

_STRENGTH = 20.0  # of scikit-learn's C; of 3, 5, 20 and 50 the best by cross-validation, and it hardly matters
_FOLDS = 5
_LEAST_SEEN = 2  # times that a term is in the sentences
_TRIED = np.linspace(0.3, 0.995, 140)  # quantiles of scores tried as limits


@dataclass(frozen=True)
class Labelled:
    """Sentences with the review that each is of; said: sentences x codes; whole: all of that review is there."""

    sentences: list[str]
    reviews: list[str]
    said: Marks
    whole: list[bool]


def train(labelled: Labelled) -> AspectModel:
    """A line per code, its limit and its chance from folds that hold whole reviews out.

    Parameters
    ----------
    labelled
        Sentences with what they say.

    Returns
    -------
    AspectModel
        For texts of any length.
    """
    counted = TfidfVectorizer(analyzer=terms, min_df=_LEAST_SEEN, sublinear_tf=True)
    features = counted.fit_transform(labelled.sentences)
    fitted = [_line(features, labelled, at) for at in range(len(codes()))]
    coefficients, intercepts, slope, offset, least = (np.array(part) for part in zip(*fitted, strict=True))
    about = {"scikit-learn": sklearn.__version__, "sentences": str(len(labelled.sentences))}
    vocabulary = dict(sorted(counted.vocabulary_.items(), key=lambda item: item[1]))
    return AspectModel(codes(), vocabulary, counted.idf_, coefficients.T, intercepts, slope, offset, least, about)


def _new() -> LogisticRegression:
    return LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=500)


def _line(features: csr_matrix, labelled: Labelled, at: int) -> tuple[Floats, float, float, float, float]:
    """Coefficients, intercept, slope, offset, least chance of one code."""
    said = labelled.said[:, at]
    held_out = cross_val_predict(
        _new(), features, said, groups=labelled.reviews, cv=GroupKFold(_FOLDS), method="decision_function"
    )
    whole, truth = _by_review(held_out, said, labelled)
    limit = (_best_limit(whole, truth) + _best_limit(held_out, said)) / 2
    line, curve = _new().fit(features, said), LogisticRegression().fit(whole[:, None], truth)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    least = 1 / (1 + np.exp(-(slope * limit + offset)))
    return line.coef_[0], float(line.intercept_[0]), slope, offset, float(least)


def _by_review(scores: Floats, said: Marks, labelled: Labelled) -> tuple[Floats, Marks]:
    """The surest sentence of each whole review, and whether any sentence says so."""
    rows = np.flatnonzero(labelled.whole)
    names, review = np.unique(np.array(labelled.reviews)[rows], return_inverse=True)
    surest, any_says = np.full(len(names), -np.inf), np.zeros(len(names), bool)
    np.maximum.at(surest, review, scores[rows])
    np.logical_or.at(any_says, review, said[rows])
    return surest, any_says


def _best_limit(scores: Floats, said: Marks) -> float:
    """The limit of the best F1."""
    limits = np.quantile(scores, _TRIED)
    right = [_f1(said, scores > limit) for limit in limits]
    return float(limits[np.argmax(right)])


def _f1(said: Marks, found: Marks) -> float:
    return 2 * float((said & found).sum()) / float(said.sum() + found.sum())
