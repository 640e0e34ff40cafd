"""The series of the market, from the mart market_weekly: a panel of volumes and one of prices, by whole weeks."""

from dataclasses import replace

import numpy as np
import pandas as pd

from models.panel.matrices import SEASONS, Floats, Panel, placed

KEY = ["source", "merchant_id", "category", "currency"]
VOLUME, PRICE = "volume", "price"
MEASURES = (VOLUME, PRICE)
OWN = "own"


def panels(weekly: pd.DataFrame, least_weeks: int) -> dict[str, Panel]:
    """A panel by measure, of the series that are long enough.

    Parameters
    ----------
    weekly
        Mart market_weekly.
    least_weeks
        Weeks with an observation below which a series is left out.

    Returns
    -------
    dict
        By measure; without one of which no series is long enough. The ids of series are those of `names`. A week of a
        merchant without a sale in a category has volume zero and no price.
    """
    found = {measure: _panel(weekly, measure, least_weeks) for measure in MEASURES}
    return {measure: panel for measure, panel in found.items() if panel is not None}


def names(panel: Panel) -> pd.DataFrame:
    """KEY by series."""
    return pd.DataFrame([str(one).split("\n") for one in panel.ids], columns=KEY)


def _panel(weekly: pd.DataFrame, measure: str, least_weeks: int) -> Panel | None:
    known = weekly.dropna(subset=[measure]).reset_index(drop=True)
    series = known[KEY].astype(str).agg("\n".join, axis=1)
    enough = known[series.map(series.value_counts()) >= least_weeks]
    if enough.empty:
        return None
    ids, days = pd.Index(sorted(series[enough.index].unique())), pd.to_datetime(weekly["week"])
    ds = pd.date_range(days.min(), days.max(), freq="7D", name="ds")
    cells = ids.get_indexer(pd.Index(series[enough.index])), ds.get_indexer(pd.DatetimeIndex(enough["week"]))
    y = placed((len(ids), len(ds)), *cells, enough[measure].to_numpy(dtype=np.float64))
    panel = Panel(ids, ds, y, np.zeros(y.shape, dtype=bool), SEASONS["W"])
    return replace(panel, y=_with_zeros(panel, weekly)) if measure == VOLUME else panel


def _with_zeros(panel: Panel, weekly: pd.DataFrame) -> Floats:
    """Own sales: zero where a merchant sold other things only, from the first week of a category on."""
    facts, own = names(panel), weekly[weekly["source"] == OWN]
    last = pd.to_datetime(own.groupby("merchant_id")["week"].max())
    until = panel.ds.get_indexer(pd.DatetimeIndex(facts["merchant_id"].map(last)))
    columns, is_own = np.arange(panel.y.shape[1]), (facts["source"] == OWN).to_numpy()[:, None]
    inside = (columns >= panel.first[:, None]) & (columns <= until[:, None]) & is_own
    return np.where(inside & ~panel.seen, 0.0, panel.y)
