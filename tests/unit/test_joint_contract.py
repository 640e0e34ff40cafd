"""Stages, transfers, ready pieces and pools of an instance: what is taken, what is refused, what stays as it was."""

from pathlib import Path
from typing import Any

import pytest
from joint_kit import joint, open_days
from plan_kit import day_of_work

from c2m.errors import InputError
from optimization.contract.instances import Instance, read, write

LOTS = [{"order_id": name, "quantity": 4} for name in "AB"]
STAGES = [{"order_id": "A", "stage": stage} for stage in (1, 2)]
ARCS = [
    *({"order_id": "A", "stage": stage, "factory_id": "F"} for stage in (1, 2)),
    {"order_id": "B", "stage": 1, "factory_id": "F"},
]


def stated(**more: Any) -> Instance:
    return joint(LOTS, more.pop("arcs", ARCS), open_days("FG", 3), **{"stages": STAGES} | more)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"stages": [*STAGES, {"order_id": "X", "stage": 1}]}, "stages row 3: order_id=X; is not in orders"),
        ({"stages": [STAGES[0], {"order_id": "A", "stage": 3}]}, "order A has 2 stages up to 3; number them 1 to S"),
        ({"stages": [*STAGES, STAGES[0]]}, "stands twice"),
        ({"stages": []}, "arcs row 2: order_id=A, stage=2, factory_id=F; is after the last stage of its order"),
        ({"arcs": [*ARCS, ARCS[0]]}, "arcs row 4: order_id=A, stage=1, factory_id=F; stands twice"),
        ({"arcs": [ARCS[0] | {"stage": 0}, *ARCS[1:]]}, "stage=0; expected a whole number >= 1"),
        (
            {"incumbent": [{"order_id": "A", "stage": 3, "factory_id": "F", "quantity": 1}]},
            "incumbent row 1: order_id=A, stage=3, factory_id=F; is after the last stage of its order",
        ),
        (
            {"incumbent": [{"order_id": "A", "stage": 2, "factory_id": "G", "quantity": 1, "frozen": True}]},
            "is frozen but has no arc",
        ),
        (
            {"transfers": [{"from_factory": "F", "to_factory": "F", "cost": 0, "days": 0}]},
            "transfers row 1: from_factory=F, to_factory=F; leave it out",
        ),
        (
            {"transfers": [{"from_factory": "F", "to_factory": "G", "cost": -1, "days": 1.5}]},
            "days=1.5; expected a whole number >= 0",
        ),
        (
            {"transfers": [{"from_factory": "F", "to_factory": "G", "cost": 0, "days": 0, "order_id": "X"}]},
            "transfers row 1: order_id=X; is not in orders",
        ),
        (
            {"ready": [{"order_id": "A", "stage": 2, "factory_id": "F", "quantity": 1}]},
            "has passed the last stage of its order",
        ),
        (
            {"ready": [{"order_id": "A", "stage": 1, "factory_id": "F", "quantity": 5}]},
            "ready: order A has 5 pieces ready, but asks for 4",
        ),
        ({"pools": [{"order_id": "X", "pool_id": "P"}]}, "pools row 1: order_id=X; is not in orders"),
        ({"pools": [{"order_id": "A", "pool_id": "P"}, {"order_id": "A", "pool_id": "Q"}]}, "stands twice"),
        (
            {
                "arcs": [ARCS[0] | {"setup_cost": 3}, *ARCS[1:]],
                "pools": [{"order_id": name, "pool_id": "P"} for name in "AB"],
            },
            "the arcs of pool P, stage 1, factory F differ in setup_cost",
        ),
    ],
)
def test_a_fault_is_named(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        stated(**tables)
    assert any(words in fault for fault in error.value.faults), error.value.faults


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        stated(
            stages=[*STAGES, {"order_id": "X", "stage": 1}],
            transfers=[{"from_factory": "F", "to_factory": "F", "cost": -1, "days": 0}],
            ready=[{"order_id": "A", "stage": 2, "factory_id": "F", "quantity": 9}],
        )
    assert {fault.split()[0].rstrip(":") for fault in error.value.faults} == {"stages", "transfers", "ready"}


def test_the_instance_survives_its_files(tmp_path: Path) -> None:
    problem = stated(
        transfers=[{"from_factory": "F", "to_factory": "G", "cost": 0.5, "days": 2, "order_id": ""}],
        ready=[{"order_id": "A", "stage": 1, "factory_id": "G", "quantity": 2}],
        pools=[{"order_id": "B", "pool_id": "P"}],
    )
    write(problem, tmp_path)
    again = read(tmp_path)
    assert again.sha256 == problem.sha256
    assert again.staged
    assert again.ready["day"].tolist() == [1]


def test_a_later_stage_is_released_on_day_1() -> None:
    late = [lot | {"release_day": 3} for lot in LOTS]
    problem = joint(late, ARCS, open_days("F", 3), stages=STAGES)
    assert problem.arcs["release_day"].tolist() == [3, 1, 3]


def test_without_stages_the_files_are_as_before(tmp_path: Path) -> None:
    problem = day_of_work()
    write(stated(), tmp_path)
    write(problem, tmp_path)
    assert not (tmp_path / "stages.csv").exists()
    assert "stage" not in (tmp_path / "arcs.csv").read_text(encoding="utf-8").splitlines()[0]
    assert problem.sha256 == "f3cc63a2c4ff4442d28a6e839c03d28f52e1cec2355d356a7f42afb55b7fa15d"
    one_stage = [{"order_id": name, "stage": 1} for name in "AB"]
    arcs = [{"order_id": name, "stage": 1, "factory_id": "F"} for name in "AB"]
    assert not joint(LOTS, arcs, open_days("F", 3), stages=one_stage).joint
