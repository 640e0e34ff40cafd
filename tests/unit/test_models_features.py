"""Features: recomputed in SQL by an oracle that shares no code, and blind to the future."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from models_kit import long_frame

from models.demand.features import Cells, matrix
from models.panel.long import panel_of
from models.panel.matrices import Panel

ORACLE = """
WITH cell AS (SELECT row_number() OVER () - 1 AS row, series_id, t, u, category FROM cells),
seen AS (SELECT * FROM demand WHERE y IS NOT NULL),
levels AS (
    SELECT c.row, d.series_id, avg(d.y) AS level
    FROM cell c JOIN seen d ON d.day BETWEEN c.t - 27 AND c.t GROUP BY ALL
),
medians AS (SELECT row, median(level) FILTER (level > 0) AS median FROM levels GROUP BY 1),
every_scale AS (
    SELECT row, CASE WHEN any_value(median) > 0 THEN avg(least(level, 100 * median)) ELSE 1 END AS overall
    FROM levels JOIN medians USING (row) GROUP BY 1
),
own AS (
    SELECT c.row,
        (coalesce(sum(d.y) FILTER (d.day > c.t - 28), 0)
            + CASE WHEN avg(d.y) > 0 AND avg((d.y > 0)::INT) >= 0.95
                THEN greatest(least(e.overall, 10 * avg(d.y)), avg(d.y) / 10) ELSE e.overall END)
            / (count(d.y) FILTER (d.day > c.t - 28) + 1) AS scale,
        avg(d.y) FILTER (d.day > c.t - 3) AS mean_3,
        avg(d.y) FILTER (d.day > c.t - 7) AS mean_7,
        avg(d.y) FILTER (d.day > c.t - 14) AS mean_14,
        avg(d.y) FILTER (d.day > c.t - 28) AS mean_28,
        avg(d.y) FILTER (d.day > c.t - 56) AS mean_56,
        max(d.y) FILTER (d.day = c.t) AS last,
        stddev_pop(d.y) FILTER (d.day > c.t - 28) AS spread_28,
        arg_max(d.y, d.day) FILTER (d.day = c.u - 7 * ceil((c.u - c.t) / 7.0)) AS same_season_last,
        avg(d.y) FILTER ((c.u - d.day) % 7 = 0 AND d.day > c.u - 7 * ceil((c.u - c.t) / 7.0) - 28) AS same_season_mean,
        least(c.t - min(d.day), 28) AS age,
        CASE WHEN min(d.day) > (SELECT min(day) FROM seen) THEN least(c.u - min(d.day), 28) END AS on_sale,
        CASE WHEN max(d.y) > 0 THEN least(c.t - max(d.day) FILTER (d.y > 0), 56) END AS since_sale,
        avg((d.y > 0)::INT) FILTER (d.day > c.t - 28) AS share_sold_28
    FROM cell c JOIN every_scale e USING (row) LEFT JOIN seen d ON d.series_id = c.series_id AND d.day <= c.t
    GROUP BY c.row, c.t, c.u, e.overall
),
by_category AS (SELECT category, day, avg(y) AS y FROM seen GROUP BY ALL),
neighbours AS (
    SELECT c.row, avg(g.y) FILTER (g.day > c.t - 28) AS usual, avg(g.y) FILTER (g.day > c.t - 7) AS recent,
        avg(g.y) FILTER ((c.u - g.day) % 7 = 0 AND g.day > c.u - 7 * ceil((c.u - c.t) / 7.0) - 28) AS season
    FROM cell c JOIN by_category g ON g.category = c.category AND g.day <= c.t GROUP BY 1
),
every AS (
    SELECT c.row, avg(a.y) AS usual
    FROM cell c JOIN (SELECT day, avg(y) AS y FROM seen GROUP BY 1) a ON a.day BETWEEN c.t - 27 AND c.t GROUP BY 1
),
promoted AS (
    SELECT c.row, max(p.promotion) FILTER (p.day = c.u) AS promotion,
        avg(p.promotion) FILTER (p.day BETWEEN c.t - 27 AND c.t) AS usual
    FROM cell c JOIN demand p USING (series_id) GROUP BY 1
),
rivals AS (
    SELECT c.row, avg(p.promotion) AS promotion
    FROM cell c JOIN demand p ON p.category = c.category AND p.day = c.u GROUP BY 1
)
SELECT scale, u - t AS horizon, u % 7 AS season, age, on_sale, since_sale, share_sold_28,
    promoted.promotion, promoted.promotion / nullif(promoted.usual, 0) AS promotion_to_usual, category,
    promoted.promotion / nullif(rivals.promotion, 0) AS promotion_to_category,
    every.usual / scale AS all_level, neighbours.usual / scale AS category_level,
    neighbours.recent / neighbours.usual AS category_trend, neighbours.season / neighbours.usual AS category_season,
    mean_3 / scale AS mean_3, mean_7 / scale AS mean_7, mean_14 / scale AS mean_14, mean_28 / scale AS mean_28,
    mean_56 / scale AS mean_56, last / scale AS last, spread_28 / scale AS spread_28,
    same_season_last / scale AS same_season_last, same_season_mean / scale AS same_season_mean
