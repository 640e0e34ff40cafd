"""Why a lot is made where it is, what its split costs and saves, why not elsewhere, what keeps it from being whole."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization import rest
from optimization.causes import LIFTS, Want, cause, days_late, room_pieces
from optimization.counterfactual import cheapest
from optimization.explained import CENT, Against, Explained, against
from optimization.fixed import Fixed
from optimization.fixes import Fix, fixes
from optimization.pairs import reduce
from optimization.plan import Plan
from optimization.problem import Instance, rows

_ARCS = 60  # of the lots that are planned anew together; more take many seconds
_SECONDS = 2.0  # of one such plan
_SAME = 1e-6  # relative; costs nearer to each other than this are equal
_FIXES = 3


def lot(instance: Instance, plan: Plan, order_id: str) -> Explained:
    """Where it is made and at what cost a piece, the split against none, and why it is short or late."""
    order = _order(instance, order_id)
    places = _places(instance, plan, order_id)
    part = rest.part(instance, plan, rest.around(instance, plan, order_id, _ARCS))
    single, unsplit = _unsplit(part, plan, order_id) if (places["quantity"] > 0).sum() > 1 else (None, None)
    trouble = short_or_late(instance, plan, order_id)
    lines = [_headline(order, places), "", *_place_lines(places), ""]
    if single:
        lines.append(f"* **Not split**, at its best single factory ({_where(single, order_id)}): {single.words}.")
    if unsplit:
        lines.append(f"* **Nothing split**, of the {len(part.orders)} lots around it: {unsplit.words}.")
    lines += [f"* {trouble.lines[0]}", *trouble.lines[1:]] if trouble else []
    figures = {
        "order_id": order_id,
        "places": places.replace({np.nan: None}).to_dict("records"),
        "single_factory": single and asdict(single),
        "nothing_split": unsplit and {"lots": len(part.orders), **asdict(unsplit)},
        **(trouble.figures if trouble else {}),
    }
    return Explained(f"Lot {order_id}", lines, figures)


def pair(instance: Instance, plan: Plan, order_id: str, factory_id: str) -> Explained:
    """Why not this factory: the cheapest plan that uses it, and the rule that keeps it out."""
    _order(instance, order_id)
    here = (plan.allocation["order_id"] == order_id) & (plan.allocation["factory_id"] == factory_id)
    title = f"Lot {order_id} at {factory_id}"
    if here.any():
        pieces = int(plan.allocation["quantity"][here].iloc[0])
        return Explained(title, [f"It is used: {pieces:,} pieces."], {"rule": "used", "quantity": pieces})
    part = rest.part(instance, plan, rest.around(instance, plan, order_id, _ARCS))
    found = against(part, plan, cheapest(part, _SECONDS, using=(order_id, factory_id)))
    rule, words = _stopped_by(instance, plan, order_id, factory_id, found)
    lines = [f"Not used: {words}."]
    if found:
        pieces = next(
            row["quantity"]
            for row in found.allocation
            if (row["order_id"], row["factory_id"]) == (order_id, factory_id)
        )
        lines.append(
            f"If it had to be used, the best would be {pieces:,} pieces there: the plan would cost {found.words}."
        )
    return Explained(title, lines, {"rule": rule, "words": words, "forced": found and asdict(found)})


def short_or_late(instance: Instance, plan: Plan, order_id: str, count: int = _FIXES) -> Explained | None:
    """The cause of missing pieces, else of lateness, and the cheapest fixes; None where it is whole and on time."""
    want = Want(instance, plan, order_id, on_time=False)
    missing = int(want.order["quantity"]) - want.made
    late = int(days_late(instance, rest.of_lots(plan, [order_id])).sum())
    if not missing and not late:
        return None
    want = replace(want, on_time=not missing)
    found, mends = cause(want), fixes(want)[:count] if count else []
    what = f"{missing:,} of {want.order['quantity']:,} pieces unmet" if missing else f"{late} days late"
    lines = [f"**{what}**: {found.words}.", *(f"  {n}. {_fix_words(fix)}" for n, fix in enumerate(mends, 1))]
    figures = {"unmet": missing, "days_late": late, "cause": asdict(found), "fixes": [asdict(fix) for fix in mends]}
    return Explained(f"Lot {order_id}", lines, {"order_id": order_id, **figures})


def _fix_words(fix: Fix) -> str:
    sign = "costs" if fix.extra_cost >= 0 else "saves"
    return f"{fix.words[:1].upper()}{fix.words[1:]}: {sign} {abs(fix.extra_cost):,.2f}."


def _order(instance: Instance, order_id: str) -> Any:
    found = instance.orders[instance.orders["order_id"] == order_id]
    if found.empty:
        raise InputError(
            "order-unknown", [f"order {order_id!r} is not in the instance; orders.csv lists those that are"]
        )
    return found.iloc[0]


def _places(instance: Instance, plan: Plan, order_id: str) -> pd.DataFrame:
    """A row per capable factory: pieces, days, cost a piece with setup and the price of its minutes, why not."""
    reduced = reduce(rest.part(instance, replace(plan, schedule=plan.schedule[:0]), [order_id]))
    arcs = instance.arcs[instance.arcs["order_id"] == order_id]
    fixed = Fixed(instance, plan, sorted(arcs["factory_id"]))
    order = _order(instance, order_id)
    runs = plan.schedule[plan.schedule["order_id"] == order_id].groupby("factory_id")["day"].agg(["min", "max"])
    made = plan.allocation[plan.allocation["order_id"] == order_id].set_index("factory_id")["quantity"]
    table = arcs[["factory_id", "unit_cost", "setup_cost", "minutes_per_piece", "min_lot"]].merge(
        reduced.dropped[["factory_id", "reason"]], on="factory_id", how="left"
    )
    at = table["factory_id"]
    table["room_pieces"] = room_pieces(rest.part(instance, plan, [order_id])).reindex(at).to_numpy()
    table["quantity"] = made.reindex(at, fill_value=0).to_numpy()
    table["first_day"], table["last_day"] = runs["min"].reindex(at).to_numpy(), runs["max"].reindex(at).to_numpy()
    lots = table["quantity"].where(table["quantity"] > 0, order["quantity"])
    table["setup_per_piece"] = table["setup_cost"] / lots
    table["minutes_price"] = [_minutes_price(fixed, reduced.pairs, row) for row in rows(table)]
    table["piece_cost"] = table["unit_cost"] + table["setup_per_piece"] + table["minutes_price"]
    return table.sort_values(["quantity", "piece_cost"], ascending=[False, True], ignore_index=True)


def _minutes_price(fixed: Fixed, pairs: pd.DataFrame, row: Any) -> float:
    """What the minutes of a piece are worth to others, on the cheapest day of its window; NaN without a window."""
    windows = pairs[pairs["factory_id"] == row.factory_id]
    days = fixed.days[fixed.days["factory_id"] == row.factory_id]
    prices = days["price"][days["day"].between(windows["first_day"].min(), windows["last_day"].max())]
    return float(prices.min() * row.minutes_per_piece) if len(prices) else np.nan


def _headline(order: Any, places: pd.DataFrame) -> str:
    used = places[places["quantity"] > 0]
    where = ", ".join(f"{row.factory_id} {row.quantity:,}" for row in rows(used)) or "nowhere"
    window = f"from day {order['release_day']} to day {order['due_day']}"
    return f"{order['quantity']:,} pieces, {window}, at most {order['max_factories']} factories: made at {where}."


def _place_lines(places: pd.DataFrame) -> list[str]:
    lines = []
    for row in rows(places):
        cost = f"{row.piece_cost:,.2f} a piece ({row.unit_cost:,.2f} making, {row.setup_per_piece:,.2f} setup"
        cost += f", {row.minutes_price:,.2f} its minutes are worth to others)"
        if row.quantity:
            days = f"day {row.first_day:.0f}" + (f" to {row.last_day:.0f}" if row.last_day > row.first_day else "")
            lines.append(f"* **{row.factory_id}** makes {row.quantity:,} pieces, {days}: {cost}")
        elif isinstance(row.reason, str):
            lines.append(f"* {row.factory_id} cannot: {row.reason}")
        else:
            lines.append(f"* {row.factory_id} could, free for {row.room_pieces:,} pieces: {cost}")
    return lines


def _unsplit(part: Instance, plan: Plan, order_id: str) -> tuple[Against | None, Against | None]:
    """The lot at one factory, and no lot of the part at more than one."""
    most = part.orders["max_factories"]
    alone = replace(part, orders=part.orders.assign(max_factories=most.mask(part.orders["order_id"] == order_id, 1)))
    nobody = replace(part, orders=part.orders.assign(max_factories=1))
    one, none = (against(part, plan, cheapest(asked, _SECONDS)) for asked in (alone, nobody))
    return one, none


def _where(found: Against, order_id: str) -> str:
    return (
        ", ".join(f"{p['factory_id']} {p['quantity']:,}" for p in found.allocation if p["order_id"] == order_id)
        or "none"
    )


def _stopped_by(
    instance: Instance, plan: Plan, order_id: str, factory_id: str, found: Against | None
) -> tuple[str, str]:
    """The rule that keeps a lot out of a factory, in kebab-case and in words."""
    arcs = instance.arcs[(instance.arcs["order_id"] == order_id) & (instance.arcs["factory_id"] == factory_id)]
    if arcs.empty:
        return "no-capable-factory", f"{factory_id} is not listed as capable of it"
    alone = reduce(rest.part(instance, replace(plan, schedule=plan.schedule[:0]), [order_id])).dropped
    for reason in alone["reason"][alone["factory_id"] == factory_id]:
        code = _DROPPED[reason]
        return code, f"{reason} ({_rule_words(code, instance, arcs.iloc[0], order_id)})"
    if found is None:
        return "frozen-work", "frozen work leaves no room for it there"
    if found.extra_cost < -CENT:
        return "search-stopped", "to use it would be cheaper; the search stopped before it found that"
    beside = rest.part(instance, plan, [order_id])
    now = sum(rest.cost_of(beside, plan).values())
    for code, lifted in _lifted_at(instance, beside, factory_id).items():
        if cheapest(lifted, _SECONDS, using=(order_id, factory_id)).total <= now * (1 + _SAME) + CENT:
            return code, _rule_words(code, instance, arcs.iloc[0], order_id)
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


def _rule_words(code: str, instance: Instance, arc: Any, order_id: str) -> str:
    order, at = _order(instance, order_id), arc["factory_id"]
    last = min(order["due_day"] - arc["transit_days"] + order["max_late_days"], instance.horizon_days)
    return {
        "minimum-lot": f"its minimum lot of {arc['min_lot']:,} pieces, of {order['quantity']:,} there are",
        "maximum-lot": f"{at} takes {arc['max_lot']:,} pieces of it at most",
        "daily-limit": f"{at} can run it {arc['max_minutes_per_day']:,.0f} minutes a day at most",
        "max-factories": f"at most {order['max_factories']} factories may share it, and others are better",
        "setup-minutes": f"its setup of {arc['setup_minutes']:,.0f} minutes there",
        "capacity-full": f"the days of {at} up to day {last} are taken by other lots",
        "window-empty": f"material on day {arc['release_day']}, and it must leave by day {last}",
        "no-working-day": f"material on day {arc['release_day']}, and it must leave by day {last}",
        "window-too-short": f"days {arc['release_day']} to {last} do not hold {max(1, arc['min_lot']):,} pieces",
    }[code]


_DROPPED = {
    "window empty": "window-empty",
    "no capacity in the window": "no-working-day",
    "minimum lot above the quantity": "minimum-lot",
    "window too short for a lot": "window-too-short",
}
