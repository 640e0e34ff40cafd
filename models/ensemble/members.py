"""The forecasts that are blended: each gives a point per series and period ahead, from what a fold knows.

Statistical ones are those of statsforecast and see each series alone, without gaps (the last value stands in).
Where one has no answer for a series, its points are nan.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from models.ensemble.folds import Fold
from models.panel.matrices import Floats, Ints, Panel

LONGEST = 10  # seasons that exponential smoothing and Theta look back
LONGEST_PERIODS = 120  # the same where there is no season
LONGEST_SEASON = 24  # periods of the season up to which exponential smoothing has one
SEASONS_FOR_STEPS = 3  # from which the form of exponential smoothing is looked for step by step
FORM_HOLDS = 1.25  # a form is looked for again once history is so many times what it was found on
USUAL_FORMS = 3  # that are looked at for series beyond the sample
BY_SERIES_AT_ONCE = 150  # fits beyond which a second process pays

Fit = tuple[Floats, str | None]
SEASONAL = ("ANNN", "ANAN", "MNAN", "MNMN", "AAAN", "MAMN")  # error, trend, season, and whether the trend is damped
SMOOTH = ("ETS", "Theta", "CES")
SPARSE = ("SES", "CrostonSBA", "TSB", "IMAPA")


@dataclass(frozen=True)
class Series:
    """What a statistical member sees: observations without gaps, the season (1: none), how far to look ahead.

    forms: of exponential smoothing, of which the best is taken: that of an older origin, or those that other series
    mostly have; none: to be found.
    """

    y: Floats
    season: int
    horizon: int
    forms: tuple[str, ...] = ()


def seasonal_naive(fold: Fold) -> Floats:
    """(N, horizon) in units of y: the last value of the same season; the last one where there is none."""
    y, season = filled(fold.panel), max(1, fold.panel.season)
    ahead = np.arange(fold.horizon) % season
    columns = fold.origin[:, None] + 1 - season + ahead
    at = np.where(columns >= fold.panel.first[:, None], columns, fold.origin[:, None])
    points = np.take_along_axis(y, np.clip(at, 0, y.shape[1] - 1), axis=1)
    return np.where((fold.origin >= fold.panel.first)[:, None], points, np.nan)


def recent_median(fold: Fold, window: int = 14) -> Floats:
    """(N, horizon): the median of the last periods."""
    columns = fold.origin[:, None] - np.arange(window)
    known = np.take_along_axis(fold.panel.y, np.clip(columns, 0, None), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        median = np.nanmedian(np.where(columns >= 0, known, np.nan), axis=1)
    return np.repeat(median[:, None], fold.horizon, axis=1)


def filled(panel: Panel) -> Floats:
    """(N, T) in units of y: the last observation stands in for missing ones; nan before the first."""
    at = np.maximum.accumulate(np.where(panel.seen, np.arange(panel.y.shape[1]), 0), axis=1)
    return np.take_along_axis(panel.y, at, axis=1)


@dataclass(frozen=True)
class Form:
    """Of exponential smoothing, as it was found best on so many periods. Two seasons show none that four show."""

    components: str
    periods: int

    def holds(self, periods: int) -> bool:
        """Whether it may stand for a history of this length; never for one that is shorter."""
        return self.periods <= periods <= FORM_HOLDS * self.periods


def statistical(
    fold: Fold, name: str, rows: Ints, forms: dict[int, Form], workers: int = 1, usual: tuple[str, ...] = ()
) -> Floats:
    """(N, horizon): a member of statsforecast, of the series `rows`; `forms` by series are used, and added to.

    `usual` are the forms that are looked at for a series that has none yet; all, where these are none.
    """
    y, season = filled(fold.panel), max(1, fold.panel.season)
    longest = LONGEST * season if season > 1 else LONGEST_PERIODS
    known = rows[fold.origin[rows] > fold.panel.first[rows]]
    starts = np.maximum(fold.panel.first, fold.origin + 1 - longest)
    pasts = {i: y[i, starts[i] : fold.origin[i] + 1] for i in known}
    held = {i: (forms[i].components,) for i in known if i in forms and forms[i].holds(len(pasts[i]))}
    series = [Series(past, season, fold.horizon, held.get(i, usual)) for i, past in pasts.items()]
    points = np.full((len(y), fold.horizon), np.nan)
    for i, (found, components) in zip(known, _mapped(partial(fitted, name), series, workers), strict=True):
        points[i] = found
        if components and i not in held:
            forms[i] = Form(components, len(pasts[i]))
    return points


def _mapped(call: Callable[[Series], Fit], series: list[Series], workers: int) -> Iterable[Fit]:
    if workers < 2 or len(series) < BY_SERIES_AT_ONCE:
        return map(call, series)
    return list(_pool(workers).map(call, series, chunksize=16))


@lru_cache(maxsize=1)
def _pool(workers: int) -> ProcessPoolExecutor:
    """Kept, because each process reads the library anew."""
    return ProcessPoolExecutor(workers, mp_context=get_context("forkserver"))


def fitted(name: str, of: Series) -> Fit:
    """(horizon,), the member's points for one series, and the form found; nan where it cannot be fitted."""
    from statsforecast import models

    season = of.season if len(of.y) > 2 * of.season else 1
    make: dict[str, Callable[[], Any]] = {
        "Theta": lambda: models.DynamicOptimizedTheta(season_length=season),
        "CES": lambda: models.AutoCES(season_length=season),
        "SES": models.SimpleExponentialSmoothingOptimized,
        "CrostonSBA": models.CrostonSBA,
        "TSB": lambda: models.TSB(alpha_d=0.1, alpha_p=0.1),
        "IMAPA": models.IMAPA,
    }
    try:
        if name == "ETS":
            return _smoothed(of, season if season <= LONGEST_SEASON else 1)
        return np.asarray(make[name]().forecast(of.y, of.horizon)["mean"], dtype=np.float64), None
    except Exception:
        return np.full(of.horizon, np.nan), None


