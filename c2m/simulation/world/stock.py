"""Opening stock: one snapshot in the last second before a day begins."""

import numpy as np
import pandas as pd

from c2m.simulation.world.span import Floats


def snapshot(skus: pd.DataFrame, pieces: Floats, opening: np.datetime64) -> pd.DataFrame:
    """The stock feed for `skus` with `pieces` on hand as the day that starts at `opening` (UTC) begins.

    Running totals are rounded, not the pieces: many SKUs of less than half a piece keep their sum.
    """
    on_hand = np.diff(np.rint(np.cumsum(pieces)), prepend=0).astype("int64")
    rows = skus[["merchant_id", "sku_id"]].assign(location_id="main", as_of=opening - np.timedelta64(1, "s"))
    return rows.assign(on_hand=on_hand, known_at=rows["as_of"])
