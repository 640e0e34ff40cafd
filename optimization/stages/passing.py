"""How pieces pass from one stage of a lot to the next: the links' part of optimization/stages/program.py.

Constraints, with its symbols
  moving[j,f,g]     sum_d M = N
  arriving[j,g]     sum_f N_j-1,f,g = q_jg                             of stages after the first
  leaving[j,f]      q_jf - B_jf <= sum_g N_jfg <= q_jf + R_jf          of stages before the last
  finished[j,f,d]   sum_{g, days <= d} M_jfg <= sum_{days <= d} x / a + R_jfd
  supplied[j,g,d]   sum_{days <= d} x / a <= sum_{f, days + n <= d} M_j-1,f,g
"""

from typing import Any

import pyomo.environ as pyo

from optimization.stages.sets import Link, Pair, Sets

Model = Any


def add_passing(model: Model) -> None:
    """Adds the variables of the links."""
    data: Sets = model.data
    moved = [(*link, d) for link in data.link for d in _days(data, link)]
    model.passed = pyo.Var(list(data.link), domain=pyo.NonNegativeIntegers)
    model.moved = pyo.Var(moved, domain=pyo.NonNegativeReals)


def add_passing_rows(model: Model) -> None:
    """Adds the constraints of the links."""
    data: Sets = model.data
    later = set(data.next.values())
    sources = dict.fromkeys([*(key for key in data.pair if key[0] not in data.last), *data.links_from])
    model.moving = pyo.Constraint(list(data.link), rule=_moving)
    model.arriving = pyo.Constraint([key for key in data.pair if key[0] in later], rule=_arriving)
    model.leaving = pyo.Constraint(list(sources), rule=_leaving)
    leaves = dict.fromkeys((*link[:2], d) for *link, d in model.moved)
    model.finished = pyo.Constraint(list(leaves), rule=_finished)
    model.supplied = pyo.Constraint([key for key in model.run if key[0] in later], rule=_supplied)


def _days(data: Sets, link: Link) -> list[int]:
    """Days on which pieces can leave over a link: from the first finished ones to the last that can still be used."""
    j, f, g = link
    begins = [data.days_of[j, f][0]] if data.days_of.get((j, f)) else []
    begins += [day for day, _ in data.ready.get((j, f), [])]
    needed = data.days_of[data.next[j], g]
    last = needed[-1] - data.link[link].days if needed else 0
    return list(range(max(1, min(begins, default=data.horizon_days + 1)), last + 1))


def _moving(model: Model, j: str, f: str, g: str) -> Any:
    days = _days(model.data, (j, f, g))
    return sum(model.moved[j, f, g, d] for d in days) == model.passed[j, f, g]


def _arriving(model: Model, j: str, g: str) -> Any:
    arrived = sum(model.passed[link] for link in model.data.links_to.get((j, g), []))
    return arrived == model.quantity[j, g]


def _leaving(model: Model, j: str, f: str) -> Any:
    data: Sets = model.data
    left = sum(model.passed[link] for link in data.links_from.get((j, f), []))
    made = model.quantity[j, f] if (j, f) in data.pair else 0
    frozen = data.pair[j, f].kept if (j, f) in data.pair else 0
    return pyo.inequality(-frozen, left - made, data.lying((j, f), data.horizon_days))


def _pieces(model: Model, key: Pair, d: int) -> Any:
    """Pieces that a pair has finished by the end of a day."""
    data: Sets = model.data
    minutes = sum(model.run[*key, day] for day in data.days_of.get(key, []) if day <= d)
    return minutes / data.pair[key].minutes_per_piece if key in data.pair else 0


def _finished(model: Model, j: str, f: str, d: int) -> Any:
    data: Sets = model.data
    links = [(*link, day) for link in data.links_from[j, f] for day in range(1, d + 1)]
    left = sum(model.moved[key] for key in links if key in model.moved)
    return left <= _pieces(model, (j, f), d) + data.lying((j, f), d)


def _supplied(model: Model, j: str, g: str, d: int) -> Any:
    data: Sets = model.data
    links = data.links_to.get((j, g), [])
    sent = [(*link, day) for link in links for day in range(1, d - data.link[link].days + 1)]
    return _pieces(model, (j, g), d) <= sum(model.moved[key] for key in sent if key in model.moved)
