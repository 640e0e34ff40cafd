"""Are planted trends of attributes found, and nothing where nothing is planted?

    .venv/bin/python -m benchmarks.trend.planted        (200 worlds of each kind; one minute)

Worlds of one merchant with 20 or 60 styles, three attributes, four channels and twelve weeks. Levels of styles are
log-normal, each style drifts by a log-normal of its own (standard deviation 0.4 between the two spans), one style in
twenty takes off fivefold, and counts are Poisson. Planted: styles with one value of an attribute grow by a factor, in
one channel or in all. A rival is what a sheet would do: the share of pieces, its change judged by a test of two
proportions, limited in the same way (Benjamini and Hochberg).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from c2m.settings import TrendPolicy
from models.trend import attributes

POLICY = TrendPolicy.model_validate({})
WORLDS = 200
CHANNELS = {"app": 0.3, "livestream": 0.2, "marketplace": 0.4, "web": 0.1}
ALL = tuple(CHANNELS)
VALUES = {"cuff": 4, "neckline": 3, "fabric": 5}


@dataclass(frozen=True)
class World:
    """Marts demand_weekly and style_attributes of one merchant."""

    weekly: pd.DataFrame
    attributes: pd.DataFrame


def world(random: np.random.Generator, styles: int, factor: float, channels: tuple[str, ...]) -> World:
    """Planted: cuff 1 grows by the factor in those channels."""
    held = pd.DataFrame(
        [("m", f"s{number}", name, str(number % count)) for number in range(styles) for name, count in VALUES.items()],
        columns=["merchant_id", "style_id", "attribute", "value"],
    )
    level = np.exp(random.normal(3.0, 1.0, styles))  # pieces a week
    moved = np.exp(random.normal(0.0, 0.4, styles)) * np.where(random.random(styles) < 0.05, 5.0, 1.0)
    rows = []
    for number in range(styles):
        for week in range(1, POLICY.weeks + 1):
            for channel, share in CHANNELS.items():
                grown = factor if channel in channels and number % VALUES["cuff"] == 1 else 1.0
                mean = level[number] * share * (moved[number] * grown if week <= POLICY.recent_weeks else 1.0)
                rows.append(("m", f"s{number}", "channel", channel, week, random.poisson(mean)))
    weekly = pd.DataFrame(rows, columns=["merchant_id", "style_id", "dimension", "place", "weeks_ago", "pieces_asked"])
    return World(weekly[weekly["pieces_asked"] > 0], held)


def by_shares(found: World) -> pd.DataFrame:
    """The rival's findings: attribute, value, channel."""
    recent = np.where(found.weekly["weeks_ago"] <= POLICY.recent_weeks, "recent", "before")
    every = found.weekly.assign(span=recent, channel=found.weekly["place"])
    rows = pd.concat([every, every.assign(channel="")]).merge(found.attributes, on=["merchant_id", "style_id"])
    pieces = rows.pivot_table("pieces_asked", ["attribute", "value", "channel"], "span", "sum", fill_value=0)
    total = pieces.groupby(["attribute", "channel"])[["before", "recent"]].transform("sum")
    before, recent_share = (pieces[name] / total[name] for name in ("before", "recent"))
    pooled = (pieces["before"] + pieces["recent"]) / (total["before"] + total["recent"])
    error = np.sqrt(pooled * (1 - pooled) * (1 / total["before"] + 1 / total["recent"]))
    chance = 2 * norm.sf(np.abs(recent_share - before) / error)
    told: pd.DataFrame = pieces[false_discovery_control(chance) <= POLICY.false_share].reset_index()
    return told


def judged(styles: int, factor: float, channels: tuple[str, ...]) -> dict[str, float]:
    """Shares of worlds in which the planted value is found, and of findings that are false, ours and the rival's."""
    told: dict[str, list[tuple[float, ...]]] = {"ours": [], "shares": []}
    covered = []
    for seed in range(WORLDS):
        made = world(np.random.default_rng(seed), styles, factor, channels)
        ours = attributes.trends(made.weekly, made.attributes, POLICY)
        told["ours"].append(_rates(ours[ours["is_sure"]], factor, channels))
        told["shares"].append(_rates(by_shares(made), factor, channels))
        true = ours[(ours["attribute"] == "cuff") & (ours["value"] == "1") & (ours["channel"] == _told_of(channels))]
        covered.append(((true["growth_low"] <= factor) & (factor <= true["growth_high"])).mean())
    means = pd.concat({name: pd.DataFrame(rates, columns=_WHAT).mean() for name, rates in told.items()})
    return {": ".join(key): float(rate) for key, rate in means.items()} | {"interval covers": float(np.mean(covered))}


_WHAT = ["found", "worlds with a false one", "false of those told"]


def _told_of(channels: tuple[str, ...]) -> str:
    """The channel of the row that tells the planted growth; of all where nothing is planted."""
    return channels[0] if len(channels) == 1 else attributes.EVERYWHERE


def _rates(told: pd.DataFrame, factor: float, channels: tuple[str, ...]) -> tuple[float, float, float]:
    """False is a finding of an attribute other than the planted one: within it the others must lose what one gains."""
    ours = told["attribute"] == "cuff" if factor != 1 else np.zeros(len(told), bool)
    planted = ours & (told["value"] == "1") & (told["channel"] == _told_of(channels))
    false = int((~ours).sum())
    return float(planted.any()), float(false > 0), false / max(len(told), 1)


def main() -> None:
    names = {ALL: "all", (): ""}
    cases = [(n, f, c) for n in (20, 60) for f, c in ((1.0, ()), (2.0, ("livestream",)), (2.0, ALL), (3.0, ALL))]
    rows = [{"styles": n, "factor": f, "in": names.get(c, "".join(c)), **judged(n, f, c)} for n, f, c in cases]
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
