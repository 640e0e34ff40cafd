"""Money in the currency of a plan, by the mart `exchange_rates`: as far as it goes, what else counts stays as it is."""

from collections.abc import Sequence

import pandas as pd

OF_FACTORY = ["minute_cost", "overtime_minute_cost", "setup_cost", "engagement_cost"]
OF_PIECE = ["price", "cost"]
_DECIMALS = 4  # of money in feeds and ledger


def plan_currency(factories: pd.DataFrame) -> str | None:
    """The one currency that a plan counts in: that of most active factories (mart `factories`), whatever merchants
    send.
    """
    active = factories.loc[factories["status"] == "active", "currency"]
    return None if active.empty else str(active.mode().iloc[0])


def rates_to(currency: "pd.Series[str] | str", own: "pd.Series[str]", rates: pd.DataFrame) -> "pd.Series[float]":
    """What one unit of each row's `own` currency is worth in `currency`; NaN where no rate is known.

    rates: currency, quote_currency, rate; both ways round.
    """
    pairs = pd.DataFrame({"currency": own, "quote_currency": currency})
    found = pairs.merge(rates, on=["currency", "quote_currency"], how="left", validate="many_to_one")["rate"]
    return found.set_axis(own.index).astype(float).mask(own == currency, 1.0)


def in_currency(rows: pd.DataFrame, money: Sequence[str], rates: pd.DataFrame, currency: str | None) -> pd.DataFrame:
    """The rows with their money converted where a rate is known.

    Parameters
    ----------
    rows
        With a column `currency`, which says what a row's money is in.
    money
        Columns to convert.
    rates
        currency, quote_currency, rate: what one of the first is in the second.
    currency
        To convert into; None: nothing is known, and nothing converted.

    Returns
    -------
    pd.DataFrame
        The same rows; `currency` of a row says which it is now.
    """
    rate = rates_to(str(currency), rows["currency"], rates)
    foreign = rate.notna() & (rows["currency"] != currency)
    if not foreign.any():
        return rows
    converted = {name: (rows[name].astype(float) * rate.where(foreign, 1.0)).round(_DECIMALS) for name in money}
    return rows.assign(**converted, currency=rows["currency"].mask(foreign, currency))
