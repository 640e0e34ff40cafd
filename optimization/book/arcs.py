"""Which factory may make which lot, at what cost and pace: the arcs of the daily planning instance.

In: lots (L rows), factories (F rows), their capabilities and scores. Matrices are (L, F); minutes are paid operator
minutes, money is the plan's currency, distance is kilometres. The rules are told in docs/operations.md.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from c2m.settings import AssumedRates
from optimization.book.factory_record import craft_difference, failures, order_caps, yields
from optimization.book.promised_dates import slack_days
from optimization.routing.distances import distances_km, transit_days

# From this willingness on a factory takes the whole of a lot, however small.
WILLING = 0.5


@dataclass(frozen=True)
class ArcMatrices:
    """What every factory could do for every lot: (L, F) matrices, `eligible` where it may be asked at all."""

    eligible: Flags
    minutes_per_piece: Floats
    unit_cost: Floats
    min_lot: Ints
    max_lot: Floats
    transit_days: Ints


def arcs(
    lots: pd.DataFrame,
    factories: pd.DataFrame,
    capabilities: pd.DataFrame,
    scores: pd.DataFrame,
    held: pd.DataFrame,
    refusals: pd.DataFrame,
    running_minutes: Floats,
    count: int,
    promise_level: float | Floats,
    rates: AssumedRates,
) -> pd.DataFrame:
    """The arcs of an instance: the shortlisted factories of every lot, and every pair that is `held` by a job order.

    `lots` are instance orders joined with their product facts, `to_place` (pieces not held), `order_id`, `pool_id` and
    `setup_pieces` (made with one setup: those of a lot, or of its pool, whose lots agree on the minimum lot); `held`
    has lot_id, factory_id, quantity; `running_minutes` (F, H + 1) is what a factory can work up to and with each day.
    transit_days holds the days in hand (`slack_days`) with which the whole order's date keeps the promise level.
    """
    offered = offers(lots, factories, capabilities, scores, rates)
    setup_minutes = factories["setup_minutes"].to_numpy(dtype=float)
    keep = _pairs(held, held["quantity"], lots, factories)
    refused = _pairs(refusals, 1, lots, factories) > 0
    pieces = window_pieces(offered, lots, running_minutes, setup_minutes)
    pieces = np.minimum(pieces, offered.max_lot)
    eligible = offered.eligible & ~refused & (pieces >= offered.min_lot)
    setup_share = factories["setup_cost"].to_numpy(dtype=float) / _column(lots["setup_pieces"])
    cost = np.where(eligible, offered.unit_cost + setup_share, np.inf)
    free = running_minutes[:, -1] - (keep * offered.minutes_per_piece).sum(axis=0)
    chosen = shortlist(cost, offered.minutes_per_piece, pieces, offered.min_lot, lots, free, count) | (keep > 0)
    lot, factory = np.nonzero(chosen)
    least, kept, alone = offered.min_lot[chosen], keep[chosen], (lots["pool_id"] == "").to_numpy()
    slack = slack_days(
        factories,
        np.diff(running_minutes, axis=1),
        _column(lots["due_day"]) - offered.transit_days,
        order_pairs(lots, np.where(eligible, pieces, 0)),
        promise_level,
    )[chosen]
    return pd.DataFrame(
        {
            "lot_id": lots["lot_id"].to_numpy()[lot],
            "factory_id": factories["factory_id"].to_numpy()[factory],
            "unit_cost": offered.unit_cost[chosen],
            "minutes_per_piece": offered.minutes_per_piece[chosen],
            "setup_cost": factories["setup_cost"].to_numpy(dtype=float)[factory],
            "setup_minutes": setup_minutes[factory],
            "min_lot": np.where((kept > 0) & alone[lot], np.minimum(least, kept), least),
            "max_lot": np.maximum(np.minimum(lots["quantity"].to_numpy()[lot], offered.max_lot[chosen]), kept).astype(
                int
            ),
            "transit_days": offered.transit_days[chosen] + slack,
            "slack_days": slack,
        }
    )


def _pairs(pairs: pd.DataFrame, values: "pd.Series[int] | int", lots: pd.DataFrame, factories: pd.DataFrame) -> Ints:
    """(L, F) the pairs' values, 0 elsewhere; pairs of other lots or unknown factories are left out."""
    row = pd.Index(lots["lot_id"]).get_indexer(pairs["lot_id"])
    column = pd.Index(factories["factory_id"]).get_indexer(pairs["factory_id"])
    known = (row >= 0) & (column >= 0)
    matrix = np.zeros((len(lots), len(factories)), dtype=np.int64)
    matrix[row[known], column[known]] = np.broadcast_to(values, len(pairs))[known]
    return matrix


