"""What-if: changes to the day's book in the words of operations, planned beside it, and shown side by side.

A scenario that today's book allows (a factory left out, fewer factories a lot, other minimum lots kept by all) can be
released in place of the plan that waits: it is verified on the book as it is, and is then a plan like any other.
"""

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from prefect import State, flow
from prefect.states import Completed
from pydantic import BaseModel, ConfigDict, Field

from c2m.errors import InputError
from c2m.files import read_json, write_atomically
from c2m.ledger import orders
from c2m.ledger.plans import Standing
from c2m.ledger.store import session
from c2m.markdown import plain, table
from c2m.settings import settings
from c2m.steps import step
from flows import plan_page, reports
from flows.parameters import Now
from optimization.contract import instances
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.contract.wording import counted, money
from optimization.whatif.adoption import broken_rules, on_the_book
from optimization.whatif.comparison import ScenarioLimits, ScenarioResult, what_if

_MOST_DELAYED = 20  # lots of a scenario on the page
_SHOWN = {
    "cost": "cost",
    "extra_cost": "more than the plan",
    "unmet_pieces": "pieces not placed",
    "late_pieces": "pieces late",
    "late_lots": "lots late",
    "split_lots": "lots split",
    "factories": "factories at work",
}


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Dates(_Form):
    first_date: date | None = Field(None, description="Default: the plan's first day")
    last_date: date | None = Field(None, description="Default: the plan's last day")

    def days(self, day_1: date) -> dict[str, int]:
        """As days of the plan."""
        named = {"first_day": self.first_date, "last_day": self.last_date}
        return {name: (day - day_1).days + 1 for name, day in named.items() if day}


class FactoryStops(_Dates):
    """Factories do not work."""

    what: Literal["factories stop"] = "factories stop"
    factories: list[str] = Field(min_length=1)

    def change(self, day_1: date) -> dict[str, Any]:
        """As `optimization.whatif.scenarios` has it."""
        return {"change": "factory_down", "factories": self.factories, **self.days(day_1)}


class OtherHours(_Dates):
    """Factories work more minutes, or fewer."""

    what: Literal["other hours"] = "other hours"
    percent: float = Field(gt=-100, le=900, description="20: a fifth more minutes; -20: a fifth fewer")
    factories: list[str] | None = Field(None, description="Default: all of them")

    def change(self, day_1: date) -> dict[str, Any]:
        """As above."""
        named = {"factories": self.factories} if self.factories else {}
        return {"change": "capacity", "factor": 1 + self.percent / 100, **named, **self.days(day_1)}


class OtherDemand(_Form):
    """Lots are asked for in other quantities."""

    what: Literal["other demand"] = "other demand"
    percent: float = Field(gt=-100, le=900, description="30: three tenths more pieces")
    lots: list[str] | None = Field(None, description="Default: all of them; the plan's page has them")

    def change(self, day_1: date) -> dict[str, Any]:
        """As above."""
        return {"change": "demand", "factor": 1 + self.percent / 100, **({"lots": self.lots} if self.lots else {})}


class NewOrder(_Form):
    """One more order, made where a lot of the plan could be made."""

    what: Literal["new order"] = "new order"
    pieces: int = Field(ge=1)
    due: date
    like: str = Field(description="A lot of the plan with the same style: the plan's page has them")

    def change(self, day_1: date) -> dict[str, Any]:
        """As above."""
        told = {"quantity": self.pieces, "due_day": (self.due - day_1).days + 1, "like": self.like}
        return {"change": "rush_order", "order_id": "NEW-ORDER", **told}


class OtherMinimum(_Form):
    """Factories take other minimum lots."""

    what: Literal["other minimum lot"] = "other minimum lot"
    pieces: int = Field(ge=0)
    factories: list[str] | None = Field(None, description="Default: all of them")

    def change(self, day_1: date) -> dict[str, Any]:
        """As above."""
        named = {"factories": self.factories} if self.factories else {}
        return {"change": "minimum_lot", "pieces": self.pieces, **named}


class FewerFactories(_Form):
    """Lots are shared by fewer factories."""

    what: Literal["fewer factories a lot"] = "fewer factories a lot"
    most: int = Field(1, ge=1, le=50)

    def change(self, day_1: date) -> dict[str, Any]:
        """As above."""
        return {"change": "max_factories", "most": self.most}


Change = Annotated[
    FactoryStops | OtherHours | OtherDemand | NewOrder | OtherMinimum | FewerFactories, Field(discriminator="what")
]