def _smoothed(of: Series, season: int) -> Fit:
    """Exponential smoothing of the best of the forms given, or of the one found."""
    able = _able([form for form in of.forms if season > 1 or form[2] == "N"], of.y)
    model = _least(of.y, season, able) if able else _searched(of.y, season)
    return np.asarray(model.predict(of.horizon)["mean"], dtype=np.float64), model.model_["components"]


def _searched(past: Floats, season: int) -> Any:
    """The form of least corrected information criterion: of error and season first, then of the trend.

    It fits seven or eight forms of 15 that have a season, for half the time and the same error. All are fitted where
    there is no season or hardly one.
    """
    from statsforecast.models import AutoETS

    if season == 1 or len(past) < SEASONS_FOR_STEPS * season:
        return AutoETS(season_length=season).fit(past)
    best = _least(past, season, SEASONAL)
    error, trend, kind, _ = best.model_["components"]
    return _least(past, season, [f"{error}A{kind}D", *([f"{error}A{kind}N"] if trend == "N" else [])], best)


def _least(past: Floats, season: int, forms: Iterable[str], *fits: Any) -> Any:
    """The fit of least criterion among some forms, and those that were fitted before."""
    found = [_of_form(past, season, form) for form in _able(forms, past)]
    return min([*fits, *found], key=lambda fit: fit.model_["aicc"])


def _able(forms: Iterable[str], past: Floats) -> list[str]:
    """The forms that a past can have: nothing is multiplied with zero or less."""
    return [form for form in forms if "M" not in form or (past > 0).all()]


def usual(forms: Iterable[Form]) -> tuple[str, ...]:
    """What most series have, the most frequent first."""
    return tuple(name for name, _ in Counter(form.components for form in forms).most_common(USUAL_FORMS))


def _of_form(past: Floats, season: int, form: str) -> Any:
    """Exponential smoothing of one form: error, trend, season, and D where the trend is damped."""
    from statsforecast.models import AutoETS

    return AutoETS(season_length=season, model=form[:3], damped=form[3] != "N").fit(past)
