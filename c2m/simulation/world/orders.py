"""Merchants' production orders of a generated world. Most fit one factory; large ones are sized past the best one."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.apportion import apportion
from c2m.domain.arrays import Floats, Ints
from c2m.simulation.world import assumptions
from c2m.simulation.world.network import Network
from c2m.simulation.world.span import Span

_LARGE_NEEDS_MAKERS = 4  # able factories, so that splitting has a choice
_LARGE_MAX_FACTORIES = 6
_CHANGE_EVERY = 14  # one ordinary order in so many is cancelled, one gets more pieces, a day or two after it came
_REPEAT_EVERY = 6  # one ordinary order in so many repeats the one before

_OF_MERCHANT = ["merchant_id", "currency", "destination_latitude", "destination_longitude"]


@dataclass(frozen=True)
class OrderVolume:
    """How many orders, how many of them large; placed from day `first` to `last`, the large ones by `large_last`."""

    orders: int
    large: int
    first: int
    large_last: int
    last: int


@dataclass(frozen=True)
class Garment:
    """What it takes to make a style: standard minutes a piece, and the efficiency of every factory (0: cannot)."""

    category: str
    sam_minutes: float
    efficiency: Floats


def merchant_orders(
    rng: np.random.Generator, arrivals: OrderVolume, skus: pd.DataFrame, network: Network, span: Span
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(merchant_orders, merchant_order_lines).

    `skus` has the catalogue's columns, sam_minutes, share (of the style's demand) and the merchant's destination.
    """
    headers = _headers(rng, arrivals, span)
    garments = _garments(skus, network)
    picks = _picks(rng, headers, garments)
    of_style = dict(iter(skus.groupby("style_id")))
    lines = []
    for style, order in zip(picks, headers.to_dict("records"), strict=True):
        chosen = _colours(rng, of_style[style], 1 if order["large"] else int(rng.integers(1, 3)))
        pieces = _large_pieces(order, garments[style], network) if order["large"] else _ordinary_pieces(rng)
        lines.append(_lines(order, chosen, pieces))
    owners = skus.drop_duplicates("style_id").set_index("style_id")
    headers[_OF_MERCHANT] = owners.loc[picks, _OF_MERCHANT].set_axis(headers.index)
    return _with_cancellations(headers), _with_additions(pd.concat(lines, ignore_index=True), headers)


def _headers(rng: np.random.Generator, arrivals: OrderVolume, span: Span) -> pd.DataFrame:
    """In the order of placing; what follows from the style is not there yet."""
    large = _spread(arrivals.first, arrivals.large_last, arrivals.large)
    ordinary = _spread(arrivals.first, arrivals.last, arrivals.orders - arrivals.large)
    frame = pd.DataFrame({"placed": np.concatenate([large, ordinary]), "large": False})
    frame.loc[: arrivals.large - 1, "large"] = True
    frame = frame.sort_values("placed", kind="stable", ignore_index=True)
    count, placed = len(frame), frame["placed"].to_numpy("int64")
    release, due = (
        placed + rng.integers(1, 3, count),
        placed + rng.integers(*assumptions.WINDOW_DAYS, count, endpoint=True),
    )
    frame["order_id"] = [f"PO-{i:05d}" for i in range(1, count + 1)]
    frame["order_code"] = None
    for column, days in (("placed_on", placed), ("release_on", release), ("due_on", due)):
        frame[column] = pd.Series(span.dates[days].tolist())
    frame["priority"] = np.where(frame["large"], 2, rng.integers(1, 4, count))
    frame["tolerance_share"] = assumptions.TOLERANCE_SHARE
    frame["max_factories"] = frame["large"].map({True: _LARGE_MAX_FACTORIES, False: None}).astype("Int64")
    frame["status"] = "open"
    frame["parent_order_id"] = _parents(frame)
    frame["known_at"] = span.moments(placed, rng.integers(32_400, 64_800, count))
    return frame


def _spread(first: int, last: int, count: int) -> Ints:
    return np.linspace(first, last, count).round().astype("int64")


