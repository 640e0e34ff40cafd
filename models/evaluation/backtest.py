"""Rolling-origin backtest: ours and the baselines on the same folds, scored alike.

At each origin everything is trained on what was known then. Scored are the series that had history at the first origin,
so that every fold judges the same set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from c2m.settings import ForecastPolicy
from models.demand.boosting import QUANTILE_LEVELS
from models.demand.features import Cells, ratio
from models.demand.forecast import QUANTILES, asked_cells, forecast
from models.demand.train import train
from models.evaluation.baselines import BASELINES, baseline_frame
from models.evaluation.segments import segments
from models.panel.matrices import Floats, Panel

OURS = "c2m"


@dataclass(frozen=True)
class Backtest:
    """scores: a row per method. cells: method, series_id, segment, origin, ds, horizon_day, y, point, mean, q05 .. q95.

    costs: what wrong quantities cost with each method, by series and origin (`models.evaluation.cost.costs`).
    """

    scores: pd.DataFrame
    cells: pd.DataFrame
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)


def backtest(panel: Panel, policy: ForecastPolicy, horizon: int | None = None) -> Backtest:
    """Ours against the baselines at rolling origins, a season apart (Tashman 2000).

    Parameters
    ----------
    panel
        Series by periods.
    policy
        Origins, horizon and training.
    horizon
        Periods ahead that are judged; None: a season. Never more than the policy's.

    Returns
    -------
    Backtest
        Scores by model, and the judged cells; both empty where the history is too short.

    Examples
    --------
    The seasonal naive forecast makes no error where every week is like the last.

    >>> from models.panel.long import panel_of
    >>> days = pd.date_range("2026-01-05", periods=28)
    >>> shirts = pd.DataFrame({"series_id": "shirt", "ds": days, "y": [1, 2, 3, 4, 5, 6, 7] * 4})
    >>> found = backtest(panel_of(shirts), ForecastPolicy(rounds=5, threads=1, backtest_origins=1))
    >>> found.scores.loc["seasonal_naive", ["pieces", "wape"]].tolist()
    [28.0, 0.0]
    """
    horizon = min(horizon or panel.season or policy.horizon_days, policy.horizon_days)
    at = origins(panel, policy, horizon)
    if not at:
        return Backtest(pd.DataFrame(), pd.DataFrame())
    cells = pd.concat((judged(panel, fold(panel, origin, horizon, at[0]), policy) for origin in at), ignore_index=True)
    return Backtest(scores(cells), cells)


def origins(panel: Panel, policy: ForecastPolicy, horizon: int) -> list[int]:
    """Origins of a backtest, a horizon apart; those are left out that have no past to learn from.

    Parameters
    ----------
    panel
        Series by periods.
    policy
        `backtest_origins`: how many at most.
    horizon
        Periods ahead that are judged.

    Returns
    -------
    list of int
        Columns of the panel, the earliest first.
    """
    found = [panel.end - horizon * back for back in range(policy.backtest_origins, 0, -1)]
    return [origin for origin in found if origin - panel.first.min() >= 2 * horizon]


def fold(panel: Panel, origin: int, horizon: int, first_origin: int) -> Panel:
    """The panel as known at an origin, asking for the series that had history at the first origin.

    Parameters
    ----------
    panel
        Series by periods.
    origin
        Column of the last period that is known.
    horizon
        Periods that are asked for.
    first_origin
        Column of the first origin.

    Returns
    -------
    Panel
        Without what came later.
    """
    known = panel.until(origin, horizon)
    return replace(known, asked=known.asked & (panel.first <= first_origin)[:, None])


def judged(panel: Panel, known: Panel, policy: ForecastPolicy) -> pd.DataFrame:
    """The forecasts of every method for what a fold asks, beside what came."""
    cells = asked_cells(known)
    frames = {OURS: forecast(known, "wape", train(known, policy, totals=False).scorer())}
    return compared(
        panel, cells, frames | {name: baseline_frame(give, known, cells) for name, give in BASELINES.items()}
    )


def compared(panel: Panel, cells: Cells, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The forecasts of each method for cells of one origin beside what came: `Backtest.cells`."""
    came = pd.DataFrame({
        "series_id": panel.ids[cells.series],
        "origin": panel.ds[cells.origin],
        "ds": panel.ds[cells.target],
        "horizon_day": cells.target - cells.origin,
        "segment": segments(panel, int(cells.origin[0]))[cells.series],
        "y": panel.y[cells.series, cells.target],
    })  # fmt: skip
    columns = ["point", "mean", *QUANTILES]
    return pd.concat([came.assign(method=name, **frame[columns]) for name, frame in frames.items()], ignore_index=True)


