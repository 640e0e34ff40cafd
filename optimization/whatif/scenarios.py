"""A scenario: what would be otherwise. A YAML file of changes, made to an instance one after the other.

name: two-days-off          # names its folder and its column; default: the file's name
changes:
  - {change: factory_down, factories: [F3], first_day: 4, last_day: 5}
  - {change: capacity, factor: 1.2, factories: [F1, F2]}
  - {change: demand, lots: [L7], factor: 1.5}            # or pieces: 200, to be added
  - {change: rush_order, order_id: RUSH, quantity: 300, due_day: 5, like: L7}   # or arcs: [...]
  - {change: minimum_lot, factor: 0.5, factories: [F1]}  # or pieces: 50
  - {change: max_factories, most: 1}

No `factories`, `lots`, `first_day` or `last_day` means all of them. Every fault of every file is raised at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from c2m.errors import InputError
from optimization.contract.edits import Addition, Edit, edited
from optimization.contract.instances import LARGEST, Instance
from optimization.contract.staging import JOINT

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Names = Annotated[list[Name], Field(min_length=1)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]
Pieces = Annotated[int, Field(ge=0)]
_TABLES = ("orders", "arcs", "capacity", "factories", "incumbent", *JOINT)
BASE = "base"  # name of the instance as it is, among the scenarios


class _Change(BaseModel, ABC):
    """Some change to an instance. `lots` and `factories` that it names must be there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def named_lots(self) -> list[str]:
        """Lots that the instance must have."""
        return getattr(self, "lots", None) or []

    def named_factories(self) -> list[str]:
        """Factories that the instance must have."""
        return getattr(self, "factories", None) or []

    def named_rows(self) -> dict[str, Any]:
        """Key of the rows that it is about, in a table of lots, of factories or of pairs."""
        named = {"lot_id": self.named_lots(), "factory_id": self.named_factories()}
        return {column: names for column, names in named.items() if names}

    @abstractmethod
    def edits(self, instance: Instance) -> Iterator[Edit | Addition]:
        """What it changes in the instance."""


class _Days(_Change):
    first_day: int = Field(1, ge=1)
    last_day: int | None = Field(None, ge=1)

    def times(self, instance: Instance, factor: float) -> Iterator[Edit]:
        """The minutes of those days times the factor."""
        days = list(range(self.first_day, (self.last_day or instance.horizon_days) + 1))
        minutes = {column: instance.capacity[column] * factor for column in ("minutes", "overtime_minutes")}
        yield Edit("capacity", {**self.named_rows(), "day": days}, minutes)


class FactoryDown(_Days):
    """Factories that do not work on some days."""

    change: Literal["factory_down"]
    factories: Names

    def edits(self, instance: Instance) -> Iterator[Edit]:
        """No minute on those days, overtime included."""
        return self.times(instance, 0.0)


class Capacity(_Days):
    """More minutes, or fewer: regular ones and overtime, times a factor."""

    change: Literal["capacity"]
    factor: float = Field(ge=0, le=1000)
    factories: Names | None = None

    def edits(self, instance: Instance) -> Iterator[Edit]:
        """The minutes of those days times the factor."""
        return self.times(instance, self.factor)


class _FactorOrPieces(_Change):
    factor: float | None = Field(None, ge=0, le=1000)
    pieces: Pieces | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "_FactorOrPieces":
        if (self.factor is None) == (self.pieces is None):
            raise ValueError("expected either factor or pieces")
        return self


class DemandChange(_FactorOrPieces):
    """More of some lots: their quantity times a factor (rounded up), or so many pieces more."""

    change: Literal["demand"]
    lots: Names | None = None

    def edits(self, instance: Instance) -> Iterator[Edit]:
        """The new quantities, and arcs that take them."""
        asked, arcs = instance.orders.set_index("lot_id")["quantity"], instance.arcs
        wanted = asked + (self.pieces or 0) if self.factor is None else np.ceil(asked * self.factor).clip(lower=1)
        wanted = wanted.astype("int64")
        before, after = (arcs["lot_id"].map(quantity) for quantity in (asked, wanted))
        yield Edit("orders", self.named_rows(), {"quantity": wanted.set_axis(instance.orders.index)})
        yield Edit("arcs", self.named_rows(), {"max_lot": _whole_lot(arcs["max_lot"], before, after)})


