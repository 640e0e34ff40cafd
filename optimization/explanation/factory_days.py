"""What a factory's days are worth: minutes more or less, a day of overtime more, no minimum lot, and how far."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import DAY, PAIR, Plan, day_loads
from optimization.contract.wording import counted, days, money
from optimization.explanation import marginal_prices, waiting
from optimization.explanation.form import CENT, Explained, Names, table
from optimization.statement.fixed import Fixed
from optimization.unmet import rest

_LEAST_PRICE = 5e-5  # money; less is shown as nothing
_MOST_ARCS = 3_000  # of a program with fixed switches; one of 36,000 takes minutes
_SECONDS = 12.0  # for what more minutes bring to lots that wait
_HOW = (
    "A minute more or less: who makes what stays, pieces and days may move. Where lots wait: what more minutes bring "
    "when these lots and those at the factory are planned again, in whole pieces."
)
_PRICES = ["less", "more", "less_range", "more_range"]
_OFFER = ["units", "saves", "first", "first_range"]


def factory(instance: Instance, plan: Plan, factory_id: str, seconds: float = _SECONDS) -> Explained:
    """Every day of a factory, with the price of its minutes on both sides and what more overtime would save."""
    if factory_id not in {*instance.arcs["factory_id"], *instance.capacity["factory_id"]}:
        raise InputError("factory-unknown", [f"factory {factory_id!r} is in neither arcs nor capacity of the instance"])
    until = time.monotonic() + seconds
    fixed = fixed_around(instance, plan, [factory_id])
    here = fixed.days.index[fixed.days["factory_id"] == factory_id]
    priced, offers, lots = day_prices(fixed, here), overtime_offers(fixed, here), lot_offers(fixed, factory_id)
    priced = _with_steps(instance, plan, priced, waiting.waiting(instance, plan), until)
    lines = [
        _made_words(plan, factory_id),
        "",
        *minutes_table(instance, priced, Names({})),
        "",
        *(f"* {words}" for words in offer_words(instance, offers, lots, Names({}))),
    ]
    tables = {"days": priced, "overtime": offers, "minimum_lots": lots}
    figures = {"factory_id": factory_id, **{name: records(table) for name, table in tables.items()}}
    return Explained(f"Factory {factory_id}", lines, figures)


def _made_words(plan: Plan, factory_id: str) -> str:
    made = plan.allocation["quantity"][plan.allocation["factory_id"] == factory_id]
    return f"{counted(len(made), 'lot')}, {counted(made.sum(), 'piece')}. {_HOW}"


def fixed_around(instance: Instance, plan: Plan, factories: list[str]) -> Fixed:
    """The program with the plan's switches fixed; of a large book only the lots made at some factories take part."""
    if len(instance.arcs) <= _MOST_ARCS:
        return Fixed(instance, plan, factories)
    made = plan.allocation["lot_id"][plan.allocation["factory_id"].isin(factories)].unique().tolist()
    lots = made[: rest.within_arcs(instance, made, _MOST_ARCS)]
    return Fixed(rest.part(instance, plan, lots), rest.of_lots(plan, lots), factories)


