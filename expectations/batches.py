"""What the gate looks at: small frames of measures, one row per subject, out of the landing zone or out of a forecast.

Shares lie in 0..1; `of_usual` measures are ratios; null means that there is too little to judge by. Rows known at or
after the cut-off do not exist here.
"""

from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd

from c2m import clock
from c2m.feeds.contracts import FEEDS
from c2m.feeds.landing import source
from c2m.settings import settings

# A merchant with fewer lines a day is judged in the total alone: a Poisson count of 20 is below 0.4 of its mean once in
# 400 days, one of 5 every 8 days.
_LINES_TO_JUDGE = 20

# One batch is what became known on one date. Usual is the median of the same weekday in the four weeks before, once
# three of them have been seen: a shop that is closed on Sundays has an empty batch on Sundays.
_SALES = """
WITH line AS (
    SELECT merchant_id, quantity, amount, status = 'cancelled' AS cancelled,
        CAST(known_at AT TIME ZONE 'UTC' AT TIME ZONE $timezone AS DATE) AS batch
    FROM {sales_lines} WHERE known_at >= $since AND known_at < $cut_off
), measured AS (
    SELECT coalesce(merchant_id, 'all merchants') AS subject, batch, count(*) AS lines,
        avg(CAST(cancelled AS INT)) AS cancelled_share, avg(CAST(amount IS NULL AS INT)) AS no_amount_share,
        median(CAST(amount AS DOUBLE) / quantity) FILTER (quantity > 0 AND amount > 0) AS unit_price
    FROM line GROUP BY GROUPING SETS ((merchant_id, batch), (batch))
), batches AS (
    SELECT subject, batch, coalesce(lines, 0) AS lines, cancelled_share, no_amount_share, unit_price
    FROM (
        SELECT subject, unnest(generate_series(min(batch), $today - 1, INTERVAL 1 DAY))::DATE AS batch
        FROM measured GROUP BY subject
    ) LEFT JOIN measured USING (subject, batch)
), judged AS (
    SELECT *,
        CASE WHEN count(*) OVER weekday >= 3 THEN median(lines) OVER weekday END AS usual_lines,
        median(cancelled_share) OVER month AS usual_cancelled_share,
        median(no_amount_share) OVER month AS usual_no_amount_share,
        median(unit_price) OVER month AS usual_unit_price
    FROM batches
    WINDOW
        weekday AS (PARTITION BY subject, dayofweek(batch) ORDER BY batch ROWS BETWEEN 4 PRECEDING AND 1 PRECEDING),
        month AS (PARTITION BY subject ORDER BY batch ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING)
)
SELECT subject, lines, lines / nullif(usual_lines, 0) AS lines_of_usual,
    cancelled_share - usual_cancelled_share AS cancelled_share_change,
    no_amount_share - usual_no_amount_share AS no_amount_share_change,
    unit_price / usual_unit_price AS unit_price_of_usual
FROM judged
WHERE batch = $today - 1 AND (usual_lines >= $lines_to_judge OR subject = 'all merchants')
ORDER BY subject
"""

_SUPPLY = """
WITH factory AS (
    SELECT factory_id, arg_max(status, known_at) AS status FROM {factories} WHERE known_at < $cut_off GROUP BY ALL
), ahead AS (
    SELECT factory_id, date_diff('day', $today, max(day)) AS days, sum(minutes) FILTER (day > $today) AS minutes
    FROM {factory_calendar} WHERE known_at < $cut_off GROUP BY ALL
), made AS (
    SELECT DISTINCT name FROM {factory_capabilities} JOIN factory USING (factory_id)
    WHERE kind = 'category' AND known_at < $cut_off AND status = 'active'
)
SELECT 'active factories' AS subject,
    count(*) FILTER (minutes > 0) AS with_working_time,
    coalesce(min(days), 0) AS calendar_days_ahead,
    (SELECT count(DISTINCT category) FROM {catalogue} WHERE known_at < $cut_off
        AND category NOT IN (SELECT name FROM made)) AS categories_nobody_makes
FROM factory LEFT JOIN ahead USING (factory_id) WHERE status = 'active'
"""

# What names something that never came. Subjects: a merchant, all merchants, an active factory.
_MATCHES = """
WITH line AS (
    SELECT merchant_id, sku_id, quantity FROM {sales_lines}
    WHERE known_at < $cut_off AND sold_on >= $since AND sold_on < $today
    QUALIFY row_number() OVER (PARTITION BY merchant_id, sale_line_id ORDER BY known_at DESC, _row_hash) = 1
), listed AS (
    SELECT DISTINCT merchant_id, sku_id FROM {catalogue} WHERE known_at < $cut_off
), sold AS (
    SELECT coalesce(merchant_id, 'all merchants') AS subject,
        coalesce(sum(quantity) FILTER (NOT known), 0) / sum(quantity) AS unlisted_share,
        merchant_id IS NULL AS of_all
    FROM (
        SELECT line.*, listed.sku_id IS NOT NULL AS known FROM line LEFT JOIN listed USING (merchant_id, sku_id)
    ) GROUP BY GROUPING SETS ((merchant_id), ()) HAVING sum(quantity) >= $lines_to_judge
), header AS (
    SELECT merchant_id, order_id, status FROM {merchant_orders} WHERE known_at < $cut_off
    QUALIFY row_number() OVER (PARTITION BY merchant_id, order_id ORDER BY known_at DESC, _row_hash) = 1
), empty AS (
    SELECT merchant_id AS subject, count(*) AS orders_without_lines
    FROM header ANTI JOIN (SELECT merchant_id, order_id FROM {merchant_order_lines} WHERE known_at < $cut_off)
        USING (merchant_id, order_id)
    WHERE status = 'open' GROUP BY merchant_id
), factory AS (
    SELECT factory_id, arg_max(status, known_at) AS status FROM {factories} WHERE known_at < $cut_off GROUP BY ALL
), ahead AS (
    SELECT factory_id, count(*) AS days FROM {factory_calendar} WHERE known_at < $cut_off AND day > $today GROUP BY ALL
)
SELECT subject, unlisted_share, CASE WHEN of_all THEN unlisted_share END AS unlisted_share_of_all,
    orders_without_lines, NULL AS calendar_days
FROM sold FULL JOIN empty USING (subject)
UNION ALL
SELECT factory_id, NULL, NULL, NULL, coalesce(days, 0)
FROM factory LEFT JOIN ahead USING (factory_id) WHERE status = 'active'
ORDER BY subject
"""

