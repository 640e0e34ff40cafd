"""Every level adds up to the one above, by pandas instead of SQL."""

import numpy as np
import pandas as pd
import pytest

from models.demand.hierarchy import LEVELS, levels


@pytest.fixture
def skus() -> pd.DataFrame:
    """Two merchants with styles of one to four sizes, in three categories."""
    random, rows = np.random.default_rng(4), []
    for merchant in ("m1", "m2"):
        for style in range(9):
            shares = random.dirichlet(np.ones(1 + style % 4))
            facts = {"merchant_id": merchant, "style_id": f"s{style}", "category": f"c{style % 3}"}
            rows += [
                {**facts, "size": size, "sku_id": f"s{style}-{size}", "size_share": share}
                for size, share in zip("SMLX", shares, strict=False)
            ]
    return pd.DataFrame(rows)


@pytest.fixture
def daily(skus: pd.DataFrame) -> pd.DataFrame:
    styles = skus[["merchant_id", "style_id"]].drop_duplicates()
    days = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=3)})
    every = styles.merge(days, how="cross")
    return every.assign(mean=np.random.default_rng(5).gamma(2, 3, len(every)))


def test_levels_are_coherent(daily: pd.DataFrame, skus: pd.DataFrame) -> None:
    found = levels(daily, skus)
    assert set(found["level"]) == set(LEVELS)
    single = found[found["level"] == "sku"]
    assert len(single) == 3 * len(skus)
    for level, keys in LEVELS.items():
        by = [*keys.split(", "), "ds"]
        expected = single.groupby(by)["mean"].sum()
        sums = found[found["level"] == level].set_index(by)["mean"].sort_index()
        pd.testing.assert_series_equal(sums, expected)
    styles = found[found["level"] == "style"].set_index(["merchant_id", "style_id", "ds"])["mean"].sort_index()
    given = daily.set_index(["merchant_id", "style_id", "ds"])["mean"].sort_index()
    pd.testing.assert_series_equal(styles, given)  # what was forecast, neither more nor less
