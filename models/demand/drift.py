"""Drift: do today's inputs look like those that the champion learned from, and do its forecasts still come true?

Inputs are compared by the population stability index, the sum of (p - q) ln(p / q) over the bins of a feature (Siddiqi
2006): deciles of the training rows for a number, levels for a category, and one bin for what is missing.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from c2m.settings import DriftPolicy
from models.panel.matrices import Floats

_DECILES = np.arange(1, 10) / 10
_LEAST_SHARE = 1e-3  # of an empty bin: one row in a thousand


def profile(rows: pd.DataFrame, categories: dict[str, list[str]]) -> dict[str, Any]:
    """Bins of each feature and their shares, as plain numbers and text; `distance` takes it.

    What the members of a group share is left out: on one day it is a single number, and says nothing of a distribution.
    """
    found: dict[str, Any] = {}
    shared = [f"{group}_{kind}" for group in ("all", *categories) for kind in ("level", "trend", "season")]
    for name, column in rows.drop(columns=shared, errors="ignore").items():
        if name in categories:
            bins: list[Any] = categories[str(name)]
        else:
            values = column.to_numpy(dtype=np.float64)
            bins = np.unique(np.quantile(values[~np.isnan(values)], _DECILES)).tolist() if column.notna().any() else []
        found[str(name)] = {"bins": bins, "shares": _shares(column, bins).tolist()}
    return found


def _shares(column: "pd.Series[Any]", bins: list[Any]) -> Floats:
    """Share of the rows per bin; the last is what is missing, or for a category what no level names."""
    if bins and isinstance(bins[0], str):
        place = pd.Index(bins).get_indexer(pd.Index(column.astype(str)))
        place = np.where(place < 0, len(bins), place)
    else:
        values = column.to_numpy(dtype=np.float64)
        # What equals a decile has a bin of its own: most days are without a sale or a promotion.
        between = np.searchsorted(bins, values, side="left") + np.searchsorted(bins, values, side="right")
        place = np.where(np.isnan(values), 2 * len(bins) + 1, between)
    return np.bincount(place, minlength=2 * len(bins) + 2) / len(column)


def distance(known: dict[str, Any], rows: pd.DataFrame) -> "pd.Series[float]":
    """Population stability index of each profiled feature.

    Parameters
    ----------
    known
        The profile of the training rows (`profile`).
    rows
        Today's rows, with a column per profiled feature.

    Returns
    -------
    pd.Series
        An index by feature, 0 where nothing changed.
    """
    return pd.Series({
        name: _index(np.array(of["shares"]), _shares(rows[name], of["bins"])) for name, of in known.items()
    })  # fmt: skip


def _index(before: Floats, now: Floats) -> float:
    before, now = np.maximum(before, _LEAST_SHARE), np.maximum(now, _LEAST_SHARE)
    return float(((now - before) * np.log(now / before)).sum())


def chance(known: dict[str, Any], series: int) -> "pd.Series[float]":
    """What each feature's index stays below without drift, 999 times in 1,000.

    Without drift the index over B bins is chi-square with B - 1 degrees of freedom times (1/n + 1/m) (Yurdakul 2018).
    The rows of one series say much the same, hence they count as one.

    Parameters
    ----------
    known
        The profile of the training rows (`profile`).
    series
        How many series there were then, and are now.

    Returns
    -------
    pd.Series
        An index by feature.
    """
    degrees = {name: np.count_nonzero(of["shares"]) - 1 for name, of in known.items()}
    return pd.Series({name: stats.chi2.ppf(0.999, max(1, many)) * 2 / series for name, many in degrees.items()})


def realised(accuracy: pd.DataFrame, version: str, day: date, days: int) -> dict[str, float]:
    """How the forecasts of a version came true, weighed by pieces.

    Parameters
    ----------
    accuracy
        The mart `forecast_accuracy`, a row per business date and merchant.
    version
        Of the model.
    day
        Today.
    days
        How many days back rows count.

    Returns
    -------
    dict
        wape, naive_wape, bias and coverage_80, shares; empty without any row.
    """
    recent = pd.to_datetime(accuracy["business_date"]) >= pd.Timestamp(day - timedelta(days=days))
    rows = accuracy[recent & (accuracy["model_version"] == version) & (accuracy["pieces"] > 0)]
    if rows.empty:
        return {}
    names = ["wape", "naive_wape", "bias", "coverage_80"]
    weighed = np.average(rows[names].to_numpy(dtype=np.float64), axis=0, weights=rows["pieces"])
    return dict(zip(names, map(float, weighed), strict=True))


def checks(
    moved: pd.DataFrame, came: dict[str, float], backtest_wape: float | None, policy: DriftPolicy
) -> pd.DataFrame:
    """Every check of a day, those that alert first.

    Parameters
    ----------
    moved
        By feature, the columns `index` (`distance`) and `chance`, which the limit is at least.
    came
        By name, figures of realised forecasts (`realised`): shares; empty: none are judged.
    backtest_wape
        WAPE of the champion's backtest, as a share; None where there is none.
    policy
        Limits of indices and of shares.

    Returns
    -------
    pd.DataFrame
        check, of, value, limit, alert: one row per feature and per figure of realised forecasts.
    """
    rows = pd.DataFrame(
        [*_of_inputs(moved, policy), *_of_forecasts(came, backtest_wape, policy)],
        columns=["check", "of", "value", "limit", "alert"],
    )
    return rows.sort_values(["alert", "check", "value"], ascending=[False, True, False], ignore_index=True)


def alarm(found: pd.DataFrame, policy: DriftPolicy) -> bool:
    """Whether the checks speak for a new model: several inputs have shifted, or forecasts do not come true.

    Parameters
    ----------
    found
        Columns check and alert, of `checks`.
    policy
        `features`: how many inputs must have shifted.

    Returns
    -------
    bool
        True where a challenger should be trained.
    """
    alerts = found[found["alert"]]
    return bool((alerts["check"] == "input").sum() >= policy.features or (alerts["check"] != "input").any())


def _of_inputs(moved: pd.DataFrame, policy: DriftPolicy) -> Iterator[tuple[Any, ...]]:
    for name, value, by_chance in moved[["index", "chance"]].itertuples():
        limit = max(policy.stability_index, by_chance)
        yield "input", name, value, limit, value > limit


def _of_forecasts(
    came: dict[str, float], backtest_wape: float | None, policy: DriftPolicy
) -> Iterator[tuple[Any, ...]]:
    if not came:
        return
    if backtest_wape is not None:
        limit = backtest_wape * (1 + policy.error_rise)
        yield "error", "WAPE beside the backtest's", came["wape"], limit, came["wape"] > limit
    yield "error", "WAPE beside the naive one's", came["wape"], came["naive_wape"], came["wape"] > came["naive_wape"]
    yield "error", "bias", came["bias"], policy.bias, abs(came["bias"]) > policy.bias
    low = came["coverage_80"] < policy.least_coverage
    yield "coverage", "80 % interval", came["coverage_80"], policy.least_coverage, low
