"""An order quantity reckoned once more from the figures kept with it, and from nothing else.

Written for `c2m why` and as the oracle of `optimization.book.replenishment`, with which it shares no code: one lot at
a time, in plain Python, by the definitions in docs/operations.md. Pieces; money per piece; shares between 0 and 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

_NORMAL = NormalDist()
_LIMITS = (0.001, 0.999)  # beyond them the forecast's tail says nothing
_SAME = 1e-6  # pieces

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reckoned:
    """What the figures give."""

    critical_ratio: float
    level: float
    lacking: float  # of the style
    needed: float  # of the lot's style-colour
    quantity: int
    shares: dict[str, float]  # pieces by SKU of the colour, before they are made whole


def reckon(lot: Row, skus: Sequence[Row]) -> Reckoned:
    """From a row of order_quantities and its rows of order_quantity_skus."""
    ratio = critical_ratio(lot)
    level = level_at({name: lot[name] for name in lot if _is_quantile(name)}, ratio)
    counted = [sku for sku in skus if sku["size_share"] > 0]
    lacking = max(level - sum(_held(sku) for sku in counted), 0.0)
    own = [sku for sku in counted if sku["sku_colour"] == lot["colour"]]
    fills = poured(lacking, counted)
    needed = sum(fills[sku["sku_id"]] for sku in own)
    quantity = batch(needed, lot["minimum_order_pieces"], lot["trigger_share"])
    return Reckoned(ratio, level, lacking, needed, quantity, poured(quantity, own))


def critical_ratio(lot: Row) -> float:
    """Margin over margin and loss: a piece missed loses the first, a piece left over the second; capped for spikes."""
    cost = float(lot["cost"])
    margin = float(lot["price"]) - cost
    loss = cost * (1 - lot["salvage_share"] + lot["holding_share_per_day"] * lot["window_days"])
    ratio = float(margin / (margin + loss)) if margin > 0 else 0.0
    return min(ratio, _most(lot["model_version"]))


def _most(version: str) -> float:
    """Of a spike no more is ordered than is this sure: surprise-0.35."""
    kind, _, level = version.partition("-")
    return float(level) if kind == "surprise" else 1.0


def level_at(quantiles: Mapping[str, float], ratio: float) -> float:
    """Demand met with this probability: straight between two quantiles on the scale of the normal score, and beyond."""
    if ratio <= 0:
        return 0.0
    points = sorted((_NORMAL.inv_cdf(float(f"0.{name[1:]}")), pieces) for name, pieces in quantiles.items())
    return max(_on_line(points, _NORMAL.inv_cdf(min(max(ratio, _LIMITS[0]), _LIMITS[1]))), 0.0)


def _on_line(points: Sequence[tuple[float, float]], at: float) -> float:
    """On the line through the points, which goes straight on beyond the last ones."""
    pairs = list(pairwise(points))
    (x0, y0), (x1, y1) = next((pair for pair in pairs if at <= pair[1][0]), pairs[-1])
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def poured(pieces: float, skus: Sequence[Row]) -> dict[str, float]:
    """Pieces to the SKUs with the least cover (held / share) first, up to one cover; by halving, not by sorting."""
    low, high = 0.0, max((_held(sku) / sku["size_share"] for sku in skus), default=0.0)
    high += pieces / sum(sku["size_share"] for sku in skus) if skus else 0.0
    for _ in range(200):
        middle = (low + high) / 2
        filled = sum(_lacking(sku, middle) for sku in skus) >= pieces
        low, high = (low, middle) if filled else (middle, high)
    return {sku["sku_id"]: _lacking(sku, high) for sku in skus}


def _lacking(sku: Row, cover: float) -> float:
    """Pieces that a SKU lacks to have this cover."""
    return max(float(sku["size_share"] * cover - _held(sku)), 0.0)


def batch(needed: float, least: int, trigger_share: float) -> int:
    """None below the trigger, else the need in whole pieces or the smallest batch if that is more."""
    if needed + _SAME < trigger_share * least:
        return 0
    return max(math.ceil(needed - _SAME), least)


def _held(sku: Row) -> int:
    return int(sku["on_hand"] + sku["in_transit"] + sku["on_order"])


def _is_quantile(name: str) -> bool:
    return name.startswith("q") and name[1:].isdigit()
