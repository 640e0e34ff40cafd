"""Public cases of the literature as planning instances with their published values; the frozen generator's instances.

A site becomes a factory (its fixed cost the engagement cost, its capacity the regular minutes of the one day), a
customer or job a lot. The cost of serving a whole demand is divided by the demand.

    cap41 .. cap134, capa_8000 .. capa_14000   OR-Library, facility location; demands are whole, so whole pieces fit
    holmberg_p1 .. holmberg_p71                facility location, each customer whole at one site
    gap_a05100 .. gap_c20200                   generalised assignment: jobs of one piece, minutes as the agent needs
    plain_1000x200_s1, full_1000x200_s1, ...   (orders x factories, seed) of ../shared/bench/make_instance.py
    own_1000x200_s1, own_1000x200_s1,load=0.8  of benchmarks/allocation/generator.py
    replan_200x50_s1,price=0.3                 the day after, benchmarks/allocation/replan.py

Leaving a piece unmet is made just dear enough that an optimal plan serves everything: `_piece_price`, `_swing`.
"""

import csv
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.allocation import generator, replan
from c2m.settings import settings
from optimization.contract import instances
from optimization.contract.instances import Instance

_GENERATED = re.compile(r"(plain|full)_(\d+)x(\d+)_s(\d+)")


@dataclass(frozen=True)
class Case:
    """A benchmark case: `write` puts its instance into a folder; `published` is the optimum or best known value."""

    name: str
    family: str
    published: float | None
    write: Callable[[Path], None]


@dataclass(frozen=True)
class Sites:
    """A location or assignment case: arrays by site [m], by customer [n] and by both [n, m].

    `cost` is that of a customer's whole demand; `minutes` what a piece of it takes at a site.
    """

    capacity: np.ndarray
    fixed: np.ndarray
    demand: np.ndarray
    cost: np.ndarray
    minutes: np.ndarray | float = 1.0


def every() -> dict[str, Case]:
    """The public cases by name; `case` knows the generated ones too."""
    return {case.name: case for family in (_orlib, _holmberg, _gap) for case in family(settings().shared_data)}


def case(name: str) -> Case:
    """The case of that name."""
    if drawn := _GENERATED.fullmatch(name):
        flavour, orders, factories, seed = drawn.groups()
        return Case(name, f"frozen {flavour}", None, partial(_generate, flavour, orders, factories, seed))
    if made := generator.shape(name):
        return Case(name, "own", None, lambda folder: generator.keep(generator.draw(made), folder))
    if base := replan.base(name):
        return Case(name, "replan", None, partial(replan.write, *base))
    return every()[name]


def _orlib(folder: Path) -> Iterator[Case]:
    for name, optimum in _table(folder / "opt_cflp_orlib" / "optima.csv", ",")[1:]:
        stem, _, capacity = name.partition("_")
        read = partial(read_orlib, folder / "opt_cflp_orlib" / f"{stem}.txt", float(capacity or 0))
        yield Case(name, "capa" if capacity else "orlib", float(optimum), partial(_write, read))


def _holmberg(folder: Path) -> Iterator[Case]:
    folder = folder / "opt_sscflp" / "holmberg"
    for number, optimum in enumerate((folder / "os").read_text(encoding="ascii").split(), start=1):
        read = partial(read_holmberg, folder / f"p{number}")
        yield Case(f"holmberg_p{number}", "holmberg", float(optimum), partial(_write, read))


def _gap(folder: Path) -> Iterator[Case]:
    for name, _, best_known in _table(folder / "opt_gap" / "bounds.txt", "\t"):
        stem = name.removesuffix("_Min")
        read = partial(read_gap, folder / "opt_gap" / stem)
        yield Case(f"gap_{stem}", "gap", float(best_known), partial(_write, read))


def _table(file: Path, delimiter: str) -> list[list[str]]:
    with file.open(newline="", encoding="ascii") as lines:
        return list(csv.reader(lines, delimiter=delimiter))


def _write(read: Callable[[], Instance], folder: Path) -> None:
    instances.write(read(), folder)


def _generate(flavour: str, orders: str, factories: str, seed: str, folder: Path) -> None:
    """Its load of 65 % is the generator's own default."""
    script = settings().shared_data.parent / "bench" / "make_instance.py"
    arguments = [str(folder), orders, factories, seed, "0.65", flavour]
    subprocess.run([sys.executable, str(script), *arguments], check=True)


