"""The best first quantity of a design: what each is expected to earn over the season, and the one that earns most.

In: demand until a repeat can be there and from then to the end of the season, at equally likely levels of the style;
what each quantity costs in all; the price. After the first goods have sold, the level is known: a repeat is ordered
where it pays, and covers what is then lacking. What is left at the end of the season brings its salvage. Money is one
currency, quantities are pieces.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.settings import ReplenishmentPolicy
from models.design.demand import Ahead
from models.panel.matrices import Floats, Ints

SHARES = (np.arange(500) + 0.5) / 500  # levels that are looked at
_MOST = 400  # quantities that are looked at


@dataclass(frozen=True)
class Season:
    """Demand at (S,) levels: early, until a repeat is there, and late. kept: value of a piece that is left over, as a
    share of its cost; least: smallest repeat; cost: of quantities, in all."""

    early: Floats
    late: Floats
    price: float
    kept: float
    least: int
    cost: Callable[[Floats], Floats]

    def left(self, pieces: Floats, over: Floats) -> Floats:
        """What pieces bring of which some are left over."""
        each = np.divide(self.cost(pieces), pieces, out=np.zeros_like(pieces), where=pieces > 0)
        return np.asarray(self.kept * each * over)


@dataclass(frozen=True)
class TestTerms:
    """Price of a piece, pieces of the test order, days of the season and of reading, stock and orders."""

    price: float  # of a piece, in the plan's currency
    test: int
    season_days: int
    reading_days: int
    stock: ReplenishmentPolicy


@dataclass(frozen=True)
class First:
    """A first quantity, what it is expected to earn over the season, and the chance that it does not last."""

    quantity: int
    profit: float
    sold_out: float


def kept_share(season_days: int, policy: ReplenishmentPolicy) -> float:
    """What a piece that is left at the end of a season brings, as a share of its cost."""
    return policy.salvage_share - policy.holding_share_per_day * season_days


def profits(pieces: Ints, season: Season, repeats: bool = True) -> Floats:
    """Expected profit of first quantities, with a repeat where it pays, or without any.

    Parameters
    ----------
    pieces
        (Q,) quantities.
    season
        Demand and money.
    repeats
        Whether a second batch can be ordered.

    Returns
    -------
    numpy.ndarray
        (Q,) money.
    """
    made = pieces[:, None].astype(float)
    sold = np.minimum(made, season.early + season.late)
    earned = season.price * sold + season.left(np.broadcast_to(made, sold.shape), made - sold)
    if repeats:
        earned = earned + _repeat(season, season.late - (sold - np.minimum(made, season.early)))
    return np.asarray(earned.mean(axis=1) - season.cost(pieces.astype(float)))


def _repeat(season: Season, lacking: Floats) -> Floats:
    """What a second batch earns that brings the lacking pieces, or the smallest there is; zero where it does not."""
    batch = np.where(lacking > 0, np.maximum(lacking, season.least), 0.0)
    more = season.price * lacking + season.left(batch, batch - lacking) - season.cost(batch)
    return np.maximum(more, 0.0)


def best(pieces: Ints, profits: Floats, season: Season) -> First:
    """The quantity that is expected to earn most, the smallest of equal ones; 0 where none earns anything.

    Parameters
    ----------
    pieces
        (Q,) quantities.
    profits
        (Q,) of each.
    season
        Demand.

    Returns
    -------
    First
        With its profit.
    """
    at = int(profits.argmax())
    quantity, profit = (int(pieces[at]), float(profits[at])) if profits[at] > 0 else (0, 0.0)
    return First(quantity, profit, float((season.early > quantity).mean()))


def candidates(most: float, least: int, test: int) -> Ints:
    """Quantities worth looking at, rising: a few hundred from the least to the most, and the test order.

    Parameters
    ----------
    most
        Largest demand.
    least
        Smallest quantity that is made.
    test
        Pieces of the test order.

    Returns
    -------
    numpy.ndarray
        Pieces.
    """
    top = max(least, int(np.ceil(most)))
    spread = np.linspace(least, top, min(_MOST, top - least + 1)).round().astype(np.int64)
    return np.unique(np.append(spread, test))


def between(quantities: Floats, known: Ints, costs: Floats) -> Floats:
    """What quantities cost to make, from what some cost: in a straight line between them and beyond the last.

    Parameters
    ----------
    quantities
        Pieces.
    known
        (K,) pieces, rising.
    costs
        (K,) of all of them.

    Returns
    -------
    numpy.ndarray
        Money; below the first, and beyond an only one, as if its cost a piece held.
    """
    knots, money = np.append(0, known), np.append(0.0, costs)
    slope = (money[-1] - money[-2]) / (knots[-1] - knots[-2]) if len(known) > 1 else money[-1] / knots[-1]
    inside = np.interp(quantities, knots, money)
    found: Floats = np.where(quantities > knots[-1], money[-1] + slope * (quantities - knots[-1]), inside)
    return found


def earned(
    ahead: Ahead, costs: pd.DataFrame, terms: TestTerms, materials: Callable[[Ints], Floats]
) -> dict[str, float]:
    """Demand of the season, the best first quantity with a repeat and without, and what the test order earns.

    Parameters
    ----------
    ahead
        What is expected to be sold.
    costs
        quantity, making_cost (of all its pieces), lead_days: what was reckoned, the test order among it.
    terms
        Price, season, rules of orders.
    materials
        What the materials of quantities (Q,) cost.

    Returns
    -------
    dict
        Columns of landing/design_studies; pieces, days and money.
    """
    repeat_days = terms.reading_days + int(costs.loc[costs["quantity"] == terms.test, "lead_days"].min())
    early, whole = (ahead.total(days, SHARES) for days in (repeat_days, terms.season_days))
    pieces = candidates(whole[-1], min(terms.test, terms.stock.minimum_order_pieces), terms.test)
    least = costs.groupby("quantity")["making_cost"].min()
    spent = between(pieces.astype(float), least.index.to_numpy(), least.to_numpy()) + materials(pieces)
    season = Season(
        early,
        np.maximum(whole - early, 0.0),
        terms.price,
        kept_share(terms.season_days, terms.stock),
        terms.stock.minimum_order_pieces,
        lambda wanted: np.interp(wanted, np.append(0, pieces), np.append(0.0, spent)),
    )
    ways = [profits(pieces, season, repeats) for repeats in (True, False)]
    repeated, once = (best(pieces, way, season) for way in ways)
    return {
        **dict(zip(WINDOW_QUANTILES, ahead.total(terms.season_days).tolist(), strict=True)),
        "season_days": terms.season_days,
        "repeat_days": repeat_days,
        "mean": float(whole.mean()),
        "best_quantity": repeated.quantity,
        "best_profit": repeated.profit,
        "sold_out": repeated.sold_out,
        "once_quantity": once.quantity,
        "once_profit": once.profit,
        "test_profit": float(ways[0][np.searchsorted(pieces, terms.test)]),
    }
