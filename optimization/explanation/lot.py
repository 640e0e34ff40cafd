"""Why a lot is made where it is, what its split costs and saves, why not elsewhere, what keeps it from being whole."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import Plan
from optimization.contract.tolerances import MONEY_SHARE
from optimization.contract.wording import counted, day, days, money
from optimization.explanation.cures import Fix, fixes
from optimization.explanation.factory_days import fixed_around
from optimization.explanation.form import CENT, Against, Explained, against, table
from optimization.statement.fixed import Fixed
from optimization.statement.reduction import reduce
from optimization.unmet import rest
from optimization.unmet.causes import LIFTS, Want, cause, days_late, room_pieces
from optimization.unmet.counterfactual import cheapest

_ARCS = 60  # of the lots that are planned anew together; more take many seconds
_SECONDS = 2.0  # of one such plan
_FIXES = 3


def lot(instance: Instance, plan: Plan, lot_id: str) -> Explained:
    """Where it is made and at what cost a piece, the split against none, and why it is short or late."""
    order = _order(instance, lot_id)
    places = _places(instance, plan, lot_id)
    part = rest.part(instance, plan, rest.around(instance, plan, lot_id, _ARCS))
    single, unsplit = _unsplit(part, plan, lot_id) if (places["quantity"] > 0).sum() > 1 else (None, None)
    trouble = short_or_late(instance, plan, lot_id)
    lines = [_headline(instance, order, places), "", *_places_table(instance, places), ""]
    if single:
        lines.append(f"* **Not split**, at its best single factory ({_where(single, lot_id)}): {single.words}.")
    if unsplit:
        lines.append(f"* **Nothing split**, of the {len(part.orders)} lots around it: {unsplit.words}.")
    lines += [f"* {trouble.lines[0]}", *trouble.lines[1:]] if trouble else []
    figures = {
        "lot_id": lot_id,
        "places": places.replace({np.nan: None}).to_dict("records"),
        "single_factory": single and asdict(single),
        "nothing_split": unsplit and {"lots": len(part.orders), **asdict(unsplit)},
        **(trouble.figures if trouble else {}),
    }
    return Explained(f"Lot {lot_id}", lines, figures)


def pair(instance: Instance, plan: Plan, lot_id: str, factory_id: str) -> Explained:
    """Why not this factory: the cheapest plan that uses it, and the rule that keeps it out."""
    _order(instance, lot_id)
    here = (plan.allocation["lot_id"] == lot_id) & (plan.allocation["factory_id"] == factory_id)
    title = f"Lot {lot_id} at {factory_id}"
    if here.any():
        pieces = int(plan.allocation["quantity"][here].iloc[0])
        return Explained(title, [f"It is used: {pieces:,} pieces."], {"rule": "used", "quantity": pieces})
    part = rest.part(instance, plan, rest.around(instance, plan, lot_id, _ARCS))
    found = against(part, plan, cheapest(part, _SECONDS, using=(lot_id, factory_id)))
    rule, words = _stopped_by(instance, plan, lot_id, factory_id, found)
    lines = [f"Not used: {words}."]
    if found:
        pieces = next(
            row["quantity"] for row in found.allocation if (row["lot_id"], row["factory_id"]) == (lot_id, factory_id)
        )
        lines.append(
            f"If it had to be used, the best would be {pieces:,} pieces there: the plan would cost {found.words}."
        )
    return Explained(title, lines, {"rule": rule, "words": words, "forced": found and asdict(found)})


def short_or_late(instance: Instance, plan: Plan, lot_id: str, count: int = _FIXES) -> Explained | None:
    """The cause of missing pieces, else of lateness, and the cheapest fixes; None where it is whole and on time."""
    want = Want(instance, plan, lot_id, on_time=False)
    missing = int(want.order["quantity"]) - want.made
    late = int(days_late(instance, rest.of_lots(plan, [lot_id])).sum())
    if not missing and not late:
        return None
    want = replace(want, on_time=not missing)
    found, mends = cause(want), fixes(want)[:count] if count else []
    pieces = counted(want.order["quantity"], "piece")
    what = f"{missing:,} of {pieces} not made" if missing else f"{counted(late, 'day')} late"
    lines = [f"**{what}**: {found.words}.", *_fix_lines(mends)]
    shown = [asdict(fix) | {"pays": _pays(fix)} for fix in mends]
    figures = {"unmet": missing, "days_late": late, "cause": asdict(found), "fixes": shown}
    return Explained(f"Lot {lot_id}", lines, {"lot_id": lot_id, **figures})


def _fix_lines(mends: list[Fix]) -> list[str]:
    """The fixes that pay; where none does, the cheapest and by how much it costs more than it mends."""
    paying = [fix for fix in mends if _pays(fix)]
    if mends and not paying:
        least = mends[0]
        if least.at_least <= CENT:  # the search for what it costs was not closed
            return ["  Nothing was found in the time that mends it and pays."]
        costs = f"{least.words}; {money(least.at_least)} more than it brings"
        return [f"  Nothing found mends it and pays. The cheapest: {costs}."]
    return [f"  {n}. {fix.words[:1].upper()}{fix.words[1:]}: {_saved(fix)}." for n, fix in enumerate(paying, 1)]


def _pays(fix: Fix) -> bool:
    """Whether the plan with the fix made costs no more than now."""
    return fix.extra_cost <= CENT


def _saved(fix: Fix) -> str:
    return f"saves {money(-fix.extra_cost)}" if fix.extra_cost < -CENT else "costs nothing"


def _order(instance: Instance, lot_id: str) -> Any:
    found = instance.orders[instance.orders["lot_id"] == lot_id]
    if found.empty:
        raise InputError("order-unknown", [f"order {lot_id!r} is not in the instance; orders.csv lists those that are"])
    return found.iloc[0]


def _places(instance: Instance, plan: Plan, lot_id: str) -> pd.DataFrame:
    """A row per capable factory: pieces, days, cost a piece with setup and the price of its minutes, why not."""
    reduced = reduce(rest.part(instance, replace(plan, schedule=plan.schedule[:0]), [lot_id]))
    arcs = instance.arcs[instance.arcs["lot_id"] == lot_id]
    fixed = fixed_around(instance, plan, sorted(arcs["factory_id"]))
    order = _order(instance, lot_id)
    runs = plan.schedule[plan.schedule["lot_id"] == lot_id].groupby("factory_id")["day"].agg(["min", "max"])
    made = plan.allocation[plan.allocation["lot_id"] == lot_id].set_index("factory_id")["quantity"]
    found = arcs[["factory_id", "unit_cost", "setup_cost", "minutes_per_piece", "min_lot"]].merge(
        reduced.dropped[["factory_id", "reason"]], on="factory_id", how="left"
    )
    at = found["factory_id"]
    found["room_pieces"] = room_pieces(rest.part(instance, plan, [lot_id])).reindex(at).to_numpy()
    found["quantity"] = made.reindex(at, fill_value=0).to_numpy()
    found["first_day"], found["last_day"] = runs["min"].reindex(at).to_numpy(), runs["max"].reindex(at).to_numpy()
    lots = found["quantity"].where(found["quantity"] > 0, order["quantity"])
    found["setup_per_piece"] = found["setup_cost"] / lots
    found["minutes_price"] = [_minutes_price(fixed, reduced.pairs, row) for row in rows(found)]
    found["piece_cost"] = found["unit_cost"] + found["setup_per_piece"] + found["minutes_price"]
    return found.sort_values(["quantity", "piece_cost"], ascending=[False, True], ignore_index=True)


def _minutes_price(fixed: Fixed, pairs: pd.DataFrame, row: Any) -> float:
    """What the minutes of a piece are worth to others, on the cheapest day of its window; NaN without a window."""
    windows = pairs[pairs["factory_id"] == row.factory_id]
    days = fixed.days[fixed.days["factory_id"] == row.factory_id]
    prices = days["price"][days["day"].between(windows["first_day"].min(), windows["last_day"].max())]
    return float(prices.min() * row.minutes_per_piece) if len(prices) else np.nan


def _headline(instance: Instance, order: Any, places: pd.DataFrame) -> str:
    used = places[places["quantity"] > 0]
    where = "at " + ", ".join(f"{row.factory_id} {row.quantity:,}" for row in rows(used)) if len(used) else "nowhere"
    window = f"from {day(instance.day_1, order['release_day'])} to {day(instance.day_1, order['due_day'])}"
    held = instance.incumbent[instance.incumbent["lot_id"] == order["lot_id"]]
    frozen = int((held["frozen"].to_numpy(bool) & (held["quantity"] > 0)).sum())
    counting = f", {frozen} of them with frozen pieces" if frozen else ""
    most = counted(order["max_factories"], "factory", "factories")
    return f"{counted(order['quantity'], 'piece')}, {window}, at most {most}{counting}: made {where}."


def _places_table(instance: Instance, places: pd.DataFrame) -> list[str]:
    """A row per capable factory: what it makes or could, and what a piece costs there."""
    records = []
    for row in rows(places):
        when = days(instance.day_1, row.first_day, row.last_day) if row.quantity else ""
        barred = isinstance(row.reason, str) and not row.quantity
        could = "" if row.quantity else row.reason if barred else f"free for {row.room_pieces:,}"
        costs = {"a piece costs": row.piece_cost, "making": row.unit_cost, "setup": row.setup_per_piece}
        costs |= {"its minutes": row.minutes_price}
        made = {"factory": row.factory_id, "makes": f"{row.quantity:,}" if row.quantity else "", "when": when}
        records.append(
            made | {name: "" if barred else f"{cost:,.2f}" for name, cost in costs.items()} | {"else": could}
        )
    return [*table(records), "", "Its minutes: what the minutes of a piece are worth to other lots."]


def _unsplit(part: Instance, plan: Plan, lot_id: str) -> tuple[Against | None, Against | None]:
    """The lot at one factory, and no lot of the part at more than one."""
    most = part.orders["max_factories"]
    alone = replace(part, orders=part.orders.assign(max_factories=most.mask(part.orders["lot_id"] == lot_id, 1)))
    nobody = replace(part, orders=part.orders.assign(max_factories=1))
    one, none = (against(part, plan, cheapest(asked, _SECONDS)) for asked in (alone, nobody))
    return one, none


def _where(found: Against, lot_id: str) -> str:
    return (
        ", ".join(f"{p['factory_id']} {p['quantity']:,}" for p in found.allocation if p["lot_id"] == lot_id) or "none"
    )


def _stopped_by(instance: Instance, plan: Plan, lot_id: str, factory_id: str, found: Against | None) -> tuple[str, str]:
    """The rule that keeps a lot out of a factory, in kebab-case and in words."""
    arcs = instance.arcs[(instance.arcs["lot_id"] == lot_id) & (instance.arcs["factory_id"] == factory_id)]
    if arcs.empty:
        return "no-capable-factory", f"{factory_id} is not listed as capable of it"
    alone = reduce(rest.part(instance, replace(plan, schedule=plan.schedule[:0]), [lot_id])).dropped
    for reason in alone["reason"][alone["factory_id"] == factory_id]:
        code = _DROPPED[reason]
        return code, f"{reason} ({_rule_words(code, instance, arcs.iloc[0], lot_id)})"
    if found is None:
        return "frozen-work", "frozen work leaves no room for it there"
    if found.extra_cost < -CENT:
        return "search-stopped", "to use it would be cheaper; the search stopped before it found that"
    beside = rest.part(instance, plan, [lot_id])
    now = sum(rest.cost_of(beside, plan).values())
    for code, lifted in _lifted_at(instance, beside, factory_id).items():
        if cheapest(lifted, _SECONDS, using=(lot_id, factory_id)).total <= now * (1 + MONEY_SHARE) + CENT:
            return code, _rule_words(code, instance, arcs.iloc[0], lot_id)
    return "dearer", "it is dearer, whatever rule were lifted"


def _lifted_at(instance: Instance, beside: Instance, factory_id: str) -> dict[str, Instance]:
    """The lot alone with one rule lifted at one factory."""
    here, its = beside.arcs["factory_id"] == factory_id, instance.capacity["factory_id"] == factory_id
    found = {}
    for code, lift in LIFTS.items():
        lifted = lift(beside)
        found[code] = replace(lifted, arcs=beside.arcs.where(~here, lifted.arcs))
    others = beside.capacity[beside.capacity["factory_id"] != factory_id]
    capacity = pd.concat([others, instance.capacity[its]]).sort_values(["factory_id", "day"], ignore_index=True)
    found["capacity-full"] = replace(beside, capacity=capacity)
    return found


def _rule_words(code: str, instance: Instance, arc: Any, lot_id: str) -> str:
    order, at = _order(instance, lot_id), arc["factory_id"]
    last = min(order["due_day"] - arc["transit_days"] + order["max_late_days"], instance.horizon_days)
    begin, end = day(instance.day_1, arc["release_day"]), day(instance.day_1, last)
    most = counted(order["max_factories"], "factory", "factories")
    return {
        "minimum-lot": f"its minimum lot of {arc['min_lot']:,} pieces, of {order['quantity']:,} there are",
        "maximum-lot": f"{at} takes {arc['max_lot']:,} pieces of it at most",
        "daily-limit": f"{at} can run it {arc['max_minutes_per_day']:,.0f} minutes a day at most",
        "max-factories": f"at most {most} may share it, those with frozen pieces counted, and others are taken",
        "setup-minutes": f"its setup of {arc['setup_minutes']:,.0f} minutes there",
        "capacity-full": f"the days of {at} up to {end} are taken by other lots",
        "window-empty": f"material on {begin}, and it must leave by {end}",
        "no-working-day": f"material on {begin}, and it must leave by {end}",
        "window-too-short": f"{begin} to {end} do not hold {counted(max(1, arc['min_lot']), 'piece')}",
    }[code]


_DROPPED = {
    "window empty": "window-empty",
    "no capacity in the window": "no-working-day",
    "minimum lot above the quantity": "minimum-lot",
    "window too short for a lot": "window-too-short",
    "frozen work is at as many factories as may share it": "max-factories",
}
