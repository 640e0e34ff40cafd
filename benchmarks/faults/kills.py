"""Business days that are killed at random moments while their clock is set forward and back: the ledger is the same.

    .venv/bin/python -m benchmarks.faults.kills [--kills 30] [--of run|up]

`run`: `c2m run` of the first day of a small demo world is killed (SIGKILL, it and all that it started) and started
again until it comes to its end. `up`: `c2m up` is, with the day in it as a run of its deployment; then `c2m run` lets
the factories work everything off. Meanwhile the clock of all these processes jumps by two hours (stepped.py).
The oracle is the ledger of the same day that nobody disturbed; for `up`, where the clock goes on by itself, without its
moments. Each day that came to its end is a line of benchmarks/results/faults/kills-*.json: the command goes on there.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil

from benchmarks.faults.stepped import SteppedClock
from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import audit, store
from c2m.settings import settings
from c2m.simulation.world import write_world

RESULTS = Path(__file__).parents[1] / "results" / "faults"
KILLS, STEP_S = 30, 7200
DAY = "2026-04-13"
SMALL = {  # stopped by nodes, not by time: the same plan however busy the machine is
    "C2M_PLAN__NODE_LIMIT": "20",
    "C2M_PLAN__TIME_LIMIT_S": "600",
    "C2M_PLAN__EXPLANATION_S": "0.2",
    "C2M_FORECAST__ROUNDS": "20",
    "C2M_FORECAST__THREADS": "1",
    "C2M_FORECAST__BACKTEST_ORIGINS": "1",
}
_PORTS = ("PREFECT", "MLFLOW", "DOCS", "MQTT", "HTTP", "RELAY", "ROOMS")
_LONGEST_S = 1800


@dataclass
class Trial:
    """One home, and what has happened to it."""

    home: Path
    world: Path
    clock: SteppedClock
    draws: random.Random
    kills: int = 0
    steps: int = 0
    ahead_s: int = 0
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("C2M_", "PREFECT_"))}
        ports = {f"C2M_{name}_PORT": str(free_port()) for name in _PORTS}
        self.env = plain | SMALL | ports | self.clock.env | {"C2M_HOME": str(self.home)}
        self.clock.set(0)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.home.with_suffix(".log").open("ab")
        command = [sys.executable, "-m", "c2m.cli", *arguments]
        return subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT)

    def run(self) -> subprocess.Popen[bytes]:
        return self.start("run", "--world", str(self.world), "--date", DAY, "--days", "1")

    def step(self) -> None:
        """The clock jumps, two hours off the machine's at most."""
        self.ahead_s = self.draws.choice([one for one in (-STEP_S, 0, STEP_S) if one != self.ahead_s])
        self.clock.set(self.ahead_s)
        self.steps += 1

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """It and all that it started, at once."""
        with suppress(psutil.NoSuchProcess):
            victims = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for one in victims:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait()
        self.kills += 1

    def survives(self, process: subprocess.Popen[bytes], seconds: float, ended: Callable[[], bool]) -> bool:
        """Whether it came to its end before `seconds` were over; meanwhile the clock jumps now and then."""
        until, jump = time.monotonic() + seconds, time.monotonic() + self.draws.uniform(0, seconds)
        while time.monotonic() < until:
            if ended():
                return True
            if process.poll() is not None:
                raise RuntimeError(f"it ended by itself: read {self.home.with_suffix('.log')}")
            if time.monotonic() > jump:
                self.step()
                jump = time.monotonic() + self.draws.uniform(1, seconds)
            time.sleep(0.1)
        return False


def of_run(trial: Trial, longest_s: float | None) -> None:
    """The day in time-lapse, killed within `longest_s` again and again; None: undisturbed."""
    while True:
        process = trial.run()
        if longest_s is None:
            finish(trial, process)
            return

        def ended(process: subprocess.Popen[bytes] = process) -> bool:
            return process.poll() == 0

        if trial.survives(process, trial.draws.uniform(0.5, longest_s), ended):
            return
        trial.kill(process)


def of_up(trial: Trial, longest_s: float | None) -> None:
    """The same with `c2m up`, until its day is through; then all is worked off in time-lapse."""
    while True:
        process, day = trial.start("up"), DayInside(trial)
        limit_s = _LONGEST_S if longest_s is None else trial.draws.uniform(5, longest_s)
        if trial.survives(process, limit_s, day.is_through):
            break
        trial.kill(process)
    process.send_signal(signal.SIGINT)
    finish(trial, process)
    finish(trial, trial.start("run", "--date", DAY, "--days", "1"))


