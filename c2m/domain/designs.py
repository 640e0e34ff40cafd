"""A design: what may become a style, as its feed row tells it. Minutes are standard ones, quantities are for one piece.

>>> steps = [{"operation": "sew", "sam_minutes": 9}]
>>> steps += [{"operation": "cuff", "sam_minutes": 2, "craft": "knit", "attribute": "cuff"}]
>>> row = {"merchant_id": "m1", "design_id": "d1", "category": "tee", "price": 20, "currency": "EUR"}
>>> design = design_of(row | {"routing": json.dumps(steps), "attributes": '{"cuff": "wide"}'})
>>> design.sam_minutes, design.crafts, design.minutes_by_attribute
(11.0, ('knit',), {'': 9.0, 'cuff': 2.0})
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from c2m.domain.operations import Operation, crafts_of, minutes_of
from c2m.wire.messages import TIMED

_WORKED_ON = "sew"  # which of them the crafts of a design without a routing belong to


@dataclass(frozen=True)
class DesignOperation:
    """One operation and the attribute that asks for it; '': the garment itself."""

    operation: Operation
    attribute: str = ""


@dataclass(frozen=True)
class DesignMaterial:
    """Units of a material that a piece takes, waste included, and the attribute that asks for it."""

    attribute: str
    material_id: str
    quantity: float  # units of the material for one piece


@dataclass(frozen=True)
class Design:
    """What is known of it before any order. asked_for: every material that its bill names, whether known or not."""

    merchant_id: str
    design_id: str
    category: str
    price: float  # of a piece, in `currency`
    currency: str
    steps: tuple[DesignOperation, ...]
    parts: tuple[DesignMaterial, ...]
    attributes: Mapping[str, str]  # value by name of the attribute
    asked_for: frozenset[str]

    @property
    def operations(self) -> list[Operation]:
        """In the order of work."""
        return [one.operation for one in self.steps]

    @property
    def sam_minutes(self) -> float:
        """Of a piece through all of them."""
        return minutes_of(self.operations)

    @property
    def crafts(self) -> tuple[str, ...]:
        """That a factory needs to make it whole."""
        return tuple(crafts_of(self.operations))

    @property
    def minutes_by_attribute(self) -> dict[str, float]:
        """Standard minutes of a piece by the attribute that asks for them."""
        found = Counter[str]()
        for step in self.steps:
            found[step.attribute] += step.operation.sam_minutes  # type: ignore[assignment]
        return dict(found)

    def of_stage(self, stage: int) -> list[Operation]:
        """Its operations of a stage."""
        return [one for one in self.operations if one.stage == stage]


def design_of(row: Mapping[str, Any], parts: Sequence[DesignMaterial] = ()) -> Design:
    """A design from a row of its feed or mart.

    Parameters
    ----------
    row
        As the contract of the feed has it.
    parts
        What it is made of; none where its bill is not told or cannot be read whole.

    Returns
    -------
    Design
        With the attributes that have a value.
    """
    steps = _steps(row["routing"]) if _is_told(row, "routing") else _in_short(row)
    lines = json.loads(row["bill_of_materials"]) if _is_told(row, "bill_of_materials") else []
    told = json.loads(row["attributes"]) if _is_told(row, "attributes") else {}
    return Design(
        row["merchant_id"],
        row["design_id"],
        row["category"],
        float(row["price"]),
        row["currency"],
        tuple(steps),
        tuple(parts),
        {name: str(value) for name, value in told.items() if value not in ("", None)},
        frozenset(one["material_id"] for one in lines),
    )


def _is_told(row: Mapping[str, Any], name: str) -> bool:
    return isinstance(row.get(name), str) and bool(row[name])


def _steps(text: str) -> list[DesignOperation]:
    return [
        DesignOperation(
            Operation(
                one["operation"], one.get("craft") or None, float(one["sam_minutes"]), int(one.get("stage") or 1)
            ),
            one.get("attribute") or "",
        )
        for one in json.loads(text)
    ]


def _in_short(row: Mapping[str, Any]) -> list[DesignOperation]:
    """The five minutes as steps; each further craft as one of no minutes, so that it is asked for."""
    crafts = [craft for craft in str(row.get("crafts") or "").split(";") if craft]
    steps = [Operation(name, None, float(row[f"sam_{name}_minutes"]), 1) for name in TIMED]
    place = TIMED.index(_WORKED_ON) + 1
    return [
        DesignOperation(one)
        for one in [*steps[:place], *(Operation(name, name, 0.0, 1) for name in crafts), *steps[place:]]
    ]
