"""From pieces to materials: what lots and the forecast take of each material, by day.

In: pieces by style-colour and day; recipes (the mart style_materials: units per piece, waste included). Out: needs in
units of each material. dbt does the bills themselves, at every depth (dbt_project/models/intermediate/int_bill_*.sql).
"""

from datetime import date

import duckdb
import pandas as pd

WANTED = ["source", "source_id", "merchant_id", "style_id", "colour", "day", "pieces"]
NEEDED = ["source", "source_id", "material_id", "day", "quantity"]

_EXPLODE = """
SELECT w.source, w.source_id, r.material_id, w.day, sum(w.pieces * r.quantity) AS quantity
FROM wanted AS w
JOIN recipes AS r ON r.merchant_id = w.merchant_id AND r.style_id = w.style_id AND r.colour IN ('', w.colour)
WHERE w.pieces > 0
GROUP BY ALL ORDER BY ALL
"""
# Past the forecast's last day, demand goes on as in its last week.
_AHEAD = """
WITH last AS (
    SELECT merchant_id, style_id, max(ds)::DATE AS ds FROM forecasts GROUP BY ALL
), daily AS (
    SELECT merchant_id, style_id, ds::DATE AS ds, mean FROM forecasts
    UNION ALL
    SELECT f.merchant_id, f.style_id, (l.ds + d.n::INT)::DATE AS ds, avg(f.mean) AS mean
    FROM forecasts AS f JOIN last AS l USING (merchant_id, style_id), range(1, $days + 1) AS d(n)
    WHERE f.ds::DATE > l.ds - 7 AND l.ds + d.n::INT < $today::DATE + $days::INT
    GROUP BY f.merchant_id, f.style_id, l.ds, d.n
), asked AS (
    SELECT merchant_id, style_id, ds, mean,
        sum(mean) OVER (PARTITION BY merchant_id, style_id ORDER BY ds) - coalesce(h.pieces, 0) AS beyond
    FROM daily LEFT JOIN held AS h USING (merchant_id, style_id)
), colours AS (
    SELECT merchant_id, style_id, colour, sum(size_share) AS share FROM skus GROUP BY ALL
)
SELECT 'forecast' AS source, '' AS source_id, merchant_id, style_id, c.colour,
    greatest(a.ds - $lead::INT, $today::DATE + 1)::DATE AS day, sum(c.share * least(mean, beyond)) AS pieces
FROM asked AS a JOIN colours AS c USING (merchant_id, style_id)
WHERE beyond > 0 GROUP BY ALL ORDER BY ALL
"""


def explode(wanted: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """What pieces take of each material.

    Parameters
    ----------
    wanted
        WANTED: pieces of a style-colour that begin on a day, and for what (a lot, or the forecast).
    recipes
        merchant_id, style_id, colour ('' is all), material_id, quantity (units per piece, waste included).

    Returns
    -------
    pd.DataFrame
        NEEDED, quantity in units of the material; styles without a recipe take nothing.
    """
    with duckdb.connect() as connection:
        connection.register("wanted", wanted)
        connection.register("recipes", recipes)
        return connection.execute(_EXPLODE).df()


def of_lots(lots: pd.DataFrame, today: date) -> pd.DataFrame:
    """What open lots want: the pieces that remain, from the day after today or their own first day on.

    Parameters
    ----------
    lots
        lot_id, merchant_id, style_id, colour, remaining (pieces), release_on.
    today
        The business date.

    Returns
    -------
    pd.DataFrame
        WANTED, with the lot as source.
    """
    tomorrow = pd.Timestamp(today) + pd.Timedelta(1, "D")
    released = pd.to_datetime(lots["release_on"])
    day = released.where(released > tomorrow, tomorrow)
    named = lots[["merchant_id", "style_id", "colour"]]
    return named.assign(source="lot", source_id=lots["lot_id"], day=day, pieces=lots["remaining"].astype(float))[WANTED]


def of_forecast(
    forecasts: pd.DataFrame, held: pd.DataFrame, skus: pd.DataFrame, today: date, lead_days: int, days: int
) -> pd.DataFrame:
    """WANTED by the demand that neither stock nor open lots will meet, a lead time before it is sold.

    Parameters
    ----------
    forecasts
        merchant_id, style_id, ds, mean (pieces a day).
    held
        merchant_id, style_id, pieces: on the shelf, in transit, and what remains of open lots made to sell.
    skus
        merchant_id, style_id, colour, size_share: by which a style's demand is shared out.
    today
        The business date.
    lead_days
        From the start of making to the shelf.
    days
        How far demand is looked at; past the forecast's end as in its last week.

    Returns
    -------
    pd.DataFrame
        WANTED, with source forecast.
    """
    with duckdb.connect() as connection:
        for name, table in (("forecasts", forecasts), ("held", held), ("skus", skus)):
            connection.register(name, table)
        return connection.execute(_AHEAD, {"today": today, "lead": lead_days, "days": days}).df()
