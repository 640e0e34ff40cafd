"""Why pieces stay unmet, in words.

The codes of unmet lots are those of causes.py, and found by the same three questions in the same order; here for
thousands of lots at once. Whether a lot fits somewhere needs no search: its pairs are at different factories, so it is
a question of the most that each can make. Where it fits and is not made, its costs decide; the first few such lots are
planned as in causes.py, the others get the code `dearer`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats
from optimization.contract.instances import Instance, open_minutes, rows, window
from optimization.contract.keys import located, taken
from optimization.contract.plan import PAIR, Plan, unmet_pieces, worked
from optimization.contract.tolerances import ROOM_MINUTES
from optimization.unmet import rest
from optimization.unmet.causes import LARGEST_LOT, LIFTS, Want, cause

_COLUMNS = (
    *("asked", "max_factories", "first_day", "last_day", "unit_cost", "minutes_per_piece", "setup_minutes", "min_lot"),
    *("max_lot", "kept", "whole", "alone", "beside", "whole_free", "alone_free", "beside_free"),
)
_MOST_SETS = 2_000  # of factories, of one size, that are looked at for a lot
_PLANNED = 4  # lots that fit and are not made, whose costs are looked at one by one
GRACE_S = 2.0  # seconds beyond the limit of a search in which they still are
WORDS = {
    "no-capable-factory": "no factory is listed for it",
    "window-empty": "no day lies between its material and its latest arrival",
    "no-working-day": "no capable factory works between its material and its latest arrival",
    "window-too-short": "its factories have too few minutes before its latest day, were there no other lot",
    "minimum-lot": "minimum lots stop it",
    "maximum-lot": "its factories take too few pieces of it",
    "daily-limit": "its factories can run it too few minutes a day",
    "max-factories": "too few factories may share it",
    "setup-minutes": "setup alone takes too much of a short window",
    "frozen-work": "frozen work of other lots holds its factories",
    "capacity-full": "capacity is taken by other lots",
    "making-dearer": "to make a piece costs more than to leave it",
    "setup-dearer": "its setup costs more than to leave it",
    "engagement-dearer": "to engage a factory for it costs more than to leave it",
    "overtime-dearer": "its overtime costs more than to leave it",
    "lateness-dearer": "its lateness costs more than to leave it",
    "dearer": "setup, overtime, lateness or others' work that would move cost more than to leave these pieces",
    "search-stopped": "there is room that pays; the search stopped before it found it",
}


def unmet(
    instance: Instance, allocation: pd.DataFrame, schedule: pd.DataFrame, proven: bool, until: float = np.inf
) -> list[dict[str, Any]]:
    """Why orders are not made whole.

    Parameters
    ----------
    instance
        What is planned.
    allocation
        lot_id, factory_id, quantity (pieces).
    schedule
        lot_id, factory_id, day, setup_minutes, run_minutes.
    proven
        Whether no plan does notably better.
    until
        Seconds of the monotonic clock, after which no more lots are planned for what their costs are.

    Returns
    -------
    list of dict
        order_id, quantity (pieces), code, reason.
    """
    left = unmet_pieces(instance, allocation)
    short = left[left > 0]
    if not len(short):
        return []
    plan, found = Plan(allocation, schedule, {}), []
    orders = instance.orders[instance.orders["lot_id"].isin(short.index)]
    for lot_id, code, words in _causes(instance, plan, orders, until):
        if code == "dearer" and not proven:
            code, words = "search-stopped", WORDS["search-stopped"]
        found.append({"order_id": lot_id, "quantity": int(short[lot_id]), "code": code, "reason": words})
    return found


def _causes(instance: Instance, plan: Plan, orders: pd.DataFrame, until: float) -> Iterator[tuple[str, str, str]]:
    """Each lot with the code and the words of its cause; `dearer` where its costs were not looked at."""
    pairs, planned = _by_lot(_pairs(instance, plan, orders["lot_id"])), 0
    for order in rows(orders):
        code = _code(order, pairs.get(order.lot_id))
        if code == "dearer" and planned < _PLANNED and time.monotonic() < until:
            planned += 1
            exact = cause(Want(instance, plan, order.lot_id, on_time=False))
            yield order.lot_id, exact.code, exact.words
        else:
            yield order.lot_id, code, WORDS[code]


def _pairs(instance: Instance, plan: Plan, lots: Any) -> pd.DataFrame:
    """The lots' arcs with what they can make in a window: minutes (less | limited a day) in three worlds.

    `whole`: no other lot; `alone`: frozen work of others; `beside`: all others as planned. Each also `_free`: without
    the daily limit.
    """
    pairs = _joined(instance, lots)
    pairs["first_day"], pairs["last_day"] = window(pairs, instance.horizon_days, pairs["kept"] > 0)
    worlds = _Worlds(instance, plan, pairs)
    frozen = rest.frozen_work(instance, plan, plan.schedule)
    for name, others in (("whole", None), ("alone", worked(frozen)), ("beside", worked(plan.schedule))):
        pairs[name], pairs[f"{name}_free"] = worlds.minutes(others)
    return pairs


def _joined(instance: Instance, lots: Any) -> pd.DataFrame:
    """The lots' arcs with what their order and their incumbent say; `kept`: their frozen pieces."""
    arcs = instance.arcs[instance.arcs["lot_id"].isin(lots)].reset_index(drop=True)
    orders = instance.orders.drop(columns=["lot_id", "release_day"]).rename(columns={"quantity": "asked"})
    pairs = pd.concat([arcs, orders.take(located(arcs, instance.orders, ["lot_id"])).reset_index(drop=True)], axis=1)
    held = located(arcs, instance.incumbent, PAIR)
    frozen, done = (taken(instance.incumbent[name], held, False) for name in ("frozen", "setup_done"))
    kept = np.where(frozen, taken(instance.incumbent["quantity"], held, 0), 0)
    return pairs.assign(frozen=frozen, kept=kept, setup_minutes=np.where(done, 0.0, pairs["setup_minutes"]))