_FILES = """
SELECT feed AS subject, sum(quarantined) / nullif(sum(rows_in), 0) AS quarantined_share,
    count(*) FILTER (status = 'rejected') AS rejected_files
FROM {file_outcomes} WHERE status NOT IN ('arrived', 'changed') AND arrived_at >= $yesterday GROUP BY feed ORDER BY feed
"""


def _query(sql: str, feeds: tuple[str, ...], parameters: dict[str, date | datetime | str | int]) -> pd.DataFrame:
    used = {name: value for name, value in parameters.items() if f"${name}" in sql}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql.format(**{feed: source(feed) for feed in feeds}), used).df()


def of_feeds(business_date: date) -> dict[str, pd.DataFrame]:
    """The batches that came in for `business_date`, and what the plan of the day stands on."""
    cut_off = clock.cut_off(business_date).replace(tzinfo=None)
    parameters: dict[str, date | datetime | str | int] = {
        "today": business_date,
        "cut_off": cut_off,
        "yesterday": cut_off - timedelta(days=1),
        "since": clock.cut_off(business_date - timedelta(days=29)).replace(tzinfo=None),
        "timezone": settings().timezone,
        "lines_to_judge": _LINES_TO_JUDGE,
    }
    sales = _query(_SALES, ("sales_lines",), parameters)
    if business_date - timedelta(days=1) in settings().closed_on:
        sales["lines_of_usual"] = np.nan
    supply = ("factories", "factory_calendar", "factory_capabilities", "catalogue")
    matches = ("sales_lines", "catalogue", "merchant_orders", "merchant_order_lines", "factories", "factory_calendar")
    return {
        "feeds": _query(_feeds_sql(), tuple(FEEDS), parameters),
        "files": _query(_FILES, ("file_outcomes",), parameters),
        "sales_batch": sales,
        "supply": _query(_SUPPLY, supply, parameters),
        "matches": _query(_MATCHES, matches, parameters),
    }


def _feeds_sql() -> str:
    """Rows known of each feed; null as rows needed where the day can do without."""
    return " UNION ALL ".join(
        f"SELECT '{name}' AS subject, count(*) AS rows_known, "  # noqa: S608
        f"{'count(*)' if feed.required else 'NULL'} AS rows_needed FROM {{{name}}} WHERE known_at < $cut_off"
        for name, feed in FEEDS.items()
    )


def of_forecast(
    forecast: pd.DataFrame, styles: pd.DataFrame, demand: pd.DataFrame, business_date: date
) -> dict[str, pd.DataFrame]:
    """Per style: what is missing or impossible. In total: forecast a day over the demand a day of the last 28 days."""
    horizon = settings().forecast.horizon_days
    key = ["merchant_id", "style_id"]
    today = pd.Timestamp(business_date)
    levels = forecast[sorted(column for column in forecast.columns if column.startswith("q"))].to_numpy(float)
    numbers = np.column_stack([levels, forecast[["point", "mean"]].to_numpy(float)])
    rows = forecast[key].assign(
        day=(pd.to_datetime(forecast["ds"]) - today).dt.days,
        bad_numbers=(~(np.isfinite(numbers) & (numbers >= 0))).sum(axis=1),
        crossed_quantiles=(np.diff(levels, axis=1) < 0).sum(axis=1),
    )
    rows["ahead"] = rows["day"].where(rows["day"].between(0, horizon - 1))
    by_style = rows.groupby(key, as_index=False).agg(
        days=("ahead", "nunique"),
        rows=("day", "size"),
        bad_numbers=("bad_numbers", "sum"),
        crossed_quantiles=("crossed_quantiles", "sum"),
    )
    active = styles.loc[styles["pieces_28d"] > 0, key]
    table = active.merge(by_style, on=key, how="outer").fillna({"days": 0, "rows": 0})
    table["surplus_rows"] = table["rows"] - table["days"]
    recent = demand.loc[pd.to_datetime(demand["demand_date"]) >= today - timedelta(days=28), "pieces_asked"].sum() / 28
    total = forecast["mean"].sum() / horizon / recent if recent else np.nan
    return {
        "forecast_styles": table.assign(subject=table["merchant_id"] + "/" + table["style_id"]).drop(
            columns=[*key, "rows"]
        ),
        "forecast_total": pd.DataFrame({"subject": ["all styles"], "mean_of_recent": [total]}),
    }
