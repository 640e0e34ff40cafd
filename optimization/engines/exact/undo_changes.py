"""A re-plan changes only what pays: undoing the change of any one lot does not lower the cost.

A lot is changed where its pieces differ from its incumbents'. Undone, it gets its incumbents back, every other lot
keeps its pieces, and the factories concerned get their best schedule. On a plan proven optimal there is nothing to
undo; one that was stopped early may hold changes that cost more than they bring. In: an Instance and its Plan. Out: a
Plan that is not dearer. No frozen pair shrinks, for it keeps its incumbent pieces either way.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimization.contract.instances import Instance
from optimization.contract.plan import PAIR, Plan, cost_parts, empty_frame, gap_share, unmet_pieces
from optimization.contract.tolerances import MONEY_SHARE, ROUND_OFF_SHARE
from optimization.engines.exact import timetable
from optimization.statement.reduction import Pairs

Pieces = NDArray[np.int64]

_HALF = 0.5
_STATED_PER_S = 100  # pairs whose days can be stated and searched in a second, on a busy machine too
_LONGEST_S = 10.0  # for the days of one lot's factories
_OF_PIECES = ("unit", "setup", "engagement", "unmet", "change")  # parts of the cost that no schedule changes


@dataclass(frozen=True)
class _Part:
    """Some factories: what they work, and the instance around it.

    Lots that others work on too cost too much here, but the same before and after.
    """

    factories: frozenset[str]
    instance: Instance
    reduced: Pairs
    allocation: pd.DataFrame
    schedule: pd.DataFrame

    @property
    def cost(self) -> float:
        """Cost of the part as it is."""
        return sum(cost_parts(self.instance, self.allocation, self.schedule).values())

    def best(self, allocation: pd.DataFrame, below: float, seconds: float) -> "_Part | None":
        """The part with another allocation and its best schedule, where that costs less than `below`."""
        pieces = cost_parts(self.instance, allocation, empty_frame("schedule"))
        if sum(pieces[name] for name in _OF_PIECES) >= below:
            return None
        days = timetable.at_best(self.instance, self.reduced, allocation, seconds) if len(allocation) else None
        if days is None and len(allocation):
            return None
        part = replace(self, allocation=allocation, schedule=self.schedule[:0] if days is None else days)
        return part if part.cost < below else None


@dataclass(frozen=True)
class _Lot:
    """A changed lot: its order, and the pairs that it has in the plan or among its incumbents. Pieces are by pair."""

    order: Any
    pairs: pd.DataFrame

    @property
    def factories(self) -> frozenset[str]:
        """Where the lot is made, or was to be."""
        return frozenset(self.pairs["factory_id"])

    def pieces(self, allocation: pd.DataFrame) -> Pieces:
        """The lot's pieces in an allocation."""
        mine = allocation[allocation["lot_id"] == self.order.name].set_index("factory_id")["quantity"]
        return np.asarray(mine.reindex(self.pairs["factory_id"], fill_value=0), dtype=np.int64)

    def rows(self, pieces: Pieces) -> pd.DataFrame:
        """Pieces as rows of an allocation."""
        return self.pairs[PAIR].assign(quantity=pieces)[pieces > 0]

    def cost(self, pieces: Pieces) -> float:
        """What the pieces cost, whatever the schedule: unit, setup, change, unmet."""
        p = self.pairs
        made = (
            p["unit_cost"] * pieces
            + p["setup_cost"] * (pieces > 0)
            + p["change_cost"] * np.maximum(0, p["held"] - pieces)
        )
        return float(made.sum() + self.order["unmet_cost"] * (self.order["quantity"] - pieces.sum()))

    def undoings(self, now: Pieces) -> Iterator[Pieces]:
        """The lot back at its incumbents: with the pieces beyond them left where they are, where allowed; without."""
        held, least = self.pairs["held"].to_numpy(dtype=np.int64), self.pairs["least"].to_numpy()
        extra = np.maximum(0, now - held)
        cheap = np.argsort(self.pairs["unit_cost"].to_numpy(), kind="stable")
        before = np.zeros_like(extra)
        before[cheap] = np.cumsum(extra[cheap]) - extra[cheap]
        kept = np.clip(int(self.order["quantity"]) - held.sum() - before, 0, extra)
        kept = np.where((held == 0) & (kept < least), 0, kept)
        for pieces in (held + kept, held):
            if self._allowed(pieces):
                yield pieces

    def _allowed(self, pieces: Pieces) -> bool:
        used = pieces > 0
        within = (pieces >= self.pairs["least"]) & (pieces <= self.pairs["most"])
        shared = (used & (self.pairs["kept"] == 0)).sum() <= self.pairs["max_new"].max()
        return bool(within[used].all() and shared and pieces.sum() <= self.order["quantity"])


