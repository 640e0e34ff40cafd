"""Profit of proposed prices beside a clairvoyant's, and guard rails broken over 100,000 proposals.

    .venv/bin/python -m benchmarks.price.profits [WORLDS]          (60 worlds: two minutes)

Worlds of benchmarks/price/planted.py go on for 56 days of decisions. Each style has a stock that lasts 20 to 120 days
at its usual price and ends its season after these days: what is left brings salvage, nothing more is made. Prices are
proposed anew each day from the elasticities that were estimated before, and released. The clairvoyant knows every
elasticity and the mean demand of each day, and keeps the same rails. Beside both: prices left alone, and a markdown of
10 % each week once stock lasts longer than the season, which shops do by hand.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from benchmarks.price import planted
from c2m.settings import PricePolicy
from models.price import rails
from models.price.elasticity import estimate
from models.price.proposal import PricedStyles, propose

Floats = NDArray[np.float64]

POLICY = PricePolicy.model_validate({"least_gain": 0.002, "least_chance": 0.5})
DAYS, SALVAGE = 56, 0.35


class Season:
    """A world's styles in their last days: what they cost, have, and would sell; prices move day by day."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed + 10_000)
        self.sales, self.truth = planted.world(seed)
        self.listed = random.uniform(10, 80, planted.STYLES)
        self.cost = self.listed * random.uniform(0.3, 0.6, planted.STYLES)
        self.base = self.sales.pieces[:, -28:].sum(axis=1) / np.maximum(self.sales.usable[:, -28:].sum(axis=1), 1)
        self.base = np.maximum(self.base, 1.0)
        self.stock = np.round(self.base * random.uniform(20, 120, planted.STYLES))
        self.luck = random.gamma(12, 1 / 12, (planted.STYLES, DAYS))
        self.noise_seed = seed

    def earn(self, elasticity: Floats | None, spread: Floats, rule: str = "propose") -> tuple[float, int, int]:
        """Profit of the season, proposals made, and rails that they broke."""
        random = np.random.default_rng(self.noise_seed)
        now, stock, rested = self.listed.copy(), self.stock.copy(), np.full(planted.STYLES, np.inf)
        profit, made, broken = 0.0, 0, 0
        for day in range(DAYS):
            left = DAYS - day
            low, high = rails.bounds(now, self.listed, self.cost, rested, POLICY)
            price = now
            if rule == "propose" and elasticity is not None:
                price = self._proposed(now, low, high, stock, left, elasticity, spread)
            elif rule == "markdown" and day % 7 == 0:
                price = np.where((stock > self.base * left) & (low <= high), np.maximum(low, now * 0.9), now)
            changed = price != now
            for one in np.flatnonzero(changed):
                made += 1
                of = (price[one], now[one], self.listed[one], self.cost[one], rested[one])
                broken += bool(rails.broken(rails.PricedSku(*map(float, of)), POLICY))
            rested = np.where(changed, 1, rested + 1)
            now = price
            mean = self.base * self.luck[:, day] * (now / self.listed) ** self.truth
            sold = np.minimum(random.poisson(mean), stock)
            stock = stock - sold
            profit += float(((now - self.cost) * sold).sum())
        return profit + float(((SALVAGE - 1) * self.cost * stock).sum()), made, broken

    def _proposed(
        self, now: Floats, low: Floats, high: Floats, stock: Floats, left: int, elasticity: Floats, spread: Floats
    ) -> Floats:
        count = len(now)
        demand = self.base * left * (now / self.listed) ** elasticity
        offers = PricedStyles(
            now, low, high, self.cost, SALVAGE * self.cost, stock, np.zeros(count, dtype=bool), np.maximum(demand, 0.1),
            np.full(count, 0.15), elasticity, spread,
        )  # fmt: skip
        return propose(offers, POLICY).price


def run(worlds: int, first: int = 2000) -> dict[str, float]:
    """Profit shares of the clairvoyant's, proposals made, rails broken."""
    sums = dict.fromkeys(("ours", "alone", "markdown", "clairvoyant"), 0.0)
    made = broken = 0
    for seed in range(first, first + worlds):
        season = Season(seed)
        found = estimate(season.sales)
        none = np.zeros(planted.STYLES)
        ours, count, faults = season.earn(found.mean, found.spread)
        made, broken = made + count, broken + faults
        sums["ours"] += ours
        sums["clairvoyant"] += season.earn(season.truth, none)[0]
        sums["alone"] += season.earn(None, none)[0]
        sums["markdown"] += season.earn(None, none, "markdown")[0]
    best = sums["clairvoyant"]
    return {
        "of clairvoyant": sums["ours"] / best,
        "of clairvoyant, prices left alone": sums["alone"] / best,
        "of clairvoyant, markdowns by hand": sums["markdown"] / best,
        "proposals": made,
        "broken": broken,
    }


def rails_broken(count: int = 100_000) -> int:
    """Proposals of random offers that break a rail."""
    random = np.random.default_rng(5)
    broken = 0
    for _ in range(count // 5_000):
        listed = random.uniform(1, 500, 5_000)
        now, cost = listed * random.uniform(0.45, 1.15, 5_000), listed * random.uniform(0.1, 0.9, 5_000)
        rested = random.choice([0.0, 7.0, np.inf], 5_000, p=[0.1, 0.3, 0.6])
        low, high = rails.bounds(now, listed, cost, rested, POLICY)
        sizes = (random.uniform(0, 2_000, 5_000), random.random(5_000) < 0.5, random.uniform(1, 2_000, 5_000))
        tastes = (np.full(5_000, 0.3), random.normal(-1.8, 1, 5_000), random.uniform(0.05, 1, 5_000))
        price = propose(PricedStyles(now, low, high, cost, 0.4 * cost, *sizes, *tastes), POLICY).price
        skus = zip(price.tolist(), now.tolist(), listed.tolist(), cost.tolist(), rested.tolist(), strict=True)
        broken += sum(bool(rails.broken(rails.PricedSku(*one), POLICY)) for one in skus if one[0] != one[1])
    return broken


if __name__ == "__main__":
    for name, value in run(int(sys.argv[1]) if len(sys.argv) > 1 else 60).items():
        print(f"{name:40s} {value:,.3f}")
    print(f"{'broken by the proposals of 100,000 offers':40s} {rails_broken():,}")