def read_orlib(file: Path, capacity: float = 0) -> Instance:
    """Facility location; `capacity` stands for the word that capa.txt has in place of a number."""
    text = file.read_text(encoding="ascii").replace("capacity", str(capacity))
    numbers = np.array(text.split(), dtype=float)
    m, n = numbers[:2].astype(int)
    sites = numbers[2 : 2 + 2 * m].reshape(m, 2)
    customers = numbers[2 + 2 * m :].reshape(n, 1 + m)
    case = Sites(sites[:, 0], sites[:, 1], customers[:, 0], customers[:, 1:])
    return _instance(case, max_factories=int(m), unmet_cost=_piece_price(case), min_lot=np.zeros(n))


def read_holmberg(file: Path) -> Instance:
    """Facility location with single sourcing: the least lot is the whole demand."""
    numbers = np.array(file.read_text(encoding="ascii").split(), dtype=float)
    m, n = numbers[:2].astype(int)
    capacity, fixed, demand, cost = np.split(numbers[2:], np.cumsum([m, m, n]))
    return single_source(Sites(capacity, fixed, demand, cost.reshape(n, m)))


def read_gap(file: Path) -> Instance:
    """Generalised assignment: a job is a lot of one piece."""
    numbers = np.array(file.read_text(encoding="ascii").split(), dtype=float)
    m, n = numbers[:2].astype(int)
    cost, minutes, capacity = np.split(numbers[2:], np.cumsum([m * n, m * n]))
    return single_source(Sites(capacity, np.zeros(m), np.ones(n), cost.reshape(m, n).T, minutes.reshape(m, n).T))


def single_source(case: Sites) -> Instance:
    """Each customer whole at one site."""
    return _instance(case, max_factories=1, unmet_cost=_swing(case) / case.demand, min_lot=case.demand)


def _piece_price(case: Sites) -> float:
    """Dearer than serving the pieces that a plan leaves, where lots may be split.

    With room at an open site a piece costs at most the dearest one. With none, and equal capacities, at least the
    remainder of demand by capacity is left, and one more site takes as much as it holds of that at its fixed cost.
    """
    dearest_piece = (case.cost / case.demand[:, None]).max()
    size, total = case.capacity[0], case.demand.sum()
    left = (total % size or size) if np.all(case.capacity == size) else 1
    return float(dearest_piece + 2 * case.fixed.max() / left)


def _swing(case: Sites) -> float:
    """More than the distance between the dearest and the cheapest whole assignment, which a lot left then costs."""
    return float((case.cost.max(axis=1) - case.cost.min(axis=1)).sum() + case.cost.max() + case.fixed.sum() + 1)


def _instance(case: Sites, max_factories: int, unmet_cost: "np.ndarray | float", min_lot: np.ndarray) -> Instance:
    n, m = case.cost.shape
    demand = case.demand.astype(int)
    lots = np.array([f"C{c:04}" for c in range(n)])
    sites = np.array([f"W{w:03}" for w in range(m)])
    orders = pd.DataFrame({"order_id": lots, "quantity": demand, "max_factories": max_factories})
    arcs = pd.DataFrame(
        {
            "order_id": np.repeat(lots, m),
            "factory_id": np.tile(sites, n),
            "unit_cost": (case.cost / case.demand[:, None]).ravel(),
            "minutes_per_piece": np.broadcast_to(case.minutes, (n, m)).ravel(),
            "min_lot": np.repeat(min_lot.astype(int), m),
            "max_lot": np.repeat(demand, m),
        }
    )
    capacity = pd.DataFrame({"factory_id": sites, "minutes": case.capacity})
    return Instance.from_tables(
        {
            "orders": orders.assign(release_day=1, due_day=1, max_late_days=0, late_cost=0.0, unmet_cost=unmet_cost),
            "arcs": arcs.assign(setup_cost=0.0, setup_minutes=0.0, transit_days=0),
            "capacity": capacity.assign(day=1, overtime_minutes=0.0, overtime_cost=0.0),
            "factories": pd.DataFrame({"factory_id": sites, "engagement_cost": case.fixed}),
        }
    )
