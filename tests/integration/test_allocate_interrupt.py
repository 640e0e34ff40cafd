"""Ctrl-C on a real `c2m allocate`: the signal goes to every process of its group, as a terminal sends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.allocation.generator import Shape, draw, keep
from optimization.contract.plan import read_plan
from optimization.verification.verifier import verify

ROOT = Path(__file__).parents[2]
TIME_LIMIT_S = 200

pytestmark = pytest.mark.long


@pytest.fixture(params=[Shape(60, 30, seed=3), Shape(300, 80, seed=3)], ids=["one program", "in parts"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A book that no search closes while the test runs."""
    keep(draw(request.param), tmp_path / "instance")
    return tmp_path / "instance"


@pytest.fixture
def searching(instance: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, some seconds after it has told of a first plan: workers are at it by then."""
    arguments = ["allocate", str(instance), "--out", str(instance.parent / "plan"), "--gap", "0"]
    arguments += ["--time-limit", str(TIME_LIMIT_S)]
    process = subprocess.Popen(
        [sys.executable, "-m", "c2m.cli", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "cost" in line:
            break
    time.sleep(3)
    yield process
    if living(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def living(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_with_the_best_plan_so_far(searching: subprocess.Popen[str], instance: Path) -> None:
    began = time.monotonic()
    os.killpg(searching.pid, signal.SIGINT)
    assert searching.wait(60) == 0, searching.stderr and searching.stderr.read()
    assert time.monotonic() - began < 30
    plan = read_plan(instance.parent / "plan")
    assert plan.report["status"] == "feasible"
    assert plan.report["seconds"] < TIME_LIMIT_S / 2
    assert verify(instance, instance.parent / "plan").broken == []


def test_a_second_ctrl_c_ends_at_once_and_leaves_no_half_plan(searching: subprocess.Popen[str], instance: Path) -> None:
    os.killpg(searching.pid, signal.SIGINT)
    assert searching.stderr
    for line in searching.stderr:
        if "again" in line:
            break
    os.killpg(searching.pid, signal.SIGINT)
    assert searching.wait(10) in (-signal.SIGINT, 0)  # 0: it was done with the first already
    assert (searching.returncode == 0) == (instance.parent / "plan" / "report.json").exists()
    until = time.monotonic() + 20
    while (left := living(searching.pid)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left