def offers(
    lots: pd.DataFrame,
    factories: pd.DataFrame,
    capabilities: pd.DataFrame,
    scores: pd.DataFrame,
    rates: AssumedRates,
) -> ArcMatrices:
    """Eligible: active, with the lot's category and all its crafts, and a minimum lot that the lot reaches.

    How fast, how well and how punctually is by the lot's crafts where the factory has shown that they differ.
    """
    skill = skill_efficiency(lots, factories, capabilities)
    factor = _numbers(factories, "efficiency_factor", 1.0)
    slower = 1 + factor * craft_difference(lots, factories, capabilities, "efficiency_factor", power=-1)
    minutes = _column(lots["sam_minutes"]) / (np.nan_to_num(skill, nan=1.0) * factor) * slower
    minutes = minutes / _yields(lots, factories, capabilities, scores)
    freight = rates.freight_share_per_km * distances_km(lots, factories) * _column(lots["unit_cost_basis"])
    min_lot = _min_lots(lots, factories)
    max_lot = order_caps(lots, factories, scores)
    active = (factories["status"] == "active").to_numpy(dtype=bool)
    return ArcMatrices(
        eligible=~np.isnan(skill) & active & (min_lot <= np.minimum(_column(lots["setup_pieces"]), max_lot)),
        minutes_per_piece=minutes,
        unit_cost=factories["minute_cost"].to_numpy(dtype=float) * minutes
        + freight
        + failures(lots, factories, capabilities, scores, rates),
        min_lot=min_lot,
        max_lot=max_lot,
        transit_days=transit_days(lots, factories),
    )


def order_pairs(lots: pd.DataFrame, pieces: Floats) -> Ints:
    """(L,) pairs that a lot's whole order is split into at least: the fewest factories that make each lot in time."""
    fewest = np.minimum(_fewest_factories(lots, pieces), lots["max_factories"].to_numpy(dtype=np.int64))
    by_order = pd.Series(fewest).groupby(lots["order_id"].to_numpy())
    return by_order.transform("sum").to_numpy(dtype=np.int64)


def _fewest_factories(lots: pd.DataFrame, pieces: Floats) -> Ints:
    """(L,) how many factories make the lot together, the roomiest first."""
    made = np.cumsum(-np.sort(-pieces, axis=1), axis=1)
    return np.asarray(1 + (made < _column(lots["quantity"])).sum(axis=1))


def skill_efficiency(lots: pd.DataFrame, factories: pd.DataFrame, capabilities: pd.DataFrame) -> Floats:
    """(L, F) standard minutes earned per paid minute, by the weakest skill of those needed; NaN where one is absent."""
    skills = capabilities.pivot(index=["kind", "name"], columns="factory_id", values="efficiency")
    skills = skills.reindex(columns=factories["factory_id"]).astype(float)
    needs, need = pd.factorize(pd.MultiIndex.from_frame(lots[["category", "crafts"]].fillna("")))
    by_need = np.empty((len(need), len(factories)))
    for row, (category, crafts) in enumerate(need):
        names = [("category", category), *(("craft", craft) for craft in crafts.split(";") if craft)]
        by_need[row] = skills.reindex(pd.MultiIndex.from_tuples(names)).to_numpy().min(axis=0)
    return by_need[needs]


