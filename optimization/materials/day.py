"""The materials of a business day from end to end: needs, what to buy, and from when on each lot has its cloth.

In: what ledger, landing zone and marts know. Out: `DayMaterials`. A day without bills of materials has none.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from c2m.errors import C2MError
from c2m.materials.needs import explode, of_forecast, of_lots
from c2m.materials.safety import material_spread
from c2m.settings import MaterialsPolicy, settings
from optimization.materials.case import Case
from optimization.materials.checking import check
from optimization.materials.choice import SupplierChoice, choose
from optimization.materials.supply_case import Marts, case_of, days_late, expected, lots_ready, offers_in


@dataclass(frozen=True, eq=False)
class MaterialFacts:
    """What a day knows: open lots of the ledger, the day's forecast, and marts."""

    lots: (
        pd.DataFrame
    )  # lot_id, merchant_id, style_id, colour, remaining, shipped, committed, release_on, due_on, source
    progress: pd.DataFrame  # mart job_order_progress: lot_id, operation, good_pieces
    forecasts: pd.DataFrame  # rows of landing/forecasts of the day
    windows: pd.DataFrame  # rows of landing/forecast_windows of the day
    shelf: pd.DataFrame  # mart stock_position: merchant_id, sku_id, on_hand, in_transit
    skus: pd.DataFrame  # mart skus
    recipes: pd.DataFrame  # mart style_materials
    marts: Marts
    rates: pd.DataFrame  # mart exchange_rates
    currency: str


@dataclass(frozen=True, eq=False)
class DayMaterials:
    """What the day takes, buys and waits for."""

    needs: pd.DataFrame  # needs.NEEDED
    case: Case
    choice: SupplierChoice
    ready: pd.DataFrame  # lot_id, material_id, quantity, ready_on
    faults: list[str]  # what kept a material out, a sentence each


def plan_materials(known: MaterialFacts, policy: MaterialsPolicy, today: date) -> DayMaterials | None:
    """Needs, choice and cover of a day.

    Parameters
    ----------
    known
        Of the day.
    policy
        Rates, horizon and time.
    today
        The business date.

    Returns
    -------
    DayMaterials or None
        None where no style has a bill of materials that can be planned, and none has a fault.

    Raises
    ------
    C2MError
        The choice does not verify: an error of ours.
    """
    if known.recipes.empty and known.marts.faults.empty:
        return None
    lots = known.lots.assign(remaining=to_cut(known.lots, known.progress))
    needed = explode(_wanted(known, lots, policy.horizon_days, today), known.recipes)
    offers, foreign = offers_in(known.marts.offers, known.rates, known.currency)
    late = days_late(offers, known.marts.purchases, policy.service_level, today)
    offers = offers.assign(days_late=offers["supplier_id"].map(late))
    marts = replace(known.marts, offers=offers, purchases=expected(known.marts.purchases, late))
    spread = material_spread(known.windows, known.skus, known.recipes)
    case, unsold = case_of(needed, spread, marts, policy, today)
    choice = _judged(case, choose(case, policy.time_limit_s, policy.gap))
    ready = lots_ready(needed, ranks(lots), marts, choice, today)
    return DayMaterials(needed, case, choice, ready, [*known.marts.faults["words"], *foreign, *unsold])


def _judged(case: Case, choice: SupplierChoice) -> SupplierChoice:
    """The choice, which the judge has found right."""
    if broken := check(case, choice.orders, choice.objective).broken:
        raise C2MError("choice-does-not-verify", [f"{rule}: {rows[:3]}" for rule, rows in broken.items()])
    return choice


def _wanted(known: MaterialFacts, lots: pd.DataFrame, days: int, today: date) -> pd.DataFrame:
    """needs.WANTED by lots and by the forecast."""
    lead_days = settings().replenishment.lead_time_days
    ahead = of_forecast(known.forecasts, _held(known), known.skus, today, lead_days, days)
    return pd.concat([of_lots(lots, today), ahead], ignore_index=True)


def to_cut(lots: pd.DataFrame, progress: pd.DataFrame) -> "pd.Series[float]":
    """Pieces of each lot whose material is still to be taken: what remains, less what is cut and has not left."""
    cut = progress[progress["operation"] == "cut"].groupby("lot_id")["good_pieces"].sum()
    begun = (lots["lot_id"].map(cut).fillna(0) - lots["shipped"]).clip(lower=0)
    return (lots["remaining"] - begun).clip(lower=0).astype(float)


def ranks(lots: pd.DataFrame) -> pd.DataFrame:
    """lot_id, rank: what factories have first, then what is due first."""
    rows = lots.assign(waits=lots["committed"].fillna(0) <= 0).sort_values(["waits", "due_on", "lot_id"])
    return pd.DataFrame({"lot_id": rows["lot_id"].to_numpy(), "rank": np.arange(len(rows))})


def _held(known: MaterialFacts) -> pd.DataFrame:
    """merchant_id, style_id, pieces that are there or on their way to the shelf."""
    style = known.skus[["merchant_id", "sku_id", "style_id"]]
    shelf = known.shelf.merge(style, on=["merchant_id", "sku_id"])
    shelf = shelf.assign(pieces=(shelf["on_hand"] + shelf["in_transit"]).astype(float))
    made = known.lots[known.lots["source"] == "replenishment"].assign(
        pieces=lambda rows: rows["remaining"].astype(float)
    )
    columns = ["merchant_id", "style_id", "pieces"]
    both = pd.concat([shelf[columns], made[columns]], ignore_index=True)
    return both.groupby(columns[:2])[["pieces"]].sum().reset_index()
