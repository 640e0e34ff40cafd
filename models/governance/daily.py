"""The forecast of the daily run, by the champion: rows for the landing zone."""

from datetime import date

import pandas as pd

from c2m import clock
from models.demand.features import in_order
from models.demand.forecast import Part, forecast, windows
from models.governance.registry import Registered
from models.panel.matrices import Panel


def forecast_daily(
    panel: Panel, champion: Registered, business_date: date, window_days: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The champion's forecast of a day, as it lands.

    Parameters
    ----------
    panel
        Styles by days, pieces.
    champion
        The registered version that forecasts.
    business_date
        The first day that is forecast.
    window_days
        Days of the total: lead time plus review period.

    Returns
    -------
    tuple
        Rows of landing/forecasts (per style and day) and of landing/forecast_windows (of the total over the window),
        and the feature rows behind them (per style and day).
    """
    seen: list[Part] = []
    days = forecast(panel, "wape", champion, seen)
    totals = windows(days, champion.scorer, window_days)
    days["horizon_day"] = (days["ds"] - pd.Timestamp(business_date)).dt.days.astype("int32") + 1
    days["ds"] = days["ds"].dt.date
    forecasts, over_window = (_landed(frame, champion, business_date) for frame in (days, totals))
    keys = forecasts[["merchant_id", "style_id", "ds"]]
    features = in_order(seen)  # the merchant is one of them
    return forecasts, over_window, pd.concat([keys, features[features.columns.difference(keys.columns, False)]], axis=1)


def _landed(frame: pd.DataFrame, champion: Registered, business_date: date) -> pd.DataFrame:
    """With the style in place of the series, and by whom and when it was made."""
    _name_style(frame)
    frame.insert(2, "business_date", business_date)
    return frame.assign(model_version=champion.version, known_at=clock.now().replace(tzinfo=None))


def _name_style(frame: pd.DataFrame) -> None:
    """Puts merchant_id and style_id, as the first columns, in the place of series_id."""
    names = frame.pop("series_id").str.split("/", n=1)
    frame.insert(0, "merchant_id", names.str[0])
    frame.insert(1, "style_id", names.str[1])
