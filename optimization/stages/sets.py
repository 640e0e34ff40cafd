"""Index sets and parameters of the program by days: rows of the flat instance's frames by key.

In: a `Flat`. Out: `Sets`. Keys: (lot_id, factory_id) of a pair, (factory_id, day) of a day,
(lot_id, from_factory, to_factory) of a link.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimization.contract.instances import rows
from optimization.stages.flat import Flat

Pair = tuple[str, str]
Link = tuple[str, str, str]


@dataclass(frozen=True)
class Team:
    """Pairs that share a setup."""

    pooled: bool
    setup_cost: float
    setup_minutes: float
    least: int  # pieces of all together when used; 1 where one is frozen


@dataclass(frozen=True)
class Sets:
    """What the program is stated over."""

    order: dict[str, Any]
    last: dict[str, None]  # in the order of the orders
    next: dict[str, str]
    pair: dict[Pair, Any]
    day: dict[tuple[str, int], Any]
    factory: dict[str, Any]
    engagement: dict[str, float]  # E_f > 0 of factories that some pair can engage
    always_engaged: set[str]  # by frozen pieces
    pairs_of: dict[str, list[Pair]]
    days_of: dict[Pair, list[int]]
    pairs_on: dict[tuple[str, int], list[Pair]]
    team: dict[str, Team]
    team_of: dict[Pair, str]
    pairs_in: dict[str, list[Pair]]
    link: dict[Link, Any]
    links_from: dict[Pair, list[Link]]
    links_to: dict[Pair, list[Link]]  # by (the next stage, factory)
    ready: dict[Pair, list[tuple[int, int]]]  # day, pieces
    horizon_days: int
    constant: float  # change cost of incumbents that no pair can keep

    def switched(self, key: Pair) -> bool:
        """Whether the pair needs a binary of its own."""
        row, team = self.pair[key], self.team[self.team_of[key]]
        if row.kept > 0:
            return False
        alone = not team.pooled and team.setup_cost > 0
        return (
            alone or team.setup_minutes > 0 or row.least > 1 or self.shares(self.team_of[key]) or self.crowded(key[0])
        )

    def shares(self, t: str) -> bool:
        """Whether the team is a pool whose setup or minimum lot needs a binary."""
        team = self.team[t]
        standing = any(self.pair[key].kept > 0 for key in self.pairs_in[t])
        return team.pooled and not standing and (team.setup_cost > 0 or team.setup_minutes > 0 or team.least > 1)

    def crowded(self, j: str) -> bool:
        """Whether more factories may share the stage than max_factories allows."""
        shared = [key for key in self.pairs_of[j] if self.pair[key].kept == 0]
        return bool(shared) and len(shared) > int(self.pair[shared[0]].max_new)

    def prepares(self, key: Pair) -> bool:
        """Whether setup minutes may stand on the pair's rows."""
        return self.team[self.team_of[key]].setup_minutes > 0

    @property
    def prepared(self) -> list[str]:
        """Teams with setup minutes."""
        return [t for t, team in self.team.items() if team.setup_minutes > 0]

    def team_days(self, t: str) -> list[int]:
        """D(t)."""
        return sorted({d for key in self.pairs_in[t] for d in self.days_of[key]})

    def limited(self, key: Pair) -> bool:
        """Whether the pair has a limit a day."""
        return bool(np.isfinite(self.pair[key].max_minutes_per_day))

    def room(self, j: str, f: str, d: int) -> float:
        """r_jfd."""
        day = self.day[f, d]
        return float(min(self.pair[j, f].max_minutes_per_day, day.minutes + day.overtime_minutes))

    def late_per_minute(self, j: str, f: str, d: int) -> float:
        """Late cost of a run minute."""
        row = self.pair[j, f]
        return float(row.late_cost * max(0, d - row.on_time_day) / row.minutes_per_piece)

    def lying(self, key: Pair, d: int) -> int:
        """R_jfd."""
        return sum(pieces for day, pieces in self.ready.get(key, []) if day <= d)


def sets_of(flat: Flat) -> Sets:
    """The sets of a flat instance."""
    pair = {(row.lot_id, row.factory_id): row for row in rows(flat.reduced.pairs)}
    day = {(row.factory_id, row.day): row for row in rows(flat.reduced.days)}
    factory = {row.factory_id: row for row in rows(flat.instance.factories)}
    link = {(row.lot_id, row.from_factory, row.to_factory): row for row in rows(flat.links)}
    team_of = {(row.lot_id, row.factory_id): row.team for row in rows(flat.teams)}
    days_of = _days_of(pair, day)
    at = {f for _, f in pair}
    lost = [row for row in rows(flat.instance.incumbent) if (row.lot_id, row.factory_id) not in pair]
    return Sets(
        order={row.lot_id: row for row in rows(flat.instance.orders)},
        last=dict.fromkeys(flat.parts["lot_id"][flat.parts["last"]]),
        next=dict(zip(flat.parts["lot_id"], flat.parts["next"], strict=True)),
        pair=pair,
        day=day,
        factory=factory,
        engagement={f: row.engagement_cost for f, row in factory.items() if f in at and row.engagement_cost > 0},
        always_engaged={f for (_, f), row in pair.items() if row.kept > 0},
        pairs_of=_grouped((key[0], key) for key in pair),
        days_of=days_of,
        pairs_on=_grouped(((key[1], d), key) for key, days in days_of.items() for d in days),
        team={row.team: _team(row) for row in rows(flat.teams)},
        team_of=team_of,
        pairs_in=_grouped((team, key) for key, team in team_of.items()),
        link=link,
        links_from=_grouped(((j, f), (j, f, g)) for j, f, g in link),
        links_to=_grouped(((row.next, key[2]), key) for key, row in link.items()),
        ready=_grouped(((row.lot_id, row.factory_id), (row.day, row.quantity)) for row in rows(flat.ready)),
        horizon_days=flat.instance.horizon_days,
        constant=float(sum(row.change_cost * row.quantity for row in lost)),
    )


def _days_of(pair: dict[Pair, Any], day: dict[tuple[str, int], Any]) -> dict[Pair, list[int]]:
    """D(j,f)."""
    open_days = _grouped(day)
    return {
        key: [d for d in open_days.get(key[1], []) if row.first_day <= d <= row.last_day] for key, row in pair.items()
    }


def _team(row: Any) -> Team:
    least = 1 if row.frozen else max(1, int(row.min_lot))
    return Team(bool(row.pooled), float(row.setup_cost), float(row.setup_minutes), least)


def _grouped(items: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for key, value in items:
        groups[key].append(value)
    return dict(groups)
