"""The market model: which members forecast volume and price of categories, chosen on held-out weeks.

The engine is that of `models.ensemble`, with two members more: the mean of the last periods, and one which sees all
series together and what other sources tell of the same category (`models.market.pooled`). Learned are shares, spread
and width, by measure and group of series; a forecast fits the members to what is known by then.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import mean_seen
from models.demand.forecast import QUANTILES
from models.ensemble import auto, blend, members
from models.ensemble.auto import Chosen, MemberForecasts
from models.ensemble.folds import Fold, gather
from models.ensemble.sums import Dependence, quantiles_of_sums
from models.evaluation.backtest import pinball
from models.market.pooled import pooled
from models.market.series import PRICE, names
from models.panel.matrices import Floats, Panel

POOLED, MEAN = "Pooled", "Mean91"
MEAN_PERIODS = 91
# Chosen on the sets of benchmarks/forecast/market.py, on the origins that it calls chosen on: with CES or the seasonal
# naive forecast beside them, the blend erred by one or two hundredths more.
CANDIDATES = {auto.SMOOTH: ("ETS", "Theta", MEAN, POOLED), auto.SPARSE: (*members.SPARSE, MEAN, POOLED)}
_SCORES = stats.norm.ppf(QUANTILE_LEVELS)


@dataclass(frozen=True)
class MarketModel:
    """chosen: by measure and group of series. ids: by measure, the series that it was chosen on. about: facts of it."""

    chosen: dict[str, dict[str, Chosen]]
    ids: dict[str, list[str]]
    about: dict[str, Any]

    def quantiles(self, measure: str, panel: Panel, horizon: int, policy: ForecastPolicy, back: int = 0) -> Floats:
        """The forecast of a measure.

        Parameters
        ----------
        measure
            Volume or price.
        panel
            Series by weeks.
        horizon
            Weeks ahead.
        policy
            The recipe of trees.
        back
            Weeks before the end of each series: what came later is not looked at.

        Returns
        -------
        numpy.ndarray
            (N, horizon, levels) in units of the measure; nan for what it has not learned.
        """
        said = asked(panel, horizon, policy)
        found = np.full((len(panel.ids), horizon, len(QUANTILE_LEVELS)), np.nan)
        known = self.chosen.get(measure, {})
        for group, rows in said.groups.items() if known else ():
            chosen = self._of_these(known.get(group) or next(iter(known.values())), measure, panel)
            found[rows] = auto.quantiles(said, back, group, chosen)[rows]
        return found

    def _of_these(self, chosen: Chosen, measure: str, panel: Panel) -> Chosen:
        """Its spread for these series; one that it has not met spreads as is typical."""
        own = pd.Series(chosen.spread.own, index=self.ids[measure]).reindex(panel.ids).fillna(chosen.spread.typical)
        return replace(chosen, spread=replace(chosen.spread, own=np.asarray(own, dtype=np.float64)))

    def save(self, file: Path) -> None:
        """As JSON."""
        said = {"about": self.about, "ids": self.ids, "chosen": {
            measure: {group: asdict(chosen) for group, chosen in of.items()} for measure, of in self.chosen.items()
        }}  # fmt: skip
        file.write_text(json.dumps(said, default=lambda values: values.tolist()), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "MarketModel":
        """What `save` wrote."""
        said = json.loads(file.read_text(encoding="utf-8"))
        chosen = {name: {group: _chosen(one) for group, one in of.items()} for name, of in said["chosen"].items()}
        return cls(chosen, said["ids"], said["about"])


def _chosen(said: dict[str, Any]) -> Chosen:
    spread = said["spread"]
    arrays = blend.Spread(np.array(spread["errors"]), np.array(spread["own"]), spread["typical"])
    engine, dependence = (said["engine"][0], said["engine"][1]), Dependence(**said["dependence"])
    return Chosen(**said | {"spread": arrays, "engine": engine, "dependence": dependence})


def asked(panel: Panel, horizon: int, policy: ForecastPolicy) -> MemberForecasts:
    """What members say of the panel, ours among them."""
    return MemberForecasts(panel, horizon, policy, {POOLED: pooled, MEAN: mean})


def mean(fold: Fold) -> Floats:
    """(N, horizon): the mean of the last periods; nan for a series without an observation in them."""
    columns = fold.origin[:, None] - np.arange(MEAN_PERIODS)
    known = np.where(columns >= 0, gather(fold.panel.y, columns), np.nan)
    return np.repeat(mean_seen(known)[:, None], fold.horizon, axis=1)


def trained(panels: Mapping[str, Panel], horizon: int, policy: ForecastPolicy, back: int = 0) -> MarketModel:
    """A model that is chosen on the weeks before its origin.

    Parameters
    ----------
    panels
        By measure.
    horizon
        Weeks ahead.
    policy
        The recipe of trees.
    back
        Weeks before the end that are left out.

    Returns
    -------
    MarketModel
        A measure whose history is too short is left out.
    """
    chosen = {}
    for measure, panel in panels.items():
        found = auto.decided(asked(panel, horizon, policy), back, CANDIDATES)
        if found:
            chosen[measure] = found
    ids = {measure: [str(one) for one in panels[measure].ids] for measure in chosen}
    return MarketModel(chosen, ids, {"horizon_weeks": horizon, "series": {name: len(of) for name, of in ids.items()}})


def forecast(model: MarketModel, panels: Mapping[str, Panel], horizon: int, policy: ForecastPolicy) -> pd.DataFrame:
    """The market ahead.

    Parameters
    ----------
    model
        What was chosen.
    panels
        Of `models.market.series.panels`.
    horizon
        Weeks ahead of the last week that is known of each series.
    policy
        Threads.

    Returns
    -------
    pd.DataFrame
        KEY, measure, known_until, week (empty: all weeks together; a sum of volume, a mean of price), weeks, mean,
        q05 .. q95 in units of the series, before (the same of as many weeks until now), rise_chance (0 to 1).
    """
    parts = []
    for measure, panel in panels.items():
        quantiles = model.quantiles(measure, panel, horizon, policy)
        told = np.isfinite(quantiles).all(axis=(1, 2))
        if told.any():
            parts.append(_framed(measure, panel, quantiles, told, _dependence(model.chosen[measure])))
    return _together(parts)


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _dependence(chosen: Mapping[str, Chosen]) -> Dependence:
    return Dependence.mean([one.dependence for one in chosen.values()], [1] * len(chosen))


def _framed(measure: str, panel: Panel, quantiles: Floats, told: "np.ndarray", dependence: Dependence) -> pd.DataFrame:
    """A row per series and week, and one over all weeks."""
    rows, horizon = np.flatnonzero(told), quantiles.shape[1]
    share = horizon if measure == PRICE else 1
    sums = quantiles_of_sums(quantiles[rows], np.eye(len(rows)), dependence)[:, -1:]
    every = np.concatenate([quantiles[rows], sums / share], axis=1)
    ends = panel.ds[panel.last[rows]]
    week = _weeks(ends, horizon)
    is_whole = np.isnat(week)
    before = _before(panel, rows, horizon) / share
    rises = _rises(every[:, -1], before)
    flat = every.reshape(-1, len(QUANTILE_LEVELS))
    frame = names(panel).iloc[np.repeat(rows, horizon + 1)].reset_index(drop=True)
    found: pd.DataFrame = frame.assign(
        measure=measure,
        known_until=np.repeat(ends, horizon + 1),
        week=week,
        weeks=np.where(is_whole, horizon, 1),
        mean=auto.mean(flat),
        **dict(zip(QUANTILES, flat.T, strict=True)),
        before=np.where(is_whole, np.repeat(before, horizon + 1), np.nan),
        rise_chance=np.where(is_whole, np.repeat(rises, horizon + 1), np.nan),
    )
    return found


def _weeks(ends: "pd.Index[Any]", horizon: int) -> "np.ndarray":
    """The weeks after each end, and NaT for the row over all of them."""
    weeks: np.ndarray = ends.to_numpy()[:, None] + np.arange(1, horizon + 2) * np.timedelta64(7, "D")
    weeks[:, -1] = np.datetime64("NaT", "ns")
    return weeks.ravel()


def _before(panel: Panel, rows: "np.ndarray", horizon: int) -> Floats:
    """(rows,): the sum of the last weeks known."""
    columns = panel.last[rows][:, None] - np.arange(horizon)
    known = members.filled(panel)[rows[:, None], np.maximum(columns, 0)]
    found: Floats = np.where(columns >= 0, known, np.nan).sum(axis=1)
    return found


def _rises(quantiles: Floats, before: Floats) -> Floats:
    """(rows,): chance that it comes out above `before`; no nearer to 0 or 1 than the outer quantiles are."""
    return np.array([
        stats.norm.sf(np.interp(was, of, _SCORES)) if np.isfinite(was) else np.nan
        for of, was in zip(quantiles, before, strict=True)
    ])  # fmt: skip


def costs(
    model: MarketModel, panels: Mapping[str, Panel], horizon: int, policy: ForecastPolicy, folds: int
) -> pd.DataFrame:
    """What a model's errors cost on the last origins that have a whole horizon behind them, a week apart.

    Parameters
    ----------
    model
        Whose forecasts.
    panels
        By measure.
    horizon
        Weeks ahead.
    policy
        The recipe of trees.
    folds
        How many origins.

    Returns
    -------
    pd.DataFrame
        series_id, origin, segment (the measure), cost: pinball loss as a share of the usual change of the series.
    """
    parts = []
    for measure, panel in panels.items():
        said = asked(panel, horizon, policy)
        for back in range(horizon + folds - 1, horizon - 1, -1):
            quantiles, fold = model.quantiles(measure, panel, horizon, policy, back), said.fold(back)
            found = _losses(quantiles, fold.actual(panel), fold.panel).assign(origin=back, segment=measure)
            sums = found.groupby(["series_id", "origin", "segment"])["cost"].sum()
            parts.append(sums.reset_index())
    return _together(parts)


def _losses(quantiles: Floats, actual: Floats, panel: Panel) -> pd.DataFrame:
    """series_id and cost of each cell that has both."""
    seen = np.isfinite(actual) & np.isfinite(quantiles).all(axis=-1)
    series, _ = np.nonzero(seen)
    loss = pinball(actual[seen], quantiles[seen]).mean(axis=1) / blend.scales(panel)[series]
    return pd.DataFrame({"series_id": panel.ids[series], "cost": loss})