def dearest(
    instance: Instance, plan: Plan, fixed: Fixed | None, waits: pd.DataFrame, count: int, until: float
) -> pd.DataFrame:
    """The days whose minutes are worth most, as `day_prices`, with what more of them bring to lots that wait (steps).

    Without the program with fixed switches (a large book) those at which lots wait, with no price of a minute less.
    """
    asked = waiting.dearest_days(waits, count // 2)
    found = _priced(fixed, asked, count) if fixed else _unpriced(instance, plan, asked)
    found = _with_steps(instance, plan, found, waits, until)
    found = found[found["worth"] > _LEAST_PRICE].sort_values("worth", ascending=False, kind="stable").head(count)
    best = found.groupby("factory_id")["worth"].transform("max")
    ranked = found.assign(best=best).sort_values(["best", "factory_id", "day"], ascending=[False, True, True])
    return ranked.drop(columns="best").reset_index(drop=True)


def _priced(fixed: Fixed, asked: list[tuple[str, int]], count: int) -> pd.DataFrame:
    """Some days, and those with the dearest minutes, as `day_prices`."""
    places = pd.MultiIndex.from_frame(fixed.days[DAY]).get_indexer(pd.MultiIndex.from_tuples(asked, names=DAY))
    at = [int(place) for place in places if place >= 0]
    return day_prices(fixed, list(dict.fromkeys([*at, *marginal_prices.dearest(fixed, count)])))


def _with_steps(instance: Instance, plan: Plan, found: pd.DataFrame, waits: pd.DataFrame, until: float) -> pd.DataFrame:
    """`steps` (what more minutes bring to lots that wait, as waiting.Step) and `worth`, the most a minute brings."""
    awaited = set(found["factory_id"]) & set(waits["factory_id"])
    parts = {factory_id: waiting.WaitingLots(instance, plan, factory_id, waits) for factory_id in awaited}
    steps = [parts[row.factory_id].steps(row.day, until) if row.factory_id in parts else [] for row in rows(found)]
    worth = np.fmax(np.array([_best(its) for its in steps], dtype=float), found["more"].to_numpy(dtype=float))
    return found.assign(steps=pd.Series(steps, index=found.index, dtype=object), worth=worth)


def _best(steps: list[waiting.MoreMinutes]) -> float:
    """The most that a minute of any of them saves."""
    return max((step.per_minute for step in steps), default=0.0)


def _unpriced(instance: Instance, plan: Plan, asked: list[tuple[str, int]]) -> pd.DataFrame:
    """Some days with their minutes and what the plan leaves of them."""
    named = pd.DataFrame(asked, columns=DAY).astype({"day": "int64"})
    named = named.merge(instance.capacity[[*DAY, "minutes"]], on=DAY, how="left")
    named = named.merge(day_loads(plan.schedule), on=DAY, how="left").fillna({"minutes": 0.0, "load": 0.0})
    spare = named["minutes"] - named.pop("load")
    return named.assign(spare=spare).reindex(columns=[*DAY, "minutes", "spare", *_PRICES])


def day_prices(fixed: Fixed, positions: Any) -> pd.DataFrame:
    """factory_id, day, minutes, spare, then what one minute less costs and one more saves, and how far both hold."""
    found = [vars(marginal_prices.minute(fixed, int(day))) for day in positions]
    prices = pd.DataFrame(found, index=positions, columns=_PRICES)
    priced: pd.DataFrame = fixed.days.loc[positions, [*DAY, "minutes", "spare"]].join(prices)
    return priced.reset_index(drop=True)


def overtime_offers(fixed: Fixed, positions: Any) -> pd.DataFrame:
    """factory_id, day, units (minutes of overtime more), saves, first (price of the first minute), first_range."""
    return _offers(fixed.days[DAY], {int(day): marginal_prices.overtime(fixed, int(day)) for day in positions})


def lot_offers(fixed: Fixed, factory_id: str | None = None) -> pd.DataFrame:
    """lot_id, factory_id, units (pieces fewer), saves, first (price of the first piece), first_range."""
    bound = fixed.pairs[fixed.pairs["lot_price"] > _LEAST_PRICE]
    bound = bound if factory_id is None else bound[bound["factory_id"] == factory_id]
    return _offers(fixed.pairs[PAIR], {int(pair): marginal_prices.lower_lot(fixed, int(pair)) for pair in bound.index})


def _offers(names: pd.DataFrame, offers: dict[int, marginal_prices.MarginalSaving | None]) -> pd.DataFrame:
    """The offers that save anything, the best first, with the names of their rows."""
    found = {at: vars(offer) for at, offer in offers.items() if offer and offer.saves > CENT}
    figures = pd.DataFrame([*found.values()], index=list(found), columns=_OFFER)
    return names.loc[list(found)].join(figures).sort_values("saves", ascending=False, ignore_index=True)


def no_offers(key: str) -> pd.DataFrame:
    """No offer, by factory and day or by lot and factory."""
    return pd.DataFrame(columns=["factory_id", key, *_OFFER])


def records(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for programs; what is not a finite number is null."""
    plain = found.astype(object)
    if "steps" in plain:
        plain["steps"] = [[vars(step) | {"per_minute": step.per_minute} for step in steps] for steps in plain["steps"]]
    return [{str(name): _or_null(cell) for name, cell in row.items()} for row in plain.to_dict("records")]


def _or_null(cell: Any) -> Any:
    return None if isinstance(cell, float) and not np.isfinite(cell) else cell


def minutes_table(instance: Instance, found: pd.DataFrame, called: Names) -> list[str]:
    """Days as a table, those in a row of which all is alike together; `found` as `dearest` gives it."""
    said = [_said(row, called) for row in rows(found)]
    shown = found.assign(said=pd.Series(said, index=found.index, dtype=object))
    return table(
        {"factory": first.factory_id, "day": days(instance.day_1, first.day, last)} | first.said
        for first, last in _runs(shown, [*_PRICES, "said"])
    )


def _said(row: Any, called: Names) -> dict[str, str]:
    """What is said of a day besides its name."""
    return {
        "now": _state(row),
        "a minute is worth": money(row.worth) if row.worth > _LEAST_PRICE else "nothing",
        "minutes more bring": "; ".join(_step(step, called) for step in row.steps) or _range_words(row),
        "a minute less costs": _less(row),
    }


def _state(row: Any) -> str:
    if row.minutes < 1:
        return "closed"
    return f"{row.spare:,.0f} minutes free" if row.spare >= 1 else "full"


def _range_words(row: Any) -> str:
    """How far a day's price of more minutes holds; nothing where it is none, or holds for any number."""
    holds = row.worth > _LEAST_PRICE and np.isfinite(row.more_range)
    return f"for {counted(max(1, row.more_range), 'minute')}" if holds else ""


def _less(row: Any) -> str:
    """What a minute less on a day costs."""
    if np.isinf(row.less):
        return f"at most {row.less_range:,.2f} fit" if row.less_range else "no minute can go"
    return "" if np.isnan(row.less) else _price(row.less, row.less_range)


def _step(step: waiting.MoreMinutes, called: Names) -> str:
    """What some minutes more bring."""
    saves = f"save{'s' if step.minutes == 1 else ''} {money(step.saves)}"
    return f"{counted(step.minutes, 'minute')} {saves}{_gained(step, called)}"


def _gained(step: waiting.MoreMinutes, called: Names) -> str:
    if step.pieces <= 0:
        return ""
    of = f" of {called.lot(step.lots[0])}" if len(step.lots) == 1 else ""
    return f", {counted(step.pieces, 'piece')} more{of}"


def _runs(found: pd.DataFrame, figures: list[str]) -> Iterator[tuple[Any, int]]:
    """The first of each run of a factory's days with the same figures, and the run's last day."""
    shown = _rounded(found[figures])
    alike = shown.eq(shown.shift()).all(axis=1) & found["factory_id"].eq(found["factory_id"].shift())
    follows = alike & found["day"].eq(found["day"].shift() + 1)
    for _, run in found.groupby((~follows).cumsum()):
        yield next(rows(run)), int(run["day"].iloc[-1])


def _rounded(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures as they compare when shown: numbers to four decimals, all else as text."""
    numbers = figures.select_dtypes("number").round(4).fillna(-1.0)
    return numbers.join(figures.drop(columns=numbers.columns).astype(str))


def _price(price: float, holds: float) -> str:
    worth = money(price) if price > _LEAST_PRICE else "nothing"
    return worth if np.isinf(holds) or worth == "nothing" else f"{worth} for {max(1, holds):,.0f}"


def offer_words(instance: Instance, overtime: pd.DataFrame, lots: pd.DataFrame, called: Names) -> Iterator[str]:
    """What more overtime or no minimum lot would save."""
    ordered = overtime.sort_values(DAY, ignore_index=True) if len(overtime) else overtime
    for row, last in _runs(ordered, _OFFER) if len(ordered) else ():
        when = f"on {'one day of ' if last > row.day else ''}{days(instance.day_1, row.day, last)}"
        yield f"{row.units:,.0f} minutes of overtime more at {row.factory_id} {when}: {_saving(row, 'minute')}"
    for row in rows(lots):
        yield f"no minimum lot for {called.lot(row.lot_id)} at {row.factory_id}: {_saving(row, 'piece')}"


def _saving(offer: Any, unit: str) -> str:
    return f"saves {money(offer.saves)}, the first {unit} {_price(offer.first, offer.first_range)}"
