"""Fixtures that every test may use: an own C2M_HOME, the public data where it lies beside the project."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2m.settings import settings

ROOT = Path(__file__).parents[1]

# One thread each: the tests share their cores already, and OpenMP's threads wait for each other by spinning.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "C2M_FORECAST__THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty C2M_HOME for one test."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("C2M_HOME", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def no_server_stays() -> Iterator[None]:
    """A process of the suite that ends without its exit handlers would leave its PostgreSQL server."""
    yield
    kit = sys.modules.get("ledger_kit")
    if kit and kit.postgresql_server.cache_info().currsize:
        kit.postgresql_server().cleanup()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets; the test skips, saying why, where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"public data not found at {folder}")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Business days first, the longest ahead: a worker that begins it last keeps the other waiting (see Makefile).

    test_day_why.py asks of the day that test_day.py runs.
    """
    longest = ("test_day_amazon.py", "test_day_crash.py", "test_day_decided.py")
    days = [name for item in items if (name := item.path.name).startswith("test_day") and name != "test_day_why.py"]
    items.sort(key=lambda item: (item.path.name not in longest, item.path.name not in days))
