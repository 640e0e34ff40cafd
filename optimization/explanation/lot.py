"""Why a lot is made where it is, what its split costs and saves, why not elsewhere, what keeps it from being whole."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization.contract.instances import Instance, records, rows
from optimization.contract.plan import DAY, Plan
from optimization.contract.tolerances import MONEY_SHARE
from optimization.contract.wording import counted, day, days, money
from optimization.explanation.cures import Fix, fixes
from optimization.explanation.factory_days import fixed_around
from optimization.explanation.form import CENT, Against, Explained, against, table
from optimization.statement.fixed import Fixed
from optimization.statement.reduction import reduce
from optimization.unmet import rest
from optimization.unmet.causes import LIFTS, Cause, Want, cause, days_late, room_pieces
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
    lines += _unsplit_lines(part, lot_id, single, unsplit)
    lines += [f"* {trouble.lines[0]}", *trouble.lines[1:]] if trouble else []
    figures = {
        "lot_id": lot_id,
        "places": records(places.replace({np.nan: None})),
        "single_factory": single and asdict(single),
        "nothing_split": unsplit and {"lots": len(part.orders), **asdict(unsplit)},
        **(trouble.figures if trouble else {}),
    }
    return Explained(f"Lot {lot_id}", lines, figures)


def _unsplit_lines(part: Instance, lot_id: str, single: Against | None, unsplit: Against | None) -> Iterator[str]:
    if single:
        yield f"* **Not split**, at its best single factory ({_where(single, lot_id)}): {single.words}."
    if unsplit:
        yield f"* **Nothing split**, of the {len(part.orders)} lots around it: {unsplit.words}."


def pair(instance: Instance, plan: Plan, lot_id: str, factory_id: str) -> Explained:
    """Why not this factory: the cheapest plan that uses it, and the rule that keeps it out."""
    _order(instance, lot_id)
    title, made = f"Lot {lot_id} at {factory_id}", _pieces_at(records(plan.allocation), lot_id, factory_id)
    if made:
        return Explained(title, [f"It is used: {made:,} pieces."], {"rule": "used", "quantity": made})
    part = rest.part(instance, plan, rest.around(instance, plan, lot_id, _ARCS))
    found = against(part, plan, cheapest(part, _SECONDS, using=(lot_id, factory_id)))
    rule, words = _stopped_by(instance, plan, lot_id, factory_id, found)
    lines = [f"Not used: {words}."]
    if found:
        best = f"the best would be {_pieces_at(found.allocation, lot_id, factory_id):,} pieces there"
        lines.append(f"If it had to be used, {best}: the plan would cost {found.words}.")
    return Explained(title, lines, {"rule": rule, "words": words, "forced": found and asdict(found)})


def _pieces_at(allocation: list[dict[str, Any]], lot_id: str, factory_id: str) -> int:
    its = (row["quantity"] for row in allocation if (row["lot_id"], row["factory_id"]) == (lot_id, factory_id))
    return next(its, 0)


def short_or_late(instance: Instance, plan: Plan, lot_id: str, count: int = _FIXES) -> Explained | None:
    """The cause of missing pieces, else of lateness, and the cheapest fixes; None where it is whole and on time."""
    want = Want(instance, plan, lot_id, on_time=False)
    missing = int(want.order["quantity"]) - want.made
    late = int(days_late(instance, rest.of_lots(plan, [lot_id])).sum())
    if not missing and not late:
        return None
    want = replace(want, on_time=not missing)
    found, mends = _as_reported(plan, lot_id, cause(want)), fixes(want)[:count] if count else []
    lines = [f"**{_trouble_words(want.order, missing, late)}**: {found.words}.", *_fix_lines(mends)]
    shown = [asdict(fix) | {"pays": _pays(fix)} for fix in mends]
    figures = {"unmet": missing, "days_late": late, "cause": asdict(found), "fixes": shown}
    return Explained(f"Lot {lot_id}", lines, {"lot_id": lot_id, **figures})


def _as_reported(plan: Plan, lot_id: str, found: Cause) -> Cause:
    """The cause that the plan's report tells, so that one lot has one reason; with figures, where these are alike."""
    told = [row for row in plan.report.get("unmet", []) if row["order_id"] == lot_id and row.get("code")]
    return Cause(told[0]["code"], told[0]["reason"]) if told and told[0]["code"] != found.code else found


