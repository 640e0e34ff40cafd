"""Frozen work that does not fit: the same words as for lots, and remedies after which there is a plan."""

import json
from pathlib import Path
from typing import Any

import pytest
from plan_kit import instance
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InfeasibleError
from optimization.contract.edits import edited
from optimization.contract.instances import Instance, write
from optimization.explanation.frozen_work import remedies
from optimization.planning.solve import solve


def crowded(minutes: float = 15, pieces: int = 10, **arc: Any) -> Instance:
    """Two lots frozen at one factory that has one day."""
    held = {"factory_id": "F", "frozen": True, "change_cost": 2.0}
    return instance(
        orders=[{"order_id": o, "quantity": 20} for o in "AB"],
        arcs=[{"order_id": "A", "factory_id": "F"} | arc, {"order_id": "B", "factory_id": "F"}],
        capacity=[{"factory_id": "F", "day": 1, "minutes": minutes, "overtime_minutes": 1, "overtime_cost": 1.0}],
        incumbent=[held | {"order_id": "A", "quantity": pieces}, held | {"order_id": "B", "quantity": 8}],
    )


@pytest.mark.parametrize(
    "problem", [crowded(), crowded(max_lot=9), crowded(minutes=99, pieces=30), crowded(setup_minutes=9)]
)
def test_every_remedy_makes_the_frozen_work_fit(problem: Instance) -> None:
    with pytest.raises(InfeasibleError):
        solve(problem)
    found = remedies(problem)
    assert found
    for remedy in found:
        assert solve(edited(problem, remedy.edits)).report["status"] == "optimal", remedy.words


def test_overtime_and_pieces_set_free_are_priced() -> None:
    by_table = {remedy.edits[0].table: remedy for remedy in remedies(crowded())}
    assert by_table["capacity"].extra_cost == pytest.approx(2 * 1.0)  # 18 minutes of work, 15 and 1 of overtime there
    assert by_table["incumbent"].extra_cost == pytest.approx(2 * 2.0)


def test_explanation_of_an_infeasible_plan_gives_causes_and_remedies_not_a_status(tmp_path: Path) -> None:
    write(crowded(), tmp_path / "instance")
    folders = [str(tmp_path / "instance"), str(tmp_path / "plan")]
    assert CliRunner().invoke(app, ["allocate", folders[0], "--out", folders[1]]).exit_code == 3
    result = CliRunner().invoke(app, ["explain", *folders])
    assert result.exit_code == 0
    assert "frozen work of 2 orders needs 18.0 minutes" in " ".join(result.output.split())
    figures = json.loads(CliRunner().invoke(app, ["explain", *folders, "--json"]).output)
    assert figures["status"] == "infeasible"
    assert len(figures["fixes"]) == 2
