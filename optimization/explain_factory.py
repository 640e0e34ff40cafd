"""What a factory's days are worth: a minute more or less, a day of overtime more, no minimum lot, and how far."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization import marginal
from optimization.explained import CENT, Explained
from optimization.fixed import Fixed
from optimization.plan import Plan
from optimization.problem import Instance, rows

_LEAST_PRICE = 5e-5  # money; less is shown as nothing
_PRICES = ["less", "more", "less_range", "more_range"]


def factory(instance: Instance, plan: Plan, factory_id: str) -> Explained:
    """Every day of a factory, with the price of its minutes on both sides and what more overtime would save."""
    if factory_id not in {*instance.arcs["factory_id"], *instance.capacity["factory_id"]}:
        raise InputError("factory-unknown", [f"factory {factory_id!r} is in neither arcs nor capacity of the instance"])
    fixed = Fixed(instance, plan, [factory_id])
    here = fixed.days.index[fixed.days["factory_id"] == factory_id]
    days, offers, lots = day_prices(fixed, here), overtime_offers(fixed, here), lot_offers(fixed, factory_id)
    made = plan.allocation[plan.allocation["factory_id"] == factory_id]
    lines = [
        f"{len(made)} lots, {made['quantity'].sum():,} pieces. Prices: who makes what stays, pieces and days may move.",
        "",
        *(f"* {words}" for words in minute_words(days)),
        *(f"* {words}" for words in offer_words(offers, lots)),
    ]
    figures = {
        "factory_id": factory_id,
        "days": records(days),
        "overtime": records(offers),
        "minimum_lots": records(lots),
    }
    return Explained(f"Factory {factory_id}", lines, figures)


def day_prices(fixed: Fixed, positions: Any) -> pd.DataFrame:
    """factory_id, day, minutes, spare, then what one minute less costs and one more saves, and how far both hold."""
    prices = pd.DataFrame(
        [vars(marginal.minute(fixed, int(day))) for day in positions], index=positions, columns=_PRICES
    )
    days: pd.DataFrame = fixed.days.loc[positions, ["factory_id", "day", "minutes", "spare"]].join(prices)
    return days.reset_index(drop=True)


def overtime_offers(fixed: Fixed, positions: Any) -> pd.DataFrame:
    """factory_id, day, units (minutes of overtime more), saves, first (price of the first minute), first_range."""
    found = {
        int(day): offer for day in positions if (offer := marginal.overtime(fixed, int(day))) and offer.saves > CENT
    }
    return _offers(fixed.days[["factory_id", "day"]], found)


def lot_offers(fixed: Fixed, factory_id: str | None = None) -> pd.DataFrame:
    """order_id, factory_id, units (pieces fewer), saves, first (price of the first piece), first_range."""
    bound = fixed.pairs[fixed.pairs["lot_price"] > _LEAST_PRICE]
    bound = bound if factory_id is None else bound[bound["factory_id"] == factory_id]
    found = {int(i): offer for i in bound.index if (offer := marginal.lower_lot(fixed, int(i))) and offer.saves > CENT}
    return _offers(fixed.pairs[["order_id", "factory_id"]], found)


def _offers(names: pd.DataFrame, found: dict[int, marginal.Offer]) -> pd.DataFrame:
    figures = pd.DataFrame([vars(offer) for offer in found.values()], index=list(found))
    columns = [*names.columns, "units", "saves", "first", "first_range"]
    table = names.loc[list(found)].join(figures).reindex(columns=columns)
    return table.sort_values("saves", ascending=False, ignore_index=True)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for programs; what is not a finite number is null."""
    plain = table.astype(object).where(table.notna() & ~table.isin([np.inf]), None)
    return [{str(name): cell for name, cell in row.items()} for row in plain.to_dict("records")]


def minute_words(days: pd.DataFrame) -> Iterator[str]:
    """The prices in words, days in a row with the same prices together."""
    for first, when in _runs(days.sort_values(["factory_id", "day"], ignore_index=True), _PRICES):
        yield f"{when}: {_one_price(first)}"


def _runs(days: pd.DataFrame, figures: list[str]) -> Iterator[tuple[Any, str]]:
    """The first of each run of a factory's days with the same figures, and the run in words."""
    shown = days[figures].round(4).fillna(-1.0)
    alike = shown.eq(shown.shift()).all(axis=1) & days["factory_id"].eq(days["factory_id"].shift())
    for _, run in days.groupby((~alike).cumsum()):
        first, last = next(rows(run)), run["day"].iloc[-1]
        yield first, f"{first.factory_id} day {first.day}" + (f" to {last}" if last > first.day else "")


def _one_price(day: Any) -> str:
    head = "closed" if day.minutes < 1 else f"{day.spare:,.0f} minutes free" if day.spare >= 1 else "full"
    more = f"one minute more saves {_price(day.more, day.more_range)}"
    if np.isnan(day.less):
        return f"{head}; {more}"
    fits = f"one less costs {_price(day.less, day.less_range)}"
    return f"{head}; {more}; {fits if np.isfinite(day.less) else f'at most {day.less_range:,.2f} less fit'}"


def _price(price: float, holds: float) -> str:
    worth = f"{price:,.4f}" if price > _LEAST_PRICE else "nothing"
    return worth if np.isinf(holds) else f"{worth} (up to {holds:,.0f})"


def offer_words(overtime: pd.DataFrame, lots: pd.DataFrame) -> Iterator[str]:
    """What more overtime or no minimum lot would save."""
    ordered = overtime.sort_values(["factory_id", "day"], ignore_index=True)
    for row, when in _runs(ordered, ["units", "saves", "first", "first_range"]):
        saved = f"saves {row.saves:,.2f}, the first minute {_price(row.first, row.first_range)}"
        yield f"{row.units:,.0f} minutes of overtime more on one day, {when}: {saved}"
    for row in rows(lots):
        saved = f"saves {row.saves:,.2f}, the first piece {_price(row.first, row.first_range)}"
        yield f"no minimum lot for {row.order_id} at {row.factory_id}: {saved}"
