"""A business day that crashes and is killed on its way; the oracle is a day that nobody disturbed."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from day_kit import DAYS, FIRST_DAY_STEPS, assert_same_ledger, command, crash_behind, environment, run_days


@pytest.mark.timeout(900)
def test_crashes_behind_the_last_steps_and_a_second_run_give_the_same_ledger(
    undisturbed: Path, world: Path, tmp_path: Path, prefect_url: str
) -> None:
    crash_behind(FIRST_DAY_STEPS[6:], world, tmp_path, prefect_url)
    assert_same_ledger(tmp_path, undisturbed)


def test_three_kills_at_any_moment_give_the_same_ledger(
    undisturbed: Path, world: Path, tmp_path: Path, prefect_url: str
) -> None:
    for seconds in (8.0, 11.0, 14.0):
        process = subprocess.Popen(
            command("run", "--world", str(world), "--days", DAYS),
            env=environment(tmp_path, prefect_url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run_days(world, tmp_path, prefect_url).returncode == 0
    assert_same_ledger(tmp_path, undisturbed)
