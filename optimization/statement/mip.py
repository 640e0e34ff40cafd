"""The joint-factory plan as a mixed-integer program: the statement alone, in Pyomo.

Sets
  o in O            orders (lots) f in F            factories (o,f) in P        eligible pairs; X those without frozen
  pieces k in S(f)         spans of days of factory f with capacity (optimization/statement/reduction.py); S(o,f)
  those in the pair's window k in T(o,f)       spans after which work of the pair costs more for being late

Parameters (money in one currency, minutes of the factory, pieces)
  D_o quantity, g_o unmet_cost, h_o late_cost (per piece and day), n_o max_factories less the
                    pairs with frozen pieces
  c_of unit_cost, a_of minutes_per_piece, s_of setup_cost, m_of setup_minutes
  l_of least and U_of most pieces when used; U_of = min(D_o, max_lot, what the factory can make in the window)
  C_fk minutes, V_fk overtime_minutes, v_fk overtime_cost, r_ofk daily limit over the span (minutes)
  E_f engagement_cost, G_f target_minutes, w_f shortfall_cost, I_of incumbent pieces, b_of change_cost
  L_of days late of work on the first day of the window, t_ofk further days late of work after span k

Variables
  quantity q_of     integer, frozen pieces .. U_of
  used y_of         binary; exists only where a setup, a minimum lot or max_factories asks for it, else y_of = z_f
  engaged z_f       binary; exists only where E_f > 0 and nothing is frozen at f, else z_f = 1
  work x_ofk        minutes of the pair in span k, setup included; 0 .. r_ofk
  overtime p_fk     minutes, 0 .. V_fk
  late e_ofk        run minutes after span k, >= 0
  waiting d_ofk     binary: no run minute until the end of span k; exists only where m_of > 0
  unmet u_o, shortfall i_f, taken j_of    >= 0

Constraints
  served[o]         sum_f q_of + u_o = D_o
  lot_most[o,f]     q_of <= U_of y_of
  lot_least[o,f]    q_of >= l_of y_of
  sharing[o]        sum_{f: (o,f) in X} y_of <= n_o
  engaging[o,f]     y_of <= z_f
  opening[f]        sum_ok x_ofk <= sum_k (C_fk + V_fk) z_f              (implied; tightens the relaxation)
  enough            sum_fk (C_fk + V_fk) z_f + sum_o a_o u_o >= sum_o a_o D_o, a_o = min_f a_of
                                                                       (implied; counts the factories needed)
  working[o,f]      sum_k x_ofk = a_of q_of + m_of y_of
  capacity[f,k]     sum_o x_ofk <= C_fk + p_fk
  late_work[o,f,k]  e_ofk >= sum_{later spans} x_of - m_of d_ofk
  late_all[o,f,k]   e_ofk >= a_of q_of - a_of U_of (y_of - d_ofk)
  target[f]         i_f + sum_ok x_ofk >= G_f
  taking[o,f]       j_of >= I_of - q_of

Minimise  cost = sum c q + s y + E z + v p + g u + w i + b j + h (L q + sum_k t_k e_k / a)

Setup comes before the first run minute. Only lateness tells setup from run minutes, so they share x: of a pair's work
the first m_of minutes are the setup. Then the run minutes after span k are min(work after k, a q), and the two late
rows, with d = 0 or 1, state exactly this minimum.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimization.contract.instances import Instance, rows
from optimization.statement.reduction import Pairs

Model = Any  # pyomo.environ.ConcreteModel; Pyomo has no types
Pair = tuple[str, str]


@dataclass(frozen=True)
class _Data:
    """Index sets and parameters: rows of the frames by key."""

    order: dict[str, Any]
    pair: dict[Pair, Any]
    span: dict[tuple[str, int], Any]
    factory: dict[str, Any]
    engagement: dict[str, float]  # E_f > 0 of factories that some pair can engage
    always_engaged: set[str]  # by frozen pieces
    pairs_of: dict[str, list[Pair]]  # by order
    pairs_at: dict[str, list[Pair]]  # by factory
    spans_at: dict[str, list[tuple[str, int]]]  # by factory
    spans_of: dict[Pair, list[int]]
    late_steps: dict[tuple[str, str, int], int]  # t_ofk > 0
    constant: float  # change cost of incumbents that no pair can keep


def state(instance: Instance, reduced: Pairs) -> Model:
    """The model of an instance over its eligible pairs and spans."""
    data = _data(instance, reduced)
    model = pyo.ConcreteModel("joint_factory_plan")
    _add_variables(model, data)
    _add_order_rows(model, data)
    _add_factory_rows(model, data)
    _add_lateness(model, data)
    model.cost = pyo.Objective(expr=_cost(model, data))
    return model


def _data(instance: Instance, reduced: Pairs) -> _Data:
    pair = {(row.lot_id, row.factory_id): row for row in rows(reduced.pairs)}
    span = {(row.factory_id, row.span): row for row in rows(reduced.spans)}
    factory = {row.factory_id: row for row in rows(instance.factories)}
    spans_at, pairs_at = _grouped(span, 0), _grouped(pair, 1)
    spans_of = {
        key: [k for f, k in spans_at.get(key[1], []) if row.first_day <= span[f, k].first_day <= row.last_day]
        for key, row in pair.items()
    }
    steps = {
        (*key, k): step
        for key, row in pair.items()
        if row.late_cost > 0
        for k, after in pairwise(spans_of[key])
        if (step := _days_late(row, span[key[1], after].first_day) - _days_late(row, span[key[1], k].last_day)) > 0
    }
    lost = [row for row in rows(instance.incumbent) if (row.lot_id, row.factory_id) not in pair]
    return _Data(
        order={row.lot_id: row for row in rows(instance.orders)},
        pair=pair,
        span=span,
        factory=factory,
        engagement={f: cost for f in pairs_at if f in factory and (cost := factory[f].engagement_cost) > 0},
        always_engaged={f for (_, f), row in pair.items() if row.kept > 0},
        pairs_of=_grouped(pair, 0),
        pairs_at=pairs_at,
        spans_at=spans_at,
        spans_of=spans_of,
        late_steps=steps,
        constant=sum(row.change_cost * row.quantity for row in lost),
    )


def _grouped(keys: Iterable[tuple[Any, Any]], position: int) -> dict[str, list[tuple[Any, Any]]]:
    groups = defaultdict(list)
    for key in keys:
        groups[key[position]].append(key)
    return dict(groups)


def _days_late(pair: Any, day: int) -> int:
    return max(0, day - int(pair.on_time_day))


def _add_variables(m: Model, d: _Data) -> None:
    short = [f for f, row in d.factory.items() if row.shortfall_cost > 0 and row.target_minutes > 0]
    worked = [(*key, k) for key, spans in d.spans_of.items() for k in spans]
    held = [key for key, row in d.pair.items() if row.held > row.kept and row.change_cost > 0]
    m.quantity = pyo.Var(
        list(d.pair), domain=pyo.Integers, bounds=lambda m, o, f: (d.pair[o, f].kept, d.pair[o, f].most)
    )
    m.used = pyo.Var([key for key in d.pair if _switched(d, key)], domain=pyo.Binary)
    m.engaged = pyo.Var([f for f in d.engagement if f not in d.always_engaged], domain=pyo.Binary)
    m.work = pyo.Var(worked, bounds=lambda m, o, f, k: (0, _most_minutes(d, o, f, k)))
    m.overtime = pyo.Var(list(d.span), bounds=lambda m, f, k: (0, d.span[f, k].overtime_minutes))
    m.late = pyo.Var(list(d.late_steps), domain=pyo.NonNegativeReals)
    m.waiting = pyo.Var([key for key in d.late_steps if d.pair[key[:2]].setup_minutes > 0], domain=pyo.Binary)
    m.unmet = pyo.Var(list(d.order), domain=pyo.NonNegativeReals)
    m.shortfall = pyo.Var(short, domain=pyo.NonNegativeReals)
    m.taken = pyo.Var(held, domain=pyo.NonNegativeReals)


def _switched(d: _Data, key: Pair) -> bool:
    """Whether the pair needs a binary of its own."""
    row = d.pair[key]
    if row.kept > 0:
        return False
    if row.setup_cost > 0 or row.setup_minutes > 0 or row.least > 1:
        return True
    return len(_shared(d, key[0])) > int(row.max_new)


def _shared(d: _Data, o: str) -> list[Pair]:
    return [key for key in d.pairs_of.get(o, []) if d.pair[key].kept == 0]


def _used(m: Model, o: str, f: str) -> Any:
    """y_of, or what stands for it: the factory's engagement, or 1."""
    return m.used[o, f] if (o, f) in m.used else _engaged(m, f)


