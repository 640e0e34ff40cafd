"""Tiny instances with stages, transfers, ready pieces and pools, and their exhaustive oracle.

The oracle tries every whole number of pieces at every pair and over every link, and every day on which a setup may be
done. What is left is timing, which may be fractional where stages differ in pace: a linear program written
down plainly, which shares nothing with the product but the contract.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from optimization.contract.instances import Instance

Row = dict[str, Any]
Pair = tuple[str, int, str]  # order, stage, factory

ORDER = {"release_day": 1, "due_day": 9, "max_late_days": 0, "max_factories": 9, "late_cost": 0, "unmet_cost": 100}
ARC = {"unit_cost": 1, "minutes_per_piece": 1, "setup_cost": 0, "setup_minutes": 0, "min_lot": 0, "max_lot": 999}
DAY = {"overtime_minutes": 0, "overtime_cost": 0}


def joint(
    orders: list[Row], arcs: list[Row], capacity: list[Row], horizon_days: int | None = None, **more: Any
) -> Instance:
    """An instance from rows that name only what differs from a plain one; `more`: further tables."""
    tables = {
        "orders": [ORDER | row for row in orders],
        "arcs": [ARC | {"transit_days": 0} | row for row in arcs],
        "capacity": [DAY | row for row in capacity],
        **more,
    }
    if more.get("incumbent"):
        tables["incumbent"] = [{"change_cost": 0, "frozen": False} | row for row in more["incumbent"]]
    return Instance.from_tables({name: pd.DataFrame(rows) for name, rows in tables.items() if rows}, horizon_days)


def open_days(factories: str, days: int, minutes: float = 10) -> list[Row]:
    """Every factory open on every day."""
    return [{"factory_id": f, "day": day, "minutes": minutes} for f in factories for day in range(1, days + 1)]


def tiny_joint(seed: int) -> Instance:
    """A few pieces in one to three stages at two or three factories, with every feature of the contract."""
    r = np.random.default_rng(seed)
    days, names = int(r.integers(2, 5)), ["F", "G", "H"][: int(r.integers(2, 4))]
    orders = [_order(r, f"O{o}", days) for o in range(int(r.integers(1, 4)))]
    depth = {row["order_id"]: int(r.choice([1, 2, 2, 3])) for row in orders}
    pools = [{"order_id": o, "pool_id": "P"} for o in depth if len(orders) > 1 and r.random() < 0.5]
    tables: dict[str, list[Row]] = {name: [] for name in ("arcs", "incumbent", "ready", "transfers")}
    shared: dict[tuple[int, str], Row] = {}
    for row in orders:
        pooled = any(pool["order_id"] == row["order_id"] for pool in pools)
        left = row["quantity"]
        for stage, f in product(range(1, depth[row["order_id"]] + 1), names):
            key = {"order_id": row["order_id"], "stage": stage, "factory_id": f}
            if r.random() < 0.7 or not tables["arcs"]:
                setup = {"setup_cost": int(r.choice([0, 2, 5])), "setup_minutes": int(r.choice([0, 0, 0, 1, 2]))}
                setup |= {"min_lot": int(r.choice([0, 0, 1, 2]))}
                setup = shared.setdefault((stage, f), setup) if pooled else setup
                tables["arcs"].append(key | _arc(r) | setup)
                if r.random() < 0.2:
                    tables["incumbent"].append(key | _held(r))
            if stage < depth[row["order_id"]] and left > 0 and r.random() < 0.15:
                lying = int(r.integers(1, left + 1))
                left -= lying
                tables["ready"].append(key | {"quantity": lying, "day": int(r.integers(1, 3))})
    for f, g in product(names, names):
        if f != g and r.random() < 0.7:
            tables["transfers"].append({"from_factory": f, "to_factory": g} | _lane(r) | {"order_id": ""})
            if r.random() < 0.2:
                own = {"order_id": orders[0]["order_id"]}
                tables["transfers"].append({"from_factory": f, "to_factory": g} | _lane(r) | own)
    stages = [{"order_id": o, "stage": s} for o, last in depth.items() if last > 1 for s in range(1, last + 1)]
    capacity = [_day(r, f, day) for f in names for day in range(1, days + 1) if r.random() < 0.9]
    factories = [_factory(r, f) for f in names]
    return joint(orders, tables.pop("arcs"), capacity, days, stages=stages, pools=pools, factories=factories, **tables)


def _order(r: np.random.Generator, name: str, days: int) -> Row:
    row: Row = {"order_id": name, "quantity": int(r.integers(1, 4)), "release_day": int(r.integers(0, 3))}
    row |= {"due_day": int(r.integers(days - 1, days + 2)), "max_late_days": int(r.integers(0, 3))}
    row |= {"max_factories": int(r.integers(1, 4)), "late_cost": float(r.choice([0, 1.5]))}
    return row | {"unmet_cost": float(r.choice([12, 30, 50]))}


def _arc(r: np.random.Generator) -> Row:
    arc: Row = {"unit_cost": int(r.integers(1, 7)), "minutes_per_piece": int(r.integers(1, 4))}
    arc |= {"max_lot": int(r.integers(2, 5)), "transit_days": int(r.choice([0, 0, 1]))}
    arc |= {"release_day": int(r.integers(1, 3)) if r.random() < 0.2 else None}
    return arc | {"max_minutes_per_day": int(r.integers(2, 5)) if r.random() < 0.2 else None}


def _held(r: np.random.Generator) -> Row:
    frozen = bool(r.random() < 0.4)
    quantity = int(r.integers(0, 2 if frozen else 3))
    done = bool(r.random() < 0.4)
    return {"quantity": quantity, "change_cost": float(r.choice([0, 3])), "frozen": frozen, "setup_done": done}


def _lane(r: np.random.Generator) -> Row:
    return {"cost": float(r.choice([0, 1, 2.5])), "days": int(r.choice([0, 1, 1, 2]))}


def _day(r: np.random.Generator, f: str, day: int) -> Row:
    extra = {"overtime_minutes": int(r.integers(0, 3)), "overtime_cost": float(r.choice([0.5, 2]))}
    return {"factory_id": f, "day": day, "minutes": int(r.choice([0, 3, 5, 6]))} | extra


def _factory(r: np.random.Generator, f: str) -> Row:
    costs = {"engagement_cost": float(r.choice([0, 0, 4])), "shortfall_cost": float(r.choice([0, 0, 1]))}
    return {"factory_id": f, "target_minutes": int(r.integers(0, 6))} | costs


class Oracle:
    """The cheapest of all plans of a tiny instance."""

    def __init__(self, problem: Instance) -> None:
        def keyed(table: pd.DataFrame) -> dict[Pair, Row]:
            rows = table.to_dict("records")
            return {(row["lot_id"], row.get("stage", 1), row["factory_id"]): row for row in rows}

        self.days = problem.horizon_days
        self.orders: dict[str, Row] = {row["lot_id"]: row for row in problem.orders.to_dict("records")}
        self.arcs, self.held = keyed(problem.arcs), keyed(problem.incumbent)
        self.depth = {
            o: max([1, *(s for i, s in zip(problem.stages["lot_id"], problem.stages["stage"], strict=True) if i == o)])
            for o in self.orders
        }
        self.pool = dict(zip(problem.pools["lot_id"], problem.pools["pool_id"], strict=True))
        self.capacity = {(row["factory_id"], row["day"]): row for row in problem.capacity.to_dict("records")}
        self.factories = problem.factories.to_dict("records")
        self.lanes = {
            (r["lot_id"], r["from_factory"], r["to_factory"]): r for r in problem.transfers.to_dict("records")
        }
        self.ready: dict[Pair, list[Row]] = {}
        for row in problem.ready.to_dict("records"):
            self.ready.setdefault((row["lot_id"], row["stage"], row["factory_id"]), []).append(row)

    def cheapest(self) -> float | None:
        """Its cost; None where frozen work does not fit."""
        options = [sorted(self._options(o), key=lambda option: option[0]) for o in self.orders]
        if not all(options):
            return None
        best, heap, seen = np.inf, [(sum(of[0][0] for of in options), (0,) * len(options))], set()
        while heap:
            least, places = heappop(heap)
            if least >= best - 1e-9:
                break
            chosen = [of[place] for of, place in zip(options, places, strict=True)]
            best = min(best, self._cost(least, chosen, best))
            for i, place in enumerate(places):
                after = (*places[:i], place + 1, *places[i + 1 :])
                if place + 1 < len(options[i]) and after not in seen:
                    seen.add(after)
                    step = options[i][place + 1][0] - options[i][place][0]
                    heappush(heap, (least + step, after))
        return None if best == np.inf else float(best)

    def lane(self, o: str, f: str, g: str) -> Row | None:
        if f == g:
            return {"cost": 0.0, "days": 0}
        return self.lanes.get((o, f, g)) or self.lanes.get(("", f, g))

    def _team(self, key: Pair) -> tuple[Any, ...]:
        return ("pool", self.pool[key[0]], *key[1:]) if key[0] in self.pool else key

    def _frozen(self, key: Pair) -> int:
        row = self.held.get(key)
        return int(row["quantity"]) if row and row["frozen"] else 0

    def _options(self, o: str) -> Iterator[tuple[float, dict[Pair, int], dict[Any, int]]]:
        """Every way to make an order by pieces alone: cost, pieces by pair, pieces by link."""
        yield from self._after(o, self.depth[o], None)

    def _after(self, o: str, stage: int, wanted: dict[str, int] | None) -> Iterator[Any]:
        """Ways for the stages up to one, whose moves out are `wanted`; None: of the last stage."""
        here = [key for key in self.arcs if key[:2] == (o, stage)]
        for pieces in product(*(range(self.orders[o]["quantity"] + 1) for _ in here)):
            made = {key: n for key, n in zip(here, pieces, strict=True) if n}
            if not self._allowed(o, stage, here, made, wanted):
                continue
            cost = self._pieces_cost(o, stage, made, wanted)
            if stage == 1:
                yield cost, made, {}
                continue
            for moved in self._moves(o, stage, made):
                out: dict[str, int] = {}
                for (_, _, f, _), n in moved.items():
                    out[f] = out.get(f, 0) + n
                way = sum(n * self.lane(o, f, g)["cost"] for (_, _, f, g), n in moved.items())  # type: ignore[index]
                for before, pairs, links in self._after(o, stage - 1, out):
                    yield cost + way + before, made | pairs, moved | links

    def _moves(self, o: str, stage: int, made: dict[Pair, int]) -> Iterator[dict[Any, int]]:
        """Every way to bring the pieces of a stage to its pairs."""
        names = {key[2] for key in [*self.arcs, *self.ready] if key[:2] == (o, stage - 1)}
        ways = []
        for (_, _, g), n in made.items():
            sources = sorted(f for f in names if self.lane(o, f, g))
            splits = [c for c in product(range(n + 1), repeat=len(sources)) if sum(c) == n]
            ways.append([{(o, stage - 1, f, g): m for f, m in zip(sources, c, strict=True) if m} for c in splits])
        for parts in product(*ways):
            yield {link: n for part in parts for link, n in part.items()}

    def _allowed(self, o: str, stage: int, here: list[Pair], made: dict[Pair, int], wanted: Any) -> bool:
        order, ready = self.orders[o], self._lying(o, stage)
        standing = {key for key in here if self._frozen(key)}
        new = [key for key in made if key not in standing]
        return (
            sum(made.values()) + ready <= order["quantity"]
            and len(new) <= max(0, order["max_factories"] - len(standing))
            and all(n <= self.arcs[key]["max_lot"] for key, n in made.items())
            and all(o in self.pool or self._exempt(key) or n >= self.arcs[key]["min_lot"] for key, n in made.items())
            and all(made.get(key, 0) >= self._frozen(key) for key in here)
            and (wanted is None or self._leave(o, stage, made, wanted))
        )

    def _exempt(self, key: Pair) -> bool:
        return bool(self.held.get(key, {}).get("frozen"))

    def _lying(self, o: str, stage: int) -> int:
        """Pieces that have passed a stage."""
        return sum(
            row["quantity"] for key, rows in self.ready.items() if key[0] == o and key[1] >= stage for row in rows
        )

    def _leave(self, o: str, stage: int, made: dict[Pair, int], wanted: dict[str, int]) -> bool:
        for f in {key[2] for key in [*self.arcs, *self.ready] if key[:2] == (o, stage)}:
            key = (o, stage, f)
            n, most = made.get(key, 0), sum(row["quantity"] for row in self.ready.get(key, []))
            if not n - self._frozen(key) <= wanted.get(f, 0) <= n + most:
                return False
        return True

    def _pieces_cost(self, o: str, stage: int, made: dict[Pair, int], wanted: Any) -> float:
        cost = sum(n * self.arcs[key]["unit_cost"] for key, n in made.items())
        for key, row in self.held.items():
            if key[:2] == (o, stage):
                cost += row["change_cost"] * max(0, row["quantity"] - made.get(key, 0))
        if wanted is None:
            cost += (self.orders[o]["quantity"] - sum(made.values())) * self.orders[o]["unmet_cost"]
        return float(cost)

    def _cost(self, least: float, chosen: list[Any], best: float) -> float:
        """All that a choice costs; inf where it breaks a rule or does not fit."""
        made = {key: n for _, pairs, _ in chosen for key, n in pairs.items()}
        moved = {link: n for _, _, links in chosen for link, n in links.items()}
        teams: dict[Any, list[Pair]] = {}
        for key in made:
            teams.setdefault(self._team(key), []).append(key)
        total, setups = least, {}
        for team, keys in teams.items():
            everybody = [key for key in self.arcs if self._team(key) == team]
            done = any(self.held.get(key, {}).get("setup_done") for key in everybody)
            arc = self.arcs[keys[0]]
            if not any(map(self._exempt, everybody)) and sum(made[key] for key in keys) < arc["min_lot"]:
                return np.inf
            setups[team] = 0 if done else arc["setup_minutes"]
            total += 0 if done else arc["setup_cost"]
        total += self._factories_cost(made, setups)
        if total >= best:
            return np.inf
        return total + self._timing(made, moved, teams, setups, best - total)

    def _factories_cost(self, made: dict[Pair, int], setups: dict[Any, float]) -> float:
        load = {f: sum(m for team, m in setups.items() if team[-1] == f) for f in {key[2] for key in made}}
        for key, n in made.items():
            load[key[2]] += n * self.arcs[key]["minutes_per_piece"]
        cost = sum(row["engagement_cost"] for row in self.factories if row["factory_id"] in load)
        missing = (
            row["shortfall_cost"] * max(0, row["target_minutes"] - load.get(row["factory_id"], 0))
            for row in self.factories
        )
        return float(cost + sum(missing))

    def _timing(self, made: Any, moved: Any, teams: Any, setups: Any, below: float) -> float:
        """Least overtime and lateness; inf where nothing fits. First with no order of setups, then with every one."""
        free = self._program(made, moved, teams, setups, {})
        asked = [team for team, minutes in setups.items() if minutes > 0]
        if free >= below or not asked:
            return free
        every = product(range(1, self.days + 1), repeat=len(asked))
        return min(self._program(made, moved, teams, setups, dict(zip(asked, days, strict=True))) for days in every)

    def _window(self, key: Pair) -> range:
        arc, order = self.arcs[key], self.orders[key[0]]
        last = self.days
        if key[1] == self.depth[key[0]] and not self._exempt(key):
            last = min(last, order["due_day"] - arc["transit_days"] + order["max_late_days"])
        return range(max(1, arc["release_day"]), last + 1)

    def _program(self, made: Any, moved: Any, teams: Any, setups: Any, by: dict[Any, int]) -> float:
        program = _Program()
        for key, n in made.items():
            arc, team = self.arcs[key], self._team(key)
            for d in self._window(key):
                late = (
                    max(0, d + arc["transit_days"] - self.orders[key[0]]["due_day"]) * self.orders[key[0]]["late_cost"]
                )
                late = late / arc["minutes_per_piece"] if key[1] == self.depth[key[0]] else 0.0
                program.column(("run", *key, d), late, None if d >= by.get(team, 0) else 0)
                program.column(("set", *key, d), 0.0, None if d <= by.get(team, self.days) else 0)
                program.row([(("run", *key, d), 1), (("set", *key, d), 1)], arc["max_minutes_per_day"])
            program.row([(("run", *key, d), 1) for d in self._window(key)], n * arc["minutes_per_piece"], equal=True)
        for team, keys in teams.items():
            program.row([(("set", *key, d), 1) for key in keys for d in self._window(key)], setups[team], equal=True)
        for link, n in moved.items():
            for d in range(1, self.days + 1):
                program.column(("move", *link, d), 0.0, None)
            program.row([(("move", *link, d), 1) for d in range(1, self.days + 1)], n, equal=True)
        self._add_days(program, made)
        self._add_flow(program, made, moved)
        return program.value()

    def _add_days(self, program: "_Program", made: Any) -> None:
        for (f, d), row in self.capacity.items():
            program.column(("over", f, d), row["overtime_cost"], row["overtime_minutes"])
        for f, d in product({key[2] for key in made}, range(1, self.days + 1)):
            work = [
                ((kind, *key, d), 1)
                for key in made
                if key[2] == f and d in self._window(key)
                for kind in ("run", "set")
            ]
            extra = [(("over", f, d), -1)] if (f, d) in self.capacity else []
            program.row([*work, *extra], self.capacity[f, d]["minutes"] if extra else 0)

    def _add_flow(self, program: "_Program", made: Any, moved: Any) -> None:
        def run(key: Pair, d: int, sign: int) -> list[Any]:
            if key not in made:
                return []
            pace = self.arcs[key]["minutes_per_piece"]
            return [(("run", *key, e), sign / pace) for e in self._window(key) if e <= d]

        for d in range(1, self.days + 1):
            for key in {(o, s, f) for o, s, f, _ in moved}:
                left = [(("move", *link, e), 1) for link in moved if link[:3] == key for e in range(1, d + 1)]
                lying = sum(row["quantity"] for row in self.ready.get(key, []) if row["day"] <= d)
                program.row([*left, *run(key, d, -1)], lying)
            for o, s, g in (key for key in made if key[1] > 1):
                came = [
                    (("move", *link, e), -1)
                    for link in moved
                    if (link[0], link[1], link[3]) == (o, s - 1, g)
                    for e in range(1, d - self.lane(o, link[2], g)["days"] + 1)  # type: ignore[index]
                ]
                program.row([*run((o, s, g), d, 1), *came], 0)


class _Program:
    """A linear program by names."""

    def __init__(self) -> None:
        self._place: dict[Any, int] = {}
        self._cost: list[float] = []
        self._most: list[Any] = []
        self._rows: dict[bool, list[tuple[list[Any], float]]] = {False: [], True: []}

    def column(self, name: Any, cost: float, most: float | None) -> None:
        self._place[name] = len(self._cost)
        self._cost.append(cost)
        self._most.append((0, most))

    def row(self, cells: list[Any], most: float, equal: bool = False) -> None:
        if np.isfinite(most):
            self._rows[equal].append((cells, most))

    def value(self) -> float:
        parts = {}
        for equal, rows in self._rows.items():
            matrix = np.zeros((len(rows), len(self._cost)))
            for i, (cells, _) in enumerate(rows):
                for name, value in cells:
                    matrix[i, self._place[name]] += value
            parts[equal] = (matrix, [most for _, most in rows]) if rows else (None, None)
        if not self._cost:
            return 0.0
        found = linprog(self._cost, *parts[False], *parts[True], self._most)
        return float(found.fun) if found.status == 0 else np.inf


def cheapest_joint(problem: Instance) -> float | None:
    """The cost of the cheapest of all plans; None where frozen work does not fit."""
    return Oracle(problem).cheapest()
