"""A business day that crashes at each of its step boundaries; the oracle is the day that nobody disturbed."""

from pathlib import Path

import pytest
from day_kit import FIRST_DAY_STEPS, assert_same_ledger, complete, crash_behind


@pytest.mark.timeout(900)
def test_a_crash_behind_each_step_and_a_second_run_give_the_same_ledger(
    undisturbed: Path, world: Path, tmp_path: Path, prefect_url: str
) -> None:
    crash_behind(FIRST_DAY_STEPS, world, tmp_path, prefect_url)
    complete(world, tmp_path, prefect_url)
    assert_same_ledger(tmp_path, undisturbed)
