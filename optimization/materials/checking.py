"""The judge of a choice: every rule of optimization/materials/case.py in SQL, sharing no code with the statement.

In: a `Case` and its orders (supplier_id, material_id, period, packs, quantity, price). Out: `PurchaseVerdict`: broken
rules with the rows, and the cost by part, recomputed. Tolerances: 1e-6 relative.
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd

from optimization.contract.instances import records
from optimization.materials.case import COLUMNS, Case

_TERMS = """
CREATE TEMP VIEW terms AS
SELECT o.*, f.lead_periods, f.pack, f.order_cost, f.capacity,
    (SELECT arg_max(b.price, b.from_quantity) FROM breaks AS b
     WHERE b.supplier_id = o.supplier_id AND b.material_id = o.material_id
        AND b.from_quantity <= o.quantity * (1 + 1e-9)) AS right_price,
    (SELECT min(b.from_quantity) FROM breaks AS b
     WHERE b.supplier_id = o.supplier_id AND b.material_id = o.material_id) AS smallest
FROM orders AS o LEFT JOIN offers AS f ON f.supplier_id = o.supplier_id AND f.material_id = o.material_id;
CREATE TEMP VIEW delivered AS
SELECT supplier_id, material_id, period, quantity FROM orders
UNION ALL SELECT supplier_id, material_id, period, quantity FROM arrivals;
CREATE TEMP VIEW weeks AS
SELECT d.supplier_id, d.material_id, w.period AS week, d.quantity
FROM delivered AS d JOIN range(1, $horizon + 1) AS w(period)
    ON d.period >= w.period AND d.period < w.period + $width;
CREATE TEMP TABLE lying AS
SELECT m.material_id, p.period, m.safety, m.hold_cost, m.thin_cost, m.short_cost,
    m.stock
    + coalesce((SELECT sum(d.quantity) FROM delivered AS d
                WHERE d.material_id = m.material_id AND d.period <= p.period), 0)
    - coalesce((SELECT sum(n.quantity) FROM needs AS n
                WHERE n.material_id = m.material_id AND n.period <= p.period), 0)
    AS net
FROM materials AS m, range(1, $horizon + 1) AS p(period);
"""
_RULES = {
    "unknown offer": "SELECT supplier_id, material_id FROM terms WHERE pack IS NULL",
    "ordered twice": """
        SELECT supplier_id, material_id, period FROM orders GROUP BY ALL HAVING count(*) > 1""",
    "outside the horizon": "SELECT * FROM orders WHERE period NOT BETWEEN 1 AND $horizon",
    "no whole pack": """
        SELECT supplier_id, material_id, period, quantity, pack FROM terms
        WHERE quantity <= 0 OR abs(quantity / pack - round(quantity / pack)) > 1e-6
            OR abs(packs * pack - quantity) > 1e-6 * quantity""",
    "sooner than the lead time": """
        SELECT supplier_id, material_id, period, lead_periods FROM terms WHERE period < lead_periods""",
    "between two reviews": """
        SELECT supplier_id, material_id, period, lead_periods FROM terms
        WHERE (period - greatest(lead_periods, 1)) % $review <> 0""",
    "below the smallest purchase": """
        SELECT supplier_id, material_id, quantity, smallest FROM terms WHERE quantity < smallest * (1 - 1e-9)""",
    "another price than the breaks'": """
        SELECT supplier_id, material_id, quantity, price, right_price FROM terms
        WHERE abs(price - right_price) > 1e-6 * right_price""",
    "over the offer's capacity": """
        SELECT w.supplier_id, w.material_id, w.week, sum(w.quantity) AS delivered, any_value(f.capacity) AS capacity
        FROM weeks AS w JOIN offers AS f ON f.supplier_id = w.supplier_id AND f.material_id = w.material_id
        WHERE EXISTS (FROM orders AS o WHERE o.supplier_id = w.supplier_id AND o.material_id = w.material_id
            AND o.period >= w.week AND o.period < w.week + $width)
        GROUP BY w.supplier_id, w.material_id, w.week
        HAVING sum(w.quantity) > any_value(f.capacity) * (1 + 1e-6)""",
    "over the supplier's capacity": """
        SELECT w.supplier_id, w.week, sum(w.quantity) AS delivered, any_value(s.capacity) AS capacity
        FROM weeks AS w JOIN suppliers AS s ON s.supplier_id = w.supplier_id
        WHERE EXISTS (FROM orders AS o WHERE o.supplier_id = w.supplier_id
            AND o.period >= w.week AND o.period < w.week + $width)
        GROUP BY w.supplier_id, w.week
        HAVING sum(w.quantity) > any_value(s.capacity) * (1 + 1e-6)""",
}
_ORDERS = ["supplier_id", "material_id", "period", "packs", "quantity", "price"]
_COST = {
    "purchase": "SELECT sum(quantity * right_price) FROM terms",
    "order": "SELECT sum(order_cost) FROM terms",
    "hold": "SELECT sum(hold_cost * greatest(net, 0)) FROM lying",
    "thin": "SELECT sum(thin_cost * (safety - least(greatest(net, 0), safety))) FROM lying",
    "short": "SELECT sum(short_cost * greatest(-net, 0)) FROM lying",
}


@dataclass(frozen=True)
class PurchaseVerdict:
    """broken: rows by the rule that they break; cost: recomputed, by part."""

    broken: dict[str, list[dict[str, Any]]]
    cost: dict[str, float]

    @property
    def objective(self) -> float:
        """The cost in all."""
        return sum(self.cost.values())


def check(case: Case, orders: pd.DataFrame, claimed: float | None = None) -> PurchaseVerdict:
    """Judges orders by every rule of the case.

    Parameters
    ----------
    case
        What was to be bought.
    orders
        supplier_id, material_id, period (of arrival), packs, quantity (units), price (per unit).
    claimed
        The cost that is said of them; None: none is.

    Returns
    -------
    PurchaseVerdict
        Broken rules with their rows, and the cost.
    """
    with duckdb.connect() as connection:
        for name, columns in COLUMNS.items():
            _load(connection, name, getattr(case, name)[columns])
        _load(connection, "orders", orders[_ORDERS])
        numbers = {"horizon": str(case.horizon), "width": str(case.periods_per_week)}
        numbers["review"] = str(case.review_periods)
        for part in _TERMS.split(";\n"):
            connection.execute(_filled(part, numbers))
        found = {rule: connection.execute(_filled(query, numbers)).df() for rule, query in _RULES.items()}
        cost = {part: float(connection.execute(query).fetchall()[0][0] or 0.0) for part, query in _COST.items()}
    broken = {rule: records(rows) for rule, rows in found.items() if len(rows)}
    verdict = PurchaseVerdict(broken, cost)
    if claimed is not None and abs(claimed - verdict.objective) > 1e-6 * max(1.0, abs(claimed)):
        broken["another cost than claimed"] = [{"claimed": claimed, "found": verdict.objective}]
    return verdict


def _load(connection: duckdb.DuckDBPyConnection, name: str, table: pd.DataFrame) -> None:
    """A table of this name; ids are text, and all else numbers, also where there is no row to tell it by."""
    typed = ", ".join(f"CAST({c} AS {'VARCHAR' if c.endswith('_id') else 'DOUBLE'}) AS {c}" for c in map(str, table))
    connection.register("given", table)
    connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {typed} FROM given")  # noqa: S608 - our own names
    connection.unregister("given")


def _filled(query: str, numbers: dict[str, str]) -> str:
    """A view cannot hold a bound parameter; both are whole numbers of ours."""
    for name, number in numbers.items():
        query = query.replace(f"${name}", number)
    return query
