"""Shoppers' orders by the hour, as they come in: straight from what has landed, without a build of the warehouse.

In: landing/sales_lines. Out: order lines and pieces of each style, hour by hour up to a moment. An order's time is when
the platform first knew it, within its own date: what comes in files, a day at once, counts in the last hour of its day.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from c2m import clock
from c2m.feeds import landing
from c2m.settings import settings

# `age_h`: whole hours between an order and `until`. A line whose later status alone is new was placed before.
_BY_HOUR = """
    WITH placed AS (
        SELECT merchant_id, any_value(style_id) AS style_id, min(sold_on) AS sold_on, min(known_at) AS known_at,
            arg_min(quantity, known_at) AS quantity
        FROM {source}
        WHERE sold_on >= $first AND known_at < $until
        GROUP BY merchant_id, sale_line_id
    )
    SELECT merchant_id, style_id,
        date_diff('second', greatest(least(known_at, ends), begins), $until) // 3600 AS age_h,
        count(*) AS lines, sum(quantity) AS pieces
    FROM placed INNER JOIN days USING (sold_on)
    WHERE quantity > 0
    GROUP BY ALL ORDER BY ALL
"""


def by_hour(until: datetime, days: int) -> pd.DataFrame:
    """merchant_id, style_id, age_h (0: the last hour before `until`), lines, pieces of the orders of the last `days`.

    Parameters
    ----------
    until
        UTC; what was known later is not read.
    days
        How far back.

    Returns
    -------
    pd.DataFrame
        A row per style and hour in which something was ordered.
    """
    today = until.astimezone(ZoneInfo(settings().timezone)).date()
    first, naive = today - timedelta(days=days), until.replace(tzinfo=None)
    with landing.connect() as connection:
        connection.register("days", pd.DataFrame([_span(day) for day in clock.days(first, days + 1)]))
        query = _BY_HOUR.format(source=landing.source("sales_lines", union=False))
        return connection.execute(query, {"first": first, "until": naive}).df()


def _span(day: date) -> dict[str, object]:
    """First and last second of a date, UTC."""
    begins = clock.cut_off(day)
    ends = clock.cut_off(day + timedelta(days=1)) - timedelta(seconds=1)
    return {"sold_on": day, "begins": begins.replace(tzinfo=None), "ends": ends.replace(tzinfo=None)}
