"""Styles and SKUs of a generated merchant: category, crafts, minutes, price and cost, colours, sizes, release."""

import json
from statistics import NormalDist

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.simulation.world import assumptions
from c2m.simulation.world.span import Span

SAM = ("sam_cut_minutes", "sam_sew_minutes", "sam_finish_minutes", "sam_inspect_minutes", "sam_pack_minutes")


def styles(rng: np.random.Generator, merchant_id: str, count: int, span: Span, pieces_per_day: float) -> pd.DataFrame:
    """One row per style: the catalogue's columns, `rate` (pieces a day, before season and life cycle), `colours`."""
    kinds = _categories(rng, count)
    price = _prices(rng, kinds)
    frame = pd.DataFrame({"merchant_id": merchant_id, "style_id": _style_ids(merchant_id, kinds)})
    frame["category"] = [k.name for k in kinds]
    frame["style_name"] = [f"{k.name.capitalize()} {i}" for i, k in enumerate(kinds, 1)]
    frame["crafts"] = [k.crafts[i % len(k.crafts)] for i, k in enumerate(kinds)]
    for column, minutes in zip(SAM, _minutes(rng, kinds), strict=True):
        frame[column] = minutes.round(2)
    frame["sam_minutes"] = frame[list(SAM)].sum(axis=1)
    frame["price"] = price
    frame["cost"] = (price * rng.uniform(*assumptions.COST_SHARE, count)).round(2)
    frame["release_day"] = _releases(rng, count, span)
    frame["rate"] = _rates(rng, count, pieces_per_day)
    # What sells well is offered in more colours.
    frame["colours"] = (
        np.clip(frame["rate"].rank(pct=True) * 3 + rng.uniform(-0.7, 0.7, count), 1, 3).round().astype(int)
    )
    return frame


def _categories(rng: np.random.Generator, count: int) -> list[assumptions.Category]:
    """Shares kept as closely as `count` allows, in random order."""
    edges = np.cumsum([c.share for c in assumptions.CATEGORIES])
    picks = np.searchsorted(edges / edges[-1], (np.arange(count) + 0.5) / count)
    return [assumptions.CATEGORIES[i] for i in rng.permutation(picks)]


def _style_ids(merchant_id: str, kinds: list[assumptions.Category]) -> list[str]:
    return [f"{merchant_id}-{kind.name.upper()}{i:03d}" for i, kind in enumerate(kinds, 1)]


def _prices(rng: np.random.Generator, kinds: list[assumptions.Category]) -> Floats:
    ratio = np.array([k.price_ratio for k in kinds])
    price = assumptions.MEDIAN_PRICE * ratio * rng.lognormal(0, assumptions.PRICE_LOG_SD, len(kinds))
    return np.maximum(price.round() - 0.05, 5.0)


def _minutes(rng: np.random.Generator, kinds: list[assumptions.Category]) -> list[Floats]:
    """In the order of SAM."""
    sew = np.array([k.sew_minutes for k in kinds]) * rng.uniform(0.85, 1.15, len(kinds))
    others = (
        assumptions.CUT_MINUTES,
        assumptions.FINISH_MINUTES,
        assumptions.INSPECT_MINUTES,
        assumptions.PACK_MINUTES,
    )
    cut, finish, inspect, pack = (rng.uniform(*limits, len(kinds)) for limits in others)
    return [cut, sew, finish, inspect, pack]


def _releases(rng: np.random.Generator, count: int, span: Span) -> pd.Series:
    """Day index of the release of new styles, a few of them still ahead; empty for those that sell all year."""
    new = round(count * assumptions.NEW_STYLE_SHARE)
    days = np.linspace(5, span.history_days + span.future_days // 2, new).round()
    release = np.concatenate([days, np.full(count - new, np.nan)])
    return pd.Series(rng.permutation(release), dtype="Int64")


def _rates(rng: np.random.Generator, count: int, pieces_per_day: float) -> Floats:
    """Log-normal at evenly spread quantiles, so that a small world has the measured concentration too."""
    rate = np.exp([NormalDist(0, assumptions.STYLE_RATE_LOG_SD).inv_cdf((i + 0.5) / count) for i in range(count)])
    return rng.permutation(rate / rate.mean() * pieces_per_day)


def skus(rng: np.random.Generator, frame: pd.DataFrame, span: Span, currency: str) -> pd.DataFrame:
    """The catalogue feed, and `share` (of the style's demand; sums to 1 per style)."""
    rows = frame.loc[frame.index.repeat(frame["colours"] * len(assumptions.SIZES))].copy()
    rows["colour"] = np.concatenate([_colours(rng, n) for n in frame["colours"]])
    rows["size"] = np.tile(assumptions.SIZES, int(frame["colours"].sum()))
    rows["share"] = np.concatenate([_shares(rng, n) for n in frame["colours"]])
    rows["sku_id"] = rows["style_id"] + "-" + rows["colour"].str.upper() + "-" + rows["size"]
    rows["currency"] = currency
    rows[["style_code", "sku_code", "specification_url"]] = None
    day = rows["release_day"].to_numpy("float64", na_value=0).astype("int64")
    rows["released_on"] = pd.Series(span.dates[day], rows.index).dt.date.where(rows["release_day"].notna(), None)
    rows["known_at"] = span.moments(np.where(rows["release_day"].notna(), np.maximum(day - 21, 0), 0), 0)
    season = rows["release_day"].notna().map({True: "new", False: "all-year"})
    told = [attributes(number) for number in numbers(rows["style_id"])]
    rows["attributes"] = [json.dumps({"season": one, **of}) for one, of in zip(season, told, strict=True)]
    return rows.reset_index(drop=True)


def numbers(style_ids: pd.Series) -> list[int]:
    """The running number that each style's id ends with."""
    return [int(number) for number in style_ids.str.extract(r"(\d+)$")[0]]


def attributes(number: int) -> dict[str, str]:
    """Of the style with that number: each attribute goes round by a step of its own."""
    return {name: values[number % len(values)] for name, values in assumptions.ATTRIBUTES.items()}


def _colours(rng: np.random.Generator, count: int) -> list[str]:
    return [c for c in rng.choice(assumptions.COLOURS, count, replace=False) for _ in assumptions.SIZES]


def _shares(rng: np.random.Generator, colours: int) -> Floats:
    curve = np.array(assumptions.SIZE_CURVE) / sum(assumptions.SIZE_CURVE)
    size = rng.dirichlet(curve * assumptions.SIZE_CONCENTRATION)
    return np.outer(rng.dirichlet(np.full(colours, 4.0)), size).ravel()