def settled(instance: Instance, reduced: Pairs, plan: Plan, seconds: float = 60.0, stop: Event | None = None) -> Plan:
    """The plan without changes that do not pay; its report counts them and says whether the time was enough for all.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).
    plan
        Its plan.
    seconds
        For the search.
    stop
        Once set, it ends; None: nobody sets it.

    Returns
    -------
    Plan
        Its report counts what was undone, and says whether the time was enough for all.
    """
    until = time.monotonic() + (0.0 if stop and stop.is_set() else seconds)
    least = MONEY_SHARE * abs(plan.report["objective"])
    lots = _lots(instance, reduced, plan)
    plan = _on_best_days(instance, reduced, plan, frozenset().union(*(lot.factories for lot in lots.values())), until)
    waiting, undone, stake = dict.fromkeys(lots), set[str](), at_stake(instance, plan)
    while waiting and time.monotonic() < until and not (stop and stop.is_set()):
        lot_id = next(iter(waiting))
        del waiting[lot_id]
        better = _undone(instance, reduced, plan, lots[lot_id], stake, least, until)
        if better:
            plan, undone = _with(plan, better), undone | {lot_id}
            stake = at_stake(instance, plan)
            waiting |= dict.fromkeys(o for o, lot in lots.items() if lot.factories & better.factories)
    facts = {"changes_undone": len(undone), "changes_all_seen": not waiting}
    return _restated(instance, plan, facts)


def _lots(instance: Instance, reduced: Pairs, plan: Plan) -> dict[str, _Lot]:
    """The changed lots whose incumbents all can still be made."""
    changed = changed_lots(instance, plan.allocation)
    held = instance.incumbent[instance.incumbent["quantity"] > 0].groupby("lot_id").size()
    orders = instance.orders.set_index("lot_id")
    pairs = reduced.pairs[reduced.pairs["lot_id"].isin(changed)]
    pairs = pairs.merge(plan.allocation[[*PAIR, "quantity"]], on=PAIR, how="left")
    pairs = pairs[(pairs["held"] > 0) | (pairs["quantity"] > 0)]
    return {
        str(o): _Lot(orders.loc[o], table.reset_index(drop=True))
        for o, table in pairs.groupby("lot_id")
        if (table["held"] > 0).sum() == held[o]
    }


def _on_best_days(instance: Instance, reduced: Pairs, plan: Plan, factories: frozenset[str], until: float) -> Plan:
    """The same pieces on better days, in half of the time: what a change costs must not hide in a poor schedule."""
    part = _part(instance, reduced, plan, factories)
    seconds = _HALF * (until - time.monotonic())
    if not factories or len(part.allocation) > _STATED_PER_S * seconds:
        return plan
    better = part.best(part.allocation, part.cost, seconds)
    return _with(plan, better) if better else plan


def _undone(
    instance: Instance, reduced: Pairs, plan: Plan, lot: _Lot, stake: "pd.Series[float]", least: float, until: float
) -> _Part | None:
    """The factories of a lot after its undoing, where that costs less."""
    now = lot.pieces(plan.allocation)
    most = stake.reindex(sorted(lot.factories), fill_value=0.0).sum()
    ways = [way for way in lot.undoings(now) if lot.cost(way) - lot.cost(now) < most - least]
    if not ways:
        return None
    part = _part(instance, reduced, plan, lot.factories)
    others, below = part.allocation[part.allocation["lot_id"] != lot.order.name], part.cost - least
    tried = (pd.concat([others, lot.rows(way)], ignore_index=True) for way in ways)
    found = (part.best(way, below, min(_LONGEST_S, until - time.monotonic())) for way in tried)
    return next(filter(None, found), None)