class Arc(BaseModel):
    """A factory that could make the rush order; units as in the instance's arcs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factory_id: Name
    unit_cost: Amount
    minutes_per_piece: float = Field(gt=0, le=LARGEST)
    setup_cost: Amount = 0
    setup_minutes: Amount = 0
    min_lot: Pieces = 0
    max_lot: Pieces | None = Field(None, description="Default: the whole order")
    transit_days: int = Field(0, ge=0)
    release_day: int | None = None
    max_minutes_per_day: Amount | None = None


_ELSE_AS_LIKE = ("arcs", "max_late_days", "max_factories", "late_cost", "unmet_cost")


class RushOrder(_Change):
    """A new lot. What it does not say, its factories included, is as for the lot that it is `like`."""

    change: Literal["rush_order"]
    order_id: Name
    quantity: int = Field(ge=1)
    due_day: int
    release_day: int = 1
    like: Name | None = None
    arcs: list[Arc] | None = Field(None, min_length=1)
    max_late_days: int | None = Field(None, ge=0)
    max_factories: int | None = Field(None, ge=1)
    late_cost: Amount | None = None
    unmet_cost: Amount | None = None
    priority: int = 1

    @model_validator(mode="after")
    def _complete(self) -> "RushOrder":
        if self.like is None and (missing := [name for name in _ELSE_AS_LIKE if getattr(self, name) is None]):
            raise ValueError(f"expected `like: LOT`, or else {', '.join(missing)} too")
        return self

    def named_lots(self) -> list[str]:
        """The lot that it is like."""
        return [self.like] if self.like else []

    def named_factories(self) -> list[str]:
        """Those of its own arcs."""
        return [arc.factory_id for arc in self.arcs or []]

    def edits(self, instance: Instance) -> Iterator[Addition]:
        """The lot and its arcs."""
        said = self.model_dump(include=set(instance.orders.columns), exclude_none=True)
        like = instance.orders[instance.orders["lot_id"] == self.like].to_dict("records")
        yield Addition("orders", pd.DataFrame([dict(*like) | said | {"lot_id": self.order_id}]))
        yield Addition("arcs", self._arcs(instance))
        stages = instance.stages[instance.stages["lot_id"] == self.like]
        yield Addition("stages", stages.assign(lot_id=self.order_id))

    def _arcs(self, instance: Instance) -> pd.DataFrame:
        if self.arcs:
            arcs = pd.DataFrame([arc.model_dump() for arc in self.arcs])
            arcs["max_lot"] = arcs["max_lot"].fillna(self.quantity).astype("int64")
            arcs["max_minutes_per_day"] = arcs["max_minutes_per_day"].astype("float64").fillna(np.inf)
            arcs["release_day"] = arcs["release_day"].fillna(self.release_day).astype("int64")
        else:
            arcs = instance.arcs[instance.arcs["lot_id"] == self.like]
            before = instance.orders["quantity"][instance.orders["lot_id"] == self.like].item()
            arcs = arcs.assign(release_day=self.release_day)
            arcs["max_lot"] = _whole_lot(arcs["max_lot"], before, self.quantity)
        return arcs.assign(lot_id=self.order_id, stage=arcs.get("stage", 1))


class MinimumLot(_FactorOrPieces):
    """Another minimum lot: times a factor (rounded up), or so many pieces; never above max_lot."""

    change: Literal["minimum_lot"]
    factories: Names | None = None
    lots: Names | None = None

    def edits(self, instance: Instance) -> Iterator[Edit]:
        """The arcs' new min_lot."""
        arcs = instance.arcs
        least = np.ceil(arcs["min_lot"] * (self.factor or 0)) if self.pieces is None else float(self.pieces)
        yield Edit("arcs", self.named_rows(), {"min_lot": np.minimum(least, arcs["max_lot"]).astype("int64")})