class _Worlds:
    """Minutes of pairs in their windows, with some work of the others taken off."""

    def __init__(self, instance: Instance, plan: Plan, pairs: pd.DataFrame) -> None:
        self._pairs, self._names = (
            pairs,
            pd.Index(sorted({*instance.capacity["factory_id"], *instance.arcs["factory_id"]})),
        )
        self._days = instance.horizon_days
        self._room = self._table(instance.capacity.assign(minutes=open_minutes(instance.capacity)))
        width = (pairs["last_day"] - pairs["first_day"] + 1).clip(lower=0).to_numpy()
        self._pair = np.repeat(np.arange(len(pairs)), width)
        self._day = np.repeat(pairs["first_day"].to_numpy() - 1, width) + _counting(width)
        self._factory = self._names.get_indexer(pairs["factory_id"])[self._pair]

    def _table(self, work: pd.DataFrame) -> Floats:
        """Minutes by factory and day."""
        table = np.zeros((len(self._names), self._days))
        np.add.at(table, (self._names.get_indexer(work["factory_id"]), work["day"].to_numpy() - 1), work["minutes"])
        return table

    def minutes(self, others: pd.DataFrame | None) -> tuple[Floats, Floats]:
        """What each pair may work with and without its daily limit; its own lot's work is not in its way."""
        free = self._room[self._factory, self._day]
        if others is not None:
            own = np.zeros((len(self._pairs), self._days))
            at = located(others, self._pairs, PAIR)
            np.add.at(own, (at[at >= 0], others["day"].to_numpy()[at >= 0] - 1), others["minutes"].to_numpy()[at >= 0])
            free = free - self._table(others)[self._factory, self._day] + own[self._pair, self._day]
        free, count = np.maximum(0.0, free), len(self._pairs)
        limit = self._pairs["max_minutes_per_day"].to_numpy()[self._pair]
        limited = np.bincount(self._pair, np.minimum(free, limit), minlength=count)
        return limited, np.bincount(self._pair, free, minlength=count)