FROM cell JOIN own USING (row) JOIN neighbours USING (row) JOIN every USING (row) JOIN promoted USING (row)
JOIN rivals USING (row)
ORDER BY row
"""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """With holes: every eleventh observation is missing."""
    frame = long_frame(ahead=0)
    frame.loc[frame.index % 11 == 3, "y"] = np.nan
    frame.loc[frame["series_id"] == "s00", "y"] = frame["y"].clip(upper=1) * (frame.index < 20)
    return frame


@pytest.fixture(scope="module")
def panel(frame: pd.DataFrame) -> Panel:
    return panel_of(frame)


@pytest.fixture(scope="module")
def cells(panel: Panel) -> Cells:
    """Cells of series that have begun, at any origin and distance."""
    random = np.random.default_rng(7)
    series = random.integers(0, len(panel.ids), 400)
    origin = random.integers(panel.first[series] + 1, 50)
    return Cells(series, origin, origin + random.integers(1, 10, 400))


def test_every_feature_equals_its_statement_in_sql(frame: pd.DataFrame, panel: Panel, cells: Cells) -> None:
    days = (frame["ds"] - frame["ds"].min()).dt.days
    with duckdb.connect() as connection:
        connection.register("demand", frame.assign(day=days).astype({"series_id": object, "category": object}))
        ids = panel.ids[cells.series].to_numpy()
        category = ["c" + str(int(name[1:]) % 3) for name in ids]
        asked = pd.DataFrame({"series_id": ids, "t": cells.origin, "u": cells.target, "category": category})
        connection.register("cells", asked.astype({"category": object}))
        expected = connection.execute(ORACLE).df()
    found = matrix(panel, cells)
    assert sorted(found) == sorted(expected)
    for name in found:
        if name == "category":
            assert found[name].tolist() == expected[name].tolist()
        else:
            np.testing.assert_allclose(found[name], expected[name].astype(float), rtol=1e-9, atol=1e-9, err_msg=name)


LAUNCH_ORACLE = """
WITH begun AS (SELECT series_id, min(day) AS first FROM demand WHERE y IS NOT NULL GROUP BY 1),
launched AS (
    SELECT day, avg(y) AS y FROM demand JOIN begun USING (series_id)
    WHERE y IS NOT NULL AND first > (SELECT min(first) FROM begun) AND day < first + 6 GROUP BY 1
)
SELECT sqrt(avg(y) FILTER (day > ? - 28) * avg(y)) FROM launched WHERE day <= ?
"""


def test_a_series_without_history_is_scaled_by_what_launches_sold(frame: pd.DataFrame, panel: Panel) -> None:
    days = (frame["ds"] - frame["ds"].min()).dt.days
    late = panel.ids.get_loc("s11")
    origin = int(panel.first[late]) - 1
    found = matrix(panel, Cells(np.array([late]), np.array([origin]), np.array([origin + 3])))
    with duckdb.connect() as connection:
        connection.register("demand", frame.assign(day=days).astype({"series_id": object, "category": object}))
        (expected,) = connection.execute(LAUNCH_ORACLE, [origin, origin]).fetchone() or ()
    assert found["scale"].item() == pytest.approx(expected)
    assert (found["on_sale"].item(), np.isnan(found["age"].item())) == (2, True)


def test_features_do_not_change_with_the_future(panel: Panel, cells: Cells) -> None:
    past = {"views": np.random.default_rng(3).random(panel.y.shape)}
    panel = replace(panel, past=past)
    cells = Cells(cells.series, np.full(len(cells), 30), 30 + cells.target - cells.origin)
    cells = Cells(*(values[panel.first[cells.series] <= 30] for values in (cells.series, cells.origin, cells.target)))
    later = np.arange(panel.y.shape[1]) > 30
    changed = replace(
        panel,
        y=np.where(later, 999.0, panel.y),
        past={"views": np.where(later, -5.0, past["views"])},
        numbers={name: np.where(np.arange(len(later)) > 39, 77.0, values) for name, values in panel.numbers.items()},
    )
    pd.testing.assert_frame_equal(matrix(panel, cells), matrix(changed, cells))


def test_a_feature_of_the_present_does_change(panel: Panel, cells: Cells) -> None:
    changed = replace(panel, y=panel.y + 1)
    assert not matrix(panel, cells)["mean_7"].equals(matrix(changed, cells)["mean_7"])
