"""Promised dates held against what came: stated beside kept, with intervals, and what follows for dates to come.

In: rows of the mart `promises`. Of an order the first date counts, and rates are of dates that are past: of dates ahead
only those kept early are known yet. Probabilities are shares of 1.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtr, ndtri

from c2m.domain.arrays import Floats

Z = 1.96  # of a 95 % interval
RECENT_DAYS = 60  # of promised dates that say how promises hold now
# Of the shift that past promises teach, before they have: on the scale of a normal's quantiles, on which 0.5 makes 78
# or 96 % of 90 %. Dozens of promises outweigh it.
SHIFT_SD, MOST_SHIFT = 0.5, 3.0
DISTANCE_DAYS = (3, 7, 14)  # borders of the classes by days ahead
SMALL_PIECES = 300
QUOTE = "quote"  # source of a date that a quote told
EDGE = 1e-4  # a probability is no nearer to 0 or 1


@dataclass(frozen=True)
class Kept:
    """Of some promises: how many, the mean probability stated, the share kept, and its 95 % interval."""

    judged: int
    stated: float
    kept: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether what was stated lies in the interval around what was kept."""
        return self.judged == 0 or self.low <= self.stated <= self.high

    def as_dict(self) -> dict[str, Any]:
        """For JSON and tables; rates of nothing are null."""
        rates = {"stated": self.stated, "kept": self.kept, "kept_low": self.low, "kept_high": self.high}
        return {name: value if self.judged else None for name, value in rates.items()} | {"judged": self.judged}


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """The promises that count and whose date is past."""
    return rows[rows["is_first"] & rows["is_due"] & rows["state"].isin(["kept", "broken"])]


def kept(rows: pd.DataFrame, column: str = "probability") -> Kept:
    """Of judged rows. Wilson's interval, as wide as promises of the same factories fail together.

    >>> rows = pd.DataFrame({"state": ["kept"] * 9 + ["broken"], "probability": 0.9, "factories": list("abcdefghij")})
    >>> found = kept(rows)
    >>> found.judged, found.kept, round(float(found.low), 2), round(float(found.high), 2), bool(found.holds)
    (10, 0.9, 0.6, 0.98, True)
    """
    count = len(rows)
    if not count:
        return Kept(0, np.nan, np.nan, 0.0, 1.0)
    held = (rows["state"] == "kept").to_numpy(dtype=float)
    share, stated = float(held.mean()), float(rows[column].mean())
    told = count / _design_effect(held - rows[column].to_numpy(dtype=float), rows["factories"])
    middle = (share + Z**2 / (2 * told)) / (1 + Z**2 / told)
    half = Z / (1 + Z**2 / told) * np.sqrt(share * (1 - share) / told + Z**2 / (4 * told**2))
    return Kept(count, stated, share, max(middle - half, 0.0), min(middle + half, 1.0))


def _design_effect(off: Floats, factories: "pd.Series[str]") -> float:
    """How many promises of the same factories tell as much as one of others; never less than one."""
    off = off - off.mean()
    alone = float((off**2).sum())
    together = float((pd.Series(off).groupby(factories.fillna("").to_numpy()).sum() ** 2).sum())
    return max(together / alone, 1.0) if alone > 0 else 1.0


@dataclass(frozen=True)
class Correction:
    """What past promises teach of dates to come: a shift of their probabilities on the scale of a normal's quantiles.

    Nothing as long as what the model says lies within the interval around what was kept.
    """

    shift: float = 0.0

    def stated(self, modelled: Any) -> Any:
        """The probability to state where the model says `modelled`."""
        if not self.shift:
            return modelled
        return ndtr(ndtri(np.clip(modelled, EDGE, 1 - EDGE)) + self.shift)

    def asked(self, level: float) -> float:
        """The probability to ask of the model so that dates hold at the level."""
        return float(ndtr(ndtri(level) - self.shift)) if self.shift else level


def correction(rows: pd.DataFrame, today: date) -> Correction:
    """What past promises of plans teach, of those that were due in the last RECENT_DAYS; of quotes none.

    Not from dates ahead, of which only what was kept early is known.

    Parameters
    ----------
    rows
        The mart `promises`.
    today
        The business date.

    Returns
    -------
    Correction
        No shift as long as promises hold as stated.
    """
    return _learned(recent(rows[rows["source"] != QUOTE], today), 0.0)