def scores(cells: pd.DataFrame, by: str = "method") -> pd.DataFrame:
    """Errors of methods.

    Parameters
    ----------
    cells
        Those of a `Backtest`.
    by
        The column that names what is compared.

    Returns
    -------
    pd.DataFrame
        pieces, wape, bias of the mean (shares of demand), pinball (pieces), coverage_80 (a share), a row per method in
        order of appearance.
    """
    return pd.DataFrame({name: score(group) for name, group in cells.groupby(by, sort=False)}).T.rename_axis(by)


def calibration(cells: pd.DataFrame) -> pd.DataFrame:
    """Per level: shares of cells below the quantile and at most the quantile.

    Demand is discrete, so that no quantile need have exactly its level below it: a calibrated one has the level between
    the two shares.
    """
    y = cells["y"].to_numpy()[:, None]
    quantiles = cells[QUANTILES].to_numpy()
    shares = {"below": (y < quantiles).mean(axis=0), "at_most": (y <= quantiles).mean(axis=0)}
    return pd.DataFrame({"level": QUANTILE_LEVELS, **shares})


def miscalibration(cells: pd.DataFrame) -> float:
    """How far the level lies outside of its two shares, at the worst level; 0 where calibrated."""
    found = calibration(cells)
    outside = pd.concat([found["below"] - found["level"], found["level"] - found["at_most"]])
    return max(0.0, float(outside.max()))


def transform(cells: pd.DataFrame, seed: int = 0) -> Floats:
    """The randomised probability integral transform: uniform on (0, 1) where calibrated (Czado et al. 2009).

    The distribution is linear between the quantiles, from 0 below the first and to as far above the last as that is
    above the median. A whole y is drawn from what lies between y - 1/2 and y + 1/2.
    """
    quantiles = cells[QUANTILES].to_numpy()
    end = 2 * quantiles[:, -1:] - quantiles[:, [QUANTILE_LEVELS.index(0.5)]] + 1
    knots = np.hstack([np.full((len(cells), 1), -0.5), quantiles, end])
    levels = np.array([0.0, *QUANTILE_LEVELS, 1.0])
    y = cells["y"].to_numpy()
    half = 0.5 if (y % 1 == 0).all() else 0.0
    low, high = (_level_at(y + step, knots, levels) for step in (-half, half))
    return np.random.default_rng(seed).uniform(low, high)


def _level_at(x: Floats, knots: Floats, levels: Floats) -> Floats:
    """(N,): level of each x on the line through its row of knots (N, K), which never fall."""
    rows = np.arange(len(x))
    left = np.clip((knots <= x[:, None]).sum(axis=1) - 1, 0, len(levels) - 2)
    low, high = knots[rows, left], knots[rows, left + 1]
    share = np.clip(ratio(x - low, high - low), 0, 1)
    return levels[left] + np.nan_to_num(share) * (levels[left + 1] - levels[left])


def score(group: pd.DataFrame) -> dict[str, float]:
    """Errors as shares of demand; pinball in units of y per cell, mean over the quantiles. group: y, point, mean and
    quantiles, a row per cell.
    """
    y, pieces = group["y"].to_numpy(), max(group["y"].sum(), 1e-9)
    return {
        "pieces": float(group["y"].sum()),
        "wape": float((group["point"] - y).abs().sum() / pieces),
        "bias": float((group["mean"] - y).sum() / pieces),
        "pinball": float(pinball(y, group[QUANTILES].to_numpy()).mean()),
        "coverage_80": float(((y >= group["q10"]) & (y <= group["q90"])).mean()),
    }


def pinball(y: Floats, quantiles: Floats) -> Floats:
    """The loss that the true quantile makes least.

    Parameters
    ----------
    y
        (rows,) what came, in units of y.
    quantiles
        (rows, levels) at QUANTILE_LEVELS.

    Returns
    -------
    numpy.ndarray
        (rows, levels) in units of y.
    """
    error, levels = y[:, None] - quantiles, np.array(QUANTILE_LEVELS)
    return np.maximum(levels * error, (levels - 1) * error)
