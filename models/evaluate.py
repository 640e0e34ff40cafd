"""Rolling-origin backtest: ours and the baselines on the same folds, scored alike.

At each origin everything is trained on what was known then. Scored are the series that had history at the first origin,
so that every fold judges the same set.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from c2m.settings import ForecastPolicy
from models.baselines import BASELINES, baseline_frame
from models.forecast import QUANTILES, asked_cells, forecast
from models.panel import Floats, Panel
from models.train import QUANTILE_LEVELS, train

OURS = "c2m"


@dataclass(frozen=True)
class Backtest:
    """scores: one row per method. cells: method, series_id, origin, ds, horizon_day, y, point, mean, quantiles."""

    scores: pd.DataFrame
    cells: pd.DataFrame


def backtest(panel: Panel, policy: ForecastPolicy, horizon: int | None = None) -> Backtest:
    """Ours against the baselines at the policy's origins, a season apart, `horizon` (else a season) periods ahead."""
    horizon = min(horizon or panel.season or policy.horizon_days, policy.horizon_days)
    folds = [at_origin(panel, origin, horizon, policy) for origin in origins(panel, policy, horizon)]
    if not folds:
        return Backtest(pd.DataFrame(), pd.DataFrame())
    cells = pd.concat(folds, ignore_index=True)
    return Backtest(scores(cells), cells)


def origins(panel: Panel, policy: ForecastPolicy, horizon: int) -> list[int]:
    """Columns of the origins, a horizon apart; those are left out that have no past to learn from."""
    found = [panel.end - horizon * back for back in range(policy.backtest_origins, 0, -1)]
    return [origin for origin in found if origin - int(panel.first.min()) >= 2 * horizon]


def fold(panel: Panel, origin: int, horizon: int, first_origin: int) -> Panel:
    """The panel as known at `origin`, asking for the series that had history at the first origin."""
    known = panel.until(origin, horizon)
    return replace(known, asked=known.asked & (panel.first <= first_origin)[:, None])


def at_origin(panel: Panel, origin: int, horizon: int, policy: ForecastPolicy) -> pd.DataFrame:
    """The forecasts of every method from one origin beside what came."""
    known = fold(panel, origin, horizon, origins(panel, policy, horizon)[0])
    cells = asked_cells(known)
    frames = {OURS: forecast(known, "wape", train(known, policy, totals=False).scorer())}
    frames |= {name: baseline_frame(name, known, cells) for name in BASELINES}
    came = pd.DataFrame({
        "series_id": panel.ids[cells.series],
        "origin": panel.ds[cells.origin],
        "ds": panel.ds[cells.target],
        "horizon_day": cells.target - cells.origin,
        "y": panel.y[cells.series, cells.target],
    })  # fmt: skip
    columns = ["point", "mean", *QUANTILES]
    return pd.concat([came.assign(method=name, **frame[columns]) for name, frame in frames.items()], ignore_index=True)


def scores(cells: pd.DataFrame) -> pd.DataFrame:
    """Per method, in order of appearance: pieces, wape, bias of the mean, pinball (pieces), coverage_80."""
    return pd.DataFrame({method: score(group) for method, group in cells.groupby("method", sort=False)}).T


def score(group: pd.DataFrame) -> dict[str, float]:
    """Errors as shares of demand; pinball in pieces per cell, mean over the quantiles."""
    y, pieces = group["y"].to_numpy(), max(group["y"].sum(), 1e-9)
    return {
        "pieces": float(group["y"].sum()),
        "wape": float((group["point"] - y).abs().sum() / pieces),
        "bias": float((group["mean"] - y).sum() / pieces),
        "pinball": float(pinball(y, group[QUANTILES].to_numpy()).mean()),
        "coverage_80": float(((y >= group["q10"]) & (y <= group["q90"])).mean()),
    }


def pinball(y: Floats, quantiles: Floats) -> Floats:
    """(rows, levels): the loss that the true quantile makes least, in units of y."""
    error, levels = y[:, None] - quantiles, np.array(QUANTILE_LEVELS)
    return np.maximum(levels * error, (levels - 1) * error)
