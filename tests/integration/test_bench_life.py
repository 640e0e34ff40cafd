"""The benchmark of backups under load, in small, on both databases."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.life import under_load
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
