"""The answer to a panel: a frame of forecasts, and in words how they were chosen.

In: a panel with cells asked for (or a horizon), a model's name. Out: per asked cell series_id, ds, point, mean,
q05 .. q95, and the bounds of the ranges asked for, in units of y.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy import stats

from c2m.errors import InputError
from c2m.files import write_with
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import Cells
from models.demand.forecast import QUANTILES, Metric, asked_cells, forecast, point
from models.ensemble import auto, blend
from models.ensemble.sums import ASSUMED, Dependence, sums
from models.panel.matrices import CategoricalColumn, Floats, Panel
from models.panel.outliers import without_outliers, without_slips

AUTO, CHAMPION = "auto", "champion"
MODELS = (AUTO, CHAMPION, *auto.NAMES)
MOST_NAMED = 5  # series with a value far beyond their others
LEVELS = np.array(QUANTILE_LEVELS)


@dataclass(frozen=True)
class PanelForecast:
    """frame: series_id, ds, point, mean, q05 .. q95 and bounds. words: how it was chosen, a sentence a group.

    dependence: how errors move together, for quantiles of sums.
    """

    frame: pd.DataFrame
    words: list[str]
    dependence: Dependence = ASSUMED

    def sums(self, panel: Panel) -> pd.DataFrame:
        """Quantiles of all series together and of each category that series keep, by period and over all of them."""
        return sums(panel, self.frame, self.dependence)

    @staticmethod
    def write(frame: pd.DataFrame, out: Path) -> None:
        """As CSV or Parquet, by the name of the file."""
        write_with(out, frame.to_parquet if out.suffix == ".parquet" else lambda path: frame.to_csv(path, index=False))


def answer(panel: Panel, metric: Metric = "wape", model: str = AUTO, ranges: Iterable[float] = ()) -> PanelForecast:
    """Forecasts of the asked cells, ordered by series and ds.

    Parameters
    ----------
    panel
        Series by periods; `ahead` asks for the next periods of each.
    metric
        That `point` is best for.
    model
        auto: what the panel's own backtest finds best for each group of series. champion: the engine of the daily run,
        trained on the panel. Else the name of one member.
    ranges
        Widths in percent, such as 80, whose bounds are added as lo-80 and hi-80.

    Returns
    -------
    PanelForecast
        The frame, in units of y, and how it was chosen.

    Raises
    ------
    InputError
        Nothing is asked for, or no model or metric has the name.

    Examples
    --------
    Four equal weeks: next week is as they were.

    >>> from models.panel.long import panel_of
    >>> days = pd.date_range("2026-01-05", periods=28)
    >>> shirts = pd.DataFrame({"series_id": "shirt", "ds": days, "y": [1, 2, 3, 4, 5, 6, 7] * 4})
    >>> said = answer(panel_of(shirts, horizon=7), model="SeasonalNaive", ranges=[80])
    >>> said.frame["point"].tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    >>> list(said.frame)[:4], list(said.frame)[-2:]
    (['series_id', 'ds', 'point', 'mean'], ['lo-80', 'hi-80'])
    """
    _refuse(panel, metric, model)
    panel, slips = without_slips(panel)
    panel, odd = without_outliers(panel)
    cells = asked_cells(panel)
    if model == CHAMPION:
        words = ["every series: the engine of the daily run, trained on this panel"]
        found = PanelForecast(_of_engine(panel, cells, metric, np.ones(len(panel.ids))), words)
    else:
        found = _chosen(panel, cells, metric, model)
    bounded = found.frame.assign(**bounds(found.frame, ranges))
    return replace(found, frame=bounded, words=[*slips, *odd.words(panel), *found.words])


def _refuse(panel: Panel, metric: Metric, model: str) -> None:
    faults = []
    if model not in MODELS:
        faults.append(f"no model is called {model}; there are {', '.join(MODELS)}")
    if metric not in get_args(Metric):
        faults.append(f"no metric is called {metric}; there are {', '.join(get_args(Metric))}")
    if not panel.asked.any():
        faults.append(
            "no row has an empty y after its series' last observation; "
            "add one for each period to forecast, or say how many with --horizon"
        )
    if faults:
        raise InputError("nothing-asked", faults)


def ahead(panel: Panel, horizon: int) -> Panel:
    """The panel, asking for the `horizon` periods after the last observation of each series, and for nothing else."""
    more = max(0, panel.end + 1 + horizon - panel.y.shape[1])
    columns = np.arange(panel.y.shape[1] + more)
    last = panel.last[:, None]
    numbers, past = _wider(panel.numbers, more), _wider(panel.past, more)
    kept = {name: CategoricalColumn(_last_held(c.codes, more), c.levels) for name, c in panel.categories.items()}
    y = np.pad(panel.y, ((0, 0), (0, more)), constant_values=np.nan)
    asked = (columns > last) & (columns <= last + horizon) & (last >= 0)
    ds = _longer(panel.ds, more)
    return replace(panel, ds=ds, y=y, asked=asked, numbers=numbers, categories=kept, past=past)


def _wider(named: dict[str, Floats], more: int) -> dict[str, Floats]:
    return {name: _last_held(values, more) for name, values in named.items()}


def _last_held(values: Any, more: int) -> Any:
    return np.concatenate([values, np.repeat(values[:, -1:], more, axis=1)], axis=1)


def _longer(ds: "pd.Index[Any]", more: int) -> "pd.Index[Any]":
    """The axis, so many periods longer."""
    if not isinstance(ds, pd.DatetimeIndex):
        step = int(ds[1] - ds[0]) if len(ds) > 1 else 1
        return pd.RangeIndex(int(ds[0]), int(ds[0]) + step * (len(ds) + more), step, name=ds.name)
    longer: pd.Index[Any] = pd.date_range(ds[0], periods=len(ds) + more, freq=_step(ds), name=ds.name)
    return longer


def _step(ds: pd.DatetimeIndex) -> Any:
    """The frequency of an axis, or its last step where it has no name."""
    return ds.freq or (pd.infer_freq(ds) if len(ds) > 2 else None) or ds[-1] - ds[max(0, len(ds) - 2)]


def _chosen(panel: Panel, cells: Cells, metric: Metric, model: str) -> PanelForecast:
    """The forecast of what each group of series is best given."""
    known = cells.origin >= panel.first[cells.series]
    horizon = int((cells.target - cells.origin)[known].max(initial=1))
    said = auto.MemberForecasts(panel, horizon, settings().forecast)
    names = None if model == AUTO else dict.fromkeys(auto.CANDIDATES, (model,))
    taken = auto.decided(said, 0, names)
    blended = {group: chosen for group, chosen in taken.items() if not chosen.is_engine}
    if not blended:
        frame = _of_engine(panel, cells, metric, _widths(said, taken))
        return PanelForecast(frame, _words(said, taken), _dependence(said, taken))
    quantiles = _blended(said, blended)[cells.series, np.clip(cells.target - cells.origin - 1, 0, horizon - 1)]
    frame = _framed(panel, cells, np.where(known[:, None], quantiles, np.nan), metric)
    rest = frame[QUANTILES].isna().any(axis=1)
    frame = frame.where(~rest, _of_engine(panel, cells, metric, _widths(said, taken))) if rest.any() else frame
    return PanelForecast(frame, _words(said, taken), _dependence(said, taken))


def _blended(said: auto.MemberForecasts, blended: Mapping[str, auto.Chosen]) -> Floats:
    """(N, horizon, levels) quantiles from the end of the panel on; nan for series of other groups."""
    found = np.full((len(said.panel.ids), said.horizon, len(LEVELS)), np.nan)
    for group, chosen in blended.items():
        found[said.groups[group]] = auto.quantiles(said, 0, group, chosen)[said.groups[group]]
    return found


def _widths(said: auto.MemberForecasts, taken: dict[str, auto.Chosen]) -> Floats:
    """(N,): by what the ranges of series are wider that are given the engine alone."""
    wider = np.ones(len(said.panel.ids))
    for group, chosen in taken.items():
        wider[said.groups[group]] = chosen.wider if chosen.is_engine else 1.0
    return wider


def _of_engine(panel: Panel, cells: Cells, metric: Metric, wider: Floats) -> pd.DataFrame:
    """The engine's forecast, its ranges as much wider as was chosen for each series (N,).

    A mean beyond both the range and all that was ever observed of the series is none: trees have learned from others.
    """
    frame = forecast(panel, metric)
    lowest = np.where(panel.base < 0, -np.inf, 0.0)[cells.series, None]
    quantiles = auto.widened(frame[QUANTILES].to_numpy(), wider[cells.series, None], lowest)
    frame[QUANTILES] = auto.told(quantiles, panel.whole)
    most = np.fmax.reduce(panel.y, axis=1)[cells.series]
    frame["mean"] = np.fmin(frame["mean"], np.where(np.isnan(most), np.inf, np.fmax(frame["q95"], most)))
    return frame.assign(point=point(frame, metric))


def _dependence(said: auto.MemberForecasts, taken: dict[str, auto.Chosen]) -> Dependence:
    """Of all groups together, each by its number of series."""
    if not taken:
        return ASSUMED
    counts = [int(said.groups[group].sum()) for group in taken]
    return Dependence.mean([chosen.dependence for chosen in taken.values()], counts)


def _framed(panel: Panel, cells: Cells, quantiles: Floats, metric: Metric) -> pd.DataFrame:
    """As `forecast` gives it; the mean is that of the line through the quantiles."""
    frame = pd.DataFrame(quantiles, columns=QUANTILES)
    frame.insert(0, "mean", auto.mean(quantiles))
    frame.insert(0, "point", point(frame, metric))
    frame.insert(0, "ds", panel.when(cells.series, cells.target))
    frame.insert(0, "series_id", panel.ids[cells.series])
    return frame


def bounds(frame: pd.DataFrame, ranges: Iterable[float]) -> dict[str, Floats]:
    """lo-80 and hi-80 for a range of 80 %: between the quantiles, and beyond them on the line of a normal's."""
    found = {}
    for width in ranges:
        for side, level in (("lo", 0.5 - width / 200), ("hi", 0.5 + width / 200)):
            found[f"{side}-{width:g}"] = at_level(frame[QUANTILES].to_numpy(dtype=np.float64), level)
    return found