def _parents(headers: pd.DataFrame) -> pd.Series:
    ordinary = headers.loc[~headers["large"], "order_id"]
    repeats = ordinary.iloc[_REPEAT_EVERY - 1 :: _REPEAT_EVERY].index
    return ordinary.shift().loc[repeats].reindex(headers.index)


def _garments(skus: pd.DataFrame, network: Network) -> dict[str, Garment]:
    styles = skus.groupby("style_id", sort=True)[["category", "crafts", "sam_minutes"]].first()
    kinds = {(str(category), str(crafts)) for category, crafts in styles[["category", "crafts"]].to_numpy()}
    efficiency = {kind: network.efficiency(*kind) for kind in kinds}
    return {
        str(style): Garment(category, sam, efficiency[category, crafts])
        for style, category, crafts, sam in styles.itertuples(name=None)
    }


def _picks(rng: np.random.Generator, headers: pd.DataFrame, garments: dict[str, Garment]) -> list[str]:
    """The style of each order; large ones go round the categories that enough factories make."""
    shuffled = [str(style) for style in rng.permutation(list(garments))]
    makers = {style: int((garments[style].efficiency > 0).sum()) for style in shuffled}
    splittable = [style for style in shuffled if makers[style] >= _LARGE_NEEDS_MAKERS]
    large = cycle(_in_turn({style: garments[style].category for style in splittable}))
    ordinary = cycle(style for style in reversed(shuffled) if makers[style])
    of_order: dict[str, str] = {}
    for order in headers.to_dict("records"):
        repeated = of_order.get(order["parent_order_id"])
        of_order[order["order_id"]] = repeated or next(large if order["large"] else ordinary)
    return list(of_order.values())


def _in_turn(categories: dict[str, str]) -> list[str]:
    """Styles so that each category has had one before any has its second."""
    category = pd.Series(categories)
    return list(category.groupby(category).cumcount().sort_values(kind="stable").index)


def _colours(rng: np.random.Generator, skus: pd.DataFrame, count: int) -> pd.DataFrame:
    """The SKUs of `count` colours of a style."""
    colours = rng.permutation(skus["colour"].unique().astype(object))[:count]
    return skus[skus["colour"].isin(colours)]


def _ordinary_pieces(rng: np.random.Generator) -> int:
    pieces = rng.lognormal(np.log(assumptions.ORDER_PIECES_MEDIAN), assumptions.ORDER_PIECES_LOG_SD)
    return int(np.clip(round(pieces, -1), *assumptions.ORDER_PIECES_RANGE))


def _large_pieces(order: dict[Hashable, Any], garment: Garment, network: Network) -> int:
    """More than any one factory makes from release to delivery, overtime included and nothing else on its lines."""
    minutes = network.minutes(order["release_on"], order["due_on"])
    best = (minutes * garment.efficiency).max() / garment.sam_minutes
    return math.ceil(best * assumptions.LARGE_OVER_BEST / 10) * 10


def _lines(order: dict[Hashable, Any], skus: pd.DataFrame, pieces: int) -> pd.DataFrame:
    quantity = apportion(pieces, skus["share"].to_numpy("float64"))
    frame = skus[["merchant_id", "sku_id"]].assign(order_id=order["order_id"], quantity=quantity)
    return frame.assign(known_at=order["known_at"])[quantity > 0]


def _with_cancellations(headers: pd.DataFrame) -> pd.DataFrame:
    gone = headers[~headers["large"]].iloc[_CHANGE_EVERY // 2 :: _CHANGE_EVERY]
    later = gone.assign(status="cancelled", known_at=gone["known_at"] + pd.Timedelta(2, "D"))
    return pd.concat([headers, later], ignore_index=True)


def _with_additions(lines: pd.DataFrame, headers: pd.DataFrame) -> pd.DataFrame:
    grown = headers.loc[~headers["large"], "order_id"].iloc[_CHANGE_EVERY // 2 + 1 :: _CHANGE_EVERY]
    more = lines[lines["order_id"].isin(grown)]
    more = more.assign(quantity=more["quantity"] + 10, known_at=more["known_at"] + pd.Timedelta(1, "D"))
    return pd.concat([lines, more], ignore_index=True)
