"""The materials of a business day as a case of supplier choice, and what the choice means for the day.

In: needs, marts, policy. Out: a `Case` by days with what keeps a material out of it, purchase orders to be placed
today, and from when on each lot has its material. Money is the plan's currency; quantities are units of each material.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from c2m.domain.lanes import days_to_add
from c2m.ids import derive_id
from c2m.materials.cover import ready
from c2m.materials.safety import safety_stock
from c2m.settings import MaterialsPolicy, settings
from optimization.book.currencies import in_currency
from optimization.contract.instances import rows
from optimization.materials.case import OFFER, Case
from optimization.materials.choice import SupplierChoice

PURCHASE = ["purchase_order_id", *OFFER, "quantity", "unit", "price", "currency", "order_on", "due_on"]
_WEEK_DAYS = 7


@dataclass(frozen=True, eq=False)
class Marts:
    """What the warehouse knows of materials: marts of the same names, offers in the currency of the plan."""

    stock: pd.DataFrame  # mart material_stock
    purchases: pd.DataFrame  # mart purchases, with what was released since
    offers: pd.DataFrame
    faults: pd.DataFrame  # mart material_faults


def offers_in(offers: pd.DataFrame, rates: pd.DataFrame, currency: str) -> tuple[pd.DataFrame, list[str]]:
    """The offers that count in the plan's currency or have a rate to it, with their breaks; why others are left out.

    Parameters
    ----------
    offers
        The mart supplier_offers.
    rates
        The mart exchange_rates.
    currency
        Of the plan.

    Returns
    -------
    tuple
        (offers with order_cost in that currency and `factor` to it, faults in words).
    """
    setup = offers[["order_cost", "order_cost_currency"]].rename(columns={"order_cost_currency": "currency"})
    setup = in_currency(setup, ["order_cost"], rates, currency)
    factor = in_currency(offers[["currency"]].assign(factor=1.0), ["factor"], rates, currency)
    known = (factor["currency"] == currency) & (setup["currency"] == currency)
    faults = [
        f"supplier {row.supplier_id}: sells material {row.material_id} in {row.currency}, which has no rate to "
        f"{currency}: bring one by the feed exchange_rates"
        for row in rows(offers[~known])
    ]
    kept = offers.assign(order_cost=setup["order_cost"], factor=factor["factor"].astype(float))[known]
    return kept.reset_index(drop=True), faults


def days_late(offers: pd.DataFrame, purchases: pd.DataFrame, level: float, today: date) -> "pd.Series[int]":
    """By supplier the days after the agreed one on which its deliveries are there at `level`, as receipts have shown.

    Parameters
    ----------
    offers
        supplier_id of all who sell.
    purchases
        supplier_id, due_on, received_on (NaT: not received yet).
    level
        Between 0 and 1.
    today
        The business date.

    Returns
    -------
    pd.Series
        Days, 0 or more; 0 where nothing is known.
    """
    came = purchases.dropna(subset=["received_on"])
    received = pd.to_datetime(came["received_on"])
    late = (received - pd.to_datetime(came["due_on"])).dt.days.to_numpy().astype(np.int64)
    ago = (pd.Timestamp(today) - received).dt.days.to_numpy().astype(np.int64)
    sellers = sorted({*offers["supplier_id"], *purchases["supplier_id"]})
    own = {one: (came["supplier_id"] == one).to_numpy(dtype=bool) for one in sellers}
    days = [max(0, days_to_add(late, ago, own[one], level)) for one in sellers]
    return pd.Series(days, sellers, dtype="int64")


def expected(purchases: pd.DataFrame, late: "pd.Series[int]") -> pd.DataFrame:
    """Purchases with `due_on` as their suppliers keep it."""
    days = pd.to_timedelta(purchases["supplier_id"].map(late).astype(np.int64), unit="D")
    return purchases.assign(due_on=pd.to_datetime(purchases["due_on"]) + days)


def breaks_of(offers: pd.DataFrame) -> pd.DataFrame:
    """OFFER, from_quantity, price: the smallest purchase at the price that holds for it, then each break above it."""
    found = []
    for offer in rows(offers):
        steps = [(0.0, offer.price)]
        told = (step.split(":") for step in offer.price_breaks.split(";") if step)
        steps += [(float(quantity), float(price)) for quantity, price in told]
        start = [price for quantity, price in steps if quantity <= offer.minimum_order][-1]
        above = [step for step in steps if step[0] > offer.minimum_order]
        for quantity, price in [(offer.minimum_order, start), *above]:
            found.append((offer.supplier_id, offer.material_id, quantity, price * offer.factor))
    return pd.DataFrame(found, columns=[*OFFER, "from_quantity", "price"])


def case_of(
    needs: pd.DataFrame, spread: pd.DataFrame, marts: Marts, policy: MaterialsPolicy, today: date
) -> tuple[Case, list[str]]:
    """The case of a day, a period a day, and what is needed that nobody sells.

    Parameters
    ----------
    needs
        material_id, day, quantity.
    spread
        material_id, mean and variance of the need a day.
    marts
        What is there, under way and sold.
    policy
        Rate at which materials shall be there, and prices of lacking them.
    today
        The business date; period 1 is the day after.

    Returns
    -------
    tuple
        (case, faults in words).
    """
    due = _due(needs, policy.horizon_days, today)
    lacking = sorted(set(due["material_id"]) - set(marts.offers["material_id"]))
    faults = [f"material {one}: needed, and no active supplier sells it: bring an offer of it" for one in lacking]
    due = due[~due["material_id"].isin(lacking)]
    offers = marts.offers[marts.offers["material_id"].isin(due["material_id"])]
    lead = (offers["lead_days"] + offers["days_late"]).clip(lower=1)
    offers = offers.assign(lead_periods=lead, capacity=_limit(offers["capacity_per_week"]))
    breaks = breaks_of(offers)
    coming = _coming(marts.purchases, policy.horizon_days, today)
    case = Case(
        _materials(due, offers, breaks, spread, marts.stock, policy),
        due,
        coming[coming["material_id"].isin(due["material_id"])],
        offers[[*OFFER, "lead_periods", "pack", "order_cost", "capacity", "days_late"]],
        breaks,
        _own_capacities(offers),
        policy.horizon_days,
        _WEEK_DAYS,
        policy.review_days,
    )
    return case, faults


def _under_way(purchases: pd.DataFrame) -> pd.DataFrame:
    """What is still to come of them, as `quantity`."""
    return purchases[purchases["under_way"] > 0].assign(quantity=lambda rows: rows["under_way"])


def _periods(days: "pd.Series[pd.Timestamp]", today: date) -> "pd.Series[int]":
    """Days after today; what is overdue counts as of tomorrow."""
    return (pd.to_datetime(days) - pd.Timestamp(today)).dt.days.clip(lower=1)


def _due(needs: pd.DataFrame, horizon: int, today: date) -> pd.DataFrame:
    due = needs.assign(period=_periods(needs["day"], today)).query("period <= @horizon")
    return due.groupby(["material_id", "period"])[["quantity"]].sum().reset_index()


def _coming(purchases: pd.DataFrame, horizon: int, today: date) -> pd.DataFrame:
    coming = _under_way(purchases)
    coming = coming.assign(period=_periods(coming["due_on"], today)).query("period <= @horizon")
    return coming.groupby([*OFFER, "period"])[["quantity"]].sum().reset_index()


def _limit(capacity: "pd.Series[float]") -> "pd.Series[float]":
    return capacity.astype(float).fillna(np.inf)


def _own_capacities(offers: pd.DataFrame) -> pd.DataFrame:
    own = offers.drop_duplicates("supplier_id")[["supplier_id", "supplier_capacity_per_week"]]
    return own.assign(capacity=_limit(own["supplier_capacity_per_week"]))[["supplier_id", "capacity"]]


def _materials(
    due: pd.DataFrame,
    offers: pd.DataFrame,
    breaks: pd.DataFrame,
    spread: pd.DataFrame,
    stock: pd.DataFrame,
    policy: MaterialsPolicy,
) -> pd.DataFrame:
    """Stock, safety over the shortest lead time and a day, and prices of a unit that lies, is thin or lacks."""
    rows = pd.DataFrame({"material_id": sorted(due["material_id"].unique())})
    of = rows["material_id"]
    days = of.map(offers.groupby("material_id")["lead_periods"].min()).to_numpy() + 1.0
    daily = spread.set_index("material_id")
    mean, variance = (of.map(daily[name]).fillna(0.0).to_numpy(dtype=float) for name in ("mean", "variance"))
    price = of.map(breaks.groupby("material_id")["price"].min())
    return rows.assign(
        stock=of.map(stock.set_index("material_id")["on_hand"]).fillna(0.0).astype(float),
        safety=safety_stock(mean * days, variance * days, policy.service_level),
        hold_cost=price * settings().replenishment.holding_share_per_day,
        thin_cost=price * policy.thin_share_per_day,
        short_cost=price * policy.short_share_per_day,
    )


def purchases_of(
    choice: SupplierChoice, case: Case, stock: pd.DataFrame, currency: str, today: date, plan_id: str
) -> pd.DataFrame:
    """What must be ordered today, a purchase order a supplier; what can wait is chosen anew tomorrow.

    Parameters
    ----------
    choice
        Of the day.
    case
        What it was chosen for.
    stock
        material_id, unit.
    currency
        Of the prices.
    today
        The business date.
    plan_id
        The plan with which they are proposed; their ids follow from it.

    Returns
    -------
    pd.DataFrame
        PURCHASE; quantity in units, price per unit.
    """
    orders = choice.orders.merge(case.offers[[*OFFER, "lead_periods", "days_late"]], on=OFFER)
    now = orders[orders["period"] <= orders["lead_periods"]]
    ids = {supplier: derive_id("purchase", plan_id, supplier) for supplier in now["supplier_id"].unique()}
    return now.assign(
        purchase_order_id=now["supplier_id"].map(ids),
        unit=now["material_id"].map(stock.set_index("material_id")["unit"]),
        currency=currency,
        order_on=today,
        due_on=[day.date() for day in _dates(now["period"] - now["days_late"], today)],
    )[PURCHASE].sort_values(["purchase_order_id", "material_id"], ignore_index=True)


def _dates(periods: "pd.Series[int]", today: date) -> "pd.Series[pd.Timestamp]":
    return pd.Timestamp(today) + pd.to_timedelta(periods.astype(int), unit="D")


def lots_ready(
    needs: pd.DataFrame, ranks: pd.DataFrame, marts: Marts, choice: SupplierChoice, today: date
) -> pd.DataFrame:
    """lot_id, material_id, quantity, ready_on by stock, what is under way, and all that the choice will order."""
    coming = _under_way(marts.purchases).assign(day=lambda rows: pd.to_datetime(rows["due_on"]))
    chosen = choice.orders.assign(day=_dates(choice.orders["period"], today))
    columns = ["material_id", "day", "quantity"]
    return ready(needs, ranks, marts.stock, pd.concat([coming[columns], chosen[columns]], ignore_index=True), today)
