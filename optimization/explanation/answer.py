"""Why this plan: answers in plain words with figures about a book, a lot, a factory, or a lot and a factory.

In: an Instance and its Plan. Out: `Explained`. Every cost is against the plan as it stands. Another plan of a lot is
sought among the lots around it with the rest of the plan kept; prices come from the program with the plan's switches
fixed, over all that hangs together with the factories asked for.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from c2m.errors import InputError
from optimization.contract import groups, instances
from optimization.contract.edge import outside_keys
from optimization.contract.instances import Instance, rows
from optimization.contract.plan import Plan, read_plan, unmet_pieces
from optimization.contract.wording import counted, money
from optimization.explanation import factory_days, marginal_prices, splitting, waiting
from optimization.explanation.form import Explained, Names, table
from optimization.explanation.frozen_work import Remedy, remedies
from optimization.explanation.lot import lot, pair, short_or_late
from optimization.explanation.pools import why_together
from optimization.explanation.shortage import Shortage, shortage
from optimization.explanation.stages import why_here
from optimization.planning.daybook import DayCost
from optimization.statement.fixed import Fixed
from optimization.statement.frozen_causes import frozen_causes
from optimization.statement.reduction import reduce
from optimization.unmet import reasons
from optimization.unmet.causes import days_late

_TOP = 8  # days, offers and lots that a page about the whole book names
_SECONDS = 16.0  # for a page about the whole book: a third each for the book without splits, minutes, lots in trouble
_FIX_S = 2.0  # a lot's cheapest fix takes about so long; where less is left, its cause alone is told
_ARCS_PER_SECOND = 500  # of a page; a book with more is not planned without splits, nor solved with its switches fixed
_FEW = 3  # short lots; of more, the page begins with a summary


_NOT_YET = "Lots of one stage that share factories with such lots are not explained yet."


def explain(instance_folder: Path, plan_folder: Path, lot_id: str | None, factory_id: str | None) -> Explained:
    """Why a plan is as it is: the whole book, a lot, a factory, or a lot at a factory.

    Parameters
    ----------
    instance_folder
        Folder of the instance.
    plan_folder
        Folder of its plan.
    lot_id
        The lot that is asked about; None: any.
    factory_id
        The factory that is asked about; with a lot: why it is, or is not, made there.

    Returns
    -------
    Explained
        A title, lines of Markdown, and the same as figures. Costs are money against the plan as it stands.

    Raises
    ------
    InputError
        Where a folder cannot be read, or names no such lot or factory.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from optimization import Instance, solve
    >>> from optimization.contract.instances import write
    >>> order = {"order_id": "A", "quantity": 100, "release_day": 1, "due_day": 2, "max_late_days": 0}
    >>> costs = {"unit_cost": [4.0, 5.0], "setup_cost": 0.0, "setup_minutes": 0.0, "minutes_per_piece": 6.0}
    >>> limits = {"min_lot": 10, "max_lot": 100, "transit_days": 0}
    >>> tables = {
    ...     "orders": pd.DataFrame([order | {"max_factories": 2, "late_cost": 1.0, "unmet_cost": 20.0}]),
    ...     "arcs": pd.DataFrame({"order_id": "A", "factory_id": ["near", "far"], **costs, **limits}),
    ...     "capacity": pd.DataFrame({"factory_id": ["near", "far"], "day": 1, "minutes": [360.0, 600.0]}).assign(
    ...         overtime_minutes=0.0, overtime_cost=0.0
    ...     ),
    ... }
    >>> instance = Instance.from_tables(tables)
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     write(instance, folder / "instance")
    ...     solve(instance).write(folder / "plan")
    ...     found = explain(folder / "instance", folder / "plan", "A", None)
    >>> print(found.title, found.lines[0], sep=": ")
    Lot A: 100 pieces, from day 1 to day 2, at most 2 factories: made at near 60, far 40.
    """
    instance = instances.read(instance_folder)
    found = _answer(instance, _plan_in(plan_folder), lot_id, factory_id)
    return replace(found, figures=outside_keys(found.figures))


def _plan_in(folder: Path) -> Plan:
    try:
        return read_plan(folder)
    except (OSError, ValueError, KeyError) as error:
        raise InputError("plan-unreadable", [f"{folder}: {error}; expected the folder of a plan"]) from None


def _answer(instance: Instance, plan: Plan, lot_id: str | None, factory_id: str | None) -> Explained:
    if plan.report.get("status") == "infeasible":
        instance.refuse_joint("why there is no plan")
        return infeasible(instance)
    if instance.joint:
        return _joint(instance, plan, lot_id, factory_id)
    if lot_id:
        return pair(instance, plan, lot_id, factory_id) if factory_id else lot(instance, plan, lot_id)
    return factory_days.factory(instance, plan, factory_id) if factory_id else book(instance, plan)


def _joint(instance: Instance, plan: Plan, lot_id: str | None, factory_id: str | None) -> Explained:
    """Of a book with stages or pools: what has no part in them as ever, else where each stage is made and why there."""
    parts = groups.apart(instance)
    if parts and (lot_id in set(parts[0].orders["lot_id"]) if lot_id else _works_for(parts[0], factory_id)):
        return _answer(parts[0], groups.plan_of(parts[0], plan), lot_id, factory_id)
    if not lot_id and not factory_id:
        return _joint_book(instance, plan, _SECONDS, None, {})
    named = {name: one for name, one in (("lot_id", lot_id), ("factory_id", factory_id)) if one}
    lots = _lots_with(instance, named)
    short = [_left(one) for one in plan.report["unmet"] if one["order_id"] == lot_id]
    lines = [*why_here(instance, plan, lots=lots), *why_together(instance, plan, lots=lots), *short]
    told = lines or ["The plan makes nothing of it."]
    return Explained(f"Why {' at '.join(named.values())}", told, named)


def _lots_with(instance: Instance, named: Mapping[str, str]) -> "pd.Series[str]":
    """The lots of the arcs that are asked about; raises InputError where there is none of a lot or of a factory."""
    arcs = instance.arcs
    for column, name in named.items():
        if name not in set(instance.arcs[column]):
            seen = "expected a lot or a factory that an arc names"
            raise InputError("nothing-to-explain", [f"{column.removesuffix('_id')} {name}: {seen}"])
        arcs = arcs[arcs[column] == name]
    return arcs["lot_id"]


def _left(short: Mapping[str, Any]) -> str:
    return f"{counted(short['quantity'], 'piece')} of it not made: {short['reason']}."


def _works_for(part: Instance, factory_id: str | None) -> bool:
    return factory_id in set(part.capacity["factory_id"])


def _joint_book(
    instance: Instance, plan: Plan, seconds: float, day: DayCost | None, names: Mapping[str, str]
) -> Explained:
    """Stages and pools first, then all that shares no factory with them."""
    parts = groups.apart(instance)
    lines = [*why_here(instance, plan, names), *why_together(instance, plan, names)]
    if parts is None:
        return Explained("Why this plan", [*lines, _NOT_YET], {})
    whole = groups.apart(day.book) if day else None
    plain_day = replace(day, book=whole[0], plan=groups.plan_of(whole[0], day.plan)) if day and whole else None
    found = book(parts[0], groups.plan_of(parts[0], plan), seconds, plain_day, names)
    return replace(found, lines=[*lines, *found.lines])


def summary(
    instance: Instance,
    plan: Plan,
    seconds: float = 6.0,
    day: DayCost | None = None,
    names: Mapping[str, str] | None = None,
) -> str:
    """The book in Markdown without a title, for the plan's page.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.
    seconds
        Within which counterfactual plans are tried.
    day
        The business day, where several rounds of it are told as one.
    names
        What people call a lot, by lot_id; None: by its id.

    Returns
    -------
    str
        Splits, prices of minutes, overtime, and lots that are short or late with their cheapest cures.
    """
    told = _joint_book if instance.joint else book
    return "\n".join([*told(instance, plan, seconds, day, names or {}).lines, ""])


def book(
    instance: Instance,
    plan: Plan,
    seconds: float = _SECONDS,
    day: DayCost | None = None,
    names: Mapping[str, str] | None = None,
) -> Explained:
    """What the plan costs and why: what is short, splits, the dearest minutes, lots that are short or late.

    With a day, what splitting is worth is told of the day's book: there earlier rounds of the day may be placed anew.
    """
    began, called = time.monotonic(), Names(names or {})
    small = len(instance.arcs) <= _ARCS_PER_SECOND * seconds
    waits = waiting.waiting(instance, plan)
    codes = _codes(instance, plan, began + seconds)
    whole = (day.book, day.plan) if day else (instance, plan)
    splits = splitting.worth(*whole, seconds / 3 if small else 0.0)
    fixed = Fixed(instance, plan) if small else None
    minutes = factory_days.dearest(instance, plan, fixed, waits, _TOP, time.monotonic() + seconds / 3)
    top = marginal_prices.dearest(fixed, _TOP) if fixed else []
    overtime = factory_days.overtime_offers(fixed, top) if fixed else factory_days.no_offers("day")
    lots = factory_days.lot_offers(fixed).head(_TOP) if fixed else factory_days.no_offers("lot_id")
    troubled = _troubled(instance, plan)
    end = max(began + seconds, time.monotonic() + seconds / 4)  # a busy machine leaves time for some lots too
    trouble = list(_in_trouble(instance, plan, troubled, end, called))
    codes |= {found.figures["lot_id"]: found.figures["cause"]["code"] for found in trouble if found.figures["unmet"]}
    short = shortage(instance, plan, codes, waits)
    lines = [
        _headline(instance, plan),
        splits.words,
        *_short_lines(short),
        *_section("Dearest minutes", factory_days.minutes_table(instance, minutes, called)),
        *_section(
            "More overtime, lower minimum lots", _listed(factory_days.offer_words(instance, overtime, lots, called))
        ),
        *_section("Not placed or late", _listed(line for found in trouble for line in _one(found))),
        *_more(len(troubled) - len(trouble)),
    ]
    figures = {
        "short": short and short.figures,
        "split_lots": splits.lots,
        "nothing_split": splits.nothing_split and asdict(splits.nothing_split),
        "minutes": factory_days.records(minutes),
        "overtime": factory_days.records(overtime),
        "minimum_lots": factory_days.records(lots),
        "short_or_late": [found.figures for found in trouble],
        "short_or_late_lots": len(troubled),
    }
    return Explained("Why this plan", lines, figures)


def _codes(instance: Instance, plan: Plan, until: float) -> dict[str, str]:
    """By lot why pieces of it are unmet, as far as is found by then."""
    proven = plan.report.get("status") == "optimal"
    found = reasons.unmet(instance, plan.allocation, plan.schedule, proven, until)
    return {lot["order_id"]: lot["code"] for lot in found}


def _headline(instance: Instance, plan: Plan) -> str:
    currency = f" {instance.currency}" if instance.currency else ""
    cost = money(plan.report["objective"])
    return f"{counted(len(instance.orders), 'lot')}: {_made_words(plan)}, for {cost}{currency}."


def _made_words(plan: Plan) -> str:
    made, factories = plan.allocation["quantity"].sum(), plan.allocation["factory_id"].nunique()
    return f"{counted(made, 'piece')} at {counted(factories, 'factory')}" if made else "nothing is made"


def _short_lines(short: Shortage | None) -> list[str]:
    """What is short: a sentence; where it is much, tables by cause and by factory."""
    if short is None:
        return []
    if short.lots <= _FEW:
        return ["", short.words]
    cures = [_CURES, "", *_cures_table(short)] if len(short.by_factory) else []
    return [
        *_section("What is not placed", [short.words, "", *_causes_table(short)]),
        *_section("Where more minutes would cure most", cures),
    ]


def _causes_table(short: Shortage) -> list[str]:
    return table(
        {"cause": row.cause, "lots": f"{row.lots:,}", "pieces": f"{row.pieces:,}", "costs": money(row.cost)}
        for row in rows(short.by_cause)
    )


def _cures_table(short: Shortage) -> list[str]:
    return table(_cure(row) for row in rows(short.by_factory.head(_TOP)))


def _cure(row: Any) -> dict[str, str]:
    pieces = {"factory": row.factory_id, "lots": f"{row.lots:,}", "pieces": f"{row.pieces:,.0f}"}
    return pieces | {"minutes more": f"{row.minutes:,.0f}", "would save about": money(row.saves)}


_CURES = "Each lot once, at the factory where a minute saves most; other lots stay where they are."


def _more(left: int) -> list[str]:
    if left <= 0:
        return []
    lots = counted(left, "more lot")
    return [f"* {lots} not placed whole or late: `c2m explain INSTANCE PLAN --order LOT` tells each one."]


def infeasible(instance: Instance) -> Explained:
    """Why frozen work does not fit, and what would make it fit."""
    causes, mends = frozen_causes(instance, reduce(instance)), remedies(instance)
    figures = {"status": "infeasible", "causes": causes, "fixes": [asdict(mend) for mend in mends]}
    return Explained("Why there is no plan", _infeasible_lines(causes, mends), figures)


def _infeasible_lines(causes: list[str], mends: list[Remedy]) -> list[str]:
    return [
        "There is no plan: the frozen work alone does not fit.",
        *_section("Why", _listed(causes)),
        *_section("What would help", _listed(f"{mend.words}: costs {money(mend.extra_cost)}" for mend in mends)),
    ]


def _one(found: Explained) -> list[str]:
    return [f"{found.title}, {found.lines[0]}", *found.lines[1:]]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """A heading with lines under it; nothing where there are none."""
    under = list(lines)
    return ["", f"## {title}", "", *under] if under else []


def _listed(words: Iterable[str]) -> list[str]:
    return [line if line.startswith(" ") else f"* {line}" for line in words]


def _troubled(instance: Instance, plan: Plan) -> list[str]:
    """Lots that are short or late, those that cost most first."""
    missing = unmet_pieces(instance, plan.allocation)
    orders = instance.orders.set_index("lot_id")
    late = days_late(instance, plan).reindex(orders.index, fill_value=0)
    cost = missing * orders["unmet_cost"] + late * orders["late_cost"] * orders["quantity"]
    return cost[(missing > 0) | (late > 0)].sort_values(ascending=False, kind="stable").index.tolist()


def _in_trouble(instance: Instance, plan: Plan, troubled: list[str], end: float, called: Names) -> Iterator[Explained]:
    """The first lots of them, as many as the time allows."""
    for lot_id in troubled[:_TOP]:
        left = end - time.monotonic()
        if left <= 0:
            return
        found = short_or_late(instance, plan, lot_id, count=int(left > _FIX_S))
        if found:
            yield replace(found, title=called.lot(lot_id))
