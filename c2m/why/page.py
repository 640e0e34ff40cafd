"""The page that tells operations why a day orders as many pieces of each style-colour as it does."""

import pandas as pd

from c2m.ledger.quantities import STOCK
from c2m.markdown import table

# What is ordered first: the Prefect page cuts a wide table at its right edge, until it is scrolled.
_COLUMNS = {
    "merchant_id": "merchant",
    "style": "style",
    "colour": "colour",
    "lot_quantity": "ordered",
    "needed": "colour needs",
    "added": "batch adds",
    "lacking": "style lacks",
    "level": "level",
    "style_on_hand": "on hand",
    "style_in_transit": "in transit",
    "style_on_order": "on order",
    "critical_ratio": "critical ratio",
    "forecast_mean": "mean demand",
    "q10": "low demand",
    "q50": "middle demand",
    "q90": "high demand",
    "lot_id": "lot",
}


def why_this_many(lots: pd.DataFrame) -> list[str]:
    """Markdown of the lots that a day ordered (`c2m.ledger.quantities.of_day`), the largest first."""
    if lots.empty:
        return ["No style-colour was short of its level by as much as a batch: nothing is ordered for stock."]
    held = lots[[f"style_{name}" for name in STOCK]].sum(axis=1)
    lacking = (lots["level"] - held).clip(lower=0)
    rows = lots.assign(lacking=lacking, added=lots["lot_quantity"] - lots["needed"])
    figures = list(rows.select_dtypes("float64").columns.drop("critical_ratio"))
    shown = rows.round(dict.fromkeys(figures, 1)).sort_values(["lot_quantity", "lot_id"], ascending=[False, True])
    ordered, least = rows["lot_quantity"].sum(), rows["minimum_order_pieces"].max()
    days = ", ".join(sorted({f"{days} days" for days in rows["window_days"]}))
    versions = ", ".join(sorted(set(rows["model_version"])))
    return [
        f"{len(rows):,} lots for stock, **{ordered:,} pieces**: {rows['needed'].sum():,.0f} needed, "
        f"{rows['added'].sum():,.0f} added by whole pieces and smallest batches ({least:,}).",
        "",
        f"Demand is that of the style over {days}, by model version {versions}: in 1 of 10 cases below the low, in "
        "1 of 10 above the high figure. The level meets it with the "
        "probability of the critical ratio: the margin that a missing piece loses, as a share of that margin plus the "
        "loss on a piece left over. What the style lacks goes to the colours and sizes with the least cover first. "
        "The whole chain of a lot: `c2m why LOT`.",
        "",
        table(shown[list(_COLUMNS)].rename(columns=_COLUMNS)),
    ]
