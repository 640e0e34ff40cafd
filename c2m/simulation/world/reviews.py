"""Reviews of generated shoppers, with planted effects: what they say, of which style, how often (docs/demo-world.md).

In: delivered sales lines. Out: the feed `reviews`. Phrases lie in phrases.yaml.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from c2m.simulation.world import assumptions

_HELD_OUT = 2  # Chinese phrases of each code that judge the model of aspects
_OFTEN = ("size:true", "fit:good", "cloth:good", "colour:good", "making:good", "comfort:good", "price:good")
_SELDOM = ("size:large", "fit:bad", "cloth:bad", "making:bad", "colour:bad", "delivery:bad", "price:bad")
_CHINESE = 0.5


@cache
def _held() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("phrases.yaml").read_text(encoding="utf-8"))
    return found


def phrases(held_out: bool) -> Iterator[tuple[str, str]]:
    """Sentences with the code that each says: the Chinese ones held out, or all others."""
    held = _held()
    for code, of in held["phrases"].items():
        chosen = [("zh", one) for one in of["zh"][-_HELD_OUT:]]
        if not held_out:
            chosen = [("zh", one) for one in of["zh"][:-_HELD_OUT]] + [("en", one) for one in of["en"]]
        for language, phrase in chosen:
            slots = held["parts"][language] if "{part}" in phrase else [""]
            yield from ((phrase.format(part=part), code) for part in slots)
    if not held_out:
        yield from ((one, "") for of in held["rest"].values() for one in of)


def planted(style_ids: pd.Series) -> "pd.Series[bool]":
    """Styles that run small at the cuff: every seventh."""
    return style_ids.str.extract(r"(\d+)$")[0].astype(int) % assumptions.SMALL_CUFF_EVERY == 0


def reviews(rng: np.random.Generator, sales: pd.DataFrame) -> pd.DataFrame:
    """Of some delivered lines, a few days after."""
    delivered = sales[sales["status"] == "delivered"]
    rows = delivered[rng.random(len(delivered)) < assumptions.REVIEW_SHARE].copy()
    rating = rng.choice([1, 2, 3, 4, 5], len(rows), p=assumptions.RATING_SHARE)
    rows["known_at"] += pd.to_timedelta(rng.integers(1, 12 * 24, len(rows)), unit="h").astype("timedelta64[s]")
    small = planted(rows["style_id"]).to_numpy(bool) & (rng.random(len(rows)) < assumptions.SMALL_CUFF_SHARE)
    rows["rating"] = np.where(small, np.maximum(rating - assumptions.SMALL_CUFF_STARS, 1), rating)
    rows["text"] = [_text(rng, stars, cuff) for stars, cuff in zip(rows["rating"], small, strict=True)]
    return rows.assign(review_id="R-" + rows["sale_line_id"].astype(str), reviewed_on=rows["known_at"].dt.date)


def _code(rng: np.random.Generator, stars: int) -> str:
    """What a sentence says: the more stars, the more often something good."""
    return str(rng.choice(_OFTEN if rng.random() < (stars - 1) / 4 else _SELDOM))


def _text(rng: np.random.Generator, stars: int, cuff: bool) -> str:
    """One to three sentences, good ones by the stars, in one language."""
    held, language = _held(), "zh" if rng.random() < _CHINESE else "en"
    said = [str(rng.choice(held["phrases"][_code(rng, stars)][language])) for _ in range(rng.integers(1, 3))]
    part = str(rng.choice(held["parts"][language]))
    if cuff:
        said, part = [*said[:1], held["phrases"]["size:small"][language][0]], held["parts"][language][0]
    if rng.random() < 0.5:
        said.append(str(rng.choice(held["rest"][language])))
    return ("。" if language == "zh" else " ").join(said).format(part=part)
