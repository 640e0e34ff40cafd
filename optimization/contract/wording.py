"""Figures in words: money, counts, shares and days as a person writes them. In: numbers. Out: text.

Money has thousands separators and no decimals that mean nothing; days are dates where the instance has a `day_1`.
"""

import math
import re
from datetime import date, timedelta

from optimization.contract.tolerances import ROUND_OFF_SHARE

_CENT, _WHOLE = 0.005, 1000  # money; from `_WHOLE` on no decimals are shown
_Y = re.compile("(?<![aeiou])y$")


def money(amount: float) -> str:
    """An amount: 59,727; 337.01; 0.0316 (of a minute)."""
    size = abs(amount)
    if size >= _WHOLE:
        return f"{amount:,.0f}"
    if size >= 1 or size == 0:
        return f"{amount:,.2f}".removesuffix(".00")
    return f"{amount:.4f}".rstrip("0").rstrip(".") if size >= _CENT / 100 else "0"


def counted(number: float, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 piece, 2 pieces, 3 factories.

    Parameters
    ----------
    number
        Whole, or shown as if.
    noun
        In the singular.
    plural
        Where it is not the noun with an s, or with ies for a y after a consonant.

    Returns
    -------
    str
        With thousands separators.
    """
    return f"{number:,.0f} {noun if round(number) == 1 else plural or _Y.sub('ie', noun) + 's'}"


def percent(share: float) -> str:
    """A share in percent with two decimals, rounded up: what is left to prove is never understated."""
    hundredths = 0 if share <= ROUND_OFF_SHARE else math.ceil(round(share * 1e4, 6))
    return f"{hundredths / 100:.2f} %"


def day(day_1: date | None, number: float) -> str:
    """A day of an instance: its date, else its number.

    Parameters
    ----------
    day_1
        Date of day 1; None: days are numbers.
    number
        Of the day, from 1.

    Returns
    -------
    str
        A date, or `day 3`.
    """
    if day_1 is None:
        return f"day {number:.0f}"
    return f"{day_1 + timedelta(days=int(number) - 1):%a %-d %b}"


def days(day_1: date | None, first: float, last: float) -> str:
    """A span of days.

    Parameters
    ----------
    day_1
        Date of day 1; None: days are numbers.
    first
        Number of the first day, from 1.
    last
        Number of the last day.

    Returns
    -------
    str
        Two dates, or `days 3 to 5`.
    """
    if first == last:
        return day(day_1, first)
    return f"{day(day_1, first)} to {day(day_1, last)}" if day_1 else f"days {first:.0f} to {last:.0f}"
