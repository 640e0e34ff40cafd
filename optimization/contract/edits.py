"""Changes to an instance: what to set in which rows of a table, or rows to add, and the same in words.

Explanations propose them as cures, scenarios are made of them. In: an instance and its changes, one after the other;
out: the changed instance, unchecked. Units are those of the instance's columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from optimization.contract.instances import Instance

_ABSENT = {  # where an edit makes a row
    "capacity": {"minutes": 0.0, "overtime_minutes": 0.0, "overtime_cost": 0.0},
    "arcs": {"max_minutes_per_day": np.inf},
}


@dataclass(frozen=True)
class Edit:
    """Sets `values` and adds `more` in the rows of `table` that have the `key`; a list in a key means any of its items.

    A value is one for all these rows, or a column aligned with the table. A row that is not there is made where the key
    has one value a column.
    """

    table: str
    key: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, float] = field(default_factory=dict)
    words: str = ""  # what it does, for people

    def made_to(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table (columns of the instance's `table`) with the change made."""
        here = np.ones(len(table), dtype=bool)
        for column, wanted in self.key.items():
            here &= table[column].isin(wanted) if isinstance(wanted, list) else table[column] == wanted
        if not here.any() and self.key and not any(isinstance(wanted, list) for wanted in self.key.values()):
            row = {**_ABSENT.get(self.table, {}), **self.key, **self.values, **self.more}
            return Addition(self.table, pd.DataFrame([row])).made_to(table).sort_values([*self.key], ignore_index=True)
        changed = {column: table[column].mask(here, value) for column, value in self.values.items()}
        changed |= {column: table[column] + np.where(here, amount, 0.0) for column, amount in self.more.items()}
        return table.assign(**changed)


@dataclass(frozen=True)
class Addition:
    """Adds rows, which have every column of the table, at its end."""

    table: str
    rows: pd.DataFrame

    def made_to(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table (columns of the instance's `table`) with the rows at its end."""
        return pd.concat([table, self.rows[table.columns]], ignore_index=True).astype(table.dtypes)


def edited(instance: Instance, edits: Iterable[Edit | Addition]) -> Instance:
    """An instance with changes made, which is not checked anew.

    Parameters
    ----------
    instance
        As it was; it stays so.
    edits
        Made one after the other.

    Returns
    -------
    Instance
        The changed one.
    """
    tables: dict[str, Any] = {}
    for edit in edits:
        tables[edit.table] = edit.made_to(tables.get(edit.table, getattr(instance, edit.table)))
    return replace(instance, **tables)
