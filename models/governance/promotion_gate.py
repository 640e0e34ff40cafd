"""The gate of promotion: a challenger takes the champion's place only when it saves money and harms no segment.

Both are judged on the same folds by `models.evaluation.cost`. The saving must exclude chance: its bootstrap interval,
paired and drawn by series because the folds of one series are alike (Efron and Tibshirani 1993, chapter 13), must lie
above zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.settings import PromotionPolicy
from models.panel.matrices import Floats

CHAMPION, CHALLENGER = "champion", "challenger"
_CELLS = 5_000_000  # drawn at once, 40 MB


@dataclass(frozen=True)
class Promotion:
    """saving: share of the champion's cost, and its interval. segments: cost of both, change, whether within limits."""

    promoted: bool
    reasons: list[str]  # of the verdict, a sentence each
    saving: float
    interval: tuple[float, float]
    segments: pd.DataFrame


def judge(costs: pd.DataFrame, policy: PromotionPolicy) -> Promotion:
    """The verdict on costs by series and origin with the columns segment, champion, challenger."""
    if costs.empty:
        reason = "history is too short: no origin has two windows of demand before it and one after it"
        return Promotion(False, [reason], 0.0, (0.0, 0.0), costs)
    by_series = costs.groupby("series_id")[[CHAMPION, CHALLENGER]].sum()
    low, high = interval(by_series[CHAMPION].to_numpy(), by_series[CHALLENGER].to_numpy(), policy)
    saving = float(_saving(*(by_series[[name]].sum().to_numpy() for name in (CHAMPION, CHALLENGER)))[0])
    segments = _by_segment(costs, policy.segment_limit)
    against = list(_against(saving, low, high, segments, policy))
    span = f"{policy.confidence:.0%} interval {low:.2%} to {high:.2%}"
    limit = f"no segment costs over {policy.segment_limit:.0%} more"
    reasons = against or [f"saves {saving:.2%} ({span}), and {limit}"]
    return Promotion(not against, reasons, saving, (low, high), segments)


def interval(champion: Floats, challenger: Floats, policy: PromotionPolicy) -> tuple[float, float]:
    """Bootstrap interval of the share of the champion's cost that the challenger saves; one entry per series."""
    random, count = np.random.default_rng(0), len(champion)
    chunk = max(1, _CELLS // count)
    savings: list[Floats] = []
    for start in range(0, policy.draws, chunk):
        drawn = random.integers(0, count, (min(chunk, policy.draws - start), count))
        savings.append(_saving(champion[drawn].sum(axis=1), challenger[drawn].sum(axis=1)))
    tail = (1 - policy.confidence) / 2
    low, high = np.quantile(np.concatenate(savings), [tail, 1 - tail])
    return float(low), float(high)


def beside(costs: pd.DataFrame, ours: str, others: list[str], policy: PromotionPolicy) -> pd.DataFrame:
    """Per method: cost, cost per piece asked for, what `ours` saves against it and the interval of that."""
    by_series = costs.groupby("series_id")[[ours, *others]].sum()
    rows = []
    for name in (ours, *others):
        theirs, own = by_series[name].to_numpy(), by_series[ours].to_numpy()
        low, high = interval(theirs, own, policy)
        figures = {"cost": theirs.sum(), "cost_per_piece": theirs.sum() / max(costs["came"].sum(), 1)}
        rows.append({"method": name, **figures, "saved": 1 - own.sum() / theirs.sum(), "low": low, "high": high})
    return pd.DataFrame(rows).set_index("method")


def _saving(champion: Floats, challenger: Floats) -> Floats:
    """Share of the champion's cost; where that is zero, nothing can be saved."""
    saved = champion - challenger
    return np.divide(saved, champion, out=np.minimum(saved, 0.0), where=champion > 0)


def _by_segment(costs: pd.DataFrame, limit: float) -> pd.DataFrame:
    """segment, series, champion, challenger, rise (share of the champion's cost), allowed."""
    found = costs.groupby("segment").agg(
        series=("series_id", "nunique"), champion=(CHAMPION, "sum"), challenger=(CHALLENGER, "sum")
    )
    found["rise"] = -_saving(found[CHAMPION].to_numpy(), found[CHALLENGER].to_numpy())
    return found.assign(allowed=found["rise"] <= limit).reset_index()


def _against(saving: float, low: float, high: float, segments: pd.DataFrame, policy: PromotionPolicy) -> Iterator[str]:
    """What speaks against promotion."""
    if saving < 0:
        span = f"{policy.confidence:.0%} interval {-high:.2%} to {-low:.2%}"
        yield f"costs {-saving:.2%} more than the champion ({span})"
    elif saving == 0:
        yield "costs as much as the champion"
    elif low <= 0:
        yield f"the saving of {saving:.2%} may be chance ({policy.confidence:.0%} interval {low:.2%} to {high:.2%})"
    for row in segments[~segments["allowed"]].itertuples():
        limit = f"{policy.segment_limit:.0%} allowed"
        yield f"segment {row.segment} ({row.series} series) costs {row.rise:.1%} more; {limit}"
