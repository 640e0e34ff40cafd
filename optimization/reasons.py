"""Why pieces stay unmet and why frozen work does not fit, in words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from optimization.pairs import MINUTES_EPSILON, Grid, Pairs
from optimization.plan import PAIR, unmet_pieces
from optimization.problem import Instance, rows


def unmet(
    instance: Instance, reduced: Pairs, allocation: pd.DataFrame, schedule: pd.DataFrame, proven: bool
) -> list[dict[str, Any]]:
    """order_id, quantity, reason of every order that is not made whole; `proven`: no plan does notably better."""
    left = unmet_pieces(instance, allocation)
    if not left.any():
        return []
    short = instance.orders[instance.orders["order_id"].isin(left[left > 0].index)]
    dropped = reduced.dropped.groupby("order_id")["reason"]
    pairs = dict(iter(_with_room(instance, reduced, short, allocation, schedule).groupby("order_id")))
    result = []
    for order in rows(short):
        o = order.order_id
        if o in pairs:
            reason = _why_not_more(order, pairs[o], proven)
        elif o in dropped.groups:
            reason = "no factory can make it: " + ", ".join(sorted(set(dropped.get_group(o))))
        else:
            reason = "no capable factory: the order has no arc"
        result.append({"order_id": o, "quantity": int(left[o]), "reason": reason})
    return result


def _with_room(
    instance: Instance, reduced: Pairs, orders: pd.DataFrame, allocation: pd.DataFrame, schedule: pd.DataFrame
) -> pd.DataFrame:
    """The orders' pairs with used (by the plan) and room (for a piece more, or for a lot where it is not used)."""
    pairs = reduced.pairs[reduced.pairs["order_id"].isin(orders["order_id"])]
    used = pairs[PAIR].merge(allocation, on=PAIR, how="left")["quantity"].notna().to_numpy()
    grid = Grid(instance)
    free = grid.table(reduced.days, "minutes") + grid.table(reduced.days, "overtime_minutes")
    np.subtract.at(
        free,
        (grid.factory(schedule), schedule["day"].to_numpy() - 1),
        (schedule["setup_minutes"] + schedule["run_minutes"]).to_numpy(),
    )
    sums = np.concatenate([np.zeros((len(free), 1)), np.cumsum(np.maximum(0.0, free), axis=1)], axis=1)
    factory = grid.factory(pairs)
    inside = sums[factory, pairs["last_day"]] - sums[factory, pairs["first_day"] - 1]
    need = pairs["least"] * pairs["minutes_per_piece"] + pairs["setup_minutes"]
    room = inside + MINUTES_EPSILON >= np.where(used, pairs["minutes_per_piece"], need)
    return pairs.assign(used=used, room=room)


def _why_not_more(order: Any, pairs: pd.DataFrame, proven: bool) -> str:
    """The first rule that holds of: full, at most max_factories, dearer than leaving it."""
    free, used = pairs[pairs["room"]], int(pairs["used"].sum())
    if free.empty:
        return f"capacity full in the window at all {len(pairs)} capable factories (last day {pairs['last_day'].max()})"
    if used >= order.max_factories and not free["used"].any():
        return f"{used} of at most {order.max_factories} factories used, and these have no minute or lot left"
    if order.unmet_cost <= free["unit_cost"].min():
        return f"leaving a piece costs {order.unmet_cost:g}, making it at least {free['unit_cost'].min():g}"
    if not proven:
        return "room is left; the search stopped before it found a use of it that pays"
    return "setup, overtime, lateness or a minimum lot cost more than leaving these pieces"


def frozen_causes(instance: Instance, reduced: Pairs) -> list[str]:
    """Why the frozen work cannot be done as it stands; never empty."""
    kept = reduced.pairs[reduced.pairs["kept"] > 0]
    causes = [*_over_quantity(instance, kept), *_over_pair(kept), *_over_capacity(reduced, kept)]
    return causes or ["the frozen work does not fit: daily limits of its pairs and capacity leave no schedule together"]


def _over_quantity(instance: Instance, kept: pd.DataFrame) -> Iterator[str]:
    asked = instance.orders.set_index("order_id")["quantity"].to_dict()
    for order_id, pieces in kept.groupby("order_id")["kept"].sum().items():
        if pieces > asked[order_id]:
            yield f"order {order_id}: {pieces} pieces are frozen, the order asks for {asked[order_id]}; release some"


def _over_pair(kept: pd.DataFrame) -> Iterator[str]:
    for row in rows(kept):
        name = f"order {row.order_id} at {row.factory_id}: {row.kept} frozen pieces"
        need = row.kept * row.minutes_per_piece + row.setup_minutes
        if row.kept > row.max_lot:
            yield f"{name} exceed max_lot {row.max_lot}"
        if row.first_day > row.last_day or row.reach <= 0:
            yield f"{name} have no working day: material on day {row.first_day}, days end at {row.last_day}"
        elif need > row.reach + MINUTES_EPSILON:
            yield (
                f"{name} need {need:.1f} minutes, setup included; the factory offers this pair {row.reach:.1f} "
                f"in days {row.first_day} to {row.last_day}"
            )


def _over_capacity(reduced: Pairs, kept: pd.DataFrame) -> Iterator[str]:
    """Per factory the days whose frozen work exceeds their minutes by most: all that must lie between two days."""
    work = kept.assign(need=kept["kept"] * kept["minutes_per_piece"] + kept["setup_minutes"])
    for factory_id, table in work.groupby("factory_id"):
        days = reduced.days[reduced.days["factory_id"] == factory_id]
        offered = (days["minutes"] + days["overtime_minutes"]).to_numpy()
        intervals = [(a, b) for a in table["first_day"].unique() for b in table["last_day"].unique() if a <= b]
        worst = max(((*_excess(table, days, offered, a, b), a, b) for a, b in intervals), default=None)
        if worst and worst[0] > MINUTES_EPSILON and len(table) > 1:
            excess, need, first, last = worst
            yield (
                f"factory {factory_id}: frozen work of {len(table)} orders needs {need:.1f} minutes in days {first} to "
                f"{last}, {excess:.1f} more than the {need - excess:.1f} there are, overtime included"
            )


def _excess(work: pd.DataFrame, days: pd.DataFrame, offered: Any, first: int, last: int) -> tuple[float, float]:
    inside = (work["first_day"] >= first) & (work["last_day"] <= last)
    need = float(work["need"][inside].sum())
    return need - float(offered[np.asarray(days["day"].between(first, last))].sum()), need