def at_stake(instance: Instance, plan: Plan) -> "pd.Series[float]":
    """By factory the cost that less or other work there could save: overtime, lateness, shortfall, engagement."""
    arcs = instance.arcs[[*PAIR, "minutes_per_piece", "transit_days"]]
    runs = plan.schedule.merge(arcs, on=PAIR).merge(instance.orders[["lot_id", "due_day", "late_cost"]], on="lot_id")
    days_late = (runs["day"] + runs["transit_days"] - runs["due_day"]).clip(lower=0)
    runs["late"] = runs["late_cost"] * runs["run_minutes"] / runs["minutes_per_piece"] * days_late
    runs["load"] = runs["setup_minutes"] + runs["run_minutes"]
    days = runs.groupby(["factory_id", "day"], as_index=False)[["late", "load"]].sum()
    days = days.merge(instance.capacity, on=["factory_id", "day"])
    days["stake"] = days["late"] + (days["load"] - days["minutes"]).clip(lower=0) * days["overtime_cost"]
    known = instance.factories.set_index("factory_id")
    whole = known["engagement_cost"] + known["shortfall_cost"] * known["target_minutes"]
    return days.groupby("factory_id")["stake"].sum().add(whole, fill_value=0.0)


def changed_lots(instance: Instance, allocation: pd.DataFrame) -> set[str]:
    """Lots with incumbents whose pieces are not at their incumbents, pair by pair."""
    held = instance.incumbent[instance.incumbent["quantity"] > 0]
    both = held.merge(allocation, on=PAIR, how="outer", suffixes=("_held", "")).fillna(
        {"quantity": 0, "quantity_held": 0}
    )
    moved = both["lot_id"][both["quantity"] != both["quantity_held"]]
    return set(moved) & set(held["lot_id"])


def _part(instance: Instance, reduced: Pairs, plan: Plan, factories: frozenset[str]) -> _Part:
    def at(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["factory_id"].isin(factories)].reset_index(drop=True)

    arcs = at(instance.arcs)
    local = replace(
        instance,
        orders=instance.orders[instance.orders["lot_id"].isin(arcs["lot_id"])],
        arcs=arcs,
        capacity=at(instance.capacity),
        factories=at(instance.factories),
        incumbent=at(instance.incumbent),
    )
    pairs = Pairs(at(reduced.pairs), at(reduced.days), at(reduced.spans), reduced.dropped[:0])
    return _Part(factories, local, pairs, at(plan.allocation), at(plan.schedule))


def _with(plan: Plan, part: _Part) -> Plan:
    """The plan with what the part's factories now work."""
    allocation = _joined(plan.allocation, part.allocation, part.factories, PAIR)
    schedule = _joined(plan.schedule, part.schedule, part.factories, [*PAIR, "day"])
    return replace(plan, allocation=allocation, schedule=schedule)


def _joined(table: pd.DataFrame, new: pd.DataFrame, factories: frozenset[str], keys: list[str]) -> pd.DataFrame:
    rest = table[~table["factory_id"].isin(factories)]
    return pd.concat([rest, new]).sort_values(keys, ignore_index=True)


def _restated(instance: Instance, plan: Plan, facts: dict[str, Any]) -> Plan:
    """The plan with the report of what it now is; its bound stands. What is unmet has no reasons yet."""
    report = plan.report
    cost = cost_parts(instance, plan.allocation, plan.schedule)
    objective = sum(cost.values())
    bound = min(report["bound"], objective)
    gap = gap_share(objective, bound)
    optimal = gap <= max(ROUND_OFF_SHARE, report["engine"].get("asked_gap", 0.0))
    figures = {"status": "optimal" if optimal else "feasible", "objective": objective, "bound": bound, "gap": gap}
    missing = unmet_pieces(instance, plan.allocation)
    unmet = [{"order_id": lot_id, "quantity": int(pieces)} for lot_id, pieces in missing[missing > 0].items()]
    return replace(plan, report=report | figures | {"cost": cost, "unmet": unmet, "engine": report["engine"] | facts})
