"""The panel: what its long form means, and what is refused with which words."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from c2m.errors import InputError
from models.panel.daily import daily_panel
from models.panel.long import panel_of, read_panel

DAYS = pd.date_range("2026-01-01", periods=6)


def frame(y: list[float | None], name: str = "a", ds: object = None) -> pd.DataFrame:
    return pd.DataFrame({"series_id": name, "ds": DAYS[: len(y)] if ds is None else ds, "y": y})


def faults(bad: pd.DataFrame) -> str:
    with pytest.raises(InputError) as caught:
        panel_of(bad)
    return "\n".join(caught.value.faults)


def test_empty_y_is_asked_for_after_the_last_observation_and_missing_before() -> None:
    panel = panel_of(frame([1, None, 3, None, None]))
    assert panel.asked[0].tolist() == [False, False, False, True, True]
    assert panel.seen[0].tolist() == [True, False, True, False, False]


def test_absent_rows_are_missing_unless_zero_is_said() -> None:
    gap = pd.concat([frame([1, 2, 3, 4, 5, None], "a"), frame([7, 8], "b", DAYS[[1, 3]])])
    assert np.isnan(panel_of(gap).y[1]).tolist() == [True, False, True, False, True, True]
    zero = panel_of(gap, "zero").y[1]
    assert np.isnan(zero[0])  # before its first row a series is not on sale
    assert zero[1:5].tolist() == [7, 0, 8, 0]
    assert np.isnan(zero[5])  # nobody observed that day


def test_zeros_do_not_fill_what_is_asked_for() -> None:
    rows = pd.concat([frame([1, 2, 3, 4, 5, 6], "a"), frame([7, None, None], "b", DAYS[[0, 3, 5]])])
    panel = panel_of(rows, "zero")
    assert panel.y[1, :3].tolist() == [7, 0, 0]
    assert panel.asked[1].tolist() == [False, False, False, True, False, True]


def test_every_fault_is_named_at_once_with_series_and_counts() -> None:
    bad = pd.concat([frame([1, 2e300, 3], "a"), frame([1, 2], "a"), frame([np.inf], "b")])
    text = faults(bad)
    twice = "row 1: a, 2026-01-01, 1.0; row 2: a, 2026-01-02, 2e+300; row 4: a, 2026-01-01, 1.0; ..."
    assert f"4 rows in 1 series have the same (series_id, ds) as another row: {twice}" in text
    assert "1 rows in 1 series have y beyond 1e+15, which no count reaches: row 2: a, 2026-01-02, 2e+300" in text
    assert "infinite y: row 6: b, 2026-01-01, inf" in text


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (frame([1, 2]).drop(columns="y"), "column y is missing"),
        (frame([]), "no rows"),
        (frame([None, None]).astype({"y": float}), "y is empty in all 2 rows"),
        (frame([1.0, 2.0]).assign(y=["x", "y"]), "a y that is not a number: row 1: a, 2026-01-01, x"),
        (frame([1, 2], ds=["soon", "later"]), "a ds that is not a date: row 1: a, soon"),
        (frame([1, 2, 3], ds=[0, 1, 10**12]), "stray date"),
        (frame([1, 2, 3], ds=["2026-01-01", "2026-01-02", "9999-12-31"]), "stray date"),
    ],
)
def test_refused(bad: pd.DataFrame, words: str) -> None:
    assert words in faults(bad)


def test_two_frequencies_in_one_panel_are_refused() -> None:
    weekly = frame([1.0] * 12, "weekly", pd.date_range("2026-01-01", periods=12, freq="7D"))
    daily = frame([1.0] * 80, "daily", pd.date_range("2026-01-01", periods=80))
    words = "mixed frequencies: of 2 series, by week: weekly; the other 1 by day"
    assert words in faults(pd.concat([weekly, daily]))


@pytest.mark.parametrize(
    ("ds", "season", "periods"),
    [
        (pd.date_range("2026-01-01", periods=9, freq="7D"), 52, 9),
        (pd.date_range("2026-01-01", periods=9, freq="MS"), 12, 9),
        (pd.date_range("2026-01-31", periods=9, freq="ME"), 12, 9),
        ([10, 20, 40], 0, 4),
        (["2026-01-03", "2026-01-01", "2026-01-02"], 7, 3),
    ],
)
def test_axis_follows_the_step_of_the_dates(ds: object, season: int, periods: int) -> None:
    panel = panel_of(pd.DataFrame({"series_id": "a", "ds": ds, "y": 1.0}))
    assert (panel.season, len(panel.ds)) == (season, periods)


def test_covariates_hold_past_their_last_value_and_statics_everywhere() -> None:
    rows = frame([1, 2, 3, 4, None]).assign(
        price=[1.0, 2, None, None, None], size=[None, None, 5.0, None, None], kind=[None, "x", None, None, None],
        nothing=[None] * 5,
    )  # fmt: skip
    panel = panel_of(rows)
    assert panel.numbers["price"][0].tolist() == [1, 2, 2, 2, 2]
    assert panel.numbers["size"][0].tolist() == [5] * 5
    assert panel.categories["kind"].codes[0].tolist() == [0] * 5
    assert "nothing" not in panel.numbers | panel.categories


def test_files_are_read_alike_and_numbers_may_name_series(tmp_path: Path) -> None:
    rows = frame([1, 2, None], "007")
    rows.to_csv(tmp_path / "p.csv", index=False)
    rows.to_parquet(tmp_path / "p.parquet")
    csv, parquet = read_panel(tmp_path / "p.csv"), read_panel(tmp_path / "p.parquet")
    assert list(csv.ids) == list(parquet.ids) == ["007"]
    np.testing.assert_array_equal(csv.y, parquet.y)


@pytest.mark.parametrize("content", [None, b"", b"PAR1garbage", b"series_id,ds\na,2026-01-01\n"])
def test_a_file_that_is_no_panel_is_named(tmp_path: Path, content: bytes | None) -> None:
    for name in ("p.csv", "p.parquet"):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_panel(tmp_path / name)


@pytest.mark.usefixtures("home")
def test_the_daily_panel_is_dense_from_release_or_first_sale_to_yesterday() -> None:
    key = {"merchant_id": "m"}
    styles = pd.DataFrame([
        {**key, "style_id": "sold", "category": "set", "released_on": None, "first_sold_on": "2026-03-02"},
        {**key, "style_id": "new", "category": "top", "released_on": "2026-03-04", "first_sold_on": None},
        {**key, "style_id": "coming", "category": "top", "released_on": "2026-03-06", "first_sold_on": None},
    ])  # fmt: skip
    demand = pd.DataFrame([
        {**key, "style_id": "sold", "demand_date": "2026-03-02", "pieces_asked": 4, "unit_price": 10.0},
        {**key, "style_id": "sold", "demand_date": "2026-03-04", "pieces_asked": 2, "unit_price": 9.0},
        {**key, "style_id": "sold", "demand_date": "2026-03-06", "pieces_asked": 9, "unit_price": 9.0},
    ])  # fmt: skip
    signals = {"promotion_depth": 0.3, "livestream_minutes": 30.0, "views": 8.0, "searches": 1.0, "carts": 1.0}
    drivers = pd.DataFrame([{**key, "style_id": "sold", "day": "2026-03-07", **signals}])
    panel = daily_panel(demand, styles, drivers, date(2026, 3, 6), 400)
    assert list(panel.ids) == ["m/new", "m/sold"]
    assert panel.y[1, :4].tolist() == [4, 0, 2, 0]
    assert panel.y[0, 2:4].tolist() == [0, 0]
    assert panel.asked.sum() == 2 * 14
    assert not panel.asked[:, :4].any()
    assert not panel.seen[:, 4:].any()  # what is sold on the day itself is not known
    assert panel.numbers["promotion_depth"][1, 5] == 0.3
    assert np.isnan(panel.past["views"][1]).all()
    with pytest.raises(InputError, match="no style was released or sold before 2026-03-01"):
        daily_panel(demand, styles, drivers, date(2026, 3, 1), 400)
