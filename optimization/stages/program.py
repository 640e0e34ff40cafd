"""Stages, transfers and shared setups as a mixed-integer program by days: the statement alone, in Pyomo.

Sets
  j in J            stages of lots (optimization/stages/flat.py); j+1 the next stage of the lot
  f in F            factories; (j,f) in P eligible pairs; X those without frozen pieces
  t in T            teams: the pairs that share a setup, by themselves where they have no pool; t(j,f) the pair's
  d in D(j,f)       days of the pair's window on which its factory has capacity; D(t) those of its pairs
  (j,f,g) in L      links: pieces of j pass from f to g, where j+1 is worked

Parameters (money in one currency, minutes of the factory, pieces, days)
  Q_j               pieces that have not passed the stage
  g_o, n_j          unmet_cost of the lot o; max_factories less the pairs with frozen pieces
  c, a, U, B        of a pair: unit_cost, minutes_per_piece, most pieces, frozen pieces
  r_jfd             most minutes of the pair on the day
  s, m, l           of a team: setup_cost, setup_minutes, least pieces when used
  h_jfd             late cost of a piece finished on the day, 0 before the last stage
  C_fd, V_fd, v_fd  minutes, overtime_minutes, overtime_cost
  E_f, G_f, w_f     engagement_cost, target_minutes, shortfall_cost
  I_jf, b_jf        incumbent pieces, change_cost
  e_jfg, n_jfg      cost and days of a link
  R_jfd             pieces that are ready there by the day; R_jf in all

Variables
  quantity q_jf     integer, B .. U
  used y_jf         binary; exists only where something asks whether the pair is used, else y = S_t(j,f)
  shared S_t        binary; exists only for a pool that has a setup or a minimum lot, else S_t = y_jf or z_f
  engaged z_f       binary; exists only where E_f > 0 and nothing is frozen at f, else z_f = 1
  run x_jfd         run minutes; setting k_jfd setup minutes, exists only where m_t > 0
  begun d_td        binary: the setup is done by the end of the day; exists only where m_t > 0
  overtime p_fd     minutes, 0 .. V_fd
  passed N_jfg      integer: pieces over a link; moved M_jfgd those of them that leave on a day
  unmet u_o, shortfall i_f, taken o_jf    >= 0

Constraints
  served[j]         sum_f q_jf + u_o = Q_j                             of the last stage
  within[j]         sum_f q_jf <= Q_j                                  of the others
  lot_most[j,f]     q <= U y
  lot_least[j,f]    q >= l y                                           of a pair by itself; of a pooled one q >= y
  pool_least[t]     sum q >= l S                                       unless one is frozen there
  pooling[j,f]      y <= S_t
  sharing[j]        sum_{f: (j,f) in X} y <= n_j
  engaging[j,f]     y <= z_f
  working[j,f]      sum_d x = a q
  preparing[t]      sum_{(j,f) in t, d} k = m S_t
  placed[j,f,d]     k <= r y                                           of a pooled pair
  prepared[t,d]     sum_{(j,f) in t, days <= d} k >= m d_td
  started[j,f,d]    x <= min(r, a U) d_td
  daily[j,f,d]      x + k <= r                                         where the pair has a limit a day
  capacity[f,d]     sum x + k <= C + p
  target[f]         i + sum x + k >= G
  taking[j,f]       o >= I - q
  and those of optimization/stages/passing.py for links

Minimise  cost = sum c q + s S + E z + v p + g u + w i + b o + h x / a + e N
"""

from typing import Any

import pyomo.environ as pyo

from optimization.stages.flat import Flat
from optimization.stages.passing import add_passing, add_passing_rows
from optimization.stages.sets import Sets, sets_of

Model = Any  # pyomo.environ.ConcreteModel; Pyomo has no types


def state(flat: Flat) -> Model:
    """The model of a flat instance."""
    model = pyo.ConcreteModel("plan_in_stages")
    model.data = sets_of(flat)
    _add_pairs(model)
    _add_factories(model)
    add_passing(model)
    _add_pair_rows(model)
    _add_setup_rows(model)
    _add_factory_rows(model)
    add_passing_rows(model)
    model.cost = pyo.Objective(expr=_cost(model))
    return model