def _trouble_words(order: Any, missing: int, late: int) -> str:
    if missing:
        return f"{missing:,} of {counted(order['quantity'], 'piece')} not placed"
    return f"{counted(late, 'day')} late"


def _fix_lines(mends: list[Fix]) -> list[str]:
    """The fixes that pay; where none does, the cheapest and by how much it costs more than it mends."""
    paying = [fix for fix in mends if _pays(fix)]
    if mends and not paying:
        return [f"  {_dear_words(mends[0])}"]
    return [f"  {n}. {fix.words[:1].upper()}{fix.words[1:]}: {_saved(fix)}." for n, fix in enumerate(paying, 1)]


def _dear_words(least: Fix) -> str:
    if least.at_least <= CENT:  # the search for what it costs was not closed
        return "Nothing was found in the time that mends it and pays."
    costs = f"{least.words}; {money(least.at_least)} more than it brings"
    return f"Nothing found mends it and pays. The cheapest: {costs}."


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
    found = arcs[["factory_id", "unit_cost", "setup_cost", "minutes_per_piece", "min_lot"]].merge(
        reduced.dropped[["factory_id", "reason"]], on="factory_id", how="left"
    )
    room = room_pieces(rest.part(instance, plan, [lot_id])).reindex(found["factory_id"])
    found = _with_work(found.assign(room_pieces=room.to_numpy()), rest.of_lots(plan, [lot_id]))
    lots = found["quantity"].where(found["quantity"] > 0, _order(instance, lot_id)["quantity"])
    found["setup_per_piece"] = found["setup_cost"] / lots
    found["minutes_price"] = [_minutes_price(fixed, reduced.pairs, row) for row in rows(found)]
    found["piece_cost"] = found["unit_cost"] + found["setup_per_piece"] + found["minutes_price"]
    return found.sort_values(["quantity", "piece_cost"], ascending=[False, True], ignore_index=True)


def _with_work(places: pd.DataFrame, its: Plan) -> pd.DataFrame:
    """The factories with what a lot's plan makes there, and on which days: quantity, first_day, last_day."""
    at = places["factory_id"]
    made = its.allocation.set_index("factory_id")["quantity"].reindex(at, fill_value=0)
    days = its.schedule.groupby("factory_id")["day"].agg(["min", "max"]).reindex(at)
    return places.assign(quantity=made.to_numpy(), first_day=days["min"].to_numpy(), last_day=days["max"].to_numpy())


def _minutes_price(fixed: Fixed, pairs: pd.DataFrame, row: Any) -> float:
    """What the minutes of a piece are worth to others, on the cheapest day of its window; NaN without a window."""
    windows = pairs[pairs["factory_id"] == row.factory_id]
    days = fixed.days[fixed.days["factory_id"] == row.factory_id]
    prices = days["price"][days["day"].between(windows["first_day"].min(), windows["last_day"].max())]
    return float(prices.min() * row.minutes_per_piece) if len(prices) else np.nan


def _headline(instance: Instance, order: Any, places: pd.DataFrame) -> str:
    pieces = counted(order["quantity"], "piece")
    return f"{pieces}, {_window_words(instance, order)}, {_sharing_words(instance, order)}: made {_where_made(places)}."


def _where_made(places: pd.DataFrame) -> str:
    used = places[places["quantity"] > 0]
    return "at " + ", ".join(f"{row.factory_id} {row.quantity:,}" for row in rows(used)) if len(used) else "nowhere"


def _window_words(instance: Instance, order: Any) -> str:
    return f"from {day(instance.day_1, order['release_day'])} to {day(instance.day_1, order['due_day'])}"


