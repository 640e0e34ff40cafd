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
    pairs_in: dict[tuple[str, int], list[Pair]]  # by span
    late_steps: dict[tuple[str, str, int], int]  # t_ofk > 0
    constant: float  # change cost of incumbents that no pair can keep


def state(instance: Instance, reduced: Pairs) -> Model:
    """The model of an instance over its eligible pairs and spans.

    Parameters
    ----------
    instance
        What is planned.
    reduced
        The pairs that can carry work, and their days (`reduce`).

    Returns
    -------
    Model
        Of Pyomo, as the top of this module states it.
    """
    model = pyo.ConcreteModel("joint_factory_plan")
    model.data = _data(instance, reduced)
    _add_variables(model)
    _add_order_rows(model)
    _add_factory_rows(model)
    _add_lateness(model)
    model.cost = pyo.Objective(expr=_cost(model))
    return model


def _data(instance: Instance, reduced: Pairs) -> _Data:
    order = {row.lot_id: row for row in rows(instance.orders)}
    pair = {(row.lot_id, row.factory_id): row for row in rows(reduced.pairs)}
    span = {(row.factory_id, row.span): row for row in rows(reduced.spans)}
    factory = {row.factory_id: row for row in rows(instance.factories)}
    spans_at, pairs_at = _grouped(span, 0), _grouped(pair, 1)
    spans_of = {key: _in_window(row, spans_at.get(key[1], []), span) for key, row in pair.items()}
    pairs_in = defaultdict(list)
    for key, spans in spans_of.items():
        for k in spans:
            pairs_in[key[1], k].append(key)
    lost = [row for row in rows(instance.incumbent) if (row.lot_id, row.factory_id) not in pair]
    return _Data(
        order=order,
        pair=pair,
        span=span,
        factory=factory,
        engagement={f: cost for f in pairs_at if f in factory and (cost := factory[f].engagement_cost) > 0},
        always_engaged={f for (_, f), row in pair.items() if row.kept > 0},
        pairs_of=_grouped(pair, 0),
        pairs_at=pairs_at,
        spans_at=spans_at,
        spans_of=spans_of,
        pairs_in=dict(pairs_in),
        late_steps=_late_steps(pair, span, spans_of),
        constant=sum(row.change_cost * row.quantity for row in lost),
    )


def _in_window(pair: Any, spans: list[tuple[str, int]], span: dict[tuple[str, int], Any]) -> list[int]:
    """S(o,f): spans of the factory that begin within the pair's window."""
    return [k for f, k in spans if pair.first_day <= span[f, k].first_day <= pair.last_day]


def _late_steps(
    pair: dict[Pair, Any], span: dict[tuple[str, int], Any], spans_of: dict[Pair, list[int]]
) -> dict[tuple[str, str, int], int]:
    """t_ofk where it is not 0: how many days later work after the span is than work in it."""
    steps = {}
    for (o, f), row in pair.items():
        for k, after in pairwise(spans_of[o, f]) if row.late_cost > 0 else ():
            step = _days_late(row, span[f, after].first_day) - _days_late(row, span[f, k].last_day)
            if step > 0:
                steps[o, f, k] = step
    return steps


def _grouped(keys: Iterable[tuple[Any, Any]], position: int) -> dict[str, list[tuple[Any, Any]]]:
    groups = defaultdict(list)
    for key in keys:
        groups[key[position]].append(key)
    return dict(groups)


def _days_late(pair: Any, day: int) -> int:
    return max(0, day - int(pair.on_time_day))