class MaxFactories(_Change):
    """How many factories may share a lot."""

    change: Literal["max_factories"]
    most: int = Field(ge=1)
    lots: Names | None = None

    def edits(self, instance: Instance) -> Iterator[Edit]:
        """The lots' new max_factories."""
        yield Edit("orders", self.named_rows(), {"max_factories": self.most})


Change = Annotated[
    FactoryDown | Capacity | DemandChange | RushOrder | MinimumLot | MaxFactories, Field(discriminator="change")
]


class Scenario(BaseModel):
    """A named list of changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    changes: list[Change] = Field(min_length=1)

    def made_to(self, instance: Instance) -> Instance:
        """The changed instance; raises every fault at once."""
        faults: list[str] = []
        for number, change in enumerate(self.changes, start=1):
            found = [f"{self.name}, change {number}: {fault}" for fault in _strangers(change, instance)]
            instance = instance if found else edited(instance, change.edits(instance))
            faults += found
        if faults:
            raise InputError("scenario-invalid", faults)
        return _checked(self.name, instance)


def read(files: Iterable[Path]) -> list[Scenario]:
    """The scenarios of some files; raises every fault of all of them at once."""
    scenarios: list[Scenario] = []
    faults: list[str] = []
    for file in files:
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            named = {"name": file.stem, **content} if isinstance(content, dict) else content
            scenarios.append(Scenario.model_validate(named))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(f"{file}: cannot be read ({' '.join(str(error).split())}); expected YAML")
        except ValidationError as error:
            faults += [f"{file}: {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
    names = [BASE, *(scenario.name for scenario in scenarios)]
    faults += [f"{name}: names two scenarios; give each a name of its own" for name in sorted(_twice(names))]
    if faults:
        raise InputError("scenario-invalid", faults)
    return scenarios


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _strangers(change: _Change, instance: Instance) -> Iterator[str]:
    """What a change names and the instance does not have, days included; or what it adds and is there already."""
    lots = set(instance.orders["lot_id"])
    yield from (f"lot {lot} is not in the instance" for lot in change.named_lots() if lot not in lots)
    yield from _strange_factories(change, instance)
    if isinstance(change, RushOrder) and change.order_id in lots:
        yield f"lot {change.order_id} is in the instance already; give the rush order a name of its own"
    if isinstance(change, _Days):
        yield from _strange_days(change, instance.horizon_days)


def _strange_factories(change: _Change, instance: Instance) -> Iterator[str]:
    known = set(instance.capacity["factory_id"]) | set(instance.factories["factory_id"])
    yield from (f"factory {f} is not in the instance" for f in change.named_factories() if f not in known)


def _strange_days(change: _Days, horizon_days: int) -> Iterator[str]:
    last_day = change.last_day or horizon_days
    if not change.first_day <= last_day <= horizon_days:
        yield f"days {change.first_day} to {last_day}; expected days in order within 1 to {horizon_days}"


def _whole_lot(max_lot: "pd.Series[int]", before: Any, after: Any) -> "pd.Series[int]":
    """max_lot of a lot whose quantity changes: a factory that might make the whole lot still may."""
    return max_lot.mask(max_lot >= before, np.maximum(max_lot, after))


def _checked(name: str, instance: Instance) -> Instance:
    """The instance through the contract's checks, which sort it too."""
    tables = {table: getattr(instance, table) for table in _TABLES}
    for optional in ("factories", *JOINT):  # listed, that of factories would have to name each without a capacity row
        if tables[optional].empty:
            del tables[optional]
    try:
        return Instance.from_tables(tables, instance.horizon_days, instance.day_1, instance.currency)
    except InputError as error:
        raise InputError(error.reason, [f"{name}: {fault}" for fault in error.faults]) from None
