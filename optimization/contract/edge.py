"""The name of a lot's id: `order_id` in the files and reports of the contract, `lot_id` in everything inside.

The contract was written when an order was one lot. Inside, an order is a merchant's, and has lots. In and out: tables,
or values as JSON has them.
"""

from typing import Any

import pandas as pd

INSIDE, OUTSIDE = "lot_id", "order_id"


def inside(table: pd.DataFrame) -> pd.DataFrame:
    """A table of the contract with the name used inside."""
    return table.rename(columns={OUTSIDE: INSIDE})


def outside(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the contract's name; one that has it already stays as it is."""
    return table if OUTSIDE in table else table.rename(columns={INSIDE: OUTSIDE})


def outside_keys(value: Any) -> Any:
    """Figures with the contract's name for every key, however deep it lies."""
    if isinstance(value, dict):
        return {OUTSIDE if key == INSIDE else key: outside_keys(inner) for key, inner in value.items()}
    return [outside_keys(inner) for inner in value] if isinstance(value, list) else value
