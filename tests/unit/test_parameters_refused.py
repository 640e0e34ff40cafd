"""What somebody asks for and cannot have is refused in words: options and fields of forms that would change nothing."""

import re
from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from typer.testing import CliRunner

from c2m.cli import app
from flows import parameters
from flows.parameters import Daily, Day, Dispatch, Ingest, Plan, PlanLimits, Train

COMMANDS = {
    "demo-world W --cover-days 3": "--cover-days has an effect only with --over",
    "demo-world W --opening-on 2026-01-01": "--opening-on has an effect only with --over",
    "ingest --world W --readmit F": "--world has an effect only without --readmit",
    "what-if I S --change-cost 1": "--change-cost has an effect only with --plan",
    "conformance mqtt://127.0.0.1:1 --factory F --port 9": "--port has an effect only with an http(s) address",
    "release P --reason R --reject --without L": "--without has an effect only without --reject",
}


@pytest.mark.parametrize("line", COMMANDS)
def test_options_that_would_change_nothing_are_refused(line: str, home: Path, tmp_path: Path) -> None:
    names = {"W": "world", "F": "rows.csv", "I": "instance", "S": "scenario.yaml"}
    words = [str(tmp_path / names[word]) if word in names and "conform" not in line else word for word in line.split()]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert COMMANDS[line] in done.stderr
    assert list(tmp_path.iterdir()) in ([], [home])


def test_each_field_of_the_daily_form_goes_to_a_flow_of_the_day() -> None:
    """The form of a whole day asks for nothing that no flow of it takes."""
    taken = {name for kind in (Ingest, Train, PlanLimits, Dispatch) for name in kind.model_fields}
    assert set(Daily.model_fields) == taken
    asked = Daily(business_date=date(2026, 3, 2), max_factories=2, replace=True, patience_s=5, force_training=True)
    assert asked.part(PlanLimits).asked == {"max_factories": 2}
    assert asked.part(Dispatch) == Dispatch(patience_s=5)
    assert asked.part(Day) == Day(business_date=date(2026, 3, 2))


def test_a_field_that_a_form_does_not_have_is_refused() -> None:
    for kind, field in ((Daily, "round"), (Dispatch, "business_date"), (Plan, "patience_s")):
        with pytest.raises(ValidationError, match=re.escape(field)):
            kind.model_validate({field: 1})
    kinds = [kind for kind in vars(parameters).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    assert len(kinds) > 8