def _engaged(m: Model, f: str) -> Any:
    """z_f, or 1 where it has no variable."""
    return m.engaged[f] if f in m.engaged.index_set() else 1


def _most_minutes(d: _Data, o: str, f: str, k: int) -> float | None:
    limit = d.pair[o, f].max_minutes_per_day
    return limit * d.span[f, k].days if np.isfinite(limit) else None


def _add_order_rows(m: Model, d: _Data) -> None:
    def served(m: Model, o: str) -> Any:
        return sum(m.quantity[key] for key in d.pairs_of.get(o, [])) + m.unmet[o] == d.order[o].quantity

    def sharing(m: Model, o: str) -> Any:
        shared = _shared(d, o)
        return sum(_used(m, *key) for key in shared) <= d.pair[shared[0]].max_new

    def lot_most(m: Model, o: str, f: str) -> Any:
        return m.quantity[o, f] <= d.pair[o, f].most * _used(m, o, f)

    def lot_least(m: Model, o: str, f: str) -> Any:
        return m.quantity[o, f] >= d.pair[o, f].least * m.used[o, f]

    m.served = pyo.Constraint(list(d.order), rule=served)
    crowded = [o for o in d.order if (shared := _shared(d, o)) and len(shared) > d.pair[shared[0]].max_new]
    m.sharing = pyo.Constraint(crowded, rule=sharing)
    m.lot_most = pyo.Constraint([key for key in d.pair if key in m.used or key[1] in m.engaged], rule=lot_most)
    m.lot_least = pyo.Constraint(list(m.used), rule=lot_least)
    m.taking = pyo.Constraint(list(m.taken), rule=lambda m, o, f: m.taken[o, f] >= d.pair[o, f].held - m.quantity[o, f])


