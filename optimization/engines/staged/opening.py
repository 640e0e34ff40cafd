"""A first plan in stages from the best mix of known routes: its pairs are chosen first, then pieces are made whole.

Setups are done by the day on which the relaxed mix first works at their pair.
In: the routes found on the way to a bound. Out: the tables of a plan.
"""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from optimization.contract.plan import MOVE, STAGED_PAIR
from optimization.contract.tolerances import DUST_MINUTES, WHOLE_PIECES
from optimization.engines.staged.mix import Mix, mixed
from optimization.engines.staged.routes import Legs, Routes
from optimization.stages.plan_tables import Tables
from optimization.statement.highs import Limits, Program, complete, search

_GAP, _WHOLE_GAP = 2e-3, 1e-4
_PAIRS_BY = 0.7  # of the time: for the choice of pairs
_LEAST_S = 2.0  # for making pieces whole, once the time is over


def opened(routes: Routes, seconds: float) -> Tables | None:
    """A plan within some seconds; None where none was found, as where the routes do not hold the frozen work."""
    end = time.monotonic() + seconds
    legs = routes.legs()
    first_day = _first_days(routes, legs, seconds)
    mix = mixed(routes, legs, first_day)
    program = mix.blocks.program(mix.binary)
    found = search(program, None, Limits(_PAIRS_BY * (end - time.monotonic()), _GAP, 1))
    if found.values is None:
        return None
    values = _whole(mix, legs, program, np.rint(found.values[mix.binary]), end)
    return None if values is None else _tables(routes, legs, mix, values)


def _whole(mix: Mix, legs: Legs, program: Program, chosen: Floats, end: float) -> Floats | None:
    """The best point with these yes-or-no columns and whole pieces, each route's beside what it is in fractions."""
    lower, upper, whole = program.lower.copy(), program.upper.copy(), program.integer.copy()
    lower[mix.binary] = upper[mix.binary] = chosen
    settled = replace(program, lower=lower, upper=upper)
    fractional = complete(settled)
    if fractional is None:
        return None
    whole[mix.route] = True
    pieces = fractional[mix.route]
    lower[mix.route], upper[mix.route] = np.floor(pieces + WHOLE_PIECES), np.ceil(pieces - WHOLE_PIECES)
    near = replace(settled, lower=lower, upper=upper, integer=whole)
    points = (_settled_at(near, mix, whole_of(legs.way, pieces)) for whole_of in (_shared_out, _cut_down))
    start = next((point for point in points if point is not None), None)
    found = search(near, start, Limits(max(_LEAST_S, end - time.monotonic()), _WHOLE_GAP, 1)).values
    return start if found is None else found


def _settled_at(program: Program, mix: Mix, pieces: Floats) -> Floats | None:
    """The best point with these pieces of each route; None where they do not fit."""
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[mix.route] = upper[mix.route] = pieces
    return complete(replace(program, lower=lower, upper=upper))


def _cut_down(way: Ints, pieces: Floats) -> Floats:
    """Whole pieces, none rounded up."""
    return np.floor(pieces + WHOLE_PIECES)


def _shared_out(way: Ints, pieces: Floats) -> Floats:
    """Whole pieces of each route, of a way as many in sum as before: the largest remainders are rounded up."""
    whole = np.floor(pieces + WHOLE_PIECES)
    rest = pd.Series(pieces - whole)
    more = rest.groupby(way).transform("sum").round()
    rank = rest.groupby(way).rank(method="first", ascending=False)
    return np.asarray(whole + (rank <= more).to_numpy(float))


def _first_days(routes: Routes, legs: Legs, seconds: float) -> Ints:
    """The first day on which the relaxed mix works at each pair's team (pairs,); of an idle one the last."""
    days = np.full(len(routes.arrays.order), routes.arrays.days - 1, dtype=np.int64)
    mix = mixed(routes, legs)
    relaxed = complete(mix.blocks.program(np.empty(0, dtype=np.int64)), seconds)
    works = np.full(len(legs.route), relaxed is None)
    if relaxed is not None:
        works = relaxed[mix.route][legs.route] > WHOLE_PIECES
    np.minimum.at(days, legs.pair[works], legs.day[works])
    first = np.full(len(routes.teams.setup_cost), routes.arrays.days - 1, dtype=np.int64)
    np.minimum.at(first, routes.teams.number, days)
    return first[routes.teams.number]


