"""Supplier choice as a mixed-integer program: the statement alone, in Pyomo.

Sets
  m in M            materials; t in 1..H periods
  o in O            offers (supplier, material); k price segments of an offer: from one break to the next
  w                 weeks: windows of W periods that begin in each period; s suppliers with a capacity of their own

Parameters (one currency, units of the material)
  N_mt need, A_mt what is under way, I_m stock, S_m safety
  h_m hold_cost, g_m thin_cost, b_m short_cost (per unit and period)
  P_o pack, L_o lead_periods, e_o order_cost, p_ok price; l_ok and u_ok least and most packs of a segment
  C_o, C_s capacity of a week; T_ow, T_sw what is under way of it

Variables (for t = max(1, L_o), and every review_periods after)
  packs n_otk       integer, 0 .. u_ok
  placed z_otk      binary
  above a_mt, thin i_mt (0 .. S_m), short q_mt    >= 0; what lies is a + S - i, and q lacks

Constraints
  balance[m,t]      net_mt = net_m(t-1) + A_mt + sum P n_otk - N_mt, net = a + S - i - q, net_m0 = I_m
  least[o,t,k]      n >= l z
  most[o,t,k]       n <= u z
  single[o,t]       sum_k z <= 1
  weekly[o,w]       sum_{t in w,k} P n <= C_o - T_ow, and over all o of a supplier s <= C_s - T_sw

Minimise  cost = sum p P n + e z + h (a + S - i) + g i + b q

No order is larger than what is still needed in all, but for a smallest purchase or a break: more would only cost.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from optimization.contract.instances import rows
from optimization.materials.case import OFFER, Case

Model = Any  # pyomo.environ.ConcreteModel; Pyomo has no types
Packs = dict[tuple[str, str, int], tuple[int, int, float]]  # (supplier, material, segment): least, most packs, price


def segments(case: Case) -> Packs:
    """Least and most packs, and the price, of each price segment of each offer that can be sold at all."""
    wanted, limits = _wanted(case), limits_of(case)
    breaks = {key: table.sort_values("from_quantity") for key, table in case.breaks.groupby(OFFER)}
    found: Packs = {}
    for offer in rows(case.offers):
        owner = (offer.supplier_id, offer.material_id)
        room = min(limits.get(owner, np.inf), limits.get((offer.supplier_id, ""), np.inf))
        for number, (least, most, price) in enumerate(_steps(breaks[owner], offer.pack, room, wanted[owner[1]])):
            if least <= most:
                found[(*owner, number)] = (int(least), int(most), price)
    return found


def _wanted(case: Case) -> dict[str, float]:
    """All that is needed of each material, its safety too."""
    needed = case.needs.groupby("material_id")["quantity"].sum()
    return dict(case.materials.set_index("material_id")["safety"].add(needed, fill_value=0))


def _steps(breaks: pd.DataFrame, pack: float, room: float, wanted: float) -> Iterator[tuple[float, float, float]]:
    """Least packs, most packs and price from each break to the next; what is more than `wanted` only reaches one."""
    least = np.maximum(np.ceil(breaks["from_quantity"].to_numpy(dtype=float) / pack - 1e-9), 1)
    useful = np.maximum(least, np.ceil(wanted / pack))
    most = np.minimum(np.minimum(np.append(least[1:] - 1, np.inf), useful), np.floor(room / pack + 1e-9))
    return zip(least, most, breaks["price"].to_numpy(dtype=float), strict=True)


def state(case: Case) -> Model:
    """The model of a case."""
    model = pyo.ConcreteModel("supplier_choice")
    model.segments = segments(case)
    model.offer = {(row.supplier_id, row.material_id): row for row in rows(case.offers)}
    model.material = {row.material_id: row for row in rows(case.materials)}
    model.horizon = case.horizon
    _add_columns(model, case)
    _add_balance(model, case)
    _add_orders(model)
    _add_capacities(model, case)
    model.cost = pyo.Objective(expr=_cost(model))
    return model


def _add_columns(model: Model, case: Case) -> None:
    first = {offer: max(1, row.lead_periods) for offer, row in model.offer.items()}
    model.orders = [
        (supplier, material, period, number)
        for supplier, material, number in model.segments
        for period in range(first[(supplier, material)], model.horizon + 1, case.review_periods)
    ]
    most = {(s, m, t, k): model.segments[(s, m, k)][1] for s, m, t, k in model.orders}
    model.packs = pyo.Var(model.orders, domain=pyo.NonNegativeIntegers, bounds=lambda _, *key: (0, most[key]))
    model.placed = pyo.Var(model.orders, domain=pyo.Binary)
    places = [(material, period) for material in model.material for period in range(1, model.horizon + 1)]
    model.above = pyo.Var(places, domain=pyo.NonNegativeReals)
    model.thin = pyo.Var(places, bounds=lambda _, m, t: (0, model.material[m].safety))
    model.short = pyo.Var(places, domain=pyo.NonNegativeReals)


def _add_balance(model: Model, case: Case) -> None:
    need = case.needs.set_index(["material_id", "period"])["quantity"].to_dict()
    coming = case.arrivals.groupby(["material_id", "period"])["quantity"].sum().to_dict()
    bought = defaultdict(list)
    for supplier, material, period, number in model.orders:
        pack = model.offer[(supplier, material)].pack
        bought[(material, period)].append(pack * model.packs[supplier, material, period, number])

    def net(material: str, period: int) -> Any:
        row = model.material[material]
        if period == 0:
            return row.stock
        place = (material, period)
        return model.above[place] + row.safety - model.thin[place] - model.short[place]

    def balance(_: Model, material: str, period: int) -> Any:
        given = coming.get((material, period), 0.0) - need.get((material, period), 0.0)
        return net(material, period) - net(material, period - 1) - sum(bought[(material, period)]) == given

    model.balance = pyo.Constraint(list(model.above), rule=balance)


def _add_orders(model: Model) -> None:
    limits = {key: model.segments[(key[0], key[1], key[3])] for key in model.orders}
    model.least = pyo.Constraint(
        model.orders, rule=lambda _, *key: model.packs[key] >= limits[key][0] * model.placed[key]
    )
    model.most = pyo.Constraint(
        model.orders, rule=lambda _, *key: model.packs[key] <= limits[key][1] * model.placed[key]
    )
    kinds = defaultdict(list)
    for supplier, material, period, number in model.orders:
        kinds[(supplier, material, period)].append(model.placed[supplier, material, period, number])
    several = {place: kind for place, kind in kinds.items() if len(kind) > 1}
    model.single = pyo.Constraint(list(several), rule=lambda _, *place: sum(several[place]) <= 1)


def _add_capacities(model: Model, case: Case) -> None:
    """What lies within a week at one's own capacity, the offer's or the supplier's."""
    limits, taken, width = limits_of(case), taken_of(case), case.periods_per_week
    weeks = defaultdict(list)
    for supplier, material, period, number in model.orders:
        amount = model.offer[(supplier, material)].pack * model.packs[supplier, material, period, number]
        for owner in ((supplier, material), (supplier, "")):
            if owner in limits:
                for week in weeks_of(period, width):
                    weeks[(*owner, week)].append(amount)
    room = {place: max(0.0, limits[place[:2]] - taken[place]) for place in weeks}
    model.weekly = pyo.Constraint(list(weeks), rule=lambda _, *place: sum(weeks[place]) <= room[place])


