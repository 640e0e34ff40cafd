"""The best mix of known routes in which every used pair pays its whole setup, as a mixed-integer program.

Columns are whole routes of a lot through stages, factories and days. A setup is done by a given day, before which no
route works at its pair.

  x_r pieces of a route; y_p a pair is used, S_t its team is set up, z_f a factory is engaged; k_pd setup minutes,
  v_fd overtime, i_f shortfall, o_p pieces taken from an incumbent, all >= 0
  way[w]        sum x_r <= pieces of the way                   most[p]     sum x_r <= U y
  least[t]      sum x_r >= l S                                 sharing[j]  sum y <= n, of pairs without frozen pieces
  pooling[p]    y <= S                                         engaging[p] y <= z
  kept[p]       sum x_r >= B, and y = 1 where B > 0            taking[p]   o >= I - sum x_r
  preparing[t]  sum k = m S                                    placed[p,d] k <= room y
  capacity[f,d] sum a x + k <= C + v                           target[f]   i + sum of the same minutes >= G
In: routes as legs, the first day of each pair's team. Out: the program and its columns.
"""

from dataclasses import dataclass

import numpy as np

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.engines.staged.routes import Legs, Routes
from optimization.statement.linear import Blocks, Cells


@dataclass(frozen=True)
class Setting:
    """The columns of setup minutes: pair and day of each."""

    column: Ints
    pair: Ints
    day: Ints


@dataclass(frozen=True)
class Mix:
    """The program; `route`: columns by route; `binary`: what is yes or no."""

    blocks: Blocks
    route: Ints
    binary: Ints
    setting: Setting


@dataclass(frozen=True)
class _Columns:
    """What the program is made of: routes x by route, pairs y and, by team, setups s."""

    lp: Blocks
    routes: Routes
    legs: Legs
    pairs: Ints
    team: Ints
    of_team: Ints  # (pairs,) position in `team`
    x: Ints
    y: Ints
    s: Ints

    @property
    def made(self) -> Cells:
        """Pieces by position in `pairs`."""
        return np.searchsorted(self.pairs, self.legs.pair), self.x[self.legs.route], 1.0


def mixed(routes: Routes, legs: Legs, first_day: Ints | None = None) -> Mix:
    """The program of the routes that work at no pair before its first day (pairs,); without it, of all."""
    a = routes.arrays
    early = np.zeros(len(legs.way), dtype=bool)
    if first_day is not None:
        early[legs.route[legs.day < first_day[legs.pair]]] = True
    columns = _columns(routes, legs, early)
    _add_pairs(columns)
    _add_incumbents(columns)
    setting = _settings(columns, np.full(len(a.order), a.days - 1) if first_day is None else first_day)
    work = (a.factory[legs.pair] * a.days + legs.day, columns.x[legs.route], a.pace[legs.pair])
    setup = (a.factory[setting.pair] * a.days + setting.day, setting.column, np.ones(len(setting.column)))
    z = _factories(columns, work, setup)
    return Mix(columns.lp, columns.x, np.concatenate([columns.y, columns.s, z]), setting)


def _columns(routes: Routes, legs: Legs, early: Flags) -> _Columns:
    """The columns of routes, pairs and teams, and the rows of ways."""
    a, lp = routes.arrays, Blocks()
    unmet = np.array([way.unmet_cost for way in routes.ways])
    pieces = np.array([way.pieces for way in routes.ways], dtype=float)
    lp.offset = float(unmet @ pieces) + a.lost
    x = lp.columns(legs.cost - unmet[legs.way], 0.0, np.where(early, 0.0, pieces[legs.way]))
    lp.rows(len(pieces), -np.inf, pieces, (legs.way, x, 1.0))
    pairs = np.unique(np.concatenate([legs.pair, np.flatnonzero(a.kept > 0)]))
    y = lp.columns(np.zeros(len(pairs)), (a.kept[pairs] > 0).astype(float), 1.0)
    team, of_team = np.unique(routes.teams.number[pairs], return_inverse=True)
    s = lp.columns(routes.teams.setup_cost[team], 0.0, 1.0)
    return _Columns(lp, routes, legs, pairs, team, of_team, x, y, s)