def _counting(width: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, .. of each width, one after the other."""
    return np.arange(int(width.sum())) - np.repeat(np.cumsum(width) - width, width)


def _by_lot(pairs: pd.DataFrame) -> dict[str, "_Lot"]:
    """Each lot's figures as arrays; a frame a lot would take most of the time."""
    if pairs.empty:
        return {}
    pairs = pairs.sort_values("lot_id", kind="stable", ignore_index=True)
    columns = {name: pairs[name].to_numpy() for name in _COLUMNS}
    starts = np.flatnonzero(pairs["lot_id"].ne(pairs["lot_id"].shift()).to_numpy())
    ends = np.append(starts[1:], len(pairs))
    return {
        str(pairs["lot_id"].iloc[start]): _Lot(
            {name: column[start:end] for name, column in columns.items()},
            int(columns["asked"][start]),
            int(columns["max_factories"][start]),
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if end > start
    }


def _code(order: Any, lot: "_Lot | None") -> str:
    """The first that holds: no factory can, it does not pay, others are in the way; `dearer` where it fits."""
    if lot is None:
        return "no-capable-factory"
    if not lot.fits("alone"):
        return lot.lifted("alone") or ("frozen-work" if lot.fits("whole") else lot.window())
    if order.unmet_cost <= lot.figures["unit_cost"].min():
        return "making-dearer"
    if not lot.fits("beside"):
        return lot.lifted("beside") or "capacity-full"
    return "dearer"


@dataclass(frozen=True)
class _Lot:
    """What the pairs of a lot can make, column by column of `_pairs`, and the rules on it as they are or lifted."""

    figures: dict[str, Any]
    asked: int
    max_factories: int

    def fits(self, world: str) -> bool:
        """Whether its factories can make all of it in a world."""
        p = self.figures
        frozen = p["kept"] > 0
        pieces = np.maximum(0.0, p[world] - p["setup_minutes"] + ROOM_MINUTES) / p["minutes_per_piece"]
        most = np.minimum(np.minimum(pieces, p["max_lot"]), self.asked).astype(np.int64)
        least = np.where(frozen, p["kept"], np.maximum(1, p["min_lot"]))
        most = np.where(frozen, np.maximum(most, least), most)
        free = np.flatnonzero(~frozen & (most >= least))
        count = min(len(free), max(0, self.max_factories - int(frozen.sum())))
        spare, lacking = self.asked - int(least[frozen].sum()), self.asked - int(most[frozen].sum())
        if spare < 0 or np.sort(most[free])[len(free) - count :].sum() < lacking:
            return False
        return any(_some(least[free], most[free], size, spare, lacking) for size in range(count + 1))

    def lifted(self, world: str) -> str | None:
        """The first rule without which it would fit."""
        p = self.figures
        without = {
            "minimum-lot": replace(self, figures=p | {"min_lot": np.zeros_like(p["min_lot"])}),
            "maximum-lot": replace(self, figures=p | {"max_lot": np.full_like(p["max_lot"], LARGEST_LOT)}),
            "daily-limit": replace(self, figures=p | {world: p[f"{world}_free"]}),
            "max-factories": replace(self, max_factories=LARGEST_LOT),
            "setup-minutes": replace(self, figures=p | {"setup_minutes": np.zeros_like(p["setup_minutes"])}),
        }
        return next((code for code in LIFTS if without[code].fits(world)), None)

    def window(self) -> str:
        """What its window lacks."""
        if (self.figures["first_day"] > self.figures["last_day"]).all():
            return "window-empty"
        return "window-too-short" if self.figures["alone"].any() else "no-working-day"


def _some(least: Any, most: Any, size: int, spare: int, lacking: int) -> bool:
    """Whether so many of the pairs need no more than `spare` pieces at least and make `lacking` at most."""
    largest, smallest = np.argsort(-most, kind="stable")[:size], np.argsort(least, kind="stable")
    if most[largest].sum() < lacking or least[smallest[:size]].sum() > spare:
        return False
    sets = chain([largest.tolist()], map(list, islice(combinations(smallest.tolist(), size), _MOST_SETS)))
    return any(least[some].sum() <= spare and most[some].sum() >= lacking for some in sets)