def _sharing_words(instance: Instance, order: Any) -> str:
    """At how many factories it may be made, and how many of these have frozen pieces of it."""
    held = instance.frozen[instance.frozen["lot_id"] == order["lot_id"]]
    frozen = (held["quantity"] > 0).sum()
    most = f"at most {counted(order['max_factories'], 'factory')}"
    return f"{most}, {frozen} of them with frozen pieces" if frozen else most


def _places_table(instance: Instance, places: pd.DataFrame) -> list[str]:
    """A row per capable factory: what it makes or could, and what a piece costs there."""
    shown = [_place(instance, row) for row in rows(places)]
    return [*table(shown), "", "Its minutes: what the minutes of a piece are worth to other lots."]


def _place(instance: Instance, row: Any) -> dict[str, str]:
    barred = isinstance(row.reason, str) and not row.quantity
    could = row.reason if barred else f"free for {row.room_pieces:,}"
    costs = {"a piece costs": row.piece_cost, "making": row.unit_cost, "setup": row.setup_per_piece}
    costs |= {"its minutes": row.minutes_price}
    return {
        "factory": row.factory_id,
        "makes": f"{row.quantity:,}" if row.quantity else "",
        "when": days(instance.day_1, row.first_day, row.last_day) if row.quantity else "",
        **{name: "" if barred else f"{cost:,.2f}" for name, cost in costs.items()},
        "else": "" if row.quantity else could,
    }


def _unsplit(part: Instance, plan: Plan, lot_id: str) -> tuple[Against | None, Against | None]:
    """The lot at one factory, and no lot of the part at more than one."""
    most = part.orders["max_factories"]
    return (
        _with_factories(part, plan, most.mask(part.orders["lot_id"] == lot_id, 1)),
        _with_factories(part, plan, 1),
    )


def _with_factories(part: Instance, plan: Plan, most: Any) -> Against | None:
    """The cheapest plan with at most so many factories a lot."""
    asked = replace(part, orders=part.orders.assign(max_factories=most))
    return against(part, plan, cheapest(asked, _SECONDS))


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
    rule = _rule_in_the_way(instance, plan, lot_id, factory_id)
    return (rule, _rule_words(rule, instance, arcs.iloc[0], lot_id)) if rule else _DEARER


_DEARER = "dearer", "it is dearer, whatever rule were lifted"


def _rule_in_the_way(instance: Instance, plan: Plan, lot_id: str, factory_id: str) -> str | None:
    """The first rule without which it would cost no more to use the factory."""
    beside = rest.part(instance, plan, [lot_id])
    most = sum(rest.cost_of(beside, plan).values()) * (1 + MONEY_SHARE) + CENT
    lifted = _lifted_at(instance, beside, factory_id).items()
    pays = (code for code, part in lifted if cheapest(part, _SECONDS, using=(lot_id, factory_id)).total <= most)
    return next(pays, None)


def _lifted_at(instance: Instance, beside: Instance, factory_id: str) -> dict[str, Instance]:
    """The lot alone with one rule lifted at one factory."""
    elsewhere = beside.arcs["factory_id"] != factory_id
    lifted = {code: lift(beside) for code, lift in LIFTS.items()}
    found = {code: replace(part, arcs=beside.arcs.where(elsewhere, part.arcs)) for code, part in lifted.items()}
    return found | {"capacity-full": replace(beside, capacity=_whole_capacity_at(instance, beside, factory_id))}


def _whole_capacity_at(instance: Instance, beside: Instance, factory_id: str) -> pd.DataFrame:
    """What is left of the capacity, at one factory all of it."""
    others = beside.capacity[beside.capacity["factory_id"] != factory_id]
    whole = instance.capacity[instance.capacity["factory_id"] == factory_id]
    return pd.concat([others, whole]).sort_values(DAY, ignore_index=True)


def _rule_words(code: str, instance: Instance, arc: Any, lot_id: str) -> str:
    order, at = _order(instance, lot_id), arc["factory_id"]
    last = min(order["due_day"] - arc["transit_days"] + order["max_late_days"], instance.horizon_days)
    begin, end = day(instance.day_1, arc["release_day"]), day(instance.day_1, last)
    most = counted(order["max_factories"], "factory")
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