def _add_pairs(columns: _Columns) -> None:
    """most, pooling, kept, least and sharing."""
    lp, pairs, a = columns.lp, columns.pairs, columns.routes.arrays
    row, teams = np.arange(len(pairs)), np.arange(len(columns.team))
    at, x, _ = columns.made
    lp.rows(len(pairs), -np.inf, 0.0, columns.made, (row, columns.y, -a.most[pairs].astype(float)))
    lp.rows(len(pairs), -np.inf, 0.0, (row, columns.y, 1.0), (row, columns.s[columns.of_team], -1.0))
    lp.rows(len(pairs), a.kept[pairs].astype(float), np.inf, columns.made)
    least = columns.routes.teams.least[columns.team]
    lp.rows(len(teams), 0.0, np.inf, (columns.of_team[at], x, 1.0), (teams, columns.s, -least))
    free = np.flatnonzero(a.kept[pairs] == 0)
    lp.rows(len(a.quantity), -np.inf, a.max_new.astype(float), (a.order[pairs[free]], columns.y[free], 1.0))


def _add_incumbents(columns: _Columns) -> None:
    """taking."""
    a, pairs, lp = columns.routes.arrays, columns.pairs, columns.lp
    held = np.flatnonzero(a.held[pairs] > a.kept[pairs])
    taken = lp.columns(a.change_cost[pairs[held]])
    place = np.full(len(pairs), -1)
    place[held] = np.arange(len(held))
    at, x, _ = columns.made
    mine = place[at] >= 0
    pieces = (place[at][mine], x[mine], 1.0)
    lp.rows(len(held), a.held[pairs[held]].astype(float), np.inf, (np.arange(len(held)), taken, 1.0), pieces)


def _settings(columns: _Columns, by_day: Ints) -> Setting:
    """preparing and placed."""
    lp, pairs, a, teams = columns.lp, columns.pairs, columns.routes.arrays, columns.routes.teams
    pair, day = a.slots_of(pairs[teams.setup_minutes[teams.number[pairs]] > 0])
    early = day <= by_day[pair]
    pair, day = pair[early], day[early]
    at, team = np.searchsorted(pairs, pair), np.arange(len(columns.team))
    room = np.minimum(a.room[a.factory[pair], day], a.day_limit[pair])
    k = lp.columns(np.zeros(len(pair)), 0.0, room)
    needed = teams.setup_minutes[columns.team]
    lp.rows(len(team), 0.0, 0.0, (columns.of_team[at], k, 1.0), (team, columns.s, -needed))
    pooled = np.flatnonzero(teams.pooled[teams.number[pair]])
    row = np.arange(len(pooled))
    lp.rows(len(pooled), -np.inf, 0.0, (row, k[pooled], 1.0), (row, columns.y[at[pooled]], -room[pooled]))
    return Setting(k, pair, day)


def _factories(columns: _Columns, work: tuple[Ints, Ints, Floats], setup: tuple[Ints, Ints, Floats]) -> Ints:
    """capacity, target and engaging; the columns of engagement."""
    lp, a, pairs = columns.lp, columns.routes.arrays, columns.pairs
    slots, factories, row = np.arange(a.minutes.size), np.arange(len(a.minutes)), np.arange(len(pairs))
    over = lp.columns(a.overtime_cost.ravel(), 0.0, a.overtime.ravel())
    lp.rows(len(slots), -np.inf, a.minutes.ravel(), work, setup, (slots, over, -1.0))
    short = lp.columns(a.shortfall_cost)
    by_factory = [(slot // a.days, column, minutes) for slot, column, minutes in (work, setup)]
    lp.rows(len(factories), a.target_minutes, np.inf, (factories, short, 1.0), *by_factory)
    z = lp.columns(a.engagement_cost, a.always.astype(float), 1.0)
    lp.rows(len(pairs), -np.inf, 0.0, (row, columns.y, 1.0), (row, z[a.factory[pairs]], -1.0))
    return z