def _add_pairs(model: Model) -> None:
    data: Sets = model.data
    worked = [(*key, d) for key, days in data.days_of.items() for d in days]
    held = [key for key, row in data.pair.items() if row.held > row.kept and row.change_cost > 0]
    model.quantity = pyo.Var(list(data.pair), domain=pyo.Integers, bounds=_pieces)
    model.used = pyo.Var([key for key in data.pair if data.switched(key)], domain=pyo.Binary)
    model.run = pyo.Var(worked, domain=pyo.NonNegativeReals)
    model.setting = pyo.Var([key for key in worked if data.prepares(key[:2])], domain=pyo.NonNegativeReals)
    model.shared = pyo.Var([t for t in data.team if data.shares(t)], domain=pyo.Binary)
    model.begun = pyo.Var([(t, d) for t in data.prepared for d in data.team_days(t)], domain=pyo.Binary)
    model.unmet = pyo.Var(list(data.last), domain=pyo.NonNegativeReals)
    model.taken = pyo.Var(held, domain=pyo.NonNegativeReals)


def _add_factories(model: Model) -> None:
    data: Sets = model.data
    short = [f for f, row in data.factory.items() if row.shortfall_cost > 0 and row.target_minutes > 0]
    model.engaged = pyo.Var([f for f in data.engagement if f not in data.always_engaged], domain=pyo.Binary)
    model.overtime = pyo.Var(list(data.day), bounds=_overtime)
    model.shortfall = pyo.Var(short, domain=pyo.NonNegativeReals)


def _pieces(model: Model, j: str, f: str) -> tuple[int, int]:
    row = model.data.pair[j, f]
    return row.kept, row.most


def _overtime(model: Model, f: str, d: int) -> tuple[float, float]:
    return 0, model.data.day[f, d].overtime_minutes


def _used(model: Model, j: str, f: str) -> Any:
    """y_jf, or what stands for it."""
    if model.data.pair[j, f].kept > 0:
        return 1
    return model.used[j, f] if (j, f) in model.used else _engaged(model, f)


def _engaged(model: Model, f: str) -> Any:
    """z_f, or 1 where it has no variable."""
    return model.engaged[f] if f in model.engaged.index_set() else 1


def _set_up(model: Model, t: str) -> Any:
    """S_t, or what stands for it."""
    data: Sets = model.data
    if t in model.shared.index_set():
        return model.shared[t]
    standing = [key for key in data.pairs_in[t] if data.pair[key].kept > 0]
    return 1 if standing else _used(model, *data.pairs_in[t][0])


def _add_pair_rows(model: Model) -> None:
    data: Sets = model.data
    model.served = pyo.Constraint(list(data.last), rule=_served)
    model.within = pyo.Constraint([j for j in data.pairs_of if j not in data.last], rule=_within)
    switched = [key for key in data.pair if key in model.used or key[1] in model.engaged]
    model.lot_most = pyo.Constraint(switched, rule=_lot_most)
    model.lot_least = pyo.Constraint(list(model.used), rule=_lot_least)
    model.sharing = pyo.Constraint([j for j in data.pairs_of if data.crowded(j)], rule=_sharing)
    model.working = pyo.Constraint(list(data.pair), rule=_working)
    model.daily = pyo.Constraint([key for key in model.run if data.limited(key[:2])], rule=_daily)
    model.taking = pyo.Constraint(list(model.taken), rule=_taking)


def _made(model: Model, j: str) -> Any:
    return sum(model.quantity[key] for key in model.data.pairs_of.get(j, []))


def _served(model: Model, j: str) -> Any:
    return _made(model, j) + model.unmet[j] == model.data.order[j].quantity


def _within(model: Model, j: str) -> Any:
    return _made(model, j) <= model.data.order[j].quantity


def _lot_most(model: Model, j: str, f: str) -> Any:
    return model.quantity[j, f] <= model.data.pair[j, f].most * _used(model, j, f)


def _lot_least(model: Model, j: str, f: str) -> Any:
    return model.quantity[j, f] >= model.data.pair[j, f].least * model.used[j, f]


def _sharing(model: Model, j: str) -> Any:
    shared = [key for key in model.data.pairs_of[j] if model.data.pair[key].kept == 0]
    return sum(_used(model, *key) for key in shared) <= model.data.pair[shared[0]].max_new


def _working(model: Model, j: str, f: str) -> Any:
    minutes = model.data.pair[j, f].minutes_per_piece * model.quantity[j, f]
    return sum(model.run[j, f, d] for d in model.data.days_of[j, f]) == minutes


def _worked(model: Model, j: str, f: str, d: int) -> Any:
    """x + k of a pair and day."""
    run = model.run[j, f, d]
    return run + model.setting[j, f, d] if (j, f, d) in model.setting else run


