"""What a quantity of materials costs to buy, and how long it takes: each from whoever sells it cheapest in all.

In: `supply_case.offers_in` with days_late, and `supply_case.breaks_of` of them. Money is the plan's currency;
quantities are units. Whole packs, minimum orders, price breaks and the cost of an order count: what is left over
belongs to who needs it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints
from c2m.errors import InputError
from optimization.materials.case import OFFER
from optimization.materials.supply_case import breaks_of

BOUGHT = ["material_id", "supplier_id", "quantity", "cost", "days"]
_TERMS = ["from_quantity", "pack", "below", "price", "order_cost"]
_WEEK_DAYS = 7


@dataclass(frozen=True, eq=False)
class MaterialMarket:
    """Who sells what. offers: one row each, with days_late; breaks: from_quantity and price, the next one's start."""

    offers: pd.DataFrame
    breaks: pd.DataFrame

    @classmethod
    def of(cls, offers: pd.DataFrame) -> "MaterialMarket":
        """Of a day's offers: `book.offers_in`, with days_late."""
        breaks = breaks_of(offers)
        ends = breaks.groupby(OFFER)["from_quantity"].shift(-1).fillna(np.inf)
        return cls(offers, breaks.assign(below=ends))


def purchases(needs: "pd.Series[float]", market: MaterialMarket) -> pd.DataFrame:
    """The cheapest purchase of each material, of equal ones the soonest.

    Parameters
    ----------
    needs
        Units by material_id.
    market
        Who sells what.

    Returns
    -------
    pd.DataFrame
        BOUGHT: quantity in whole packs, cost in all, days until all of it is at the door.

    Raises
    ------
    InputError
        Every material that nobody sells.
    """
    if lacking := sorted(set(needs.index) - set(market.offers["material_id"])):
        raise InputError(
            "unsold", [f"no active supplier sells material {one}: bring an offer of it" for one in lacking]
        )
    rows = market.breaks[market.breaks["material_id"].isin(needs.index)].merge(
        market.offers, on=OFFER, suffixes=("", "_list")
    )
    wanted = np.maximum(rows["material_id"].map(needs), rows["from_quantity"])
    rows["quantity"] = np.ceil(wanted / rows["pack"] - 1e-9) * rows["pack"]
    rows = rows[rows["quantity"] < rows["below"]]  # from there on, the price of the next break holds
    weeks = np.ceil(rows["quantity"] / rows["capacity_per_week"].fillna(np.inf) - 1e-9).clip(lower=1)
    rows["cost"] = rows["order_cost"] + rows["quantity"] * rows["price"]
    rows["days"] = (rows["lead_days"] + rows["days_late"] + _WEEK_DAYS * (weeks - 1)).astype(np.int64)
    best = rows.sort_values(["cost", "days", "supplier_id"], kind="stable").drop_duplicates("material_id")
    return best.sort_values("material_id", ignore_index=True)[BOUGHT]


def curve(parts: "pd.Series[float]", pieces: Ints, market: MaterialMarket) -> Floats:
    """What the material of each of several quantities costs.

    Parameters
    ----------
    parts
        Units of a piece by material_id, each of which is sold.
    pieces
        (Q,) quantities.
    market
        Who sells what.

    Returns
    -------
    numpy.ndarray
        (Q,) money, as `purchases` has it for each quantity.
    """
    rows = market.breaks[market.breaks["material_id"].isin(parts.index)].merge(
        market.offers, on=OFFER, suffixes=("", "_list")
    )
    each, start, pack, below, price, once = (
        values.to_numpy(dtype=float)[:, None]
        for values in (rows["material_id"].map(parts), *(rows[name] for name in _TERMS))
    )
    bought = np.ceil(np.maximum(each * pieces, start) / pack - 1e-9) * pack
    cost = pd.DataFrame(np.where(bought < below, once + bought * price, np.inf))
    return np.asarray(cost.groupby(rows["material_id"].to_numpy()).min().sum())
