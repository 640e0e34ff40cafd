"""The search: each material by itself (positions.py, exactly), joined only where a supplier's own capacity binds.

In: a `Case`. Out: `SupplierChoice`: orders (supplier_id, material_id, period of arrival, packs, quantity, price),
objective, proven bound, gap. The bound is the sum of the materials' own bounds when suppliers' own capacities are left
out, or that of the joint program where it was solved: the materials are then one program.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from optimization.materials.case import OFFER, Case, refuse_faults
from optimization.materials.positions import Purchase, cheapest, material_of
from optimization.materials.sharing import share
from optimization.materials.statement import state
from optimization.statement.highs import Limits, compile_model, complete, search

ORDER = [*OFFER, "period"]
_JOINT = 2_000  # orders that a joint program may have: a tenth of a second at most of building, closed in seconds
_LEAST_SECONDS = 2.0  # a busy machine needs them for the first point of a material; most take a quarter of one
_GREED = 4  # a material may take so many times its share of what time is left: most take far less
Found = tuple[pd.DataFrame, float, float]  # orders, cost, bound
_NO_ORDERS = pd.DataFrame(
    {"supplier_id": "", "material_id": "", "period": 0, "packs": 0, "quantity": 0.0, "price": 0.0}, index=[]
)


@dataclass(frozen=True, eq=False)
class SupplierChoice:
    """What is bought, and how good that is proven to be."""

    orders: pd.DataFrame  # ORDER, packs, quantity, price
    objective: float
    bound: float
    joined: int  # materials that a shared capacity binds
    seconds: float

    @property
    def gap(self) -> float:
        """Share of the objective that is not proven."""
        return (self.objective - self.bound) / abs(self.objective) if self.objective > self.bound else 0.0


def choose(
    case: Case, time_limit_s: float = 60.0, gap: float = 5e-3, progress: Callable[[int, int], None] | None = None
) -> SupplierChoice:
    """Whom to buy what from, and when.

    Parameters
    ----------
    case
        What is needed, by whom it is sold; refused where it has faults.
    time_limit_s
        Seconds in all; a material that gets no time is bought by the first point that HiGHS finds.
    gap
        Relative gap at which the search of each material stops.
    progress
        Told how many materials of how many are done.

    Returns
    -------
    SupplierChoice
        With its proven bound.

    Raises
    ------
    InputError
        All faults of the case at once.
    """
    refuse_faults(case)
    began = time.monotonic()
    found = _each(case, time_limit_s, gap, progress or _silent)
    orders, objective, bound = _summed(found.values())
    tied = _over(case, orders)
    if tied:
        left = max(_LEAST_SECONDS * len(tied), time_limit_s - (time.monotonic() - began))
        orders, objective, bound = _joined(case, found, tied, left, gap)
    return SupplierChoice(orders, objective, bound, len(tied), time.monotonic() - began)


def _silent(_done: int, _total: int) -> None:
    """Tells nobody."""


def _each(case: Case, seconds: float, gap: float, progress: Callable[[int, int], None]) -> dict[str, Found]:
    """Each material by itself, as if its suppliers sold nothing else."""
    began, found = time.monotonic(), {}
    alone = replace(case, suppliers=case.suppliers.assign(capacity=np.inf))
    total = len(case.materials)
    for number, part in enumerate(alone.by_material()):
        left = seconds - (time.monotonic() - began)
        share = max(_LEAST_SECONDS, left / (total - number) * _GREED)
        found[part.materials["material_id"].iloc[0]] = _solved(part, share, gap)
        progress(number + 1, total)
    return found


def _summed(found: Iterable[Found]) -> Found:
    """Several materials as one."""
    parts = list(found)
    orders = [one[0] for one in parts if len(one[0])] or [_NO_ORDERS]
    return pd.concat(orders, ignore_index=True), sum(one[1] for one in parts), sum(one[2] for one in parts)


def _over(case: Case, orders: pd.DataFrame) -> list[str]:
    """Materials of the suppliers that would deliver more in a week than they can."""
    load = _by_week(case, pd.concat([orders, case.arrivals])[["supplier_id", "period", "quantity"]])
    most = load.index.get_level_values(0).map(case.suppliers.set_index("supplier_id")["capacity"].to_dict())
    over = set(load[load > np.asarray(most, dtype=float) * (1 + 1e-9)].index.get_level_values(0))
    return sorted(set(case.offers.loc[case.offers["supplier_id"].isin(over), "material_id"]))


def _by_week(case: Case, delivered: pd.DataFrame) -> "pd.Series[float]":
    """What each supplier delivers in each window of a week, by its first period."""
    every = pd.concat(delivered.assign(week=delivered["period"] - back) for back in range(case.periods_per_week))
    return every.query("week >= 1").groupby(["supplier_id", "week"])["quantity"].sum()


def _joined(case: Case, alone: dict[str, Found], tied: list[str], seconds: float, gap: float) -> Found:
    """The materials that a shared capacity binds: one program where it is small, else by prices, else in turn."""
    free = _summed(one for name, one in alone.items() if name not in set(tied))
    joint = _with_taken(case.of(tied), pd.concat([case.arrivals[~case.arrivals["material_id"].isin(tied)], free[0]]))
    if len(joint.breaks) * case.horizon <= _JOINT * case.review_periods:
        return _summed([free, _solved(joint, seconds, gap)])
    ranked = sorted(tied, key=lambda name: -alone[name][1])
    parts = {part.materials["material_id"].iloc[0]: part for part in joint.by_material()}
    materials = [material for name in ranked if (material := material_of(parts[name]))]
    if len(materials) == len(ranked):
        shared = share(joint, materials, sum(alone[name][2] for name in ranked), seconds, gap)
        bought = _bought([one for purchases in shared.purchases for one in purchases])
        return _summed([free, (bought, shared.cost, shared.bound)])
    return _summed([free, *_in_turn(joint, alone, ranked, seconds, gap)])


def _in_turn(case: Case, alone: dict[str, Found], ranked: list[str], seconds: float, gap: float) -> Iterator[Found]:
    """One material after the other, the dearest first: what one takes of a week, the next cannot."""
    taken = case.arrivals
    for number, name in enumerate(ranked):
        part = _with_taken(case.of([name]), taken[taken["material_id"] != name])
        orders, cost, _ = _solved(part, max(_LEAST_SECONDS, seconds / (len(ranked) - number)), gap)
        taken = pd.concat([taken, orders[taken.columns]])
        yield orders, cost, alone[name][2]


def _with_taken(case: Case, taken: pd.DataFrame) -> Case:
    """The case with what other materials take of its suppliers' weeks, as arrivals of a material of nobody."""
    others = taken.groupby(["supplier_id", "period"], as_index=False)["quantity"].sum().assign(material_id="")
    return replace(case, arrivals=pd.concat([case.arrivals, others[case.arrivals.columns]]))


