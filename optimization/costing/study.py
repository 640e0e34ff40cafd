"""What a design costs at some quantities and when it is there; where it can be made.

In: a `FreeCapacity` (the plan in force, kept ready), the `Design`, the market of its materials. Making is quoted as any
order is, by the terms of a plan, in the minutes that are free; materials come first. Money is the plan's currency.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from c2m.domain.arrays import Floats, Ints
from c2m.domain.designs import Design
from c2m.domain.operations import Operation, crafts_of, minutes_of
from c2m.domain.quotes import Needs, Offer, QuoteRequest
from c2m.settings import PlanPolicy
from optimization.costing.purchase import MaterialMarket, curve, purchases
from optimization.promising.free_capacity import FreeCapacity
from optimization.promising.quotes import quote

COSTS = ["quantity", "offer", "material_cost", "making_cost", "unit_cost", "material_days", "lead_days", "probability",
         "factories"]  # fmt: skip


@dataclass(frozen=True)
class Able:
    """Factories that can do some operations of a category; stage 0: all of them."""

    stage: int
    crafts: tuple[str, ...]
    factory_ids: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """What a day's studies rest on. usual_material: by category, the material of a piece as a share of its price, for
    designs without a bill; usual_days: until that material is there."""

    room: FreeCapacity
    market: MaterialMarket
    usual_material: "pd.Series[float]"
    usual_days: int
    today: date
    policy: PlanPolicy


def able(design: Design, factories: pd.DataFrame, capabilities: pd.DataFrame) -> list[Able]:
    """Who can make a design whole, and each of its stages where there are several.

    Parameters
    ----------
    design
        What is to be made.
    factories
        The mart of this name.
    capabilities
        The mart factory_capabilities.

    Returns
    -------
    list of Able
        All of it first.
    """
    active = set(factories.loc[factories["status"] == "active", "factory_id"])
    skills = {
        str(name): set(zip(rows["kind"], rows["name"], strict=True))
        for name, rows in capabilities.groupby("factory_id")
        if name in active
    }
    parts = {0: design.operations} | {stage: design.of_stage(stage) for stage in _stages(design)}
    found = []
    for stage, operations in parts.items():
        needed = {("category", design.category), *(("craft", craft) for craft in crafts_of(operations))}
        names = tuple(sorted(name for name, own in skills.items() if needed <= own))
        found.append(Able(stage, tuple(crafts_of(operations)), names))
    return found


def _stages(design: Design) -> list[int]:
    """Its stages, where there are several."""
    stages = sorted({one.stage for one in design.operations})
    return stages if len(stages) > 1 else []


def lacking(found: Sequence[Able], design: Design) -> str:
    """Why nobody can make a design.

    Parameters
    ----------
    found
        Who can make it, all of it first (`able`).
    design
        The design.

    Returns
    -------
    str
        A sentence; '' where it can be made.
    """
    whole, stages = found[0], found[1:]
    if whole.factory_ids or (stages and all(one.factory_ids for one in stages)):
        return ""
    without = [one for one in stages if not one.factory_ids] or [whole]
    parts = [f"stage {one.stage} " if one.stage else "" for one in without]
    needs = [f"{part}needs {', '.join(one.crafts) or 'its category'}" for part, one in zip(parts, without, strict=True)]
    return f"no factory can make {design.category} that {' and '.join(needs)}: change the routing or win a factory"


def costs(design: Design, quantities: Sequence[int], whole: bool, given: StudyFacts) -> pd.DataFrame:
    """What each quantity costs and when it is there.

    Parameters
    ----------
    design
        What is to be made.
    quantities
        Pieces of one order.
    whole
        One factory can make it; else each stage is quoted after the other.
    given
        Plan in force, market, policy.

    Returns
    -------
    pd.DataFrame
        COSTS, a row per quantity and offer, the soonest first; none where the plan's horizon has no room for it.

    Raises
    ------
    InputError
        A material is not sold.
    """
    stages = [design.operations] if whole else [design.of_stage(stage) for stage in _stages(design)]
    basis = material_price(design, max(quantities), given) / (1 - given.policy.rates.making_share)
    rows = []
    for pieces in quantities:
        material, days = bought(design, pieces, given)
        for offers in _made(design, stages, pieces, basis, given):
            making, made_days = sum(one.price for one in offers), sum(_days(one, given) for one in offers)
            names = sorted({share.factory_id for one in offers for share in one.shares})
            rows.append((pieces, offers[0].name, material, making, (material + making) / pieces, days, days + made_days,
                         min(one.probability for one in offers), ";".join(names)))  # fmt: skip
    return pd.DataFrame(rows, columns=COSTS)


def _days(offer: Offer, given: StudyFacts) -> int:
    return (offer.promised_on - given.today).days


def _made(
    design: Design, stages: Sequence[Sequence[Operation]], pieces: int, basis: float, given: StudyFacts
) -> Iterator[tuple[Offer, ...]]:
    """Ways to have the pieces made, an offer per stage: the soonest of each, the cheapest of each where it differs."""
    quoted = [_offers(design, operations, pieces, basis, given) for operations in stages]
    if all(quoted):
        for place in range(max(map(len, quoted))):
            yield tuple(offers[min(place, len(offers) - 1)] for offers in quoted)


def _offers(
    design: Design, operations: Sequence[Operation], pieces: int, basis: float, given: StudyFacts
) -> tuple[Offer, ...]:
    needs = Needs(design.category, tuple(crafts_of(operations)), minutes_of(operations), design.price, basis, pieces)
    asked = QuoteRequest(design.merchant_id, {}, needs)
    return quote(given.room, asked, [], given.today, given.policy).offers


def bought(design: Design, pieces: int, given: StudyFacts) -> tuple[float, int]:
    """What the material of some pieces costs, and in how many days it is there.

    Parameters
    ----------
    design
        What is to be made.
    pieces
        How many.
    given
        Who sells what.

    Returns
    -------
    tuple
        (money in all, days).
    """
    if not design.asked_for:
        return pieces * design.price * float(given.usual_material[design.category]), given.usual_days
    rows = purchases(units(design) * pieces, given.market)
    return float(rows["cost"].sum()), int(rows["days"].max())


def unsold(design: Design, given: StudyFacts) -> str:
    """Why the material of a design cannot be bought.

    Parameters
    ----------
    design
        The design, with the bill of its materials.
    given
        What suppliers offer.

    Returns
    -------
    str
        A sentence; '' where it can.
    """
    if unknown := sorted(design.asked_for - {part.material_id for part in design.parts} if not design.parts else ()):
        return f"its bill cannot be read whole ({', '.join(unknown)}): bring these materials, or units that convert"
    if lacking := sorted(set(units(design).index) - set(given.market.offers["material_id"]) if design.parts else ()):
        return f"no active supplier sells {', '.join(lacking)}: bring offers of it"
    return ""


def material_curve(design: Design, pieces: Ints, given: StudyFacts) -> Floats:
    """What the material of each of several quantities costs, as `bought` has it.

    Parameters
    ----------
    design
        What is to be made.
    pieces
        (Q,) quantities.
    given
        Who sells what.

    Returns
    -------
    numpy.ndarray
        (Q,) money.
    """
    if not design.asked_for:
        return pieces.astype(float) * design.price * float(given.usual_material[design.category])
    return curve(units(design), pieces, given.market)


def units(design: Design) -> "pd.Series[float]":
    """Units of a piece by material."""
    return pd.DataFrame(design.parts).groupby("material_id")["quantity"].sum()


def material_price(design: Design, pieces: int, given: StudyFacts) -> float:
    """What the material of a piece costs where so many are made."""
    return bought(design, pieces, given)[0] / pieces
