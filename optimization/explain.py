"""Why this plan: answers in plain words with figures about a book, a lot, a factory, or a lot and a factory.

In: an Instance and its Plan. Out: `Explained`. Every cost is against the plan as it stands. Another plan of a lot is
sought among the lots around it with the rest of the plan kept; prices come from the program with the plan's switches
fixed, over all that hangs together with the factories asked for.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from c2m.errors import InputError
from optimization import explain_factory as days
from optimization import marginal, problem
from optimization.causes import days_late
from optimization.daybook import Day
from optimization.explain_lot import lot, pair, short_or_late
from optimization.explained import Against, Explained
from optimization.fixed import Fixed
from optimization.frozen import remedies
from optimization.pairs import reduce
from optimization.plan import Plan, read_plan, unmet_pieces
from optimization.problem import Instance
from optimization.reasons import frozen_causes
from optimization.solve import solve

_TOP = 8  # days, offers and lots that a page about the whole book names
_SECONDS = 16.0  # for a page about the whole book; half for the book without splits, half for lots in trouble
_FIX_S = 2.0  # a lot's cheapest fix takes about so long; where less is left, its cause alone is told
_ARCS_PER_SECOND = 500  # of a page; a book with more is not planned without splits


def explain(instance_folder: Path, plan_folder: Path, order_id: str | None, factory_id: str | None) -> Explained:
    """The answer about folders: a lot, a factory, why a lot is not at a factory, or the book."""
    instance = problem.read(instance_folder)
    try:
        plan = read_plan(plan_folder)
    except (OSError, ValueError, KeyError) as error:
        raise InputError("plan-unreadable", [f"{plan_folder}: {error}; expected the folder of a plan"]) from None
    if plan.report.get("status") == "infeasible":
        return infeasible(instance)
    if order_id and factory_id:
        return pair(instance, plan, order_id, factory_id)
    if order_id:
        return lot(instance, plan, order_id)
    return days.factory(instance, plan, factory_id) if factory_id else book(instance, plan)


def summary(instance: Instance, plan: Plan, seconds: float = 6.0, day: Day | None = None) -> str:
    """The book in Markdown without a title, for the plan's page."""
    return "\n".join([*book(instance, plan, seconds, day).lines, ""])


def book(instance: Instance, plan: Plan, seconds: float = _SECONDS, day: Day | None = None) -> Explained:
    """What the plan costs and why: splits, the dearest minutes, lower lots, lots that are short or late.

    With a day, what splitting is worth is told of the day's book: there earlier rounds of the day may be placed anew.
    """
    places = plan.allocation.groupby("order_id").size()
    fixed = Fixed(instance, plan)
    top = marginal.dearest(fixed, None, _TOP)
    minutes, overtime = days.day_prices(fixed, top).query("more > 0 or less > 0"), days.overtime_offers(fixed, top)
    lots = days.lot_offers(fixed).head(_TOP)
    trouble = list(_in_trouble(instance, plan, time.monotonic() + seconds / 2))
    whole = (day.book, day.plan) if day else (instance, plan)
    single = _nothing_split(*whole, seconds / 2) if len(instance.arcs) <= _ARCS_PER_SECOND * seconds else None
    lines = [
        f"{len(instance.orders):,} lots, {plan.allocation['quantity'].sum():,} pieces at "
        f"{plan.allocation['factory_id'].nunique():,} factories for {plan.report['objective']:,.2f}; "
        f"{(places > 1).sum():,} lots are split, over {places.max() if len(places) else 0} factories at most.",
        *([f"If no lot were split it would cost {single.words}."] if single else []),
        *_section("Dearest minutes", days.minute_words(minutes)),
        *_section("More overtime, lower minimum lots", days.offer_words(overtime, lots)),
        *_section("Short or late", (line for found in trouble for line in _one(found))),
    ]
    figures = {
        "split_lots": int((places > 1).sum()),
        "nothing_split": single and asdict(single),
        "minutes": days.records(minutes),
        "overtime": days.records(overtime),
        "minimum_lots": days.records(lots),
        "short_or_late": [found.figures for found in trouble],
    }
    return Explained("Why this plan", lines, figures)


def infeasible(instance: Instance) -> Explained:
    """Why frozen work does not fit, and what would make it fit."""
    causes, mends = frozen_causes(instance, reduce(instance)), remedies(instance)
    lines = [
        "There is no plan: the frozen work alone does not fit.",
        *_section("Why", iter(causes)),
        *_section("What would help", (f"{mend.words}: costs {mend.extra_cost:,.2f}" for mend in mends)),
    ]
    figures = {"status": "infeasible", "causes": causes, "fixes": [asdict(mend) for mend in mends]}
    return Explained("Why there is no plan", lines, figures)


def _one(found: Explained) -> list[str]:
    return [f"{found.title}, {found.lines[0]}", *found.lines[1:]]


def _section(title: str, words: Iterable[str]) -> list[str]:
    """A heading with a list under it; nothing where the list is empty."""
    items = [line if line.startswith(" ") else f"* {line}" for line in words]
    return ["", f"## {title}", "", *items] if items else []


def _nothing_split(instance: Instance, plan: Plan, seconds: float) -> Against:
    """The book with every lot at one factory, as good as the time allows."""
    single = replace(instance, orders=instance.orders.assign(max_factories=1))
    other = solve(single, time_limit_s=seconds)
    by_part = {name: cost - plan.report["cost"][name] for name, cost in other.report["cost"].items()}
    now = plan.report["objective"]
    return Against(other.report["objective"] - now, other.report["bound"] - now, by_part, [])


def _in_trouble(instance: Instance, plan: Plan, end: float) -> Iterator[Explained]:
    """Lots that are short or late, those that cost most first, as many as the time allows."""
    missing = unmet_pieces(instance, plan.allocation)
    orders = instance.orders.set_index("order_id")
    late = days_late(instance, plan).reindex(orders.index, fill_value=0)
    cost = missing * orders["unmet_cost"] + late * orders["late_cost"] * orders["quantity"]
    for order_id in cost[(missing > 0) | (late > 0)].sort_values(ascending=False, kind="stable").index[:_TOP]:
        left = end - time.monotonic()
        if left <= 0:
            return
        found = short_or_late(instance, plan, str(order_id), count=int(left > _FIX_S))
        if found:
            yield found
