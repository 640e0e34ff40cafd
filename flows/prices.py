"""Prices: elasticities and proposals of the day, kept in the ledger, released by a person or by policy, on a page."""

from datetime import date

import pandas as pd
from prefect import task

from c2m import clock
from c2m.feeds.landing import read_landed
from c2m.ledger import plans
from c2m.ledger.rooms import prices
from c2m.ledger.store import session
from c2m.markdown import table
from c2m.settings import settings
from c2m.steps import step
from c2m.warehouse.published import read
from flows import reports
from models.panel.daily import published_panel
from models.price import daily


@task
def found_on(day: date) -> pd.DataFrame:
    """The day's proposals."""
    policy = settings().prices
    with session() as s:
        newest, held = plans.newest_of_day(s, day), prices.in_force(s)
    minute = daily.minute_price(settings().home / newest.folder) if newest else 0.0
    styles = daily.days_left(read("styles"), day, policy)
    windows = read_landed("forecast_windows", business_date=day)
    today = daily.Today(day, styles, read("skus"), read("stock_position"), windows, held, minute)
    return daily.proposals(published_panel(day), today, policy, settings().replenishment)


def propose(day: date) -> None:
    """Proposes prices of a day; the policy releases them where it may, else they wait for `c2m prices`."""
    with step("prices"):
        kept = keep(day, found_on(day))
    publish(day, kept)


def keep(day: date, rows: pd.DataFrame) -> pd.DataFrame:
    """Into the ledger; how they stand there."""
    with session() as s:
        prices.record(s, rows, day, clock.now())
        if settings().prices.automatic:
            prices.decide(s, "all", "released", plans.POLICY, "within every guard rail", clock.now())
        return prices.listed(s, day=day)


def publish(day: date, kept: pd.DataFrame) -> None:
    """The page of proposals."""
    styles = prices.of_styles(kept)
    states = styles["state"].value_counts().to_dict()
    reports.page(
        "prices",
        f"Price proposals, {day}",
        f"{len(styles):,} styles ({len(kept):,} SKUs) should have another price: "
        + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
        + ". A gain is that of a style over the days of its forecast, simulated on draws of demand and elasticity, and "
        "has an 80 % range; elasticities have 90 % intervals. Held: kept back to measure the others by. By SKU: "
        "`c2m prices --out FILE`. Release: `c2m prices --release MERCHANT/STYLE --reason ...`.",
        "",
        table(styles),
    )
