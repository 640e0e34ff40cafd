"""What covers each lot's material, and from which day on: stock first, then what arrives, lot after lot by its rank.

In: needs of lots, stock, arrivals. Out: the day on which all material of a lot is there; none where nothing covers it.
"""

from datetime import date

import duckdb
import pandas as pd

# Of a material, the day on which as much has come as all lots up to this one take. A hair of a unit is rounding.
_READY = """
WITH supply AS (
    SELECT material_id, day, sum(sum(quantity)) OVER (PARTITION BY material_id ORDER BY day) AS come
    FROM (
        SELECT material_id, $today::DATE AS day, on_hand AS quantity FROM stock
        UNION ALL SELECT material_id, greatest(day::DATE, $today::DATE), quantity FROM arrivals
    ) GROUP BY material_id, day
), taken AS (
    SELECT n.source_id AS lot_id, n.material_id, n.quantity,
        sum(n.quantity) OVER (PARTITION BY n.material_id ORDER BY r.rank, n.source_id) AS taken
    FROM needs AS n JOIN ranks AS r ON r.lot_id = n.source_id
    WHERE n.source = 'lot'
)
SELECT t.lot_id, t.material_id, t.quantity,
    (SELECT min(s.day) FROM supply AS s
     WHERE s.material_id = t.material_id AND s.come >= t.taken * (1 - 1e-9) - 1e-9) AS ready_on
FROM taken AS t ORDER BY ALL
"""


def ready(
    needs: pd.DataFrame, ranks: pd.DataFrame, stock: pd.DataFrame, arrivals: pd.DataFrame, today: date
) -> pd.DataFrame:
    """From when on each lot has each of its materials.

    Parameters
    ----------
    needs
        `needs.NEEDED`; those of lots count, in units.
    ranks
        lot_id, rank: who takes first, the smallest first; material is not given twice.
    stock
        material_id, on_hand.
    arrivals
        material_id, day, quantity of what is under way or will be ordered; what is overdue counts as of today.
    today
        The business date.

    Returns
    -------
    pd.DataFrame
        lot_id, material_id, quantity, ready_on; NaT where nothing that is known of covers it.
    """
    with duckdb.connect() as connection:
        for name, table in (("needs", needs), ("ranks", ranks), ("stock", stock), ("arrivals", arrivals)):
            connection.register(name, table)
        return connection.execute(_READY, {"today": today}).df()
