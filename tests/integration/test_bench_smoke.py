"""Each benchmark in its smallest form comes to its end: it prints figures, which are judged elsewhere."""

import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench_kit import LONG, MOSQUITTO, PUBLIC, QUICK

from benchmarks.finish import prediction
from benchmarks.forecast import new_styles, orange_juice
from benchmarks.surprise import spikes
from c2m.floor import broker
from c2m.settings import settings

SMALLEST = QUICK | LONG


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to run in; the environment that a benchmark sets is taken back."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    os.environ["C2M_HOME"] = str(tmp_path / "home")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])  # of the processes that a benchmark starts
    settings.cache_clear()
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()


@pytest.fixture
def public(shared_data: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_SHARED_DATA", str(shared_data))
    settings.cache_clear()


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def test_the_smallest_form_comes_to_its_end(
    name: str,
    elsewhere: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name in MOSQUITTO and broker.mosquitto_path() is None:
        pytest.skip("the mosquitto broker is not installed")
    if name in PUBLIC:
        request.getfixturevalue("public")
    monkeypatch.setattr(sys, "argv", [name, *SMALLEST[name].split()])
    try:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, capsys.readouterr()
    assert capsys.readouterr().out.strip()


@pytest.mark.long
def test_when_job_orders_end_on_one_small_floor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"LINES": 12, "DAYS": 16, "JUDGED": (21,)}.items():
        monkeypatch.setattr(prediction, name, value)
    monkeypatch.setattr(sys, "argv", ["prediction"])
    with np.errstate(invalid="ignore"):  # nothing came late there
        prediction.main()
    assert "alerted" in capsys.readouterr().out


def test_two_planted_spikes_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spikes, "WORLDS", 2)
    assert (spikes.spikes(spikes.planted).loc["noticed_h", "max"]) <= 4


@pytest.mark.shared
@pytest.mark.usefixtures("public")
def test_ten_new_styles(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(new_styles, "STYLES", f"FROM ({new_styles.STYLES}) LIMIT 200")
    monkeypatch.setattr(new_styles, "HELD_OUT", 10)
    new_styles.main()
    assert "median curve" in capsys.readouterr().out


@pytest.mark.shared
@pytest.mark.long
@pytest.mark.usefixtures("public")
def test_the_orange_juice_of_one_store(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = orange_juice.sales()
    few = rows[(rows["store"] == rows["store"].iloc[0]) & rows["brand"].isin(["brand 1", "brand 2"])]
    monkeypatch.setattr(orange_juice, "sales", lambda: few)
    monkeypatch.setattr(sys, "argv", ["orange_juice", "1"])
    orange_juice.main()
    assert "c2m forecast, rounds 1 to 4" in capsys.readouterr().out
