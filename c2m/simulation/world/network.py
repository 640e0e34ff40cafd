"""Factories of a generated world: where they are, what they can, what they ask for it, and when they work.

Their sizes, skills and prices are generated; countries and efficiencies follow the measured ones.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from c2m.simulation.world import assumptions

Moment = np.datetime64


@dataclass(frozen=True)
class Network:
    """The three factory feeds."""

    factories: pd.DataFrame
    capabilities: pd.DataFrame
    calendar: pd.DataFrame

    def efficiency(self, category: str, crafts: str) -> Floats:
        """Standard minutes per paid minute of each factory for a style, by its weakest skill; 0 where it lacks one."""
        skills = self.capabilities.pivot(index=["kind", "name"], columns="factory_id", values="efficiency").fillna(0)
        needed = [("category", category), *(("craft", craft) for craft in crafts.split(";") if craft)]
        weakest = skills.loc[needed, self.factories["factory_id"]].to_numpy("float64").min(axis=0)
        return np.where(self.factories["status"] == "active", weakest, 0.0)

    def minutes(self, first: date, last: date) -> Floats:
        """Paid minutes of each factory from `first` to `last`, overtime included."""
        inside = self.calendar[self.calendar["day"].between(first, last)]
        total = inside.groupby("factory_id")[["minutes", "overtime_minutes"]].sum().sum(axis=1)
        return total.reindex(self.factories["factory_id"]).fillna(0).to_numpy("float64")


@dataclass(frozen=True)
class Skills:
    """What the styles of a world ask of its factories."""

    categories: tuple[str, ...]
    crafts: tuple[str, ...]
    minute_value: float  # median over styles of price / standard minutes, in the world's currency


def skills_of(skus: pd.DataFrame) -> Skills:
    """From a catalogue with `sam_minutes`."""
    crafts = sorted({craft for text in skus["crafts"].unique() for craft in text.split(";") if craft})
    value = float((skus["price"].astype("float64") / skus["sam_minutes"]).median())
    return Skills(tuple(sorted(skus["category"].unique())), tuple(crafts), value)


def network(
    rng: np.random.Generator, count: int, skills: Skills, home: str, currency: str, known_at: Moment, days: list[date]
) -> Network:
    """`count` factories, most of them in country `home`, with a calendar over `days`."""
    clusters = _clusters(rng, count, home)
    factories = _factories(rng, clusters, skills, currency)
    capabilities = _capabilities(rng, factories["factory_id"], skills)
    calendar = _calendar(rng, factories, clusters, days)
    return Network(*(frame.assign(known_at=known_at) for frame in (factories, capabilities, calendar)))


def _clusters(rng: np.random.Generator, count: int, home: str) -> list[assumptions.Cluster]:
    """Measured shares, the home country's raised to HOME_SHARE; kept as closely as `count` allows."""
    share = np.array([c.share for c in assumptions.CLUSTERS])
    at_home = np.array([c.country == home for c in assumptions.CLUSTERS])
    share /= share.sum()
    least = max(assumptions.HOME_SHARE, share[at_home].sum())
    share = np.where(at_home, share / share[at_home].sum() * least, share / share[~at_home].sum() * (1 - least))
    picks = np.searchsorted(np.cumsum(share), (np.arange(count) + 0.5) / count)
    return [assumptions.CLUSTERS[i] for i in rng.permutation(picks)]


def _factories(
    rng: np.random.Generator, clusters: list[assumptions.Cluster], skills: Skills, currency: str
) -> pd.DataFrame:
    """Draws in one order, whatever is made of them: the same seed gives the same factories in every version."""
    count = len(clusters)
    number = np.arange(1, count + 1)
    lines = rng.choice([1, 2], count, p=assumptions.LINE_SHARE)
    operators = (lines * rng.uniform(*assumptions.OPERATORS_PER_LINE, count)).round().astype(int)
    minute_cost = _minute_cost(rng, clusters, skills)
    setup_minutes = (operators / lines * rng.uniform(40, 110, count)).round()  # one line learns the style
    min_lot = rng.choice(assumptions.MIN_LOTS, count, p=assumptions.MIN_LOT_SHARE)
    frame = pd.DataFrame({"factory_id": [f"F{n:05d}" for n in number], "factory_code": None})
    frame = frame.assign(**_place(rng, clusters), currency=currency, lines=lines, operators=operators)
    frame["minute_cost"] = minute_cost.round(4)
    frame["overtime_minute_cost"] = (minute_cost * 1.5).round(4)
    frame["setup_cost"] = (setup_minutes * minute_cost * 0.4).round(2)  # samples and threads, beside the minutes
    frame["setup_minutes"] = setup_minutes
    frame["engagement_cost"] = (480 * minute_cost * rng.uniform(0.5, 1.5, count)).round(2)  # about an operator's day
    frame["min_lot"] = min_lot
    frame["small_order_willingness"] = _willingness(rng, min_lot)
    frame["handling_days"] = rng.integers(1, 3, count)
    frame = frame.assign(**_audited(rng.spawn(1)[0], count))  # a stream of its own: all else is drawn as before
    frame["transport"] = np.where(number % assumptions.HTTP_EVERY == 0, "http", "mqtt")
    frame["endpoint_url"] = None
    frame["status"] = np.where(number % assumptions.PAUSED_EVERY == 0, "paused", "active")
    return frame