def _solved(case: Case, seconds: float, gap: float) -> Found:
    """Orders, cost and bound of one material, exactly where that goes, or of one program."""
    if material := material_of(case):
        purchases, cost = cheapest(material)
        return _bought(purchases), cost, cost
    model = state(case)
    program = compile_model(model)
    result = search(program, None, Limits(seconds, gap, 1))
    values = _nothing(program) if result.values is None else result.values
    bound = -np.inf if result.bound is None else float(result.bound)
    return _orders(model, *program.columns(model.packs), values), program.value(values), bound


def _bought(purchases: list[Purchase]) -> pd.DataFrame:
    """ORDER, packs, quantity and price of what is bought."""
    found = [(one.place[0], one.material_id, one.place[1], one.packs, one.units, one.price) for one in purchases]
    return pd.DataFrame(found, columns=_NO_ORDERS.columns).astype(_NO_ORDERS.dtypes.to_dict())


def _orders(model: Any, keys: list[Any], columns: Any, values: Any) -> pd.DataFrame:
    """ORDER, packs, quantity and price of what is bought."""
    found = [
        (*key[:3], int(count), count * model.offer[key[:2]].pack, model.segments[(*key[:2], key[3])][2])
        for key, count in zip(keys, np.rint(values[columns]), strict=True)
        if count > 0
    ]
    return pd.DataFrame(found, columns=_NO_ORDERS.columns)


def _nothing(program: Any) -> Any:
    """Values of a point at which nothing is bought, which is always allowed."""
    upper = np.where(program.integer, 0.0, program.upper)
    point = complete(replace(program, upper=upper))
    if point is None:
        raise RuntimeError("supplier choice: even buying nothing is no point of the program")
    return point