def at_level(quantiles: Floats, level: float) -> Floats:
    """(rows,): the quantile of any level, linear in the normal's quantile; never below zero where none of them is."""
    scores, wanted = stats.norm.ppf(LEVELS), float(stats.norm.ppf(level))
    right = int(np.clip(np.searchsorted(scores, wanted), 1, len(scores) - 1))
    left = right - 1
    share = (wanted - scores[left]) / (scores[right] - scores[left])
    found: Floats = quantiles[:, left] + share * (quantiles[:, right] - quantiles[:, left])
    return np.where(quantiles[:, 0] >= 0, np.maximum(found, 0), found)


def _words(said: auto.MemberForecasts, taken: dict[str, auto.Chosen]) -> list[str]:
    """What each group is given, and by which evidence."""
    words = [
        f"{name}: a value is over {blend.FAR} times its usual one; the series decides nothing for the others"
        for name in said.panel.ids[blend.wild(said.panel)][:MOST_NAMED]
    ]
    for group, rows in said.groups.items():
        count = f"{rows.sum():,} {group} series"
        chosen = taken.get(group)
        if chosen is None:
            words.append(f"{count}: too short for a backtest, hence the engine of the daily run")
            continue
        what = "the engine of the daily run" if chosen.is_engine else _shares(chosen)
        errors = ", ".join(f"{name} {error:.3f}" for name, error in _few(chosen.errors))
        words.append(f"{count}: {what}. Error over {chosen.folds} held-out origins, seasonal naive = 1: {errors}")
    return words


def _shares(chosen: auto.Chosen) -> str:
    members = ", ".join(
        f"{share:.0%} {name}" for name, share in sorted(chosen.shares.items(), key=lambda each: -each[1])
    )
    name, share = chosen.engine
    return members + (f"; quantiles {share:.0%} from {name}" if share else "")


def _few(errors: dict[str, float]) -> Sequence[tuple[str, float]]:
    return sorted(errors.items(), key=lambda item: item[1])[:4]
