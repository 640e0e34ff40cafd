"""A business day that crashes and is killed again and again; the oracle is the day that nobody disturbed."""

from pathlib import Path

import pytest
from day_kit import FIRST_DAY_STEPS, assert_same_ledger, complete, crash_behind, kill_in_the_midst

# Seconds after the end of a step, hence in the midst of a later one.
KILLS = {"gate": 2.0, "forecast gate": 1.0, "release": 0.1}
# Steps that end in a page or a message, as others do, or find nothing to do on a first day.
SAYS = {"track", "robot", "tell", "market", "surprise", "prices"}


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_crashes_kills_and_the_same_command_again_give_the_ledger_of_an_undisturbed_day(
    world: Path, tmp_path: Path, prefect_url: str, request: pytest.FixtureRequest
) -> None:
    for step in (step for step in FIRST_DAY_STEPS if step not in SAYS):
        crash_behind(step, world, tmp_path, prefect_url)
        if step in KILLS:
            kill_in_the_midst(step, KILLS[step], world, tmp_path, prefect_url)
    complete(world, tmp_path, prefect_url)
    undisturbed = request.getfixturevalue("undisturbed")  # asked for last: another worker makes it meanwhile
    assert_same_ledger(tmp_path, undisturbed)
    complete(world, tmp_path, prefect_url)
    assert_same_ledger(tmp_path, undisturbed)
