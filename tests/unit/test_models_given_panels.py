"""Panels as people have them: every one is read right, or refused in words that say what to do."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.settings import settings
from models.demand.features import History, scale_of, usual_level
from models.demand.forecast import QUANTILES, forecast
from models.ensemble.panel_forecast import answer
from models.panel.long import panel_of, read_panel
from models.panel.outliers import without_outliers, without_slips


def rows(ds: Any, *names: str) -> pd.DataFrame:
    """A sale of 1, 2, 3 ... per series and date."""
    parts = [pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(1.0, len(ds) + 1)}) for name in names or ("a",)]
    return pd.concat(parts, ignore_index=True)


def by(freq: str, periods: int = 30, start: str = "2024-01-01", **more: Any) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=periods, freq=freq, **more)


def two(first: Any, second: Any) -> pd.DataFrame:
    return pd.concat([rows(first, "a"), rows(second, "b")], ignore_index=True)


def refused(frame: pd.DataFrame, absent: Any = "missing", **said: Any) -> str:
    with pytest.raises(InputError) as caught:
        panel_of(frame, absent, **said)
    return "\n".join(caught.value.faults)


AXES: dict[str, tuple[Any, str, int]] = {
    "half hours": (by("30min", 240), "by 30 minutes, season 48 periods and 336 periods", 48),
    "hours": (by("h", 240), "by hour, season 24 periods and 168 periods", 24),
    "hours of a shop that closes": ([t for t in by("h", 240) if 8 <= t.hour < 20], "by hour, season 24", 24),
    "days": (by("D"), "by day, season 7", 7),
    "days at six": (by("D", start="2024-01-01 06:00"), "by day", 7),
    "days but Sundays": ([t for t in by("D") if t.dayofweek < 6], "by day", 7),
    "business days": (by("B"), "by business day, season 5", 5),
    "business days but a holiday": (by("B").delete(11), "by business day", 5),
    "weeks to Wednesday": (by("W-WED"), "by week, season 52", 52),
    "weeks on their last trading day": (by("W-FRI") - pd.to_timedelta([0, 1, 0] * 10, "D"), "by week", 52),
    "fortnights": (by("14D"), "by 2 weeks, season 26", 26),
    "four weeks": (by("28D"), "by 4 weeks, season 13", 13),
    "1st and 15th": (by("SMS"), "by half month, season 24", 24),
    "15th and last": (by("SME"), "by half month, season 24", 24),
    "months from the first": (by("MS"), "by month, season 12", 12),
    "months to the last": (by("ME"), "by month, season 12", 12),
    "months in the middle": (by("MS") + pd.to_timedelta([14] * 30, "D"), "by month, season 12", 12),
    "months to the last business day": (by("BME"), "by month, season 12", 12),
    "third Fridays": (by("WOM-3FRI"), "by month, season 12", 12),
    "quarters": (by("QS"), "by quarter, season 4", 4),
    "quarters to the end of February": (by("QE-FEB"), "by quarter, season 4", 4),
    "years": (by("YS"), "by year, no season", 0),
    "years to June": (by("YE-JUN"), "by year, no season", 0),
    "202401": ([100 * year + month for year in (2023, 2024) for month in range(1, 13)], "by month, season 12", 12),
    "2024 as a number": (list(range(1990, 2020)), "by year, no season", 0),
    "20240131": ([int(day) for day in by("D").strftime("%Y%m%d")], "by day, season 7", 7),
    "2024-01": (list(by("MS").strftime("%Y-%m")), "by month", 12),
    "2024Q1": ([f"{year}Q{quarter}" for year in range(2018, 2024) for quarter in (1, 2, 3, 4)], "by quarter", 4),
    "2024-W05": ([f"2024-W{week:02d}" for week in range(5, 35)], "by week", 52),
    "periods of pandas": (pd.period_range("2022-01", periods=24, freq="M"), "by month", 12),
    "numbers": (list(range(40, 70)), "by number, no season", 0),
    "31/01/2024": (list(by("D").strftime("%d/%m/%Y")), "by day", 7),
    "01/31/2024": (list(by("D").strftime("%m/%d/%Y")), "by day", 7),
    "5 Jan 2024": (list(by("D").strftime("%d %b %Y")), "by day", 7),
    "a zone ahead": (by("D", tz="Asia/Shanghai"), "by day", 7),
    "a zone with summer time": (by("D", 120, tz="Europe/Berlin"), "by day", 7),
}  # fmt: skip


@pytest.mark.parametrize("absent", ["missing", "zero"])
@pytest.mark.parametrize("case", AXES)
def test_the_axis_is_that_of_the_dates_and_nothing_is_invented(case: str, absent: Any) -> None:
    ds, words, season = AXES[case]
    panel = panel_of(rows(ds, "a", "b"), absent)
    assert words in panel.notes[-1]
    assert panel.season == season
    closed = case in ("hours of a shop that closes", "days but Sundays", "business days but a holiday")
    assert closed or panel.y.tolist() == [list(range(1, len(ds) + 1))] * 2
    assert panel.seen.sum() == 2 * len(ds) or (closed and absent == "zero")


@pytest.mark.parametrize("case", ["months to the last", "quarters to the end of February", "years to June", "202401",
                                  "15th and last", "weeks to Wednesday", "days at six", "2024Q1", "numbers", "hours",
                                  "months to the last business day", "business days", "2024 as a number"])  # fmt: skip
def test_a_horizon_goes_on_as_the_dates_do(case: str) -> None:
    """Oracle: the same panel with its last three dates left out."""
    ds = list(AXES[case][0])
    panel = panel_of(rows(ds[:-3], "a"), horizon=3)
    found = panel.when(*np.nonzero(panel.asked))
    assert [str(label) for label in found] == [str(label) for label in ds[-3:]]


def test_series_keep_their_own_days() -> None:
    for first, second, name in (
        (by("W-SUN"), by("W-MON"), "week"),
        (by("MS"), by("ME"), "month"),
        (by("YE-DEC", 6), by("YE-JUN", 6), "year"),
    ):
        panel = panel_of(two(first[:-1], second[:-1]), horizon=1)
        assert f"by {name}" in panel.notes[-1]
        assert list(panel.when(*np.nonzero(panel.asked))) == [first[-1], second[-1]]


MIXED = {
    "days and weeks": (two(by("D", 80), by("W", 12)), "by week: b; the other 1 by day"),
    "weeks and months": (two(by("W", 50), by("MS", 24)), "by week: a; by month: b"),
    "months and quarters": (two(by("MS", 36), by("QS", 12)), "by quarter: b; the other 1 by month"),
    "quarters and years": (two(by("QS", 30), by("YS", 8)), "by year: b; the other 1 by quarter"),
    "hours and days": (two(by("h", 130), by("D", 12)), "by day: b; the other 1 by hour"),
}


@pytest.mark.parametrize("case", MIXED)
def test_mixed_frequencies_are_refused_with_the_series(case: str) -> None:
    frame, words = MIXED[case]
    assert words in refused(frame)


def changed(frame: pd.DataFrame, **cells: Any) -> pd.DataFrame:
    """With other values in row 11."""
    for name, value in cells.items():
        column = frame[name].astype(object)
        column.iloc[11] = value
        frame = frame.assign(**{name: column})
    return frame


MONTHLY = rows(by("MS"), "a")
DAILY = rows(list(by("D").strftime("%Y-%m-%d")), "a", "b")
REFUSED: dict[str, tuple[pd.DataFrame, Any, str]] = {
    "a week begun a day late": (changed(rows(by("W", 60), "a", "b"), ds=pd.Timestamp("2024-03-25")).infer_objects(), {},
                                "steps by 7 days in 98% of the rows, but not before a 2024-03-25"),
    "a year mistyped": (changed(DAILY, ds="2062-01-12"), {}, "a stray date: a 2062-01-12"),
    "an empty ds": (changed(DAILY, ds=None), {}, "1 rows in 1 series have an empty ds: row 12: a, (empty), 12.0"),
    "another way of writing": (changed(DAILY, ds="12 Jan"), {}, "not written as the others are (YYYY-MM-DD): row 12"),
    "no such day": (changed(DAILY, ds="2024-02-30"), {}, "no day of the calendar: row 12: a, 2024-02-30"),
    "either of day and month": (rows(["01/02/2024", "02/02/2024", "03/02/2024"]), {}, "--dates dmy or --dates mdy"),
    "neither": (rows(["13/02/2024", "02/13/2024"]), {}, "neither day/month nor month/day throughout"),
    "two zones": (rows(["2024-01-01 00:00+08:00", "2024-01-02 00:00Z"]), {}, "times of 2 zones (+0 h, +8 h from UTC)"),
    "an hour that comes twice": (rows(by("h", 60, "2024-03-30", tz="Europe/Berlin")), {}, "write it in UTC"),
    "1e300": (changed(DAILY, y=1e300), {}, "y beyond 1e+15, which no count reaches: row 12: a, 2024-01-12, 1e+300"),
    "infinite": (changed(DAILY, y="inf"), {}, "infinite y: row 12"),
    "a word": (changed(DAILY, y="soon"), {}, "a y that is not a number: row 12: a, 2024-01-12, soon"),
    "1,000": (DAILY.assign(y=["1,000", *["25"] * 59]), {}, "1,000 may be 1000 or 1.000"),
    "both of marks": (DAILY.assign(y=["1.000,5", "1.5", *["25"] * 58]), {}, "not a number: row 1: a, 2024-01-01"),
    "twice": (pd.concat([DAILY, DAILY[:1]]), {}, "2 rows in 1 series have the same (series_id, ds) as another row"),
    "no series": (DAILY.drop(columns="unique_id"), {}, "found ds, y; needed are series_id (or unique_id), ds and y"),
    "wide by series": (pd.DataFrame({"ds": by("D"), "shirts": 1, "hats": 2}), {},
                       "one column per series (shirts, hats)"),
    "wide by date": (pd.DataFrame({"id": ["a"], "2024-01": [1], "2024-02": [2], "2024-03": [3]}), {},
                     "3 columns are dates"),
    "months of days": (rows(by("D")), {"frequency": "M"}, "30 rows share a month with another of their series"),
    "a frequency of no such name": (MONTHLY, {"frequency": "fortnight"}, "no frequency 'fortnight'; expected"),
    "a week that its year has not": (rows(["2021-W51", "2021-W52", "2021-W53"]), {}, "no day of the calendar: row 3"),
    "truth for a date": (rows([True, False]), {}, "not a date or a whole number: row 1: a, True"),
    "parts of a second": (rows(by("100ms", 20)), {}, "ds has fractions of a second"),
    "a price mistyped": (changed(DAILY.assign(price=9.5), price="1o"), {}, "a price that is not a number"),
    "a horizon of centuries": (DAILY, {"horizon": 200_000}, "or a smaller --horizon"),
    "the year 10000": (rows([f"{year}-01-01" for year in range(9990, 9998)]), {"horizon": 5}, "dates end with 9999"),
    "dates without a rule": (rows(by("WOM-3FRI")), {"horizon": 3}, "instead of --horizon"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words(case: str) -> None:
    frame, said, words = REFUSED[case]
    assert words in refused(frame, **said)


def test_what_is_said_goes_before_what_is_seen() -> None:
    panel = panel_of(rows(["01/02/2024", "01/03/2024", "01/04/2024"]), order="dmy", season=3)
    assert (list(panel.ds.astype(str)), panel.season) == (["2024-02-01", "2024-03-01", "2024-04-01"], 3)
    assert panel_of(rows(by("W-TUE", 9)), frequency="D").y.shape == (1, 57)


def test_dates_go_on_past_the_nanoseconds_of_pandas() -> None:
    panel = panel_of(rows(by("YS", 9, "2250-01-01")), horizon=9)
    assert [str(day)[:10] for day in panel.ds[[0, -1]]] == ["2250-01-01", "2267-01-01"]


def test_a_broken_piece_in_one_series_makes_no_pieces_of_others_broken() -> None:
    frame = rows(by("D"), "a", "b")
    assert panel_of(changed(frame, y=0.5)).whole
    assert not panel_of(frame.assign(y=frame["y"].where(frame["unique_id"] == "a", 0.25))).whole


READ: dict[str, tuple[Any, list[float]]] = {
    "decimal commas": ({"y": ["12,5", "1.000,5", "-3"]}, [12.5, 1000.5, -3]),
    "thousands": ({"y": ["1,000", "1.5", "2e3"]}, [1000, 1.5, 2000]),
    "words for nothing": ({"y": ["NA", "7", "null"]}, [np.nan, 7, np.nan]),
    "negative": ({"y": [-1.5, 2, -7]}, [-1.5, 2, -7]),
}


@pytest.mark.parametrize("case", READ)
def test_numbers_as_people_write_them(case: str) -> None:
    columns, y = READ[case]
    np.testing.assert_array_equal(panel_of(rows(by("D", 3)).assign(**columns)).y[0], y)


FILES: dict[str, Callable[[str], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "Windows": lambda text: text.encode("cp1252"),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "lines of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
}  # fmt: skip


@pytest.mark.parametrize("form", FILES)
def test_files_of_any_usual_form(form: str, tmp_path: Path) -> None:
    frame = rows(by("D", 9), "Größe", "b", "007").assign(price=2.5)
    text = frame.to_csv(index=True)  # with an index, whose column has no name
    file = tmp_path / "panel.csv"
    file.write_bytes(FILES[form](text))
    panel = read_panel(file)
    assert list(panel.ids) == ["007", "Größe", "b"]
    assert panel.y.tolist() == [list(range(1, 10))] * 3
    assert list(panel.numbers) == ["price"]
    assert "is the index of a table and is left out" in " ".join(panel.notes)


def test_ids_with_commas_and_lines_and_a_semicolon_file(tmp_path: Path) -> None:
    names = ['a, "b"', "c\nd", "0012", "衬衫"]
    frame = rows(by("D", 9), *names)
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_csv(tmp_path / "s.csv", index=False, sep=";", decimal=",")
    frame.assign(y=frame["y"] + 0.5).to_csv(tmp_path / "h.csv", index=False, sep=";", decimal=",")
    comma, semicolon, half = (read_panel(tmp_path / f"{name}.csv") for name in "psh")
    assert list(comma.ids) == list(semicolon.ids) == sorted(names)
    assert (half.y == comma.y + 0.5).all()


@pytest.mark.parametrize("index", [False, True])
def test_an_index_in_parquet_is_no_covariate(index: bool, tmp_path: Path) -> None:
    frame = rows(by("D", 9, tz="Asia/Tokyo"), "a", "b")
    frame = frame.sample(frac=1, random_state=1) if index else frame.set_index(["unique_id", "ds"])
    frame.to_parquet(tmp_path / "p.parquet")
    panel = read_panel(tmp_path / "p.parquet")
    assert not panel.numbers
    assert [str(day)[:10] for day in panel.ds[[0, -1]]] == ["2024-01-01", "2024-01-09"]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["forecast", *arguments])


NONE = [b"", b"PAR1garbage", b"PK\x03\x04", b"\x1f\x8bgarbage", b"\x00\x01\x02", b"x\n1\n", b"series_id,ds,y\n"]


@pytest.mark.parametrize("content", [*NONE, b"series_id,ds,y\na,2024-01-01,1,2\n", b"unique_id,ds,y,y\n"])
@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.xlsx"])
def test_what_is_no_panel_is_named_without_a_traceback(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        read_panel(tmp_path / name)
    said = str(caught.value).lower()
    assert not any(word in said for word in ("sniff", "binder", "arrow", "duckdb", "traceback", "none"))


# One bad cell.


@pytest.fixture
def quick(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_FORECAST__ROUNDS", "40")
    monkeypatch.setenv("C2M_FORECAST__THREADS", "1")
    settings.cache_clear()


def shop(seed: int = 3) -> pd.DataFrame:
    random, parts = np.random.default_rng(seed), []
    for number in range(24):
        ds = by("D", 84)
        level = np.exp(random.normal(3, 0.6)) * (1 + 0.4 * (ds.dayofweek >= 5))
        y = np.where(np.arange(84) < 77, random.poisson(level), np.nan)
        parts.append(pd.DataFrame({"unique_id": f"s{number:02d}", "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("typo", [1e5, 1e9, -1e6])
def test_one_bad_cell_is_named_and_leaves_the_other_series_alone(typo: float) -> None:
    clean = shop()
    at = 5 * 84 + 60
    bad = clean.assign(y=clean["y"].where(clean.index != at, typo))
    before, after = (answer(panel_of(frame), "rmse", "champion") for frame in (clean, bad))
    totals = [found.frame.groupby("series_id")["mean"].sum() for found in (before, after)]
    moved = (totals[1] / totals[0] - 1).abs()
    assert moved.max() < 0.02
    assert moved.median() < 0.003
    assert abs(totals[1].drop("s05").sum() / totals[0].drop("s05").sum() - 1) < 0.003
    assert f"s05 2024-03-01: y is {typo:g}, taken as" in " ".join(after.words)
    assert "outliers" not in " ".join(before.words)


def outliers(*y: float, promotion: list[int] | None = None) -> list[float]:
    frame = rows(by("D", len(y))).assign(y=list(y))
    panel = panel_of(frame.assign(promotion=promotion) if promotion else frame)
    return list(without_outliers(panel)[1].observed)


def test_what_is_no_mistake_stays() -> None:
    assert outliers(1, 0, 0, 1, 1, 0, 1, 6, 0, 1, 1) == []  # single pieces vary like this
    assert outliers(20, 22, 19, 21, 500, 510, 23, 20) == []  # twice is a level
    assert outliers(3, 50, 8, 120, 15, 700, 6, 30, 90) == []  # promotions
    assert outliers(20, 22, 19, 21, 500, 23, 20) == [500]
    assert outliers(20, 22, 19, 21, 500, 23, 20, promotion=[0, 0, 0, 0, 1, 0, 0]) == []  # it was to be expected
    assert outliers(20, 22, 19, 21, 1e5, 23, 20, promotion=[0, 0, 0, 0, 1, 0, 0]) == [1e5]  # no promotion does that
    assert outliers(0, 0, 3, 0, 1e5, 0, 4) == [1e5]
    assert outliers(0, 0, 3, 0, 90, 0, 4) == []  # too few to know how they vary
    event = pd.concat([rows(by("D", 20), name).assign(y=[20.0] * 12 + [400] + [20.0] * 7) for name in "abc"])
    assert len(without_outliers(panel_of(event))[1].series) == 0


def test_a_price_a_hundred_times_the_others_is_a_mistake_and_a_frost_is_none() -> None:
    """Before, one price of 1e6 moved the forecasts of other series by 24 %."""
    frame = rows(by("D"), "a", "b")
    for slip in (1e6, 0.0, -5.0):
        panel, words = without_slips(panel_of(changed(frame.assign(price=9.5), price=slip)))
        assert (panel.numbers["price"] == 9.5).all()
        assert f"a 2024-01-12: price is {slip:g}, taken as 9.5" in words[0]
    kept = frame.assign(degrees=[2.0, 20.0] * 30, promotion=0.0, viewers=0.0)
    kept = changed(kept, degrees=-3.0, promotion=1.0, viewers=5000.0).infer_objects()
    assert without_slips(panel_of(kept))[1] == []
    event = pd.concat([changed(rows(by("D"), name).assign(price=9.5), price=1e6) for name in "abc"])
    assert without_slips(panel_of(event))[1] == []


@pytest.mark.usefixtures("quick")
def test_a_first_sale_that_may_be_a_slip_does_not_move_the_other_series() -> None:
    """Nothing tells whether a series of one sale is as large as that; what series have in common does not follow it."""
    newcomer = pd.DataFrame({"unique_id": "new", "ds": by("D", 84)[70:], "y": [0.0, 20, 0, 0, 0, 0, 0, *[np.nan] * 7]})
    slip = newcomer.assign(y=newcomer["y"].replace(20, 1e6))
    totals = [
        forecast(panel_of(pd.concat([shop(), new])), "rmse").groupby("series_id")["mean"].sum().drop("new")
        for new in (newcomer, slip)
    ]
    assert (totals[1] / totals[0] - 1).abs().max() < 0.05
    assert abs(totals[1].sum() / totals[0].sum() - 1) < 0.04  # 11 times as much before


@pytest.mark.usefixtures("quick")
def test_a_mean_is_none_beyond_the_range_and_all_that_was_observed() -> None:
    found = answer(panel_of(rows(by("D", 60)).assign(y=[0.0] * 50 + [100.0] * 10), horizon=7)).frame
    assert (found["mean"] <= found["q95"].clip(lower=100)).all()  # 512 before, of quantiles up to 175


@pytest.mark.usefixtures("quick")
def test_one_zero_changes_nothing_for_the_other_series() -> None:
    """Sales that a price drives, so that the logarithm and the response to the price are looked at."""
    random, frame = np.random.default_rng(2), shop()
    frame["price"] = random.choice([1.0, 0.7], len(frame))
    frame["y"] = (frame["y"] + 1) * frame["price"] ** -2.0
    at = 5 * 84 + 60
    zero = frame.assign(y=frame["y"].where(frame.index != at, 0.0))
    medians = [forecast(panel_of(each)).groupby("series_id")["q50"].sum().drop("s05") for each in (frame, zero)]
    moved = (medians[1] / medians[0] - 1).abs()
    assert moved.max() < 0.02
    assert moved.median() < 0.005


def test_levels_of_others_do_not_drown_a_series_that_is_known() -> None:
    small = np.tile([1.0, 2.0, 3.0], 4)
    parts = [rows(by("YS", 12), name).assign(y=small * 10.0**power) for power, name in enumerate("abcdefg")]
    panel = panel_of(pd.concat(parts))
    scale = scale_of(History(panel.y), usual_level(History(panel.y)))[:, -1]
    np.testing.assert_allclose(scale / panel.y.mean(axis=1), 1, atol=10 / 13)
    assert (np.diff(np.log10(scale)) > 0.7).all()


@pytest.mark.usefixtures("quick")
def test_negative_history_is_forecast_where_it_occurs_and_nowhere_else() -> None:
    frame = shop()
    one = frame["unique_id"] == "s03"
    found = forecast(panel_of(frame.assign(y=np.where(one, frame["y"] - 40, frame["y"]))), "rmse")
    plain = forecast(panel_of(frame), "rmse")
    of_one = found["series_id"] == "s03"
    assert found.loc[of_one, "mean"].mean() == pytest.approx(plain.loc[of_one, "mean"].mean() - 40, abs=4)
    assert (found.loc[~of_one, QUANTILES] >= 0).all(axis=None)


def test_the_command_says_how_it_read_and_ends_with_2_where_it_cannot(tmp_path: Path, home: Path) -> None:
    shop().rename(columns={"y": "Y"}).to_csv(tmp_path / "p.csv", sep=";")
    done = run(str(tmp_path / "p.csv"), "--out", str(tmp_path / "out.csv"), "--model", "SeasonalNaive")
    assert done.exit_code == 0, done.output
    assert "read as UTF-8 text with semicolons between columns" in done.output
    assert "by day, season 7 periods: 24 series x 84 periods" in done.output
