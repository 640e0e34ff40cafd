"""Designs: what they cost, sell and earn before any order, and how a test order sells; landed and told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from c2m import clock
from c2m.domain.designs import Design, DesignMaterial, design_of
from c2m.errors import InputError
from c2m.feeds.contracts import PRODUCED
from c2m.feeds.landing import land_frame, read_landed
from c2m.people import designs, first_order
from c2m.settings import settings
from c2m.steps import log, step
from c2m.warehouse.published import manifest, read
from flows.desk import Desk
from models.design import attribute_worth, demand, first_quantity, reading
from models.design.demand import STYLE, Ahead
from models.governance.registry import champion
from models.panel.daily import published_panel
from optimization.book.currencies import in_currency
from optimization.costing import purchase, study
from optimization.materials.supply_case import days_late, offers_in

KEY = ["merchant_id", "design_id"]
ON_SALE = "on sale"
_TABLES = ("design_costs", "design_studies", "design_attributes")


@dataclass(frozen=True, eq=False)
class StudyRows:
    """A study of one design: rows of the three tables."""

    design_costs: pd.DataFrame
    design_studies: pd.DataFrame
    design_attributes: pd.DataFrame


def take_up(day: date) -> None:
    """Studies what is new or changed and reads the tests of a day; tells them in a line. Nothing without designs."""
    marts = manifest()["marts"]  # without it in builds of old
    if not marts.get("designs", {}).get("rows"):
        return
    with step("designs"):
        rows = read("designs")
        studied, read_now = study_due(rows, day), read_tests(rows, day)
    told = ", ".join(f"{row.design_id} {row.decision}" for row in read_now.itertuples()) or "none on sale"
    log.info("%s  designs: %d of %d studied; tests: %s", day, studied, len(rows), told)


def reckon(merchant_id: str, design_id: str, quantities: Sequence[int]) -> None:
    """Studies one design now and lands it.

    Parameters
    ----------
    merchant_id
        Whose.
    design_id
        Its code.
    quantities
        Pieces whose cost and date are reckoned.
    """
    rows = read("designs").query("merchant_id == @merchant_id and design_id == @design_id")
    day = clock.business_date(clock.now())
    land(studies(rows, quantities, day), day)


def as_style(found: dict[str, Any], folder: Path) -> list[Path]:
    """Writes the feed files of the style that a design would be, with its test order.

    Parameters
    ----------
    found
        `people.designs.one`.
    folder
        Where to.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        What it costs is not known.
    """
    about, costs = found["about"], found["costs"]
    of_test = costs[costs["quantity"] == about["test_pieces"]]
    if of_test.empty:
        raise InputError(
            "no-cost", [f"{about['design_id']}: {about['lacking'] or 'not reckoned yet: give --quantity'}"]
        )
    cheapest = of_test.loc[of_test["unit_cost"].idxmin()]
    today = clock.business_date(clock.now())
    days = (today, today + timedelta(days=int(cheapest["lead_days"])))
    row = _records(designs.mart(**{name: about[name] for name in KEY}))[0]
    row |= {"price": about["price"], "currency": about["currency"]}  # of the plan, as the cost is
    pieces = int(about["test_pieces"])
    return first_order.write(first_order.written(row, read("skus"), float(cheapest["unit_cost"]), pieces, days), folder)


def study_due(rows: pd.DataFrame, day: date) -> int:
    """Studies designs that are not on sale yet, and were changed or not looked at for a while; how many."""
    policy, known = settings().designs, read_landed("design_studies")
    last = rows[KEY].merge(known.groupby(KEY, as_index=False)["known_at"].max(), "left", KEY)["known_at"]
    old = pd.Timestamp(clock.cut_off(day - timedelta(days=policy.renew_days)).replace(tzinfo=None))
    is_fresh = last.to_numpy() > rows["known_at"].where(rows["known_at"] > old, old).to_numpy()
    chosen = rows[rows["state"].isin(["open", "style"]).to_numpy() & ~is_fresh].head(policy.most_a_day)
    if chosen.empty:
        return 0
    try:
        land(studies(chosen, policy.quantities, day), day)
    except InputError as error:  # no plan is in force yet: the day goes on, and the next one studies them
        log.warning("%s  designs wait: %s", day, "; ".join(error.faults))
        return 0
    return len(chosen)


def land(found: Sequence[StudyRows], day: date) -> None:
    """Lands studies."""
    stamp = {"business_date": day, "known_at": clock.now().replace(tzinfo=None)}
    for name in _TABLES:
        rows = [part for one in found if len(part := getattr(one, name))]
        if rows:
            every = pd.concat(rows, ignore_index=True).assign(**stamp)
            land_frame(name, every.reindex(columns=list(PRODUCED[name])))


def studies(rows: pd.DataFrame, quantities: Sequence[int], day: date) -> list[StudyRows]:
    """What designs cost, sell and earn.

    Parameters
    ----------
    rows
        Of the mart `designs`.
    quantities
        Pieces whose cost and date are reckoned.
    day
        The business date.

    Returns
    -------
    list of StudyRows
        In the order of the rows.

    Raises
    ------
    InputError
        No plan is in force, so that nothing can be quoted.
    """
    given, model = _given(day), champion()
    trends = read_landed("attribute_trends", business_date=day)
    market = attribute_worth.StyleFacts(read("demand_weekly"), read("style_attributes"), read("voices"), trends)
    ahead = demand.ahead(published_panel(day), _as_styles(rows), model)
    priced = in_currency(rows, ["price"], read("exchange_rates"), given.room.currency)
    found = []
    for row in _records(priced):
        design = _design(row)
        own = ahead[design.merchant_id, design.design_id]
        found.append(_studied(design, row, own, quantities, given, market, model.version))
    return found


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _as_styles(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.rename(columns={"design_id": "style_id"})[[*STYLE, "category"]]


def _design(row: dict[str, Any]) -> Design:
    """With what its bill comes to."""
    own = read("design_materials").merge(pd.DataFrame([row])[KEY])
    parts = [DesignMaterial(*one) for one in own[["attribute", "material_id", "quantity"]].itertuples(index=False)]
    return design_of(row, parts)


def _given(day: date) -> study.StudyFacts:
    """The plan in force, who sells materials now, what material usually costs."""
    room, policy = Desk().room(), settings()
    offers, _ = offers_in(read("supplier_offers"), read("exchange_rates"), room.currency)
    late = days_late(offers, read("purchases"), policy.materials.service_level, day)
    offers = offers.assign(days_late=offers["supplier_id"].map(late))
    skus = room.known.skus
    share = (skus["cost"].astype(float) / skus["price"].astype(float)).groupby(skus["category"]).median()
    usual = share * (1 - policy.plan.rates.making_share)
    return study.StudyFacts(
        room,
        purchase.MaterialMarket.of(offers),
        usual,
        policy.replenishment.cloth_days,
        clock.read_on(clock.now()),
        policy.plan,
    )


def _studied(
    design: Design,
    row: dict[str, Any],
    ahead: Ahead,
    quantities: Sequence[int],
    given: study.StudyFacts,
    market: attribute_worth.StyleFacts,
    version: str,
) -> StudyRows:
    test = int(row["test_pieces"]) if pd.notna(row["test_pieces"]) else settings().designs.test_pieces
    who = study.able(design, given.room.known.factories, given.room.known.capabilities)
    lacking = study.lacking(who, design) or study.unsold(design, given)
    names = {"merchant_id": design.merchant_id, "design_id": design.design_id, "currency": given.room.currency}
    told = {
        **names,
        "able": len(who[0].factory_ids),
        "stages": "; ".join(f"{one.stage}: {', '.join(one.factory_ids) or 'nobody'}" for one in who[1:]),
        "lacking": lacking,
        "price": design.price,
        "test_pieces": test,
        "daily": [ahead.daily.tolist()],
        "level_centre": ahead.level.centre,
        "level_spread": ahead.level.spread,
        "level_freedom": ahead.level.freedom,
        "model_version": version,
    }
    costs = study.costs(design, sorted({*quantities, test}), bool(who[0].factory_ids), given) if not lacking else None
    if costs is None or costs.empty:
        told["lacking"] = lacking or "not all pieces find room within the plan's horizon"
        return StudyRows(pd.DataFrame(), pd.DataFrame(told), pd.DataFrame())
    told |= first_quantity.earned(
        ahead, costs, _terms(design, test), lambda pieces: study.material_curve(design, pieces, given)
    )
    piece = _piece(design, costs[costs["quantity"] == test], test, given)
    held = attribute_worth.table(design, piece, market, settings().trend)
    keys = {name: names[name] for name in KEY}
    return StudyRows(costs.assign(**names), pd.DataFrame(told), held.assign(**keys))


def _terms(design: Design, test: int) -> first_quantity.TestTerms:
    held = settings()
    return first_quantity.TestTerms(
        design.price, test, held.prices.season_days, held.designs.reading_days, held.replenishment
    )


def _piece(design: Design, costs: pd.DataFrame, test: int, given: study.StudyFacts) -> attribute_worth.Piece:
    """What a piece of the test order costs, made the cheapest way."""
    making = float(costs["making_cost"].min()) / test
    if not design.asked_for:
        return attribute_worth.Piece(making, pd.Series(dtype=float), study.bought(design, test, given)[0] / test)
    units = study.units(design)
    found = purchase.purchases(units * test, given.market).set_index("material_id")["cost"]
    return attribute_worth.Piece(making, found / (units * test))


def read_tests(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """What the first days of sale say of designs that have become styles; landed."""
    policy = settings().designs
    since = pd.to_datetime(rows["first_sold_on"])
    days = (pd.Timestamp(day) - since).dt.days
    chosen = rows[(rows["state"] == ON_SALE) & days.between(1, policy.read_days)]
    if chosen.empty:
        return pd.DataFrame(columns=["design_id", "decision"])
    panel, before = published_panel(day), [_before(row) for row in _records(chosen)]
    others = chosen[[one is None for one in before]]
    ahead = demand.ahead(panel, _as_styles(others), champion()) if len(others) else {}
    size = demand.noise(panel)
    facts = [
        _read(row, known or ahead[row["merchant_id"], row["design_id"]], size, day)
        for row, known in zip(_records(chosen), before, strict=True)
    ]
    found = pd.DataFrame(facts).assign(business_date=day, known_at=clock.now().replace(tzinfo=None))
    land_frame("design_readings", found)
    return found


def _before(row: dict[str, Any]) -> Ahead | None:
    """What was expected before the first day of sale, where a study was made by then."""
    known = read_landed("design_studies", **{name: row[name] for name in KEY})
    known = known[pd.to_datetime(known["business_date"]) <= pd.Timestamp(row["first_sold_on"])]
    if known.empty:
        return None
    last = known.sort_values("known_at").iloc[-1]
    level = demand.Level(last["level_centre"], last["level_spread"], last["level_freedom"])
    return Ahead(np.array(last["daily"], dtype=float), level)


def _read(row: dict[str, Any], ahead: Ahead, size: float, day: date) -> dict[str, Any]:
    style = (row["merchant_id"], row["design_id"])
    sold = _sold(*style, row["first_sold_on"], day)
    case = _case(row, len(sold.pieces))
    found = reading.read(ahead, sold, case, size, settings().designs, settings().replenishment)
    told = {"on_sale_on": row["first_sold_on"], "days": len(sold.pieces), "sold": int(sold.pieces.sum())}
    told |= {"expected": float(ahead.course(1, len(sold.pieces)).sum()), "sold_out": sold.ran_out, "held": case.held}
    told |= dict(zip(("times_low", "times", "times_high"), found.times, strict=True))
    told |= dict(zip(("ahead_low", "ahead", "ahead_high"), found.ahead, strict=True))
    told |= {"reorder": found.reorder, "chance": found.chance, "decision": found.decision}
    return {name: row[name] for name in KEY} | told


def _sold(merchant_id: str, style_id: str, since: Any, day: date) -> reading.TestSales:
    """By day of sale; where nothing is left, up to the day that took the last."""
    own = read("demand_daily").query("merchant_id == @merchant_id and style_id == @style_id")
    days = pd.date_range(since, pd.Timestamp(day) - pd.Timedelta(1, "D"))
    pieces = own.groupby(pd.to_datetime(own["demand_date"]))["pieces_asked"].sum().reindex(days, fill_value=0)
    shelf = _shelf(merchant_id, style_id)
    ran_out = bool(shelf["as_of"].notna().any()) and int(shelf["on_hand"].sum()) == 0
    last = int(np.flatnonzero(pieces.to_numpy())[-1]) + 1 if ran_out else len(pieces)
    return reading.TestSales(pieces.to_numpy(dtype=float)[:last], ran_out)


def _shelf(merchant_id: str, style_id: str) -> pd.DataFrame:
    return read("stock_position").merge(read("skus").query("merchant_id == @merchant_id and style_id == @style_id"))


def _case(row: dict[str, Any], days: int) -> reading.ReorderCase:
    style = read("styles").merge(pd.DataFrame([row]).rename(columns={"design_id": "style_id"})[STYLE]).iloc[0]
    shelf = _shelf(row["merchant_id"], row["design_id"])
    held = int(shelf[["on_hand", "in_transit", "on_order"]].sum().sum())
    known = read_landed("design_costs", **{name: row[name] for name in KEY})
    lead = settings().replenishment.lead_time_days if known.empty else int(known["lead_days"].iloc[-1])
    test = int(row["test_pieces"]) if pd.notna(row["test_pieces"]) else settings().designs.test_pieces
    left = settings().prices.season_days - days
    return reading.ReorderCase(float(style["price"]), float(style["cost"]), held, lead, left, test)
