"""A part of a plan as an instance of its own: some lots free, the rest of the plan kept, and the way back.

Capacity is what the other lots leave; a factory that the others engage costs no engagement; its target is what the
others' work leaves of it. A plan of the part put back in place of the lots' old one is a plan of the whole, and costs
the whole what it costs the part and the rest.

`cut` is for searches, over arrays: it leaves out what no plan can use at present. `optimization.unmet.rest` keeps every
arc and day. Both take from here what is left of minutes and costs, and which rows are the lots'.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.instances import Instance
from optimization.contract.keys import located
from optimization.contract.plan import PAIR
from optimization.contract.tolerances import DUST_MINUTES
from optimization.statement.dense import Dense, dense, factory_names, places
from optimization.statement.draft import Draft, empty
from optimization.statement.reduction import Pairs


@dataclass(frozen=True)
class Others:
    """What the rest of a plan takes: minutes (factories, days), and whether it engages a factory (factories,)."""

    load: Floats  # (factories, days) minutes
    engaged: Flags  # (factories,)
    shared: Flags  # (factories,) held by another part: only `own` minutes (factories, days) are left there
    own: Floats  # (factories, days) minutes


@dataclass(frozen=True)
class Whole:
    """The instance that parts are cut from: its tables, its pairs and their arrays."""

    instance: Instance
    reduced: Pairs
    arrays: Dense
    arc: Ints  # (pairs,) row of the instance's arcs
    first_pair: Ints  # (orders + 1,) pairs of order o are first_pair[o] to first_pair[o + 1] - 1
    lot_ids: "pd.Index[str]"
    factory_ids: "pd.Index[str]"

    def pairs_of(self, orders: Ints) -> Ints:
        """(pairs,) numbers of the pairs of some orders (n,)."""
        return np.concatenate([np.arange(self.first_pair[o], self.first_pair[o + 1]) for o in orders])

    def place(self, table: pd.DataFrame) -> Ints:
        """(rows,) pair number of each row of a table with lot_id and factory_id."""
        order, factory = places(self.lot_ids, table["lot_id"]), places(self.factory_ids, table["factory_id"])
        return np.asarray(np.searchsorted(self.key, order * len(self.factory_ids) + factory))

    def allocation(self, draft: Draft, pairs: Ints | None = None) -> pd.DataFrame:
        """The pieces of a draft as a table.

        Parameters
        ----------
        draft
            A plan as arrays.
        pairs
            (n,) those that are told; None: those that make any.

        Returns
        -------
        pd.DataFrame
            lot_id, factory_id, quantity (pieces).
        """
        used = np.flatnonzero(draft.quantity) if pairs is None else pairs
        return self._named(used, {"quantity": draft.quantity[used]})

    def schedule(self, draft: Draft) -> pd.DataFrame:
        """A draft's work as rows of a plan's schedule: lot_id, factory_id, day, setup_minutes, run_minutes."""
        pair, day = np.nonzero(draft.setup + draft.run > 0)
        minutes = {"setup_minutes": draft.setup[pair, day], "run_minutes": draft.run[pair, day]}
        return self._named(pair, {"day": day + 1} | minutes)

    def draft(self, allocation: pd.DataFrame, schedule: pd.DataFrame) -> Draft:
        """A plan as a draft.

        Parameters
        ----------
        allocation
            lot_id, factory_id, quantity (pieces).
        schedule
            lot_id, factory_id, day, setup_minutes, run_minutes.

        Returns
        -------
        Draft
            On the arrays of the instance.
        """
        draft = empty(self.arrays)
        put_back(self, draft, np.arange(len(self.arrays.order)), allocation, schedule)
        return draft

    def _named(self, pairs: Ints, columns: dict[str, Any]) -> pd.DataFrame:
        names = {
            "lot_id": self.lot_ids[self.arrays.order[pairs]],
            "factory_id": self.factory_ids[self.arrays.factory[pairs]],
        }
        return pd.DataFrame(names | columns)

    @cached_property
    def key(self) -> Ints:
        """(pairs,), ascending: order and factory in one number."""
        return self.arrays.order * len(self.factory_ids) + self.arrays.factory


def whole_of(instance: Instance, reduced: Pairs) -> Whole:
    """The instance made ready for cutting.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).

    Returns
    -------
    Whole
        With its arrays.
    """
    arrays = dense(instance, reduced)
    arc = located(reduced.pairs, instance.arcs, PAIR)
    first = np.searchsorted(arrays.order, np.arange(len(arrays.quantity) + 1)).astype(np.int64)
    names = factory_names(instance, reduced)
    return Whole(instance, reduced, arrays, arc, first, pd.Index(instance.orders["lot_id"]), names)


def minutes_left(minutes: Floats, overtime: Floats, load: Floats) -> tuple[Floats, Floats]:
    """What others' load leaves.

    Parameters
    ----------
    minutes
        (factories, days) or any one shape: regular minutes.
    overtime
        (factories, days): minutes of overtime.
    load
        (factories, days): minutes of the others.

    Returns
    -------
    tuple of numpy.ndarray
        (factories, days) regular minutes, and (factories, days) all minutes, overtime included.
    """
    return np.maximum(0.0, minutes - load), np.maximum(0.0, minutes + overtime - load)


def costs_left(engagement_cost: Floats, target_minutes: Floats, engaged: Flags, work: Floats) -> tuple[Floats, Floats]:
    """What factories still cost beside the work of others.

    Parameters
    ----------
    engagement_cost
        (factories,) money.
    target_minutes
        (factories,) minutes.
    engaged
        (factories,) which of them others engage.
    work
        (factories,) minutes of the others.

    Returns
    -------
    tuple of numpy.ndarray
        (factories,) the engagement that no other lot pays, and (factories,) the target less the others' work.
    """
    return np.where(engaged, 0.0, engagement_cost), np.maximum(0.0, target_minutes - work)


def sub_instance(
    instance: Instance, lots: Iterable[str], arcs: pd.DataFrame, capacity: pd.DataFrame, factories: pd.DataFrame
) -> Instance:
    """The orders and incumbents of some lots, with arcs, capacity and factories that are left to them.

    Parameters
    ----------
    instance
        What is planned.
    lots
        Their ids.
    arcs
        lot_id, factory_id, as in the instance: those left to them.
    capacity
        factory_id, day, minutes, as in the instance: what is left to them.
    factories
        Columns of the instance's table.

    Returns
    -------
    Instance
        The part.
    """
    orders, held = (table[table["lot_id"].isin(set(lots))] for table in (instance.orders, instance.incumbent))
    return replace(
        instance,
        orders=orders.reset_index(drop=True),
        arcs=arcs.reset_index(drop=True),
        capacity=capacity,
        factories=factories.reset_index(drop=True),
        incumbent=held.reset_index(drop=True),
    )


def cut(whole: Whole, pairs: Ints, others: Others) -> Instance:
    """The orders of some pairs with these pairs alone, in what the others leave.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    pairs
        (n,) pairs.
    others
        What the rest of the plan takes.

    Returns
    -------
    Instance
        The part.
    """
    lots = whole.lot_ids[np.unique(whole.arrays.order[pairs])]
    arcs = whole.instance.arcs.iloc[whole.arc[pairs]]
    factories = np.unique(whole.arrays.factory[pairs])
    capacity, costs = _capacity(whole, factories, others), _factories(whole, factories, others)
    return sub_instance(whole.instance, lots, arcs, capacity, costs)


def _capacity(whole: Whole, factories: Ints, others: Others) -> pd.DataFrame:
    arrays, shared = whole.arrays, others.shared[:, None]
    free = minutes_left(arrays.minutes, arrays.overtime, others.load)
    regular, left = (np.where(shared, others.own, minutes)[factories] for minutes in free)
    at, day = np.nonzero(left > DUST_MINUTES)
    return pd.DataFrame(
        {
            "factory_id": whole.factory_ids[factories[at]],
            "day": day + 1,
            "minutes": regular[at, day],
            "overtime_minutes": (left - regular)[at, day],
            "overtime_cost": arrays.overtime_cost[factories][at, day],
        }
    )


def _factories(whole: Whole, factories: Ints, others: Others) -> pd.DataFrame:
    arrays = whole.arrays
    work = others.load.sum(axis=1)
    left = costs_left(arrays.engagement_cost, arrays.target_minutes, others.engaged, work)
    engagement, target = (each[factories] for each in left)
    table = pd.DataFrame(
        {
            "factory_id": whole.factory_ids[factories],
            "engagement_cost": engagement,
            "target_minutes": target,
            "shortfall_cost": arrays.shortfall_cost[factories],
        }
    )
    costs = (engagement > 0) | ((target > 0) & (arrays.shortfall_cost[factories] > 0))
    return table[costs]


def put_back(whole: Whole, draft: Draft, pairs: Ints, allocation: pd.DataFrame, schedule: pd.DataFrame) -> None:
    """Replaces the work of pairs in a draft by a plan of their part.

    Parameters
    ----------
    whole
        The instance made ready for cutting.
    draft
        Is changed.
    pairs
        (n,) pairs.
    allocation
        lot_id, factory_id, quantity (pieces): of the part's plan.
    schedule
        lot_id, factory_id, day, setup_minutes, run_minutes: of the part's plan.
    """
    place = whole.place
    draft.quantity[pairs] = 0
    draft.setup[pairs] = 0.0
    draft.run[pairs] = 0.0
    draft.quantity[place(allocation)] = allocation["quantity"].to_numpy()
    at, day = place(schedule), schedule["day"].to_numpy() - 1
    draft.setup[at, day] = schedule["setup_minutes"].to_numpy()
    draft.run[at, day] = schedule["run_minutes"].to_numpy()
