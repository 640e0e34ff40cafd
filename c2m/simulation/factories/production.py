"""How a simulated factory makes a job order: bundles through operations, defects, breakdowns, replacements, shipment.

All of it follows from (seed, factory, job order); only when it happens depends on the booked minutes. Unit of work:
paid operator minutes since the job order's first.

Calibration: 691 sewing-line days of the public data set "Productivity Prediction of Garment Employees" (file
garments_worker_productivity.csv), ratio of actual to targeted productivity.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from c2m.ids import derive_id
from c2m.simulation.factories.booking import Segment, moment
from c2m.simulation.factories.profile import Profile
from c2m.wire.messages import SHIP, FactoryState, JobOrder, Operation, Scan

# Spread of the teams' mean log ratio.
_TEAM_LOG_SD = 0.053
# Quantiles of the ratio over line-days: a line mostly meets its target and now and then fails it badly.
_RATIO = ((0.0, 0.40), (0.01, 0.42), (0.05, 0.65), (0.10, 0.82), (0.25, 1.0), (0.50, 1.0), (0.75, 1.06), (0.90, 1.14),
          (0.95, 1.25), (0.99, 1.32), (1.0, 1.35))  # fmt: skip
# 18 of 691 line-days were idle for a while; a line-day is 58 operators x 480 minutes on average.
_MINUTES_BETWEEN_BREAKDOWNS = 691 / 18 * 58 * 480
_IDLE_CLOCK_MINUTES = (2, 2, 3.5, 3.5, 3.5, 4, 4, 4, 4.5, 4.5, 5, 5, 6.5, 8, 8, 90, 150, 270, 300)
# Assumed, no public source: defects per piece, lognormal over factories, and the operation that finds them.
_DEFECT_MEDIAN, _DEFECT_LOG_SD, _DEFECT_MOST = 0.025, 0.5, 0.15
_DEFECT_SHARE: dict[Operation, float] = {"cut": 0.1, "sew": 0.4, "inspect": 0.5}
_BUNDLES = 36  # per job order, replacements aside


@dataclass(frozen=True)
class ProductionEvent:
    """Something that happens at a minute: a change of state, or a scan."""

    minute: float
    state: FactoryState | None = None
    reason: str = ""
    operation: Operation = "cut"
    sku_id: str = ""
    quantity: int = 0
    defects: int = 0
    bundle: int = 0


class Change(NamedTuple):
    """A job order's new state."""

    at: datetime
    state: FactoryState
    reason: str


Event = Change | Scan


def nominal_minutes(profile: Profile, order: JobOrder) -> float:
    """What the factory expects the job order to take, knowing nothing of bad days."""
    sam_minutes = sum(step.sam_minutes for step in order.operations)
    return profile.setup_minutes + order.quantity * sam_minutes / profile.efficiency_by_category[order.category]


def steps(profile: Profile, order: JobOrder, seed: int, begun: Sequence[ProductionEvent] = ()) -> list[ProductionEvent]:
    """Everything that happens, in order; the last step ends the job order with all its pieces shipped.

    begun: what had begun when the order was cut, and goes on first.
    """
    return _Line(profile, order, seed, begun).make()


def begun(made: Sequence[ProductionEvent], told: int) -> int:
    """How many of the steps belong to what has begun where `told` of them have happened: bundles are not left half."""
    if made[told - 1].state == "Interrupted":
        return told + 1  # the line goes on, with a bundle that has not begun
    bundle = made[told].bundle
    return next((i for i in range(told, len(made)) if made[i].bundle != bundle), len(made))


def good_pieces(order: JobOrder, made: Iterable[ProductionEvent]) -> Counter[str]:
    """Pieces per SKU that the steps leave ready to be shipped."""
    last = [operation.name for operation in order.operations if operation.name != SHIP][-1]
    ready: Counter[str] = Counter()
    for step in made:
        ready[step.sku_id] += step.quantity if step.operation == last else 0
    return +ready


def events(profile: Profile, order: JobOrder, made: list[ProductionEvent], segments: list[Segment]) -> list[Event]:
    """The steps at the times of the booked minutes, as they are told to the platform."""
    return [_event(profile, order, step, moment(profile, segments, step.minute)) for step in made]


