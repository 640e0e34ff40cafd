"""What a market forecast says, in words: by how much a category's volume or price changes, and how sure that is.

In: rows of landing/market_forecasts of one business date.
"""

from typing import Any

import numpy as np
import pandas as pd

OWN = "own"
SURE = 0.8  # chance from which a direction is called sure
_BARS = "▁▂▃▄▅▆▇█"


def changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Over all weeks ahead beside as many before: what, change, least, most (shares), chance (of that way), is_sure.

    The surest first. Left out is what had nothing before: there is no share of nothing.
    """
    whole = rows[rows["week"].isna() & (rows["before"] > 0)]
    ends = {
        name: whole[of] / whole["before"] - 1 for name, of in (("change", "mean"), ("least", "q10"), ("most", "q90"))
    }
    told = whole.assign(what=who(whole), **ends)
    chance = np.maximum(told["rise_chance"], 1 - told["rise_chance"])
    found: pd.DataFrame = told.assign(chance=chance, is_sure=chance >= SURE)
    return found.sort_values(["chance", "what", "measure"], ascending=[False, True, True], ignore_index=True)


def who(rows: pd.DataFrame) -> "pd.Series[str]":
    """Category and who tells it."""
    source = rows["source"].where(rows["source"] != OWN, rows["merchant_id"])
    named: pd.Series[str] = rows["category"] + ", " + source
    return named


def in_words(rows: pd.DataFrame) -> pd.DataFrame:
    """Market forecasts as people read them, a row per category, source and measure. rows: landing/market_forecasts.

    Columns for people: category, told by, what, change, sure, weeks ahead, before, known until, ahead.
    """
    told = changes(rows)
    every = told.to_dict("records")
    return pd.DataFrame({
        "category": told["category"],
        "told by": told["source"].where(told["source"] != OWN, told["merchant_id"]),
        "what": told["measure"],
        "change": [f"{one.change:+.0%} ({one.least:+.0%} to {one.most:+.0%})" for one in told.itertuples()],
        "sure": [f"{one.chance:.0%}" for one in told.itertuples()],
        "weeks ahead": [f"{_amount(one, 'q50')} ({_amount(one, 'q10')} to {_amount(one, 'q90')})" for one in every],
        "before": [_amount(one, "before") for one in every],
        "known until": told["known_until"].dt.strftime("%d %b"),
        "ahead": courses(rows, told),
    })  # fmt: skip


def _amount(row: dict[Any, Any], name: str) -> str:
    """A price with its currency, a volume as a whole number."""
    return f"{row[name]:,.2f} {row['currency']}".strip() if row["measure"] == "price" else f"{row[name]:,.0f}"


_SERIES = ["source", "merchant_id", "category", "currency", "measure"]


def courses(rows: pd.DataFrame, told: pd.DataFrame) -> list[str]:
    """The medians week by week as bars of text.

    Parameters
    ----------
    rows
        Rows of landing/market_forecasts.
    told
        `changes` of these rows.

    Returns
    -------
    list of str
        In the order of `told`.
    """
    weeks = rows[rows["week"].notna()].sort_values("week").groupby(_SERIES)["q50"].agg(list)
    return [spark(weeks.loc[tuple(key)]) for key in told[_SERIES].itertuples(index=False)]


def spark(values: list[float]) -> str:
    """A course as bars of text, from the least to the most.

    >>> spark([3.0, 5.0, 4.0, 8.0])
    '▁▃▂█'
    """
    least, most = min(values), max(values)
    height = (most - least) or 1.0
    return "".join(_BARS[int((value - least) / height * (len(_BARS) - 1))] for value in values)
