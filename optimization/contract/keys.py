"""Where rows of one table stand in another: what a merge finds, at a fifth of its cost where there are few rows.

pandas takes two milliseconds for a merge of however few rows, and explaining one plan states hundreds of small
instances.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Ints


def located(table: pd.DataFrame, among: pd.DataFrame, key: list[str]) -> Ints:
    """The row of `among` that has the key of each row of `table`, from 0; -1 where none has it.

    `among` has each key once.
    """
    code, known = np.zeros(len(table), dtype=np.int64), np.zeros(len(among), dtype=np.int64)
    for name in key:
        numbers, names = pd.factorize(among[name])
        found = pd.Index(names).get_indexer(table[name])
        known = known * len(names) + numbers
        code = np.where((code < 0) | (found < 0), -1, code * len(names) + found)
    return np.asarray(pd.Index(known).get_indexer(pd.Index(code)), dtype=np.int64)


def taken(column: "pd.Series[Any]", at: Ints, otherwise: Any) -> NDArray[Any]:
    """The cells of a column in these rows (located), `otherwise` where there is none."""
    given = column.to_numpy()
    cells = np.full(len(at), otherwise, dtype=given.dtype)
    cells[at >= 0] = given[at[at >= 0]]
    return cells
