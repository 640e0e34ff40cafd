"""Rows found by key, against a merge."""

import numpy as np
import pandas as pd
import pytest

from optimization.contract.keys import located, taken


@pytest.mark.parametrize("key", [["lot_id"], ["lot_id", "factory_id"], ["lot_id", "stage", "factory_id"]])
@pytest.mark.parametrize("among_rows", [0, 1, 40])
def test_rows_are_those_of_a_merge(key: list[str], among_rows: int) -> None:
    r = np.random.default_rng(among_rows)
    cells = {"lot_id": [f"L{n}" for n in r.integers(0, 9, 60)], "stage": r.integers(1, 3, 60)}
    table = pd.DataFrame(cells | {"factory_id": [f"F{n}" for n in r.integers(0, 5, 60)]})
    among = table.sample(among_rows, random_state=1).drop_duplicates(key, ignore_index=True)
    among["value"] = np.arange(len(among)) * 1.5
    found = located(table[5:], among, key)
    merged = table[5:].merge(among[[*key, "value"]], on=key, how="left")["value"]
    assert np.array_equal(taken(among["value"], found, -1.0), merged.fillna(-1.0).to_numpy())


def test_an_absent_name_is_not_the_last_one() -> None:
    among = pd.DataFrame({"lot_id": ["A", "B"], "factory_id": ["F1", "F2"]})
    table = pd.DataFrame({"lot_id": ["B", "C", "A", "B"], "factory_id": ["F2", "F2", "F3", "F1"]})
    assert located(table, among, ["lot_id", "factory_id"]).tolist() == [1, -1, -1, -1]
