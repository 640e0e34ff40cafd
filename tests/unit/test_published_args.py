"""What dbt is told, and what readers are told where nothing is published."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from warehouse_world import land, moment, sale

from c2m.errors import InputError
from c2m.settings import settings
from c2m.warehouse import published

DAY = date(2022, 6, 1)


def _option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_a_day_begins_in_the_platforms_zone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_TIMEZONE", "Asia/Kolkata")
    settings.cache_clear()
    variables = json.loads(_option(published.dbt_args("build", DAY), "--vars"))
    assert variables["business_date"] == "2022-06-01"
    assert variables["cut_off"] == "2022-05-31 18:30:00"
    assert variables["timezone"] == "Asia/Kolkata"


def test_dbt_writes_below_the_home_alone(home: Path) -> None:
    arguments = published.dbt_args("docs generate --static", DAY, "+styles")
    assert arguments[:3] == ["docs", "generate", "--static"]
    for option in ("--target-path", "--log-path"):
        assert Path(_option(arguments, option)).is_relative_to(home.absolute())
    assert Path(json.loads(_option(arguments, "--vars"))["warehouse"]).is_relative_to(home.absolute())
    assert _option(arguments, "--select") == "+styles"


def test_unit_tests_judge_the_code_not_the_day(home: Path) -> None:
    assert _option(published.dbt_args("build", DAY), "--exclude-resource-type") == "unit_test"
    assert "--exclude-resource-type" not in published.dbt_args("test", DAY)


def test_reading_before_anything_is_published_says_what_to_do(home: Path) -> None:
    with pytest.raises(InputError, match="nothing is published") as error:
        published.read("styles")
    assert error.value.reason == "not-published"


def test_publishing_before_dbt_has_run_says_what_to_do(home: Path) -> None:
    with pytest.raises(InputError, match="dbt has not run") as error:
        published.publish(DAY)
    assert error.value.reason == "no-build"


def test_a_build_follows_from_what_was_known_when_its_day_began_and_from_nothing_later(home: Path) -> None:
    land("sales_lines", [sale("1", date(2022, 5, 30))])
    first = published.inputs(DAY)
    assert published.inputs(DAY, "+styles") != first
    land("sales_lines", [sale("2", DAY)])
    land("scans", [{"scan_id": "s", "received_at": moment("2022-06-01 09:00")}])
    assert published.inputs(DAY) == first
    known = {published.inputs(DAY + timedelta(days=days)) for days in (1, 2)}
    assert first not in known
    assert len(known) == 2
    land("sales_lines", [sale("3", date(2022, 5, 31))])  # late, but known before the day began
    assert published.inputs(DAY) != first


def test_a_warehouse_that_this_version_has_not_built_whole_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings().warehouse.write_text("of an unknown version")
    assert published.remove_old_warehouse()
    assert not settings().warehouse.exists()
    settings().warehouse.write_text("begun, and not finished")
    assert published.remove_old_warehouse()
    settings().warehouse.write_text("of this version")
    published.mark_warehouse()
    assert not published.remove_old_warehouse()
    assert settings().warehouse.read_text() == "of this version"
    monkeypatch.setattr(published, "code", lambda: ["other models"])
    assert published.remove_old_warehouse()
    assert not settings().warehouse.exists()
