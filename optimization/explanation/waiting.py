"""What more minutes of a factory bring to lots that wait for them: planned again, whole pieces, all switches free.

A lot waits where pieces of it are unmet although minutes would make them. One minute more often brings nothing: a lot
needs its setup and its least pieces. So the amounts tried are one minute, and what each lot lacks to begin and to be
whole there; what an amount saves is the cost of the best plan without it less that of the best plan with it, among the
waiting lots and those that hold most minutes there, the rest of the plan kept. In a small book these are all lots.

In: Instance, Plan. Out: `waiting`, a frame of pairs; `WaitingLots.steps`, what some minutes more bring.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract.edits import Edit, edited
from optimization.contract.instances import Instance, open_minutes, rows, window
from optimization.contract.plan import DAY, PAIR, Plan, day_loads, unmet_pieces
from optimization.contract.tolerances import FITS_MINUTES
from optimization.explanation.form import CENT
from optimization.unmet import rest
from optimization.unmet.counterfactual import Counterfactual, cheapest

_ARCS = 60  # of the lots that are planned again together; more take many seconds
_SECONDS = 1.0  # of one such plan
_LOTS = 3  # whose needs are tried; each gives two amounts
_GAP = 2e-6  # relative: of two plans, each found within 1e-6


@dataclass(frozen=True)
class MoreMinutes:
    """So many minutes more save so much and make so many pieces that were unmet; `lots` get them."""

    minutes: float
    saves: float
    pieces: int
    lots: tuple[str, ...]

    @property
    def per_minute(self) -> float:
        """What a minute of it saves."""
        return self.saves / self.minutes


def waiting(instance: Instance, plan: Plan) -> pd.DataFrame:
    """The pairs at which lots wait, with the minutes that they lack there and what these would save.

    lot_id, factory_id, pieces (unmet, at most those that the pair may take), used, first_day, last_day, minutes
    (lacking to make them), begins (lacking to make the fewest allowed), saves (money), rate (money per minute).
    """
    pairs = _of_short_lots(instance, plan)
    pairs["first_day"], pairs["last_day"] = window(pairs, instance.horizon_days, pairs["frozen"])
    least = np.maximum(1, pairs["min_lot"].where(~pairs["used"] & ~pairs["frozen"], 0))
    setup = np.where(pairs["used"] | pairs["setup_done"], 0.0, 1.0)
    spare = _spare(instance, plan, pairs)
    for name, pieces in (("minutes", pairs["pieces"]), ("begins", least)):
        pairs[name] = pieces * pairs["minutes_per_piece"] + setup * pairs["setup_minutes"] - spare
    pairs["saves"] = pairs["pieces"] * (pairs["unmet_cost"] - pairs["unit_cost"]) - setup * pairs["setup_cost"]
    pairs["rate"] = pairs["saves"] / pairs["minutes"].clip(lower=1.0)
    columns = ["pieces", "used", "first_day", "last_day", "minutes", "begins", "saves", "rate"]
    some = _may_take(pairs, least) & (pairs["minutes"] > FITS_MINUTES) & (pairs["saves"] > CENT)
    return pairs.loc[some, [*PAIR, *columns]].sort_values("rate", ascending=False, ignore_index=True)


def _of_short_lots(instance: Instance, plan: Plan) -> pd.DataFrame:
    """The arcs of lots that are not made whole: pieces made, those that each may still take, what it holds already."""
    missing = unmet_pieces(instance, plan.allocation)
    lots = instance.orders[instance.orders["lot_id"].isin(missing.index[missing > 0])]
    pairs = instance.arcs.merge(lots[["lot_id", "due_day", "max_late_days", "max_factories", "unmet_cost"]])
    made = plan.allocation.rename(columns={"quantity": "made"})
    held = instance.incumbent[[*PAIR, "frozen", "setup_done"]]
    pairs = pairs.merge(made, on=PAIR, how="left").merge(held, on=PAIR, how="left").fillna({"made": 0})
    pieces = np.minimum(pairs["max_lot"] - pairs["made"], pairs["lot_id"].map(missing).astype(float))
    flags = {flag: pairs[flag].eq(True) for flag in ("frozen", "setup_done")}
    return pairs.assign(used=pairs["made"] > 0, pieces=pieces, **flags)


def _may_take(pairs: pd.DataFrame, least: Any) -> "pd.Series[bool]":
    """Whether the rules but capacity let a pair take its least pieces."""
    full = pairs["used"].groupby(pairs["lot_id"]).transform("sum") >= pairs["max_factories"]
    has_days = pairs["first_day"] <= pairs["last_day"]
    allowed: pd.Series[bool] = has_days & (pairs["used"] | ~full) & (pairs["pieces"] >= least)
    return allowed


def dearest_days(found: pd.DataFrame, count: int) -> list[tuple[str, int]]:
    """A factory and day each, those first whose lots would save most per minute; of each factory its first such day."""
    first = found.drop_duplicates("factory_id").head(count)
    return [(row.factory_id, int(row.first_day)) for row in rows(first)]


class WaitingLots:
    """The lots that wait for a factory and those that hold most of its minutes, to be planned again."""

    def __init__(self, instance: Instance, plan: Plan, factory_id: str, found: pd.DataFrame) -> None:
        self._factory_id = factory_id
        self._waits = found[found["factory_id"] == factory_id]
        self._part = rest.part(instance, plan, _lots(instance, plan, factory_id, self._waits["lot_id"].tolist()))
        self._known = plan.allocation
        self._now: Counterfactual | None = None

    def steps(self, day: int, until: float) -> list[MoreMinutes]:
        """What amounts of minutes more on a day bring, the least first; amounts that bring no more a minute are left.

        `until`: monotonic seconds after which no further amount is tried.
        """
        steps: list[MoreMinutes] = []
        for minutes in self._amounts(day):
            if time.monotonic() > until:
                break
            found = self.step(day, minutes)
            if found and found.per_minute > max((known.per_minute for known in steps), default=0.0) * (1 + _GAP):
                steps.append(found)
        return steps

    def _amounts(self, day: int) -> list[float]:
        """One minute, and those with which a lot that waits on the day would begin or be whole; the least first."""
        here = self._waits[(self._waits["first_day"] <= day) & (self._waits["last_day"] >= day)]
        if here.empty:
            return []
        ends = here[["begins", "minutes"]].head(_LOTS).to_numpy().ravel()
        return sorted({1.0, *(amount for end in ends if (amount := math.ceil(end - FITS_MINUTES)) >= 1)})

    def step(self, day: int, minutes: float) -> MoreMinutes | None:
        """What so many minutes more on a day bring; None where nothing."""
        now = self._now = self._now or cheapest(self._part, _SECONDS, known=self._known)
        key = {"factory_id": self._factory_id, "day": day}
        more = edited(self._part, [Edit("capacity", key, more={"minutes": minutes})])
        then = cheapest(more, _SECONDS, known=now.plan.allocation)
        saves = now.total - then.total
        if not saves > CENT + _GAP * abs(now.total):
            return None
        return MoreMinutes(minutes, saves, *self._gained(now.plan, then.plan))

    def _gained(self, now: Plan, then: Plan) -> tuple[int, tuple[str, ...]]:
        """Pieces that another plan makes more, and the lots that get them, those that gain most first."""
        left = unmet_pieces(self._part, now.allocation) - unmet_pieces(self._part, then.allocation)
        gaining = left[left > 0].sort_values(ascending=False, kind="stable")
        return int(left.sum()), tuple(map(str, gaining.index))


def _lots(instance: Instance, plan: Plan, factory_id: str, waits: list[str]) -> list[str]:
    """The waiting lots that gain most a minute, then those with most minutes there; all lots of a small book."""
    if len(instance.arcs) <= _ARCS:
        return instance.orders["lot_id"].tolist()
    some = waits[: max(1, rest.within_arcs(instance, waits, _ARCS / 2))]
    here = plan.schedule[plan.schedule["factory_id"] == factory_id]
    ranked = list(dict.fromkeys([*some, *rest.busiest(here)]))
    return ranked[: max(1, rest.within_arcs(instance, ranked, _ARCS))]


def _spare(instance: Instance, plan: Plan, pairs: pd.DataFrame) -> Any:
    """Minutes that the plan leaves in the window of each pair, overtime included."""
    table = _free_minutes(instance, plan).reindex(index=sorted(set(pairs["factory_id"]))).fillna(0.0)
    sums = np.concatenate([np.zeros((len(table), 1)), np.cumsum(table.to_numpy(), axis=1)], axis=1)
    at = table.index.get_indexer(pd.Index(pairs["factory_id"]))
    first, last = pairs["first_day"].to_numpy(), pairs["last_day"].to_numpy()
    begin, end = (np.clip(day, 0, instance.horizon_days) for day in (first - 1, last))
    return np.maximum(0.0, sums[at, np.maximum(begin, end)] - sums[at, begin])


def _free_minutes(instance: Instance, plan: Plan) -> pd.DataFrame:
    """A row per factory and a column per day of the horizon: minutes without work, overtime included."""
    free = instance.capacity.merge(day_loads(plan.schedule), on=DAY, how="left")
    free["free"] = (open_minutes(free) - free["load"].fillna(0.0)).clip(lower=0.0)
    table = free.pivot_table(index="factory_id", columns="day", values="free", aggfunc="sum")
    return table.reindex(columns=range(1, instance.horizon_days + 1))
