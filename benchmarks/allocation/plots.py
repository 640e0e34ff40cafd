"""Pictures of the allocation benchmark as SVG; the same results give the same bytes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from c2m.files import write_with

COLOURS = {"c2m": "#0b6e4f", "highs": "#c05621", "cpsat": "#2b6cb0", "greedy": "#718096"}
LEAST_GAP = 1e-4  # the asked one; below it a curve ends
mpl.rcParams.update({"svg.hashsalt": "c2m", "svg.fonttype": "none", "font.size": 9, "axes.grid": True})
mpl.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})


def gap_at(trace: Iterable[list[Any]], seconds: float) -> float | None:
    """The gap that a trace has reached by then; None where it has no plan or no bound yet."""
    seen = [_gap(bound, incumbent) for at, bound, incumbent in trace if at <= seconds]
    return next((gap for gap in reversed(seen) if gap is not None), None)


def _gap(bound: float | None, incumbent: float | None) -> float | None:
    if bound is None or incumbent is None or incumbent <= 0:
        return None
    return max(0.0, (incumbent - bound) / incumbent)


def gap_over_time(table: pd.DataFrame, file: Path) -> None:
    """A panel per case: the gap that each solver has proven by itself."""
    proved = table[table["verified"] & (table["solver"] != "greedy")]
    cases = list(proved.groupby("case", sort=False))
    figure = Figure(figsize=(8, 2.6 * ((len(cases) + 1) // 2)), layout="constrained")
    panels = figure.subplots((len(cases) + 1) // 2, 2, squeeze=False).flat
    for (name, rows), axes in zip(cases, panels, strict=False):
        for row in rows.itertuples():
            trace = [*row.trace, [row.seconds, row.bound, row.objective]]
            known = [(at, max(LEAST_GAP, gap)) for at, *found in trace if (gap := _gap(*found)) is not None]
            axes.step(*zip(*known, strict=True), where="post", color=COLOURS[row.solver], label=row.solver, marker=".")
        axes.set(title=name, xlabel="seconds", ylabel="gap", xscale="log", yscale="log")
        _name_shares(axes)
        axes.legend()
    for axes in panels:
        axes.set_axis_off()
    _save(figure, file)


def waste(table: pd.DataFrame, file: Path) -> None:
    """Bars: the share of the rule's avoidable cost that each solver recovers."""
    sound = table[table["verified"] & (table["solver"] != "greedy") & table["recovered"].notna()]
    names, solvers = list(sound["case"].unique())[::-1], list(sound["solver"].unique())
    figure = Figure(figsize=(8, 0.5 * len(names) + 1), layout="constrained")
    axes = figure.subplots()
    for position, (solver, rows) in enumerate(sound.groupby("solver", sort=False)):
        height = 0.8 / len(solvers)
        at = [names.index(name) - position * height for name in rows["case"]]
        axes.barh(at, rows["recovered"].clip(lower=-0.5), height, color=COLOURS[solver], label=solver)
    axes.set_yticks([place - 0.4 + 0.4 / max(1, len(solvers)) for place in range(len(names))], names)
    axes.set(xlabel="share of the greedy rule's waste recovered (dearer than the rule: cut at -50 %)")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    _save(figure, file)


def growth(ours: pd.DataFrame, file: Path) -> None:
    """Seconds, memory and gap over the number of lots."""
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    panels = {"seconds": ours["seconds"], "memory, MiB": ours["peak_mib"], "gap": ours["gap"].clip(lower=LEAST_GAP)}
    for (what, values), axes in zip(panels.items(), figure.subplots(1, 3), strict=True):
        axes.plot(ours["orders"], values, marker="o", color=COLOURS["c2m"])
        axes.set(title=what, xlabel="lots", xscale="log", yscale="log")
        if what == "gap":
            _name_shares(axes)
    _save(figure, file)


def stability(ours: pd.DataFrame, file: Path) -> None:
    """What holding on to the plan in force costs, over the share of it that moves."""
    cost = ours["objective"] - ours["cost"].map(lambda parts: parts["change"])
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot(ours["moved_share"], cost / cost.min() - 1, marker="o", color=COLOURS["c2m"])
    for share, above, name in zip(ours["moved_share"], cost / cost.min() - 1, ours["case"], strict=True):
        axes.annotate(name.partition("price=")[2], (share, above), textcoords="offset points", xytext=(5, 5))
    axes.set(xlabel="pieces moved from the plan in force", ylabel="cost above the cheapest plan")
    axes.set_title("each point a price of change, in median pieces", fontsize=9)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    _save(figure, file)


def _name_shares(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _save(figure: Figure, file: Path) -> None:
    write_with(file, lambda part: figure.savefig(part, format="svg", metadata={"Date": None}, facecolor="white"))