def _add_variables(model: Model) -> None:
    data: _Data = model.data
    worked = [(*key, k) for key, spans in data.spans_of.items() for k in spans]
    short = [f for f, row in data.factory.items() if row.shortfall_cost > 0 and row.target_minutes > 0]
    held = [key for key, row in data.pair.items() if row.held > row.kept and row.change_cost > 0]
    prepared = [key for key in data.late_steps if data.pair[key[:2]].setup_minutes > 0]
    model.quantity = pyo.Var(list(data.pair), domain=pyo.Integers, bounds=_pieces)
    model.used = pyo.Var([key for key in data.pair if _switched(data, key)], domain=pyo.Binary)
    model.engaged = pyo.Var([f for f in data.engagement if f not in data.always_engaged], domain=pyo.Binary)
    model.work = pyo.Var(worked, bounds=_minutes)
    model.overtime = pyo.Var(list(data.span), bounds=_overtime)
    model.late = pyo.Var(list(data.late_steps), domain=pyo.NonNegativeReals)
    model.waiting = pyo.Var(prepared, domain=pyo.Binary)
    model.unmet = pyo.Var(list(data.order), domain=pyo.NonNegativeReals)
    model.shortfall = pyo.Var(short, domain=pyo.NonNegativeReals)
    model.taken = pyo.Var(held, domain=pyo.NonNegativeReals)


def _pieces(model: Model, o: str, f: str) -> tuple[int, int]:
    row = model.data.pair[o, f]
    return row.kept, row.most


def _minutes(model: Model, o: str, f: str, k: int) -> tuple[float, float | None]:
    limit = model.data.pair[o, f].max_minutes_per_day
    return 0, limit * model.data.span[f, k].days if np.isfinite(limit) else None


def _overtime(model: Model, f: str, k: int) -> tuple[float, float]:
    return 0, model.data.span[f, k].overtime_minutes


def _switched(data: _Data, key: Pair) -> bool:
    """Whether the pair needs a binary of its own."""
    row = data.pair[key]
    if row.kept > 0:
        return False
    return row.setup_cost > 0 or row.setup_minutes > 0 or row.least > 1 or _crowded(data, key[0])


def _crowded(data: _Data, o: str) -> bool:
    """Whether more factories may share the order than max_factories allows."""
    shared = _shared(data, o)
    return bool(shared) and len(shared) > int(data.pair[shared[0]].max_new)


def _shared(data: _Data, o: str) -> list[Pair]:
    """X of the order: its pairs without frozen pieces."""
    return [key for key in data.pairs_of.get(o, []) if data.pair[key].kept == 0]


def _used(model: Model, o: str, f: str) -> Any:
    """y_of, or what stands for it: the factory's engagement, or 1."""
    return model.used[o, f] if (o, f) in model.used else _engaged(model, f)


def _engaged(model: Model, f: str) -> Any:
    """z_f, or 1 where it has no variable."""
    return model.engaged[f] if f in model.engaged.index_set() else 1


def _add_order_rows(model: Model) -> None:
    data: _Data = model.data
    switched = [key for key in data.pair if key in model.used or key[1] in model.engaged]
    model.served = pyo.Constraint(list(data.order), rule=_served)
    model.sharing = pyo.Constraint([o for o in data.order if _crowded(data, o)], rule=_sharing)
    model.lot_most = pyo.Constraint(switched, rule=_lot_most)
    model.lot_least = pyo.Constraint(list(model.used), rule=_lot_least)
    model.taking = pyo.Constraint(list(model.taken), rule=_taking)


def _served(model: Model, o: str) -> Any:
    made = sum(model.quantity[key] for key in model.data.pairs_of.get(o, []))
    return made + model.unmet[o] == model.data.order[o].quantity


def _sharing(model: Model, o: str) -> Any:
    shared = _shared(model.data, o)
    return sum(_used(model, *key) for key in shared) <= model.data.pair[shared[0]].max_new


def _lot_most(model: Model, o: str, f: str) -> Any:
    return model.quantity[o, f] <= model.data.pair[o, f].most * _used(model, o, f)


def _lot_least(model: Model, o: str, f: str) -> Any:
    return model.quantity[o, f] >= model.data.pair[o, f].least * model.used[o, f]


def _taking(model: Model, o: str, f: str) -> Any:
    return model.taken[o, f] >= model.data.pair[o, f].held - model.quantity[o, f]


def _add_factory_rows(model: Model) -> None:
    data: _Data = model.data
    model.working = pyo.Constraint(list(data.pair), rule=_working)
    model.capacity = pyo.Constraint([key for key in data.span if key in data.pairs_in], rule=_capacity)
    model.engaging = pyo.Constraint([key for key in model.used if key[1] in model.engaged], rule=_engaging)
    model.opening = pyo.Constraint(list(model.engaged), rule=_opening)
    if model.engaged:
        model.enough = pyo.Constraint(rule=_enough)
    model.target = pyo.Constraint(list(model.shortfall), rule=_target)


