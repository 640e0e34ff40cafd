"""The backtest of a panel: our forecasts beside the obvious ones, at rolling origins, and which of them to use.

In: a panel and a horizon. Out: figures per method, per segment and per horizon. Errors: WAPE and bias as shares of what
came, MASE and RMSSE over what the seasonal naive forecast erred by up to the origin, pinball in units of y.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.settings import settings
from models.demand.boosting import QUANTILE_LEVELS
from models.ensemble import auto, blend, trees
from models.evaluation.backtest import pinball
from models.evaluation.segments import segments
from models.panel.matrices import Floats, Panel

ORIGINS = 4
OURS = "auto"
CHAMPION = "champion"
RIVALS = (auto.NAIVE, "ETS", auto.MEDIAN_14)
# Pinball of two methods at one origin differs by about so much although neither is better at the next. Chosen on 16
# public sets, in 14 of which ours was within 2 % of the best at the next origin; `benchmarks.forecast.backtest choice`
# judges the rule itself.
CHANCE = 0.1
FIGURES = ("WAPE", "MASE", "RMSSE", "bias", "pinball", "coverage 80", "coverage 50")


@dataclass(frozen=True)
class Contest:
    """cells: a row per method and judged cell. words: which method to use, and by how much it is ahead."""

    cells: pd.DataFrame

    def figures(self, by: str | None = None) -> pd.DataFrame:
        """A row per method (and per value of `by`), the best by pinball first."""
        keys = [by, "method"] if by else ["method"]
        rows = {key: score(group) for key, group in self.cells.groupby(keys, sort=True)}
        frame = pd.DataFrame(rows).T.rename_axis(keys).reset_index()
        return frame.sort_values([*keys[:-1], "pinball"], ignore_index=True)

    def beside(self, by: str, figure: str) -> pd.DataFrame:
        """One figure: a row per value of `by`, a column per method."""
        return self.figures(by).pivot(index=by, columns="method", values=figure).reset_index()

    @property
    def losses(self) -> "pd.Series[float]":
        """Pinball in the scale of each series, so that every series counts, by method, the least first."""
        return (self.cells["pinball"] / self.cells["scale"]).groupby(self.cells["method"]).mean().sort_values()

    @property
    def best(self) -> str:
        """The method to use: ours, unless the loss of another is less by more than chance."""
        first, chance = str(self.losses.index[0]), CHANCE / np.sqrt(self.cells["back"].nunique())
        return first if self.losses[first] < (1 - chance) * self.losses[OURS] else OURS

    @property
    def words(self) -> str:
        """What to use."""
        first, second = map(str, self.losses.index[:2])
        if first == self.best:
            ahead = 1 - self.losses[first] / self.losses[second]
            return f"Use --model {first}: its quantiles cost {ahead:.1%} less than those of {second}, the next best"
        ahead = 1 - self.losses[first] / self.losses[OURS]
        return f"Use --model {OURS}: quantiles of {first} cost {ahead:.1%} less than its, which may be chance"


def contest(panel: Panel, horizon: int, origins: int = ORIGINS) -> Contest:
    """Ours beside the seasonal naive forecast, exponential smoothing and the median of 14 periods.

    Parameters
    ----------
    panel
        Series by periods.
    horizon
        Periods ahead that are judged.
    origins
        How many rolling origins, a horizon apart, counted from the end of each series; fewer where history is short.

    Returns
    -------
    Contest
        Every judged cell with what each method said of it.

    Raises
    ------
    InputError
        No series is long enough to hide a horizon of it and to have a backtest before that.
    """
    said = auto.MemberForecasts(panel, horizon, settings().forecast)
    length = int((panel.last - panel.first + 1).max(initial=0))
    at = [horizon * back for back in range(origins, 0, -1) if length - horizon * back > horizon]
    if not at:
        fault = f"the longest series has {length} periods; a backtest of {horizon} ahead needs more than {2 * horizon}"
        raise InputError("short-history", [fault])
    return Contest(pd.concat((_judged(said, back) for back in at), ignore_index=True))


def _judged(said: auto.MemberForecasts, back: int) -> pd.DataFrame:
    """Every method at one origin."""
    methods: dict[str, Callable[[], Floats]] = {
        OURS: lambda: auto.best(said, back),
        CHAMPION: lambda: said.of(back, "", auto.ENGINE),
    }
    methods |= {name: lambda name=name: auto.alone(said, back, name) for name in RIVALS}  # type: ignore[misc]
    found = {name: call() for name, call in methods.items()}
    fold = said.fold(back)
    actual = fold.actual(said.panel)
    judged = np.isfinite(actual) & np.all([np.isfinite(q).all(axis=-1) for q in found.values()], axis=0)
    series, ahead = np.nonzero(judged)
    facts = {
        "back": back,
        "series_id": said.panel.ids[series],
        "ds": said.panel.ds[fold.target[series, ahead]],
        "horizon": ahead + 1,
        "segment": segments(fold.panel, int(fold.origin.max()))[series],
        "scale": blend.scales(fold.panel)[series],
        "y": actual[series, ahead],
    }
    return pd.concat([_told(facts, quantiles[series, ahead]).assign(method=name) for name, quantiles in found.items()])


def _told(facts: dict[str, object], quantiles: Floats) -> pd.DataFrame:
    """What one method said of the cells."""
    y = np.asarray(facts["y"], dtype=np.float64)
    low, high, inner_low, inner_high = (quantiles[:, QUANTILE_LEVELS.index(q)] for q in (0.1, 0.9, 0.25, 0.75))
    return pd.DataFrame({
        **facts,
        "point": quantiles[:, trees.MEDIAN],
        "mean": auto.mean(quantiles),
        "pinball": pinball(y, quantiles).mean(axis=1),
        "coverage 80": (y >= low) & (y <= high),
        "coverage 50": (y >= inner_low) & (y <= inner_high),
    })  # fmt: skip


def score(cells: pd.DataFrame) -> dict[str, float]:
    """The figures of some cells, FIGURES."""
    error, total = cells["point"] - cells["y"], max(float(cells["y"].abs().sum()), 1e-9)
    return {
        "WAPE": float(error.abs().sum()) / total,
        "MASE": float((error.abs() / cells["scale"]).mean()),
        "RMSSE": float(np.sqrt(((cells["mean"] - cells["y"]) ** 2 / cells["scale"] ** 2).mean())),
        "bias": float((cells["mean"] - cells["y"]).sum()) / total,
        **{name: float(cells[name].mean()) for name in FIGURES[4:]},
    }