def correction_of_quotes(rows: pd.DataFrame, today: date) -> Correction:
    """What past quotes teach; where there are few of them, what plans teach: both dates come from one model.

    Parameters
    ----------
    rows
        The mart `promises`.
    today
        The business date.

    Returns
    -------
    Correction
        Drawn towards that of plans, the more so the fewer quotes there are.
    """
    return _learned(recent(rows[rows["source"] == QUOTE], today), correction(rows, today).shift)


def _learned(due: pd.DataFrame, before: float) -> Correction:
    """The shift that these promises teach whoever thought of another before."""
    first = Correction(before)
    if kept(due.assign(modelled=first.stated(due["modelled"])), "modelled").holds:
        return first
    return Correction(_likeliest_shift(due, before))


def _likeliest_shift(due: pd.DataFrame, before: float) -> float:
    """Of a normal prior around `before` and what was kept, where promises of one factory tell one another's news."""
    held = (due["state"] == "kept").to_numpy(dtype=bool)
    modelled = due["modelled"].to_numpy(dtype=float)
    normal = ndtri(np.clip(modelled, EDGE, 1 - EDGE))
    effect = _design_effect(held - modelled, due["factories"])

    def unlikelihood(shift: float) -> float:
        told = log_ndtr(np.where(held, 1, -1) * (normal + shift)).sum() / effect
        return float(0.5 * ((shift - before) / SHIFT_SD) ** 2 - told)

    return float(minimize_scalar(unlikelihood, bounds=(-MOST_SHIFT, MOST_SHIFT), method="bounded").x)


def recent(rows: pd.DataFrame, today: date) -> pd.DataFrame:
    """The promises that were due in the last RECENT_DAYS, kept or broken.

    Parameters
    ----------
    rows
        The mart `promises`.
    today
        The business date.

    Returns
    -------
    pd.DataFrame
        Rows of the mart.
    """
    due = judged(rows)
    return due[pd.to_datetime(due["promised_on"]) >= pd.Timestamp(today) - pd.Timedelta(RECENT_DAYS, "D")]


def how_kept(rows: pd.DataFrame, today: date) -> dict[str, Any]:
    """How promises have held: what was stated beside what was kept.

    Parameters
    ----------
    rows
        The mart `promises`.
    today
        The business date.

    Returns
    -------
    dict
        stated, kept, kept_low, kept_high (shares of 1; None of no promise), judged and open (promises), correction (the
        shift), and by: the same rates by kind, distance, size, month and factory.
    """
    due = judged(rows)
    open_ = rows[rows["is_first"] & ~rows["is_due"]]
    by = {name: {str(key): kept(of).as_dict() for key, of in _groups(due, name)} for name in CLASSES}
    shift = correction(rows, today).shift
    return kept(due).as_dict() | {"open": len(open_), "correction": shift, "by": by}


def _groups(due: pd.DataFrame, name: str) -> Any:
    classes = due.assign(**{name: CLASSES[name](due)}).explode(name)
    return classes.groupby(name, sort=True, observed=True)


def _distance(due: pd.DataFrame) -> "pd.Categorical[str]":
    """Categories in the order of their days, not of their letters."""
    return pd.Categorical.from_codes(np.searchsorted(DISTANCE_DAYS, due["days_ahead"]), pd.Index(_distance_names()))


def _distance_names() -> list[str]:
    first = (0, *(border + 1 for border in DISTANCE_DAYS))
    names = [f"{low} to {high} days" for low, high in zip(first, DISTANCE_DAYS, strict=False)]
    return [*names, f"{first[-1]} days and more"]


CLASSES: dict[str, Any] = {
    "kind": lambda due: due["source"],
    "distance": _distance,
    "size": lambda due: np.where(due["pieces"] <= SMALL_PIECES, f"up to {SMALL_PIECES} pieces", "larger"),
    "month": lambda due: pd.to_datetime(due["promised_on"]).dt.strftime("%Y-%m"),
    "factory": lambda due: due["factories"].fillna("").str.split(";"),
}
