"""Why frozen work does not fit, in words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance, rows
from optimization.contract.tolerances import ROOM_MINUTES
from optimization.statement.reduction import Pairs


def frozen_causes(instance: Instance, reduced: Pairs) -> list[str]:
    """Why the frozen work cannot be done as it stands; never empty.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).

    Returns
    -------
    list of str
        Sentences.
    """
    kept = reduced.pairs[reduced.pairs["kept"] > 0]
    causes = [*_over_quantity(instance, kept), *_over_pair(kept), *_over_capacity(reduced, kept)]
    return causes or ["the frozen work does not fit: daily limits of its pairs and capacity leave no schedule together"]


def _over_quantity(instance: Instance, kept: pd.DataFrame) -> Iterator[str]:
    asked = instance.orders.set_index("lot_id")["quantity"].to_dict()
    for lot_id, pieces in kept.groupby("lot_id")["kept"].sum().items():
        if pieces > asked[lot_id]:
            yield f"order {lot_id}: {pieces} pieces are frozen, the order asks for {asked[lot_id]}; release some"


def _over_pair(kept: pd.DataFrame) -> Iterator[str]:
    for row in rows(kept):
        name = f"order {row.lot_id} at {row.factory_id}: {row.kept} frozen pieces"
        need = row.kept * row.minutes_per_piece + row.setup_minutes
        if row.kept > row.max_lot:
            yield f"{name} exceed max_lot {row.max_lot}"
        if row.first_day > row.last_day or row.reach <= 0:
            yield f"{name} have no working day: material on day {row.first_day}, days end at {row.last_day}"
        elif need > row.reach + ROOM_MINUTES:
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
        if worst and worst[0] > ROOM_MINUTES and len(table) > 1:
            excess, need, first, last = worst
            yield (
                f"factory {factory_id}: frozen work of {len(table)} orders needs {need:.1f} minutes in days {first} to "
                f"{last}, {excess:.1f} more than the {need - excess:.1f} there are, overtime included"
            )


def _excess(work: pd.DataFrame, days: pd.DataFrame, offered: Any, first: int, last: int) -> tuple[float, float]:
    inside = (work["first_day"] >= first) & (work["last_day"] <= last)
    need = float(work["need"][inside].sum())
    return need - float(offered[np.asarray(days["day"].between(first, last))].sum()), need