def _daily(model: Model, j: str, f: str, d: int) -> Any:
    return _worked(model, j, f, d) <= model.data.pair[j, f].max_minutes_per_day


def _taking(model: Model, j: str, f: str) -> Any:
    return model.taken[j, f] >= model.data.pair[j, f].held - model.quantity[j, f]


def _add_setup_rows(model: Model) -> None:
    data: Sets = model.data
    pooled = [t for t in model.shared if data.team[t].least > 1]
    beginning = [key for key in model.run if data.prepares(key[:2])]
    model.pool_least = pyo.Constraint(pooled, rule=_pool_least)
    model.pooling = pyo.Constraint([key for key in data.pair if data.team_of[key] in model.shared], rule=_pooling)
    model.preparing = pyo.Constraint(data.prepared, rule=_preparing)
    model.prepared = pyo.Constraint(list(model.begun), rule=_prepared)
    model.started = pyo.Constraint(beginning, rule=_started)
    model.placed = pyo.Constraint([key for key in model.setting if key[:2] in model.used], rule=_placed)


def _pool_least(model: Model, t: str) -> Any:
    data: Sets = model.data
    return sum(model.quantity[key] for key in data.pairs_in[t]) >= data.team[t].least * model.shared[t]


def _pooling(model: Model, j: str, f: str) -> Any:
    return _used(model, j, f) <= model.shared[model.data.team_of[j, f]]


def _preparing(model: Model, t: str) -> Any:
    data: Sets = model.data
    return _done(model, t, max(data.team_days(t))) == data.team[t].setup_minutes * _set_up(model, t)


def _prepared(model: Model, t: str, d: int) -> Any:
    return _done(model, t, d) >= model.data.team[t].setup_minutes * model.begun[t, d]


def _done(model: Model, t: str, d: int) -> Any:
    """Setup minutes of a team by the end of a day."""
    data: Sets = model.data
    return sum(model.setting[*key, day] for key in data.pairs_in[t] for day in data.days_of[key] if day <= d)


def _started(model: Model, j: str, f: str, d: int) -> Any:
    row = model.data.pair[j, f]
    most = min(model.data.room(j, f, d), row.minutes_per_piece * row.most)
    return model.run[j, f, d] <= most * model.begun[model.data.team_of[j, f], d]


def _placed(model: Model, j: str, f: str, d: int) -> Any:
    return model.setting[j, f, d] <= model.data.room(j, f, d) * model.used[j, f]


def _add_factory_rows(model: Model) -> None:
    data: Sets = model.data
    model.capacity = pyo.Constraint([key for key in data.day if key in data.pairs_on], rule=_capacity)
    model.engaging = pyo.Constraint([key for key in model.used if key[1] in model.engaged], rule=_engaging)
    model.target = pyo.Constraint(list(model.shortfall), rule=_target)


def _work_on(model: Model, f: str, d: int) -> Any:
    return sum(_worked(model, j, at, d) for j, at in model.data.pairs_on.get((f, d), []))


def _capacity(model: Model, f: str, d: int) -> Any:
    return _work_on(model, f, d) <= model.data.day[f, d].minutes + model.overtime[f, d]


def _engaging(model: Model, j: str, f: str) -> Any:
    return model.used[j, f] <= model.engaged[f]


def _target(model: Model, f: str) -> Any:
    work = sum(_work_on(model, *key) for key in model.data.day if key[0] == f)
    return model.shortfall[f] + work >= model.data.factory[f].target_minutes


def _cost(model: Model) -> Any:
    data: Sets = model.data
    unit = sum(row.unit_cost * model.quantity[key] for key, row in data.pair.items())
    setup = sum(row.setup_cost * _set_up(model, t) for t, row in data.team.items() if row.setup_cost > 0)
    late = sum(data.late_per_minute(*key) * model.run[key] for key in model.run)
    unmet = sum(data.order[j].unmet_cost * model.unmet[j] for j in data.last)
    taken = sum(data.pair[key].change_cost * model.taken[key] for key in model.taken)
    transfer = sum(row.cost * model.passed[key] for key, row in data.link.items())
    return unit + setup + late + unmet + taken + transfer + _factory_cost(model) + data.constant


def _factory_cost(model: Model) -> Any:
    data: Sets = model.data
    engagement = sum(cost * _engaged(model, f) for f, cost in data.engagement.items())
    overtime = sum(data.day[key].overtime_cost * model.overtime[key] for key in model.overtime)
    shortfall = sum(data.factory[f].shortfall_cost * model.shortfall[f] for f in model.shortfall)
    return engagement + overtime + shortfall