def _willingness(rng: np.random.Generator, min_lot: Ints) -> Floats:
    """Share of orders below its smallest lot that a factory takes: large ones take fewer."""
    return np.clip(1.05 - min_lot / 500 + rng.normal(0, 0.08, len(min_lot)), 0.2, 0.98).round(2)


def _minute_cost(rng: np.random.Generator, clusters: list[assumptions.Cluster], skills: Skills) -> Floats:
    """Of a paid minute. A piece takes 1 / efficiency of them per standard minute; sewing costs a share of its price."""
    earned = assumptions.CONVERSION_SHARE * skills.minute_value * assumptions.EFFICIENCY_MEAN
    wages = np.array([0.5 + c.wage / 2 for c in clusters])  # half of the cost is wages
    cost: Floats = earned * rng.normal(1, 0.08, len(clusters)) * wages
    return cost


def _place(rng: np.random.Generator, clusters: list[assumptions.Cluster]) -> dict[str, list[Any]]:
    """Country, position near the middle of the cluster, and zone."""
    north, east = (rng.normal(0, 0.3, len(clusters)) for _ in range(2))
    return {
        "country": [c.country for c in clusters],
        "latitude": [round(c.latitude + d, 3) for c, d in zip(clusters, north, strict=True)],
        "longitude": [round(c.longitude + d, 3) for c, d in zip(clusters, east, strict=True)],
        "timezone": [c.timezone for c in clusters],
    }


def _audited(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """What audits say, and the certificates that a factory holds."""
    score = np.clip(rng.normal(0.8, 0.1, count), 0, 1).round(2)
    return {"audit_score": score, "certificates": _certificates(rng, count)}


def _certificates(rng: np.random.Generator, count: int) -> list[str]:
    holds = rng.random((count, len(assumptions.CERTIFICATES))) < assumptions.CERTIFIED_SHARE
    return [";".join(np.array(assumptions.CERTIFICATES)[row]) for row in holds]


def _capabilities(rng: np.random.Generator, ids: pd.Series, skills: Skills) -> pd.DataFrame:
    """Every GENERALIST_EVERY-th factory has every skill, so that nothing in the catalogue is without a maker."""
    names = [("category", c) for c in skills.categories] + [("craft", c) for c in skills.crafts]
    has = rng.random((len(ids), len(names))) < assumptions.SKILL_SHARE
    has[:: assumptions.GENERALIST_EVERY] = True
    has[~has.any(axis=1), 0] = True
    level = rng.normal(assumptions.EFFICIENCY_MEAN, assumptions.EFFICIENCY_SD, len(ids))[:, None]
    efficiency = np.clip(level + rng.normal(0, assumptions.EFFICIENCY_SKILL_SD, has.shape), 0.4, 1.1).round(3)
    factory, skill = np.nonzero(has)
    frame = pd.DataFrame({"factory_id": ids.to_numpy()[factory]})
    frame["kind"], frame["name"] = [names[s][0] for s in skill], [names[s][1] for s in skill]
    frame["efficiency"] = efficiency[factory, skill]
    return frame


def _calendar(
    rng: np.random.Generator, factories: pd.DataFrame, clusters: list[assumptions.Cluster], days: list[date]
) -> pd.DataFrame:
    """Operators x shift, nothing on days off and holidays; on a maintenance day one line stands."""
    shift = rng.choice(assumptions.SHIFT_MINUTES, len(clusters))[:, None]
    off = np.array([[d.weekday() in c.days_off for d in days] for c in clusters])
    holiday = np.array([[(d.month, d.day) in c.holidays for d in days] for c in clusters])
    maintenance = (rng.random(off.shape) < 1 / 60) & ~off & ~holiday
    working = ~off & ~holiday
    lines, operators = (factories[c].to_numpy("float64")[:, None] for c in ("lines", "operators"))
    present = np.where(maintenance, operators * (lines - 1) / lines, operators) * working
    reason = np.select([off, holiday, maintenance], ["weekend", "holiday", "maintenance"], "")
    frame = pd.DataFrame({"factory_id": factories["factory_id"].repeat(len(days)).to_numpy()})
    frame["day"] = days * len(clusters)
    frame["minutes"] = (present * shift).ravel().round(1)
    frame["overtime_minutes"] = (present * assumptions.OVERTIME_MINUTES_PER_OPERATOR).ravel().round(1)
    frame["reason"] = pd.Series(reason.ravel()).replace("", None)
    return frame
