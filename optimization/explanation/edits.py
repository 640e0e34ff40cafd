"""A change to one row of an instance, as an explanation proposes it: what to set or to add, and the same in words."""

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
    """Sets `values` and adds `more` in the row of `table` with the `key`; a row that is not there is made."""

    words: str
    table: str
    key: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, float] = field(default_factory=dict)


def edited(instance: Instance, edits: Iterable[Edit]) -> Instance:
    """The instance with the edits made."""
    tables: dict[str, Any] = {}
    for edit in edits:
        tables[edit.table] = _made(tables.get(edit.table, getattr(instance, edit.table)), edit)
    return replace(instance, **tables)


def _made(table: pd.DataFrame, edit: Edit) -> pd.DataFrame:
    here = np.logical_and.reduce([table[column] == value for column, value in edit.key.items()])
    if not here.any():
        row = pd.DataFrame([{**_ABSENT.get(edit.table, {}), **edit.key, **edit.values, **edit.more}])
        wider = pd.concat([table, row[table.columns]]).astype(table.dtypes)
        return wider.sort_values(list(edit.key), ignore_index=True)
    changed = {column: table[column].mask(here, value) for column, value in edit.values.items()}
    changed |= {column: table[column] + np.where(here, amount, 0.0) for column, amount in edit.more.items()}
    return table.assign(**changed)