def _event(profile: Profile, order: JobOrder, step: ProductionEvent, at: datetime) -> Event:
    if step.state:
        return Change(at, step.state, step.reason)
    return Scan(
        scan_id=derive_id(profile.factory_id, order.job_order_id, order.revision, step.bundle, step.operation),
        job_order_id=order.job_order_id,
        sku_id=step.sku_id,
        operation=step.operation,
        quantity=step.quantity,
        defects=step.defects,
        line_id=f"L{1 + step.bundle % profile.lines}",
        bundle_id=f"B{step.bundle}",
        at=at,
    )


class _Line:
    """One job order under way: the minute it is at, the bundles it has had, what it has to tell."""

    def __init__(self, profile: Profile, order: JobOrder, seed: int, begun: Sequence[ProductionEvent]) -> None:
        team, draws = profile.draws(seed), profile.draws(seed, order.job_order_id, order.revision)
        self._profile, self._order, self._draws = profile, order, draws
        self._pace = profile.efficiency_by_category[order.category]
        self._pace *= math.exp(team.gauss(0, _TEAM_LOG_SD)) * _interpolate(_RATIO, draws.random())
        self._defect_rate = min(_DEFECT_MEDIAN * math.exp(team.gauss(0, _DEFECT_LOG_SD)), _DEFECT_MOST)
        self._minute = begun[-1].minute if begun else profile.setup_minutes
        self._bundle = max((step.bundle for step in begun), default=0)
        self._steps = list(begun) or [ProductionEvent(0.0, "Running")]

    def make(self) -> list[ProductionEvent]:
        """Bundles of each SKU, then bundles in place of what was lost, until every piece is packed."""
        missing = +(Counter(self._order.quantity_by_sku) - good_pieces(self._order, self._steps))
        size = max(5, math.ceil(self._order.quantity / _BUNDLES))
        while missing:
            missing = +Counter({sku: self._make_sku(sku, pieces, size) for sku, pieces in missing.items()})
        for sku, pieces in self._order.quantity_by_sku.items():
            self._bundle += 1
            if pieces:
                self._tell(SHIP, sku, pieces)
        return [*self._steps, ProductionEvent(self._minute, "Ended")]

    def _make_sku(self, sku: str, pieces: int, size: int) -> int:
        """Makes the pieces of one SKU in bundles; returns how many were lost."""
        bundles = math.ceil(pieces / size)
        return sum(self._make_bundle(sku, pieces * (i + 1) // bundles - pieces * i // bundles) for i in range(bundles))

    def _make_bundle(self, sku: str, pieces: int) -> int:
        self._bundle += 1
        self._break_down(pieces)
        good = pieces
        for operation in self._order.operations:
            if operation.name == SHIP:
                continue
            self._minute += good * operation.sam_minutes / self._pace
            bad = _count(self._draws, good, self._defect_rate * _DEFECT_SHARE.get(operation.name, 0.0))
            good -= bad
            self._tell(operation.name, sku, good, bad)
        return pieces - good

    def _break_down(self, pieces: int) -> None:
        """Before some bundles a line stands still: its operators earn nothing and are paid."""
        minutes = pieces * sum(operation.sam_minutes for operation in self._order.operations) / self._pace
        if self._draws.random() < 1 - math.exp(-minutes / _MINUTES_BETWEEN_BREAKDOWNS):
            self._steps.append(ProductionEvent(self._minute, "Interrupted", "breakdown"))
            self._minute += self._draws.choice(_IDLE_CLOCK_MINUTES) * self._profile.operators / self._profile.lines
            self._steps.append(ProductionEvent(self._minute, "Running"))

    def _tell(self, operation: Operation, sku: str, good: int, bad: int = 0) -> None:
        self._steps.append(
            ProductionEvent(
                self._minute, operation=operation, sku_id=sku, quantity=good, defects=bad, bundle=self._bundle
            )
        )


def _interpolate(quantiles: tuple[tuple[float, float], ...], level: float) -> float:
    for (low, a), (high, b) in pairwise(quantiles):
        if level <= high:
            return a + (b - a) * (level - low) / (high - low)
    return quantiles[-1][1]


def _count(draws: random.Random, pieces: int, rate: float) -> int:
    """Binomial by the gaps between defects: as many draws as defects. (`binomialvariate` needs Python 3.12.)"""
    if rate <= 0:
        return 0
    count, position = 0, 0
    while (position := position + 1 + int(math.log(1 - draws.random()) / math.log1p(-rate))) <= pieces:
        count += 1
    return count
