"""A scenario's plan adopted for the instance as it is: whether its rules allow that, what it costs there.

In: folders with `instance` and `plan`, of the running book and of the scenario. Out: a plan of the running book.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from c2m.errors import InputError
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan, cost_parts, read_plan, unmet_pieces
from optimization.contract.wording import counted
from optimization.verification.verifier import verify

_CLAIMS = {"objective", "bound", "gap", "status", "unmet-claim"}  # rules of the verifier about report.json


def on_the_book(base: Path, scenario: Path, name: str) -> Plan:
    """The scenario's plan as one of the book: its cost there, the book's bound.

    Parameters
    ----------
    base
        Folder of the book: its instance and its plan.
    scenario
        Folder of the scenario.
    name
        What people call it.

    Returns
    -------
    Plan
        Its `stopped_by` is `scenario`; the prices that confirm the bound are the book's.

    Raises
    ------
    InputError
        The book does not allow it.
    """
    if broken := broken_rules(base, scenario):
        words = "; ".join(broken)
        raise InputError("scenario-not-of-this-book", [f"{name} cannot be released: on the book as it is {words}"])
    instance, before, made = instances.read(base / "instance"), read_plan(base / "plan"), read_plan(scenario / "plan")
    cost = cost_parts(instance, made.allocation, made.schedule, made.moves)
    objective, bound = sum(cost.values()), min(before.report["bound"], sum(cost.values()))
    report = before.report | {
        "status": "feasible",
        "objective": objective,
        "bound": bound,
        "gap": (objective - bound) / abs(objective) if objective else 0.0,
        "cost": cost,
        "unmet": _unmet(instance, made),
        "stopped_by": "scenario",
        "engine": before.report["engine"] | {"scenario": name},
    }
    return replace(made, report=report, prices=before.prices)


def broken_rules(base: Path, scenario: Path) -> list[str]:
    """The rules of the book that a scenario's plan breaks. Its claims of cost are those of its own instance.

    Parameters
    ----------
    base
        Folder of the book.
    scenario
        Folder of the scenario.

    Returns
    -------
    list of str
        In words; none: the book allows it.
    """
    try:
        found = verify(base / "instance", scenario / "plan").broken
    except InputError as error:  # it speaks of a lot that is not there
        return error.faults
    rules = [one for one in found if one.rule not in _CLAIMS and not one.rule.startswith("cost-")]
    return [f"{one.rule} is broken by {counted(one.count, 'row')}" for one in rules]


def _unmet(instance: Instance, made: Plan) -> list[dict[str, Any]]:
    """What the plan leaves of the book as it is, with the reasons that it had."""
    reasons = {one["order_id"]: one for one in made.report["unmet"]}
    other = {"code": "scenario", "reason": "the scenario asked for fewer pieces"}
    left = unmet_pieces(instance, made.allocation)
    return [
        {**other, **reasons.get(lot_id, {}), "order_id": lot_id, "quantity": int(pieces)}
        for lot_id, pieces in left[left > 0].items()
    ]