def _tables(routes: Routes, legs: Legs, mix: Mix, values: Floats) -> Tables:
    """The plan of a mix whose pieces are whole."""
    a, pieces = routes.arrays, np.rint(values[mix.route]).astype(np.int64)
    taken = pieces[legs.route] > 0
    pair, day, route = legs.pair[taken], legs.day[taken], legs.route[taken]
    made = pd.DataFrame({"pair": pair, "day": day, "route": route, "quantity": pieces[route]})
    run = made.assign(run_minutes=made["quantity"] * a.pace[pair])[["pair", "day", "run_minutes"]]
    minutes = values[mix.setting.column]
    done = pd.DataFrame({"pair": mix.setting.pair, "day": mix.setting.day, "setup_minutes": minutes})
    work = pd.concat([run, done[minutes > DUST_MINUTES]]).fillna(0.0).groupby(["pair", "day"], as_index=False).sum()
    work["setup_minutes"] = _exact(routes, work)
    used = made.groupby("pair", as_index=False)[["quantity"]].sum()
    moves = _moves(routes, legs, made)
    staged = routes.flat.whole.staged
    return Tables(
        _named(routes, used)[[*STAGED_PAIR, "quantity"]].drop(columns=[] if staged else "stage"),
        _named(routes, work)[[*STAGED_PAIR, "day", "setup_minutes", "run_minutes"]].drop(
            columns=[] if staged else "stage"
        ),
        moves if staged else None,
    )


def _exact(routes: Routes, work: pd.DataFrame) -> "pd.Series[float]":
    """Setup minutes scaled so that they sum to what each team needs."""
    team = pd.Series(routes.teams.number[work["pair"]], index=work.index)
    total = work["setup_minutes"].groupby(team).transform("sum")
    scaled: pd.Series[float] = (
        work["setup_minutes"] * team.map(pd.Series(routes.teams.setup_minutes)) / total.where(total > 0, 1.0)
    )
    return scaled


def _named(routes: Routes, table: pd.DataFrame) -> pd.DataFrame:
    """The table with lot, stage and factory of its pairs; days from 1."""
    pairs = routes.flat.reduced.pairs[["lot_id", "factory_id"]].rename(columns={"lot_id": "part"})
    parts = routes.flat.parts.rename(columns={"lot_id": "part", "order": "lot_id"})[["part", "lot_id", "stage"]]
    named = table.merge(pairs, left_on="pair", right_index=True).merge(parts, on="part")
    return named.assign(day=named["day"] + 1) if "day" in named else named


def _moves(routes: Routes, legs: Legs, made: pd.DataFrame) -> pd.DataFrame:
    """Pieces leave a pair on the day on which they are made there, or where they lie on the day from which they do."""
    named = _named(routes, made).sort_values(["route", "stage"], ignore_index=True)
    named["to_factory"] = named.groupby("route")["factory_id"].shift(-1)
    moves = named.dropna(subset=["to_factory"]).rename(columns={"factory_id": "from_factory"})
    waiting, columns = _from_ready(routes, legs, named.drop_duplicates("route")), [*MOVE, "day", "quantity"]
    passed = pd.concat([moves[columns], waiting[columns]]) if len(waiting) else moves[columns]
    total = passed.groupby([*MOVE, "day"], as_index=False)[["quantity"]].sum()
    return total.astype({"quantity": "float64", "day": "int64"})


def _from_ready(routes: Routes, legs: Legs, first: pd.DataFrame) -> pd.DataFrame:
    """The moves of pieces from where they lie ready to the first pair of their route."""
    ready = [routes.ways[legs.way[route]].ready for route in first["route"]]
    lying = np.array([row is not None for row in ready], dtype=bool)
    rows = [row for row in ready if row is not None]
    moves = first[lying].drop(columns="to_factory").rename(columns={"factory_id": "to_factory"})
    return moves.assign(
        stage=moves["stage"] - 1, from_factory=[row.factory_id for row in rows], day=[row.day for row in rows]
    )