def _add_factory_rows(m: Model, d: _Data) -> None:
    def working(m: Model, o: str, f: str) -> Any:
        row = d.pair[o, f]
        minutes = row.minutes_per_piece * m.quantity[o, f] + row.setup_minutes * _used(m, o, f)
        return sum(m.work[o, f, k] for k in d.spans_of[o, f]) == minutes

    def capacity(m: Model, f: str, k: int) -> Any:
        return sum(m.work[*key, k] for key in pairs_in[f, k]) <= d.span[f, k].minutes + m.overtime[f, k]

    def opening(m: Model, f: str) -> Any:
        return _work_at(m, d, f) <= _room(d, f) * m.engaged[f]

    def enough(m: Model) -> Any:
        fewest = {o: min(d.pair[key].minutes_per_piece for key in keys) for o, keys in d.pairs_of.items()}
        room = sum(_room(d, f) * _engaged(m, f) for f in d.pairs_at)
        return room + sum(fewest[o] * (m.unmet[o] - d.order[o].quantity) for o in fewest) >= 0

    def target(m: Model, f: str) -> Any:
        return m.shortfall[f] + _work_at(m, d, f) >= d.factory[f].target_minutes

    pairs_in = defaultdict(list)
    for o, f, k in m.work:
        pairs_in[f, k].append((o, f))
    m.working = pyo.Constraint(list(d.pair), rule=working)
    m.capacity = pyo.Constraint([key for key in d.span if key in pairs_in], rule=capacity)
    m.engaging = pyo.Constraint(
        [key for key in m.used if key[1] in m.engaged], rule=lambda m, o, f: m.used[o, f] <= m.engaged[f]
    )
    m.opening = pyo.Constraint(list(m.engaged), rule=opening)
    if m.engaged:
        m.enough = pyo.Constraint(rule=enough)
    m.target = pyo.Constraint(list(m.shortfall), rule=target)


def _room(d: _Data, f: str) -> float:
    """Minutes of the factory, overtime included."""
    spans = (d.span[key] for key in d.spans_at.get(f, []))
    return float(sum(row.minutes + row.overtime_minutes for row in spans))


def _work_at(m: Model, d: _Data, f: str) -> Any:
    return sum(m.work[*key, k] for key in d.pairs_at.get(f, []) for k in d.spans_of[key])


def _add_lateness(m: Model, d: _Data) -> None:
    def late_work(m: Model, o: str, f: str, k: int) -> Any:
        after = sum(m.work[o, f, later] for later in d.spans_of[o, f] if later > k)
        setup = d.pair[o, f].setup_minutes * m.waiting[o, f, k] if (o, f, k) in m.waiting else 0
        return m.late[o, f, k] >= after - setup

    def late_all(m: Model, o: str, f: str, k: int) -> Any:
        row = d.pair[o, f]
        begun = _used(m, o, f) - m.waiting[o, f, k]
        return m.late[o, f, k] >= row.minutes_per_piece * (m.quantity[o, f] - row.most * begun)

    m.late_work = pyo.Constraint(list(m.late), rule=late_work)
    m.late_all = pyo.Constraint(list(m.waiting), rule=late_all)


def _cost(m: Model, d: _Data) -> Any:
    pairs = sum(_pair_cost(m, o, f, row) for (o, f), row in d.pair.items())
    engagement = sum(cost * _engaged(m, f) for f, cost in d.engagement.items())
    overtime = sum(d.span[key].overtime_cost * m.overtime[key] for key in m.overtime)
    unmet = sum(row.unmet_cost * m.unmet[o] for o, row in d.order.items())
    late = sum(
        d.pair[o, f].late_cost * step / d.pair[o, f].minutes_per_piece * m.late[o, f, k]
        for (o, f, k), step in d.late_steps.items()
    )
    shortfall = sum(d.factory[f].shortfall_cost * m.shortfall[f] for f in m.shortfall)
    taken = sum(d.pair[key].change_cost * m.taken[key] for key in m.taken)
    return pairs + engagement + overtime + unmet + late + shortfall + taken + d.constant


def _pair_cost(m: Model, o: str, f: str, row: Any) -> Any:
    per_piece = row.unit_cost + row.late_cost * _days_late(row, row.first_day)
    return per_piece * m.quantity[o, f] + row.setup_cost * _used(m, o, f)