def limits_of(case: Case) -> dict[tuple[str, str], float]:
    """Capacity of a week by supplier and material, of all its materials together under ''."""
    found = {(row.supplier_id, row.material_id): row.capacity for row in rows(case.offers)}
    found |= {(row.supplier_id, ""): row.capacity for row in rows(case.suppliers)}
    return {owner: capacity for owner, capacity in found.items() if np.isfinite(capacity)}


def taken_of(case: Case) -> "defaultdict[tuple[str, str, int], float]":
    """What is under way, by owner of a capacity and week."""
    taken: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows(case.arrivals):
        for week in weeks_of(row.period, case.periods_per_week):
            taken[(row.supplier_id, row.material_id, week)] += row.quantity
            taken[(row.supplier_id, "", week)] += row.quantity
    return taken


def weeks_of(period: int, width: int) -> range:
    """The weeks, by their first period, that a period lies in."""
    return range(max(1, period - width + 1), period + 1)


def _cost(model: Model) -> Any:
    cost = 0.0
    for key in model.orders:
        offer, price = model.offer[key[:2]], model.segments[(key[0], key[1], key[3])][2]
        cost += price * offer.pack * model.packs[key] + offer.order_cost * model.placed[key]
    for place in model.above:
        row = model.material[place[0]]
        lies = model.above[place] + row.safety - model.thin[place]
        cost += row.hold_cost * lies + row.thin_cost * model.thin[place] + row.short_cost * model.short[place]
    return cost