def _working(model: Model, o: str, f: str) -> Any:
    row = model.data.pair[o, f]
    minutes = row.minutes_per_piece * model.quantity[o, f] + row.setup_minutes * _used(model, o, f)
    return sum(model.work[o, f, k] for k in model.data.spans_of[o, f]) == minutes


def _capacity(model: Model, f: str, k: int) -> Any:
    work = sum(model.work[*key, k] for key in model.data.pairs_in[f, k])
    return work <= model.data.span[f, k].minutes + model.overtime[f, k]


def _engaging(model: Model, o: str, f: str) -> Any:
    return model.used[o, f] <= model.engaged[f]


def _opening(model: Model, f: str) -> Any:
    return _work_at(model, f) <= _room(model.data, f) * model.engaged[f]


def _enough(model: Model) -> Any:
    data: _Data = model.data
    room = sum(_room(data, f) * _engaged(model, f) for f in data.pairs_at)
    fewest = {o: min(data.pair[key].minutes_per_piece for key in keys) for o, keys in data.pairs_of.items()}
    return room + sum(fewest[o] * (model.unmet[o] - data.order[o].quantity) for o in fewest) >= 0


def _target(model: Model, f: str) -> Any:
    return model.shortfall[f] + _work_at(model, f) >= model.data.factory[f].target_minutes


def _room(data: _Data, f: str) -> float:
    """Minutes of the factory, overtime included."""
    spans = (data.span[key] for key in data.spans_at.get(f, []))
    return float(sum(row.minutes + row.overtime_minutes for row in spans))


def _work_at(model: Model, f: str) -> Any:
    data: _Data = model.data
    return sum(model.work[*key, k] for key in data.pairs_at.get(f, []) for k in data.spans_of[key])


def _add_lateness(model: Model) -> None:
    model.late_work = pyo.Constraint(list(model.late), rule=_late_work)
    model.late_all = pyo.Constraint(list(model.waiting), rule=_late_all)


def _late_work(model: Model, o: str, f: str, k: int) -> Any:
    after = sum(model.work[o, f, later] for later in model.data.spans_of[o, f] if later > k)
    setup = model.data.pair[o, f].setup_minutes * model.waiting[o, f, k] if (o, f, k) in model.waiting else 0
    return model.late[o, f, k] >= after - setup


def _late_all(model: Model, o: str, f: str, k: int) -> Any:
    row = model.data.pair[o, f]
    begun = _used(model, o, f) - model.waiting[o, f, k]
    return model.late[o, f, k] >= row.minutes_per_piece * (model.quantity[o, f] - row.most * begun)


def _cost(model: Model) -> Any:
    data: _Data = model.data
    pairs = sum(_pair_cost(model, o, f) for o, f in data.pair)
    engagement = sum(cost * _engaged(model, f) for f, cost in data.engagement.items())
    overtime = sum(data.span[key].overtime_cost * model.overtime[key] for key in model.overtime)
    unmet = sum(row.unmet_cost * model.unmet[o] for o, row in data.order.items())
    late = sum(_late_cost(data, *key) * model.late[key] for key in data.late_steps)
    shortfall = sum(data.factory[f].shortfall_cost * model.shortfall[f] for f in model.shortfall)
    taken = sum(data.pair[key].change_cost * model.taken[key] for key in model.taken)
    return pairs + engagement + overtime + unmet + late + shortfall + taken + data.constant


def _pair_cost(model: Model, o: str, f: str) -> Any:
    row = model.data.pair[o, f]
    per_piece = row.unit_cost + row.late_cost * _days_late(row, row.first_day)
    return per_piece * model.quantity[o, f] + row.setup_cost * _used(model, o, f)


def _late_cost(data: _Data, o: str, f: str, k: int) -> float:
    """h t / a: of a run minute after the span."""
    row = data.pair[o, f]
    return float(row.late_cost * data.late_steps[o, f, k] / row.minutes_per_piece)
