"""What somebody would order as lots of the order book, and these as an instance of their own in what a plan leaves.

In: `QuoteRequest` and a `FreeCapacity`. Out: lots with the columns of the ledger's open lots; an `Instance` whose
transit has no days in hand. Its days begin with the first working day after today, `AskedInstance.shift` after the
plan's.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.quotes import Needs, QuoteRequest
from c2m.errors import InputError
from c2m.settings import PlanPolicy
from optimization.book.daily_instance import DESTINATION, build_instance, named
from optimization.book.lots import SAM, make_lots
from optimization.contract.instances import Instance
from optimization.promising.free_capacity import FreeCapacity
from optimization.routing.distances import transit_days

QUOTED = "quoted"  # order_id of what is asked for
STYLE = "as-described"  # of what no catalogue has
CANDIDATES = 40  # factories that a quote looks at for each lot, at least: few lots, so it may look at more than a plan
_NO_JOBS = pd.DataFrame({"lot_id": [], "factory_id": [], "remaining": [], "accepted": [], "state": []}).astype(
    {"lot_id": object, "factory_id": object, "remaining": np.int64, "accepted": bool, "state": object}
)


@dataclass(frozen=True)
class AskedInstance:
    """The asked lots with the factories that could make them. instance: transit with days in hand; plainly: without.

    shift: days of the plan before the instance's first.
    """

    lots: pd.DataFrame
    instance: Instance
    plainly: Instance
    shift: int


def lots_of(room: FreeCapacity, asked: QuoteRequest, today: date, due_on: date) -> pd.DataFrame:
    """The lots of what is asked, due on a day.

    Raises
    ------
    InputError
        With every SKU that the merchant's catalogue does not have; nothing is asked for.
    """
    skus = room.known.skus
    mine = skus[(skus["merchant_id"] == asked.merchant_id) & skus["sku_id"].isin(list(asked.pieces))]
    pieces = {sku_id: count for sku_id, count in asked.pieces.items() if count > 0}
    faults = [
        f"SKU {sku_id} is not in the catalogue of {asked.merchant_id}"
        for sku_id in pieces
        if sku_id not in set(mine["sku_id"])
    ]
    if asked.needs:
        mine = pd.concat([mine, _described(asked.needs, asked.merchant_id, room.currency)], ignore_index=True)
        pieces[STYLE] = asked.needs.pieces
    if not pieces:
        faults.append("no pieces are asked for: name SKUs with pieces, or what a new style needs")
    if faults:
        raise InputError("quote-refused", faults)
    lines = pd.DataFrame({"sku_id": list(pieces), "quantity": list(pieces.values())})
    lots, _ = make_lots(lines.assign(merchant_id=asked.merchant_id, order_id=QUOTED), mine)
    place = (asked.latitude, asked.longitude)
    if None in place:
        place = room.places.get(asked.merchant_id, (np.nan, np.nan))
    header: dict[str, Any] = {
        "source": "merchant",
        "parent_order_id": asked.parent_order_id,
        "placed_on": today,
        "release_on": None,
    }
    header |= {"due_on": due_on, "priority": None, "max_factories": None, "promised_on": None}
    header |= {"quoted": False, "committed": 0}
    return lots.assign(**header, **dict(zip(DESTINATION, place, strict=True)), remaining=lots["quantity"])


def _described(needs: Needs, merchant_id: str, currency: str) -> pd.DataFrame:
    """A row of the catalogue for what it does not have."""
    minutes = dict.fromkeys(SAM, 0.0) | {"sam_sew_minutes": needs.sam_minutes, "sam_minutes": needs.sam_minutes}
    names = {"merchant_id": merchant_id, "sku_id": STYLE, "style_id": STYLE, "colour": "", "currency": currency}
    worth = {"price": needs.price, "cost": needs.cost}
    return pd.DataFrame([names | worth | minutes | {"category": needs.category, "crafts": ";".join(needs.crafts)}])


def part_of(
    room: FreeCapacity, lots: pd.DataFrame, left: pd.DataFrame, today: date, policy: PlanPolicy
) -> AskedInstance | None:
    """The lots alone in some minutes of the days after today; None where no factory could make any of them.

    left: as `FreeCapacity.left`. Being late is allowed up to the end of the plan's horizon.
    """
    able = _able(room, lots)
    factories = room.known.factories[room.known.factories["factory_id"].isin(able)]
    factories = factories.assign(
        engagement_cost=factories["engagement_cost"]
        .astype(float)
        .where(~factories["factory_id"].isin(room.engaged), 0.0)
    )
    days = left[left["factory_id"].isin(able) & (left["minutes"] + left["overtime_minutes"] > 0)]
    calendar = days.assign(day=pd.Timestamp(room.first_day) + pd.to_timedelta(days["day"] - 1, unit="D"))
    ends = room.last_day(today) - room.day_of(today)
    wide = {
        "horizon_days": ends,
        "max_late_days": ends,
        "candidate_factories": max(CANDIDATES, policy.candidate_factories),
    }
    frames = (factories, room.known.capabilities, calendar, room.known.scores.assign(exposure_share=1.0))
    if ends < 1 or calendar.empty:
        return None
    built = build_instance(lots, _NO_JOBS, _NO_JOBS, *frames, policy.model_copy(update=wide), today)
    if built is None:
        return None
    first: date = built.day_1  # type: ignore[assignment]
    horizon = ends - (first - today - timedelta(days=1)).days
    plain = _plain_days(built.arcs, named(lots), factories)
    built = replace(built, horizon_days=horizon)
    shift = room.day_of(first) - 1
    plainly = replace(built, arcs=built.arcs.assign(transit_days=plain))
    return AskedInstance(lots, built, plainly, shift)


def _able(room: FreeCapacity, lots: pd.DataFrame) -> "pd.Series[str]":
    """Factories with the category of any of the lots: a first, quick choice."""
    skills = room.known.capabilities
    return skills.loc[(skills["kind"] == "category") & skills["name"].isin(lots["category"]), "factory_id"]


def _plain_days(
    arcs: pd.DataFrame, lots: pd.DataFrame, factories: pd.DataFrame
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    row = pd.Index(lots["lot_id"]).get_indexer(arcs["lot_id"])
    column = pd.Index(factories["factory_id"]).get_indexer(arcs["factory_id"])
    return np.asarray(transit_days(lots, factories)[row, column])
