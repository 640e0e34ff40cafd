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
    """Where the keys of a table stand in another one.

    Parameters
    ----------
    table
        Whose rows are looked up, with the columns of the key.
    among
        Has each key once, in the same columns.
    key
        Names of columns.

    Returns
    -------
    numpy.ndarray
        (rows,) row of `among` for each row of `table`, from 0; -1 where none has the key.
    """
    code, known = np.zeros(len(table), dtype=np.int64), np.zeros(len(among), dtype=np.int64)
    for name in key:
        numbers, names = pd.factorize(among[name])
        found = pd.Index(names).get_indexer(table[name])
        known = known * len(names) + numbers
        code = np.where((code < 0) | (found < 0), -1, code * len(names) + found)
    return np.asarray(pd.Index(known).get_indexer(pd.Index(code)), dtype=np.int64)


def taken(column: "pd.Series[Any]", at: Ints, otherwise: Any) -> NDArray[Any]:
    """The cells of a column in rows that were looked up.

    Parameters
    ----------
    column
        Aligned with `among` of `located`.
    at
        (N,) rows of it (`located`); -1: none.
    otherwise
        What stands where there is none.

    Returns
    -------
    numpy.ndarray
        (N,) cells.
    """
    given = column.to_numpy()
    cells = np.full(len(at), otherwise, dtype=given.dtype)
    cells[at >= 0] = given[at[at >= 0]]
    return cells
