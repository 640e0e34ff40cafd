"""The picture of the joint factory in README: orders split over factories, and the days that result, from a real plan.

Usage: .venv/bin/python scripts/joint_factory.py RUN_FOLDER docs/images/joint-factory.svg

RUN_FOLDER is a folder of `C2M_HOME/runs/<day>/` with instance and plan; README shows the first plan of `make run`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optimization.contract import instances
from optimization.contract.instances import Instance, whole_lots
from optimization.contract.plan import Plan, read_plan

ORDERS = 10  # the largest ones


def colours(instance: Instance) -> dict[str, tuple[float, ...]]:
    """A colour for each factory."""
    names = sorted(instance.capacity["factory_id"].unique())
    return {name: mpl.colormaps["tab20"](at % 20) for at, name in enumerate(names)}


def draw_orders(axes: Axes, plan: Plan, of: dict[str, tuple[float, ...]]) -> None:
    """The largest orders, a bar each, a piece of it for each factory that makes a part."""
    pieces = plan.allocation.pivot(index="lot_id", columns="factory_id", values="quantity").fillna(0)
    pieces = pieces.loc[pieces.sum(axis=1).nlargest(ORDERS).index[::-1]]
    left = np.zeros(len(pieces))
    for name in pieces.columns:
        width = pieces[name].to_numpy()
        axes.barh(range(len(pieces)), width, left=left, color=of[name], edgecolor="white")
        for row in np.flatnonzero(width > 0.08 * pieces.to_numpy().sum(axis=1).max()):
            middle, text = left[row] + width[row] / 2, f"{name[-2:]}\n{width[row]:,.0f}"
            axes.text(middle, row, text, ha="center", va="center", fontsize=7)
        left += width
    axes.set_yticks(range(len(pieces)), [f"order {len(pieces) - row}" for row in range(len(pieces))], fontsize=8)
    axes.set_xlabel("pieces; in each part the factory and its pieces", fontsize=8)
    axes.set_title("Large orders are split over factories, small ones are not", fontsize=10, loc="left")


def draw_days(axes: Axes, instance: Instance, plan: Plan, of: dict[str, tuple[float, ...]]) -> None:
    """Work of each factory by day, in hours, one on top of the other."""
    minutes = plan.schedule.assign(hours=(plan.schedule["setup_minutes"] + plan.schedule["run_minutes"]) / 60)
    table = minutes.pivot_table(index="day", columns="factory_id", values="hours", aggfunc="sum").fillna(0)
    below = np.zeros(len(table))
    first = pd.Timestamp(instance.day_1 or "2026-01-01")
    dates = [f"{first + pd.Timedelta(int(day) - 1, 'D'):%-d %b}" for day in table.index]
    for name in table.columns:
        axes.bar(dates, table[name], bottom=below, color=of[name], edgecolor="white", label=name[-2:])
        below += table[name].to_numpy()
    axes.tick_params(axis="x", labelrotation=60, labelsize=7)
    axes.set_ylabel("hours of work", fontsize=8)
    axes.legend(title="factory", fontsize=7, title_fontsize=7, ncols=2)
    axes.set_title("One factory out of many, day by day", fontsize=10, loc="left")


def main(run: Path, out: Path) -> None:
    """Draws what the plan of a run makes in one stage."""
    instance, plan = whole_lots(instances.read(run / "instance")), read_plan(run / "plan")
    allocation, schedule = (
        table[table["lot_id"].isin(instance.orders["lot_id"])] for table in (plan.allocation, plan.schedule)
    )
    plan = replace(plan, allocation=allocation, schedule=schedule)
    mpl.rcParams["svg.hashsalt"] = "c2m"
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    draw_orders(left, plan, colours(instance))
    draw_days(right, instance, plan, colours(instance))
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
