"""Forecasts at every level of the range: SKU, size, style, category, merchant; each level adds up to the one above.

The forecast is made per style. A SKU gets its share of the style's mean, all other levels are sums of SKUs, so that no
two of them contradict each other. Only means add up: a quantile of a sum is no sum of quantiles, and none is given.
"""

import duckdb
import pandas as pd

LEVELS = {
    "sku": "merchant_id, category, style_id, size, sku_id",
    "size": "merchant_id, category, size",
    "style": "merchant_id, category, style_id",
    "category": "merchant_id, category",
    "merchant": "merchant_id",
}
_SUMS = f"""
    SELECT CASE
            WHEN grouping(sku_id) = 0 THEN 'sku' WHEN grouping(size) = 0 THEN 'size'
            WHEN grouping(style_id) = 0 THEN 'style' WHEN grouping(category) = 0 THEN 'category' ELSE 'merchant'
        END AS level,
        merchant_id, category, style_id, size, sku_id, ds, sum(mean * size_share) AS mean
    FROM daily JOIN skus USING (merchant_id, style_id)
    GROUP BY GROUPING SETS ({", ".join(f"({keys}, ds)" for keys in LEVELS.values())})
    ORDER BY ALL
"""  # noqa: S608 - constant text


def levels(daily: pd.DataFrame, skus: pd.DataFrame) -> pd.DataFrame:
    """The daily forecast summed over merchants, categories and styles, and shared out to sizes.

    Parameters
    ----------
    daily
        merchant_id, style_id, ds, mean (pieces).
    skus
        The mart `skus`; its size_share sums to 1 over the SKUs of a style.

    Returns
    -------
    pd.DataFrame
        level, merchant_id, category, style_id, size, sku_id, ds, mean (pieces); keys that a level sums over are empty.
    """
    with duckdb.connect() as connection:
        connection.register("daily", daily[["merchant_id", "style_id", "ds", "mean"]])
        connection.register("skus", skus)
        return connection.execute(_SUMS).df()