class Scenario(_Form):
    """What would be otherwise."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Letters, digits, - and _")
    changes: list[Change] = Field(min_length=1)


class WhatIf(Now):
    """Which scenarios to plan beside the plan."""

    scenarios: list[Scenario] = Field(min_length=1, max_length=9, description="One to nine: press Add item")
    plan_id: str | None = Field(None, description="Default: the plan that waits, else the newest one")
    time_limit_s: float = Field(60, gt=0, le=3600, description="Seconds for each")
    gap: float = Field(2e-3, ge=0, le=1, description="Relative gap at which each may stop")


@flow(name="what-if", flow_run_name="what-if {parameters.moment}")
def compare(parameters: WhatIf) -> State[None]:
    """Plans each scenario on the book of the plan, and shows all of them side by side."""
    standing = plan_page.standing_of(parameters.plan_id) or plan_page.newest()
    if standing is None:
        return Completed(message="There is no plan yet.")
    folder, base = _folder(standing, parameters), settings().home / standing.folder
    day_1 = instances.read(base / "instance").day_1
    if day_1 is None:
        raise InputError("no-dates", [f"the instance of plan {standing.plan_id} has no date for its day 1"])
    files = [_written(folder, scenario, day_1) for scenario in parameters.scenarios]
    bar = reports.ProgressBar(parameters.time_limit_s, "what-if")
    limits = ScenarioLimits(parameters.time_limit_s, parameters.gap, progress=lambda name, seen: bar(seen))
    with step("what-if"):
        cases = what_if(base / "instance", files, folder, limits=limits)
    write_atomically(_latest(standing), folder.name.encode())
    reports.page("what-if", f"What if: plan of {standing.title}", *side_by_side(standing, cases, day_1))
    return Completed(message=" ".join(f"{case.name}: {in_words(case)}" for case in cases[1:]))


def side_by_side(standing: Standing, cases: list[ScenarioResult], day_1: date) -> list[str]:
    """The figures of each scenario, whether it could be released, and what it delays."""
    rows = [{"figure": words} | {case.name: _figure(case, name) for case in cases} for name, words in _SHOWN.items()]
    rows.append({"figure": "could be released today"} | {c.name: _releasable(standing, c) for c in cases})
    parts = [table(pd.DataFrame(rows).rename(columns={"base": "the plan as it is"}))]
    for case in cases[1:]:
        parts += [f"## {plain(case.name)}", plain(in_words(case)), "", table(delayed(case, day_1))]
    return parts


def in_words(case: ScenarioResult) -> str:
    """What a scenario costs beside the plan, and whom it delays; or why there is no plan."""
    if not case.figures:
        return "The work that is frozen no longer fits: " + "; ".join(case.causes) + "."
    apart = f"{abs(case.extra_cost):,.0f} {'more' if case.extra_cost > 0 else 'less'} than the plan as it is"
    new = f" ({case.new_lots_cost:,.0f} of it for the new order itself)" if case.new_lots_cost else ""
    late = counted(len(case.delayed), "lot arrives", "lots arrive")
    return f"Costs {apart}{new}. {late} later, or in fewer pieces."


def delayed(case: ScenarioResult, day_1: date) -> pd.DataFrame:
    """The lots that arrive later or in fewer pieces, the dearest first, by what people call them."""
    rows = case.delayed[:_MOST_DELAYED]
    with session() as s:
        names = orders.labels(s, sorted({one.order_id for one in rows})).set_index("lot_id")
    known = names.reindex([one.order_id for one in rows])
    return pd.DataFrame(
        {
            "order": known["order"],
            "style": known["style"],
            "colour": known["colour"],
            "due": [_date(one.due_day, day_1) for one in rows],
            "arrives": [_date(one.finish_day, day_1) for one in rows],
            "arrived before": [_date(one.finish_day_before, day_1) for one in rows],
            "pieces not placed": [one.unmet for one in rows],
            "costs more": [round(one.extra_cost) for one in rows],
            "lot": [one.order_id for one in rows],
        }
    )


def names(standing: Standing) -> list[str]:
    """The scenarios of the newest comparison of a plan."""
    folder = _newest(standing)
    return [case["name"] for case in _cases(folder)[1:]] if folder else []


def taken(standing: Standing, name: str) -> tuple[Instance, Plan]:
    """A scenario's plan on the book as it is, and that book.

    Raises
    ------
    InputError
        No such scenario, or the book does not allow it: it needs minutes, orders or minimum lots that are not so.
    """
    folder, base = _newest(standing), settings().home / standing.folder
    if folder is None or name not in names(standing):
        known = ", ".join(names(standing)) or "none: run what-if first"
        raise InputError("unknown-scenario", [f"scenario {name!r} is not of this plan; there are {known}"])
    return instances.read(base / "instance"), on_the_book(base, folder / name, name)


def _releasable(standing: Standing, case: ScenarioResult) -> str:
    folder = _newest(standing)
    if case.name == "base" or folder is None:
        return "yes"
    if not case.figures:
        return "no"
    return "no" if broken_rules(settings().home / standing.folder, folder / case.name) else "yes"


def _figure(case: ScenarioResult, name: str) -> str:
    value = case.extra_cost if name == "extra_cost" else case.figures.get(name)
    return "-" if value is None or not case.figures else money(value) if "cost" in name else f"{value:,.0f}"


def _date(day: int | None, day_1: date) -> str:
    return "" if day is None else f"{pd.Timestamp(day_1) + pd.Timedelta(day - 1, 'D'):%Y-%m-%d}"


def _written(folder: Path, scenario: Scenario, day_1: date) -> Path:
    """A scenario as the file that `c2m what-if` takes."""
    content = {"name": scenario.name, "changes": [change.change(day_1) for change in scenario.changes]}
    file = folder / f"{scenario.name}.yaml"
    write_atomically(file, yaml.safe_dump(content, sort_keys=False).encode())
    return file


def _folder(standing: Standing, parameters: WhatIf) -> Path:
    """Where a comparison lies: the same question has the same folder."""
    digest = hashlib.sha256(parameters.model_dump_json(exclude={"plan_id"}).encode()).hexdigest()[:12]
    return settings().home / standing.folder / "what-if" / digest


def _latest(standing: Standing) -> Path:
    return settings().home / standing.folder / "what-if" / "latest"


def _newest(standing: Standing) -> Path | None:
    latest = _latest(standing)
    return latest.parent / latest.read_text(encoding="utf-8") if latest.exists() else None


def _cases(folder: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = read_json(folder / "comparison.json")
    return cases
