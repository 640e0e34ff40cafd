"""Pictures of a backtest, for the MLflow run."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.evaluation.backtest import OURS, calibration, score, scores, transform
from models.evaluation.segments import SEGMENTS


def fan(cells: pd.DataFrame, series: int = 6) -> Figure:
    """The strongest series: quantiles of ours as a fan, what came as dots.

    Parameters
    ----------
    cells
        `Backtest.cells`.
    series
        How many series.

    Returns
    -------
    Figure
        Two beside each other.
    """
    ours = cells[cells["method"] == OURS]
    strongest = ours.groupby("series_id")["y"].sum().nlargest(series).index
    figure = Figure(figsize=(11, 2.2 * -(-len(strongest) // 2)), layout="constrained")
    axes = figure.subplots(-(-len(strongest) // 2), 2, squeeze=False, sharex=True).ravel()
    for axis, name in zip(axes, strongest, strict=False):
        one = ours[ours["series_id"] == name].sort_values("ds")
        for low, high in (("q05", "q95"), ("q10", "q90"), ("q25", "q75")):
            axis.fill_between(one["ds"], one[low], one[high], color="tab:blue", alpha=0.2, linewidth=0)
        axis.plot(one["ds"], one["q50"], color="tab:blue")
        axis.plot(one["ds"], one["y"], "k.", markersize=4)
        axis.set_title(str(name), fontsize=9)
        axis.tick_params(axis="x", rotation=30, labelsize=8)
    figure.suptitle("Demand (dots) and its forecast: median, 50 %, 80 % and 90 % intervals (pieces a day)")
    return figure


def error_by_horizon(cells: pd.DataFrame) -> Figure:
    """WAPE of every method by days ahead."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for method, group in cells.groupby("method", sort=False):
        wape = group.groupby("horizon_day").apply(lambda ahead: score(ahead)["wape"])
        axis.plot(wape.index, wape, marker="o", label=str(method))
    axis.set(xlabel="days ahead", ylabel="WAPE", xticks=np.unique(cells["horizon_day"]))
    axis.legend()
    return figure


def calibrated(cells: pd.DataFrame) -> Figure:
    """Left: the share of ours below and at most each quantile, with the level between them. Right: the transform.
    cells: `Backtest.cells`.
    """
    ours = cells[cells["method"] == OURS]
    figure = Figure(figsize=(11, 4), layout="constrained")
    levels, uniform = figure.subplots(1, 2)
    found = calibration(ours)
    levels.vlines(found["level"], found["below"], found["at_most"], color="tab:blue", linewidth=6, alpha=0.5)
    levels.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    levels.set(xlabel="level", ylabel="share of cells below .. at most the quantile", title="Calibration")
    uniform.hist(transform(ours), bins=20, range=(0, 1), density=True, color="tab:blue", alpha=0.5)
    uniform.axhline(1, color="grey", linewidth=0.8)
    uniform.set(xlabel="probability integral transform, randomised", ylabel="density", title="Flat where calibrated")
    return figure


def error_by_segment(cells: pd.DataFrame) -> Figure:
    """WAPE of every method in each segment."""
    present = [name for name in SEGMENTS if (cells["segment"] == name).any()]
    table = pd.DataFrame({name: scores(cells[cells["segment"] == name])["wape"] for name in present})
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    table.T.plot.bar(ax=axis, rot=0)
    axis.set(xlabel="segment", ylabel="WAPE")
    return figure


def importance(gain: "pd.Series[float]", most: int = 20) -> Figure:
    """The features that the mean leans on most.

    Parameters
    ----------
    gain
        Total gain by feature (`Scorer.gain`), in units of the loss.
    most
        How many features.

    Returns
    -------
    Figure
        Shares of the total gain as bars.
    """
    top = gain.nlargest(most).sort_values()
    figure = Figure(figsize=(8, 0.28 * len(top) + 1), layout="constrained")
    axis = figure.subplots()
    axis.barh(top.index, top / gain.sum())
    axis.set(xlabel="share of the total gain")
    return figure
