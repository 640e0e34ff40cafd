"""Which share of a style's demand comes through each channel and from each region, and so of its forecast.

In: mart demand_weekly, forecasts per style. Out: rows of landing/forecast_shares. One supply stands behind all
channels: the style's forecast is shared out, so that channels add up to it, and regions too.
"""

import numpy as np
import pandas as pd

from c2m.settings import TrendPolicy

STYLE = ["merchant_id", "style_id"]
PLACE = ["dimension", "place"]


def shares(weekly: pd.DataFrame, policy: TrendPolicy) -> pd.DataFrame:
    """Shares of each style by place.

    Parameters
    ----------
    weekly
        Mart demand_weekly.
    policy
        Half-life of what a week tells, pieces by which a style's shares lean on its merchant's.

    Returns
    -------
    pd.DataFrame
        STYLE, PLACE, share (0 to 1; sums to 1 over the places of a dimension).
    """
    aged = weekly["pieces_asked"] * 0.5 ** (weekly["weeks_ago"] / policy.half_life_weeks)
    counted = weekly.assign(pieces=aged).groupby([*STYLE, *PLACE], as_index=False)["pieces"].sum()
    usual = counted.groupby(["merchant_id", *PLACE], as_index=False)["pieces"].sum()
    usual["usual"] = usual["pieces"] / usual.groupby(["merchant_id", "dimension"])["pieces"].transform("sum")
    every = counted[[*STYLE, "dimension"]].drop_duplicates().merge(usual.drop(columns="pieces"))
    both = every.merge(counted, "left", [*STYLE, *PLACE]).fillna({"pieces": 0.0})
    total = both.groupby([*STYLE, "dimension"])["pieces"].transform("sum")
    share = (both["pieces"] + policy.prior_pieces * both["usual"]) / (total + policy.prior_pieces)
    found: pd.DataFrame = both[[*STYLE, *PLACE]].assign(share=share)
    return found


def shared_out(daily: pd.DataFrame, of_style: pd.DataFrame) -> pd.DataFrame:
    """The forecast of each style over its horizon by place.

    Parameters
    ----------
    daily
        STYLE, ds and mean (pieces): rows of landing/forecasts of one day and model.
    of_style
        `shares`.

    Returns
    -------
    pd.DataFrame
        STYLE, PLACE, share, pieces (mean over the horizon), business_date, model_version, known_at.
    """
    key = [*STYLE, "business_date", "model_version", "known_at"]
    sums = daily.groupby(key, as_index=False, dropna=False)["mean"].sum()
    rows = sums.merge(of_style, on=STYLE)
    found: pd.DataFrame = rows.assign(pieces=np.asarray(rows["mean"] * rows["share"])).drop(columns="mean")
    return found
