"""The benchmarks of a home's life in small: backups under load on both databases; pruned days in time-lapse."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.life import under_load, year
from c2m.floor import broker
from c2m.settings import settings

pytestmark = [
    pytest.mark.long,
    pytest.mark.mosquitto,
    pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed"),
]


@pytest.fixture(autouse=True)
def environment_taken_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_backup_at_a_thousand_scans_a_second_is_whole_and_goes_on(database: str) -> None:
    with ExitStack() as stack:
        new = stack.enter_context(under_load.databases()) if database == "postgresql" else None
        figures = under_load.measured(new, seconds=8, backups=2, rate=1000)
    assert int(str(figures["scans"])) >= 8_000
    assert int(str(figures["orders"])) > 0


@pytest.mark.timeout(900)
def test_days_that_are_pruned_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second part begins from what the pruning of the first left."""
    monkeypatch.setattr(year, "WEEK", 2)
    parts = year.year(tmp_path, days=3, most_mb=150)
    assert [part["days"] for part in parts] == [2, 3]
    assert len(list((tmp_path / "home" / "runs").glob("*/done.json"))) == 3