class DayInside:
    """The day as a run of its deployment, begun as soon as the platform is there."""

    def __init__(self, trial: Trial) -> None:
        self._url = f"http://{LOOPBACK}:{trial.env['C2M_PREFECT_PORT']}/api"
        self._home, self._run = trial.home, ""

    def is_through(self) -> bool:
        try:
            return self._look()
        except (httpx.HTTPError, OSError, KeyError):  # it is not there yet
            return False

    def _look(self) -> bool:
        login = "c2m", (self._home / "pages.key").read_text()
        with httpx.Client(base_url=self._url, auth=login, trust_env=False, timeout=10) as server:
            token = server.get("/csrf-token", params={"client": "kills"}).json()["token"]
            server.headers |= {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "kills"}
            if not self._run:
                daily = server.get("/deployments/name/daily/daily").raise_for_status().json()["id"]
                asked = {"parameters": {"parameters": {"business_date": DAY}}}
                begun = server.post(f"/deployments/{daily}/create_flow_run", json=asked)
                self._run = begun.raise_for_status().json()["id"]
                return False
            time.sleep(1)
            state = server.get(f"/flow_runs/{self._run}").raise_for_status().json()["state"]
        if state["type"] in ("FAILED", "CRASHED"):
            raise RuntimeError(f"the day {state['type'].lower()}: {state['message']}")
        return str(state["type"]) == "COMPLETED"


def finish(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    if process.wait(_LONGEST_S):
        raise RuntimeError(f"exit code {process.returncode}: read {trial.home.with_suffix('.log')}")


def ledger(home: Path, with_moments: bool) -> Mapping[str, pd.DataFrame]:
    """The ledger's facts; without columns that hold moments, and sorted anew, where these may differ."""
    os.environ["C2M_HOME"] = str(home)
    settings.cache_clear()
    with store.session() as session:
        if faults := audit.verify(session).faults:
            raise RuntimeError(f"the audit is broken: {faults[:3]}")
        facts = store.snapshot(session)
    store.engine(settings().ledger).dispose()
    if with_moments:
        return facts
    return {name: _timeless(frame) for name, frame in facts.items()}


def _timeless(frame: pd.DataFrame) -> pd.DataFrame:
    moments = [name for name in frame.columns if frame[name].map(lambda cell: hasattr(cell, "tzinfo")).any()]
    left = frame.drop(columns=moments)
    return left.sort_values(list(left.columns), key=lambda cells: cells.astype(str)).reset_index(drop=True)


def differences(seen: Mapping[str, pd.DataFrame], expected: Mapping[str, pd.DataFrame]) -> list[str]:
    """In words, table by table."""
    found = []
    for name in expected.keys() | seen.keys():
        try:
            pd.testing.assert_frame_equal(seen[name], expected[name], obj=name)
        except (AssertionError, KeyError) as error:
            found.append(f"{name}: {' '.join(str(error).split())[:300]}")
    return found


def benchmark(of: str, kills: int, folder: Path) -> None:
    """Days until so many kills are done, each a line of the results."""
    disturb, file = {"run": of_run, "up": of_up}[of], RESULTS / f"kills-{of}.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    clock, world = SteppedClock(folder / "clock"), folder / "world"
    write_world(world, seed=1, size="small")

    def trial(name: str, seed: int) -> Trial:
        return Trial(folder / name, world, clock, random.Random(seed))

    began = time.monotonic()
    oracle = trial("undisturbed", 0)
    disturb(oracle, None)
    alone_s = time.monotonic() - began
    expected = ledger(oracle.home, of == "run")
    while sum(row["kills"] for row in rows) < kills:
        number, began = len(rows) + 1, time.monotonic()
        one = trial(f"day-{number}", number)
        disturb(one, alone_s)
        found = differences(ledger(one.home, of == "run"), expected)
        row = {"day": number, "kills": one.kills, "clock_steps": one.steps, "ledger": "differs" if found else "equal"}
        rows.append(row | {"seconds": round(time.monotonic() - began)})
        print(*found, rows[-1], sep="\n", flush=True)
        file.write_text(json.dumps(rows, indent=1) + "\n")
    print(pd.DataFrame(rows).to_string(index=False))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=KILLS)
    options.add_argument("--of", choices=("run", "up"), default="run")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="c2m-kills-") as folder:
        benchmark(asked.of, asked.kills, Path(folder))


if __name__ == "__main__":
    main()
