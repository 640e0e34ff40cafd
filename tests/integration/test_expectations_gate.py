"""The gate: what stops a day, what warns, what passes; and that each judgement stays to be looked up."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from warehouse_world import land, moment, sale, sku

from c2m.errors import InputError
from c2m.settings import settings
from expectations.gate import Verdict, check_feeds, check_forecast

DAY = date(2022, 6, 1)
YESTERDAY = DAY - timedelta(days=1)


def broken(verdict: Verdict) -> dict[str, set[str]]:
    """Rules that failed, by severity."""
    failed = verdict.results[~verdict.results["passed"]]
    return {str(severity): set(rows["rule"]) for severity, rows in failed.groupby("severity")}


def lines(day: date, count: int, **values: Any) -> Iterator[dict[str, Any]]:
    return (sale(f"{day}-{n}", day, **values) for n in range(count))


@pytest.fixture
def history(home: Path) -> Path:
    """Five weeks of 40 lines a day but Sundays, up to the day before yesterday, and a factory that can make them."""
    days = [DAY - timedelta(days=n) for n in range(2, 37)]
    land("sales_lines", [line for day in days if day.weekday() != 6 for line in lines(day, 40)])
    land("catalogue", [sku("s-M")])
    known = {"known_at": moment("2022-01-01")}
    land("factories", [{"factory_id": "f", "status": "active", **known}])
    land("factory_capabilities", [{"factory_id": "f", "kind": "category", "name": "kurta", "efficiency": 1, **known}])
    ahead = [DAY + timedelta(days=n) for n in range(settings().plan.horizon_days + 1)]
    land("factory_calendar", [{"factory_id": "f", "day": day, "minutes": 480, **known} for day in ahead])
    return home


def test_a_usual_day_passes_and_stays_in_the_data_docs(history: Path) -> None:
    land("sales_lines", lines(YESTERDAY, 38))
    for _ in range(2):
        verdict = check_feeds(DAY)
        assert broken(verdict).keys() <= {"info"}
        verdict.require()
    pages = history / "data_docs"
    index = (pages / "index.html").read_text(encoding="utf-8")
    found = list(pages.glob("2022-06-01/sales_batch-*.html"))
    assert len(found) == 2
    for page in (index, *(file.read_text(encoding="utf-8") for file in found)):
        assert "2022-06-01" in page
        assert "://" not in page  # nothing of another host
    assert all(f"2022-06-01/{file.name}" in index for file in found)


def test_an_empty_day_stops_unless_the_shop_was_closed(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="not empty or a fragment") as error:
        check_feeds(DAY).require()
    assert error.value.reason == "gate-stopped"
    assert any("all merchants 0" in fault for fault in error.value.faults)
    monkeypatch.setenv("C2M_CLOSED_ON", f'["{YESTERDAY}"]')
    settings.cache_clear()
    assert not check_feeds(DAY).stop


def test_a_weekly_day_off_is_usual(history: Path) -> None:
    monday = date(2022, 5, 30)
    assert monday.weekday() == 0
    assert not check_feeds(monday).stop


ODD = {  # merchant: lines and values of yesterday's batch, and the rule that it breaks
    "few": (12, {}, "As many lines as usual."),
    "dear": (40, {"amount": 150}, "Median unit price as usual."),
    "paise": (40, {"amount": 10_000}, "Median unit price not of another unit or currency."),
    "unpriced": (40, {"amount": None}, "No more without amount than usual."),
    "cancelled": (40, {"status": "cancelled"}, "Not most of it cancelled, against usual."),
    "gone": (0, {}, "The batch is not empty or a fragment, against usual."),
}


def test_an_odd_batch_is_named_with_its_merchant(history: Path) -> None:
    days = [DAY - timedelta(days=n) for n in range(2, 30)]
    for merchant, (count, values, _) in ODD.items():
        usual = [line for day in days for line in lines(day, 40, merchant_id=merchant)]
        land("sales_lines", [*usual, *lines(YESTERDAY, count, merchant_id=merchant, **values)])
    land("sales_lines", lines(YESTERDAY, 40))
    results = check_feeds(DAY).results.set_index("rule")
    for merchant, (_, _, rule) in ODD.items():
        assert merchant in results.loc[rule, "observed"], rule
    named = " ".join(results["observed"]).replace(",", "").split()
    assert "m" not in named  # the usual one


def test_missing_feeds_and_bad_files_stop(home: Path) -> None:
    land("file_outcomes", [{"batch_id": "b", "feed": "sales_lines", "rows_in": 10, "accepted": 4, "quarantined": 6,
                            "status": "partial", "arrived_at": moment("2022-06-01 01:00")}])  # fmt: skip
    verdict = check_feeds(DAY)
    assert verdict.stop
    assert broken(verdict)["critical"] == {
        "Each feed that the day needs has rows.",
        "Up to half of a feed's rows are quarantined.",
        "Sales of the last four weeks are known.",
        "An active factory has working time ahead.",
    }


STYLES = pd.DataFrame({"merchant_id": "m", "style_id": ["s", "t", "sleeps"], "pieces_28d": [280, 28, 0]})
DEMAND = pd.DataFrame({"demand_date": pd.date_range(DAY - timedelta(days=28), YESTERDAY), "pieces_asked": 11})


def forecast() -> pd.DataFrame:
    days = pd.date_range(DAY, periods=settings().forecast.horizon_days)
    frame = pd.DataFrame({"style_id": ["s", "t"]}).merge(pd.DataFrame({"ds": days}), how="cross")
    frame.insert(0, "merchant_id", "m")
    levels = {f"q{level}": 5.0 + i for i, level in enumerate(("05", "10", "25", "50", "75", "90", "95"))}
    return frame.assign(business_date=pd.Timestamp(DAY), point=6.0, mean=6.0, **levels)


def test_a_whole_forecast_passes(home: Path) -> None:
    assert not broken(check_forecast(forecast(), STYLES, DEMAND, DAY))


def test_a_forecast_that_cannot_be_used_stops(home: Path) -> None:
    good = forecast()[lambda f: f["style_id"] == "s"]
    spoilt = {  # style: what is wrong with its forecast, and the rule that it breaks
        "absent": (good.iloc[:0], "Every style that sold in 28 days has every day of the horizon."),
        "short": (good.iloc[1:], "Every style that sold in 28 days has every day of the horizon."),
        "twice": (pd.concat([good, good.iloc[:1]]), "One row per style and day, none outside the horizon."),
        "stale": (
            good.assign(ds=good["ds"] - timedelta(days=1)),
            "One row per style and day, none outside the horizon.",
        ),
        "nan": (good.assign(q50=np.nan), "No number is missing, infinite or negative."),
        "endless": (good.assign(q95=np.inf), "No number is missing, infinite or negative."),
        "negative": (good.assign(mean=-1.0), "No number is missing, infinite or negative."),
        "crossed": (good.assign(q90=good["q95"], q95=good["q90"]), "Quantiles do not cross."),
    }
    frame = pd.concat([good, *(part.assign(style_id=style) for style, (part, _) in spoilt.items())])
    styles = pd.DataFrame({"merchant_id": "m", "style_id": ["s", *spoilt], "pieces_28d": 28})
    verdict = check_forecast(frame, styles, DEMAND, DAY)
    assert verdict.stop
    results = verdict.results.set_index("rule")
    for style, (_, rule) in spoilt.items():
        assert f"m/{style} " in results.loc[rule, "observed"], style
    assert not results["observed"].str.contains("m/s ").any()


def test_a_forecast_of_another_size_than_demand(home: Path) -> None:
    doubled = check_forecast(forecast().assign(mean=13.0), STYLES, DEMAND, DAY)
    assert broken(doubled) == {"warning": {"Forecast per day against the 28 days' mean demand."}}
    assert not doubled.stop
    assert check_forecast(forecast().assign(mean=60.0), STYLES, DEMAND, DAY).stop


def test_what_is_named_and_never_came_is_said(history: Path) -> None:
    land("sales_lines", [*lines(YESTERDAY, 38), *lines(YESTERDAY, 30, merchant_id="lost", sku_id="7-M", style_id="7")])
    order = {"merchant_id": "m", "status": "open", "known_at": moment("2022-05-30")}
    land("merchant_orders", [{"order_id": name, **order} for name in ("whole", "bare", "off")])
    land("merchant_orders", [{"order_id": "off", **order, "status": "cancelled", "known_at": moment("2022-05-31")}])
    land("merchant_order_lines", [{"order_id": "whole", "sku_id": "s-M", "quantity": 5, **order}])
    land("factories", [{"factory_id": "idle", "status": "active", "known_at": moment("2022-01-01")}])
    verdict = check_feeds(DAY)
    assert not verdict.stop
    said = verdict.results.query("batch == 'matches' and not passed").set_index("rule")["observed"]
    assert sorted(said) == ["all merchants 0.02918, lost 1", "idle 0", "m 1"]


def test_sales_of_which_most_are_in_no_catalogue_stop_the_day(history: Path) -> None:
    land("sales_lines", [*lines(YESTERDAY, 1200, sku_id="7-M", style_id="7")])
    assert any("half of all pieces sold" in rule for rule in broken(check_feeds(DAY))["critical"])