def shortlist(
    cost: Floats, minutes: Floats, pieces: Floats, min_lot: Ints, lots: pd.DataFrame, free: Floats, count: int
) -> Flags:
    """(L, F) the factories worth offering to each lot: about `count`, few enough to plan and with room for all.

    The cheapest half, then the cheapest that still have room once the lots due earlier have reserved theirs; for a lot
    that these cannot hold, the roomiest as well. Without the reservation all lots of a kind would be offered the same
    few factories, and the rest would stand idle while lots stay unmet.

    `cost` (L, F) per piece, inf where not eligible; `pieces` (L, F) that the factory could make in the lot's window;
    `free` (F,) minutes over the horizon; `lots` with due_day, to_place (pieces) and max_factories.
    """
    kept = np.zeros(cost.shape, dtype=bool)
    free = free.copy()
    wanted, share = (lots[column].to_numpy(dtype=np.int64) for column in ["to_place", "max_factories"])
    for lot in np.argsort(lots["due_day"].to_numpy(), kind="stable"):
        ranked = np.argsort(cost[lot], kind="stable")[: np.isfinite(cost[lot]).sum()]
        room = np.minimum(pieces[lot, ranked], np.maximum(free[ranked], 0) / minutes[lot, ranked])
        room[room < min_lot[lot, ranked]] = 0
        picked = _pick(room, count, int(wanted[lot]), int(share[lot]))
        kept[lot, ranked[picked]] = True
        taken = picked[room[picked] > 0][: share[lot]]
        before = np.cumsum(room[taken]) - room[taken]
        reserved = np.clip(wanted[lot] - before, 0, room[taken])
        free[ranked[taken]] -= reserved * minutes[lot, ranked[taken]]
    return kept


def _pick(room: Floats, count: int, wanted: int, share: int) -> Ints:
    """Positions to keep, cheapest first; `room` (pieces) is ordered by cost."""
    by_cost = np.arange(len(room))
    picked = np.zeros(len(room), dtype=bool)
    picked[: count // 2] = True
    for more in (by_cost[room > 0], by_cost):
        fresh = more[~picked[more]]
        picked[fresh[: count - picked.sum()]] = True
    roomiest = np.argsort(-room, kind="stable")[:share]
    if np.sort(room[picked])[-share:].sum() < wanted:
        picked[roomiest] = True
    return np.flatnonzero(picked)


def window_pieces(offered: ArcMatrices, lots: pd.DataFrame, running_minutes: Floats, setup_minutes: Floats) -> Floats:
    """(L, F) whole pieces that a factory could make between the lot's release and its last useful day.

    `running_minutes` (F, H + 1): minutes and overtime up to and with each day, 0 first.
    """
    horizon = running_minutes.shape[1] - 1
    first = np.clip(_column(lots["release_day"]), 1, horizon + 1).astype(np.int64)
    last = _column(lots["due_day"] + lots["max_late_days"]).astype(np.int64) - offered.transit_days
    last = np.maximum(np.clip(last, 0, horizon), first - 1)
    factory = np.arange(len(running_minutes))
    available = running_minutes[factory, last] - running_minutes[factory, first - 1] - setup_minutes
    pieces: Floats = np.floor(np.maximum(available, 0) / offered.minutes_per_piece)
    return pieces


def _min_lots(lots: pd.DataFrame, factories: pd.DataFrame) -> Ints:
    """The factory's minimum lot, down to half of it the more willing it is; a willing one takes a smaller lot whole."""
    willingness = _numbers(factories, "small_order_willingness", 0.0)
    least = np.ceil(factories["min_lot"].to_numpy(dtype=float) * (1 - willingness / 2))
    quantity = _column(lots["setup_pieces"])
    return np.where(willingness >= WILLING, np.minimum(least, quantity), least).astype(np.int64)


def _yields(lots: pd.DataFrame, factories: pd.DataFrame, capabilities: pd.DataFrame, scores: pd.DataFrame) -> Floats:
    """(L, F) good pieces per piece begun: of category and crafts where it is scored, else of the factory."""
    by_category = yields(lots, factories, capabilities, scores)
    return np.where(np.isnan(by_category), _numbers(factories, "yield_rate", 1.0), by_category)


def _column(values: "pd.Series[float]") -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]


def _numbers(factories: pd.DataFrame, column: str, otherwise: float) -> Floats:
    """(F,) the column, `otherwise` where a factory has no evidence yet."""
    return np.asarray(factories[column].astype(float).fillna(otherwise), dtype=np.float64)
