"""Business days as a user runs them: the command line as a process, one Prefect server for a file of tests."""

import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.faults.kills import SMALL
from c2m.ledger import store
from c2m.orchestrator import orchestrator
from c2m.settings import settings
from c2m.steps import CRASH_EXIT_CODE

DAYS = "1"  # the test on real data runs two
ENDS = {"Ended", "Refused", "Cancelled", "Expired", "Aborted"}
ROOT = Path(__file__).parents[1]
FIRST_DAY_STEPS = (
    "ingest", "gate", "transform", "track", "robot", "tell", "train", "forecast", "forecast gate", "market", "surprise",
    "orders", "solve", "propose", "release", "dispatch", "prices", "factories work",
)  # fmt: skip


@pytest.fixture(scope="module")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for all days of this module: each start of it costs ten seconds and more."""
    from c2m.floor.child import LOOPBACK, free_port
    from flows import services

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("prefect")))
        settings.cache_clear()
        url = f"http://{LOOPBACK}:{(port := free_port())}"
        for name, value in services.environment(url).items():
            patch.setenv(name, value)
        with services.prefect_server(port):
            yield url
    settings.cache_clear()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers of these tests, or of the only one."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def world(shared: Path) -> Path:
    """The small demo world, with what it has for the whole joint factory."""
    from c2m.simulation import joint
    from c2m.simulation.world import write_world

    folder = shared / "feeds" / "world"
    with _alone(shared / "feeds.lock"):
        if not folder.exists():
            write_world(folder, seed=1, size="small")
            joint.lay_beside(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(world: Path, shared: Path, request: pytest.FixtureRequest) -> Path:
    """The home of a run that nothing disturbed; the first worker that asks makes it, and needs the server, for all."""
    home = shared / "undisturbed"
    with _alone(shared / "undisturbed.lock"):
        if not (status := home / "status.json").exists():
            prefect_url = request.getfixturevalue("prefect_url")
            done = run_days(world, home, prefect_url)
            assert done.returncode == 0, done.stderr
            (home / "pages.json").write_text(_pages(prefect_url))
            status.write_text(done.stdout)
    return home


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pages(prefect_url: str) -> str:
    """The latest artifacts of a plan and of the floor, which end with the server that keeps them."""
    asked = {"artifacts": {"key": {"any_": ["plan", "solve", "floor", "quantities"]}}}
    return json.dumps(orchestrator(prefect_url).ask("/artifacts/latest/filter", asked))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "c2m.cli", *arguments]


def environment(home: Path, prefect_url: str, **more: str) -> dict[str, str]:
    own = {**SMALL, "C2M_HOME": str(home), "PREFECT_API_URL": f"{prefect_url}/api"}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("C2M_")}, **own, **more}


def run_days(
    world: Path, home: Path, prefect_url: str, days: str = DAYS, **more: str
) -> subprocess.CompletedProcess[str]:
    return told(command("run", "--world", str(world), "--days", days, "--json"), home, prefect_url, **more)


def told(words: list[str], home: Path, prefect_url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What a command says."""
    return subprocess.run(words, env=environment(home, prefect_url, **more), capture_output=True, text=True)


def ledger(home: Path) -> dict[str, pd.DataFrame]:
    """The ledger's facts, without what depends on the wall clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(home))
        settings.cache_clear()
        with store.session() as s:
            facts = store.snapshot(s)
    settings.cache_clear()
    return facts


def assert_same_ledger(seen: Path, expected: Path) -> None:
    a, b = ledger(seen), ledger(expected)
    assert a.keys() == b.keys()
    for name in a:
        pd.testing.assert_frame_equal(a[name], b[name], obj=name)


def assert_plans_verify(home: Path) -> None:
    from optimization.verification.verifier import verify

    plans = sorted((home / "runs").glob("*/*/plan"))
    assert plans
    for folder in (plan.parent for plan in plans):
        for plan in ("plan", "shadow"):
            book = folder / ("book" if plan == "shadow" and (folder / "book").exists() else "instance")
            report = verify(book, folder / plan)
            assert report.ok, report


@contextmanager
def forked_days(world: Path, home: Path, prefect_url: str, **more: str) -> Iterator[ForkServerProcess]:
    """`run_days` as a process that need not import anything: a fork of one that has imported what a day needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["alembic.command", "c2m.cli", "flows.daily", "flows.timelapse"])
    arguments = ["run", "--world", str(world), "--days", DAYS]
    home.mkdir(exist_ok=True)
    process = context.Process(target=_cli, args=(arguments, environment(home, prefect_url, **more), home / "cli.log"))
    process.start()
    yield process
    process.join()


def _cli(arguments: list[str], env: dict[str, str], log: Path) -> None:
    from c2m.cli import app

    os.environ.clear()
    os.environ.update(env)
    settings.cache_clear()
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    app(arguments)


def complete(world: Path, home: Path, prefect_url: str) -> None:
    """The run that nothing stops any more."""
    with forked_days(world, home, prefect_url) as process:
        pass
    assert process.exitcode == 0, (home / "cli.log").read_text()


def crash_behind(step: str, world: Path, home: Path, prefect_url: str) -> None:
    """A run that crashes behind this step."""
    with forked_days(world, home, prefect_url, C2M_CRASH_AFTER=step) as process:
        pass
    assert process.exitcode == CRASH_EXIT_CODE, (step, (home / "cli.log").read_text())


def kill_in_the_midst(step: str, seconds: float, world: Path, home: Path, prefect_url: str) -> None:
    """A run that is killed some time after it ended a step, hence in one of the next."""
    steps = home / "steps.jsonl"
    with forked_days(world, home, prefect_url) as process:
        before = _times(steps, step)
        while process.is_alive() and _times(steps, step) == before:
            time.sleep(0.02)
        time.sleep(seconds)
        process.kill()
    assert process.exitcode == -signal.SIGKILL


def _times(steps: Path, step: str) -> int:
    return steps.read_text().count(f'"{step}"') if steps.exists() else 0
