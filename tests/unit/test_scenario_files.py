"""What a scenario file may say, what it does to an instance, and how it is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_kit import instance

from c2m.errors import InputError
from optimization.contract.instances import Instance
from optimization.whatif.scenarios import Scenario, read

LOTS = [{"order_id": "A", "quantity": 20, "max_factories": 3}, {"order_id": "B", "quantity": 7, "late_cost": 2}]
ARCS = [
    {"order_id": o, "factory_id": f, "min_lot": 5, "max_lot": most}
    for o, most in (("A", 20), ("B", 6))
    for f in ("F", "G")
]
DAYS = [{"factory_id": f, "day": d, "minutes": 100, "overtime_minutes": 10} for f in "FG" for d in (1, 2, 3)]


def after(*changes: dict[str, Any]) -> Instance:
    scenario = Scenario.model_validate({"name": "s", "changes": list(changes)})
    return scenario.made_to(instance(LOTS, ARCS, DAYS))


def minutes(problem: Instance, factory: str) -> list[list[float]]:
    days = problem.capacity[problem.capacity["factory_id"] == factory]
    return days[["minutes", "overtime_minutes"]].to_numpy().tolist()


def test_a_factory_that_is_down_has_no_minute_on_those_days() -> None:
    problem = after({"change": "factory_down", "factories": ["F"], "first_day": 2, "last_day": 2})
    assert minutes(problem, "F") == [[100, 10], [0, 0], [100, 10]]
    assert minutes(problem, "G") == [[100, 10]] * 3


def test_capacity_is_scaled_from_a_day_on() -> None:
    problem = after({"change": "capacity", "factor": 1.5, "first_day": 3})
    assert minutes(problem, "F") == minutes(problem, "G") == [[100, 10], [100, 10], [150, 15]]


def test_more_demand_keeps_a_factory_able_to_make_the_whole_lot_and_no_more_than_it_was() -> None:
    problem = after({"change": "demand", "factor": 1.26})
    assert problem.orders["quantity"].tolist() == [26, 9]
    assert problem.arcs.groupby("lot_id")["max_lot"].max().to_dict() == {"A": 26, "B": 6}
    assert after({"change": "demand", "lots": ["B"], "pieces": 5}).orders["quantity"].tolist() == [20, 12]


def test_a_rush_order_like_another_lot_takes_its_factories_and_prices() -> None:
    rush = {"change": "rush_order", "order_id": "R", "quantity": 50, "due_day": 2, "like": "A", "late_cost": 9}
    problem = after(rush)
    order = problem.orders.set_index("lot_id").loc["R"]
    assert order[["quantity", "release_day", "due_day", "max_factories", "late_cost"]].tolist() == [50, 1, 2, 3, 9]
    arcs = problem.arcs[problem.arcs["lot_id"] == "R"]
    assert arcs[["factory_id", "max_lot", "min_lot"]].to_numpy().tolist() == [["F", 50, 5], ["G", 50, 5]]


def test_a_rush_order_may_bring_its_own_factories() -> None:
    own = {"arcs": [{"factory_id": "G", "unit_cost": 4, "minutes_per_piece": 2}], "max_late_days": 0}
    own |= {"max_factories": 1, "late_cost": 0, "unmet_cost": 99}
    rush = {"change": "rush_order", "order_id": "R", "quantity": 50, "due_day": 2, "release_day": 2}
    arc = after(rush | own).arcs.set_index("lot_id").loc["R"]
    assert arc[["factory_id", "max_lot", "release_day", "max_minutes_per_day"]].tolist() == ["G", 50, 2, float("inf")]


def test_changes_are_made_one_after_the_other() -> None:
    problem = after(
        {"change": "rush_order", "order_id": "R", "quantity": 50, "due_day": 2, "like": "B"},
        {"change": "demand", "lots": ["R"], "factor": 2},
        {"change": "minimum_lot", "lots": ["R"], "factories": ["F"], "factor": 0.5},
        {"change": "minimum_lot", "lots": ["A"], "pieces": 30},
        {"change": "max_factories", "most": 1},
    )
    assert problem.orders.set_index("lot_id")["quantity"]["R"] == 100
    assert problem.orders["max_factories"].tolist() == [1, 1, 1]
    assert problem.arcs["min_lot"].tolist() == [20, 20, 5, 5, 3, 5]


def test_every_fault_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    files = {
        "first": {"changes": [{"change": "capacity", "factor": -1}, {"change": "strike"}]},
        "second": {"changes": [{"change": "demand", "factor": 2, "pieces": 3}], "colour": "red"},
        "third": {"changes": [{"change": "rush_order", "order_id": "R", "quantity": 0, "due_day": 1}]},
        "base": {"changes": [{"change": "max_factories", "most": 1}]},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "broken.yaml").write_text("changes: [")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(InputError) as caught:
        read([*sorted(tmp_path.glob("*.yaml")), tmp_path / "absent.yaml"])
    told = "\n".join(caught.value.faults)
    for fault in (
        "greater than or equal to 0",
        "strike",
        "either factor or pieces",
        "colour",
        "quantity",
        "base: names",
    ):
        assert fault in told
    for name in ("first", "second", "third", "broken", "list", "absent"):
        assert f"{name}.yaml: " in told


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"change": "factory_down", "factories": ["F", "X"]}, "factory X is not in the instance"),
        ({"change": "demand", "lots": ["Z"], "factor": 2}, "lot Z is not in the instance"),
        ({"change": "capacity", "factor": 2, "last_day": 4}, "days 1 to 4; expected days in order within 1 to 3"),
        (
            {"change": "rush_order", "order_id": "A", "quantity": 1, "due_day": 1, "like": "Z"},
            "lot A is in the instance already",
        ),
    ],
)
def test_what_the_instance_does_not_have_is_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        after(change, {"change": "max_factories", "most": 1, "lots": ["Q"]})
    assert any(fault in line for line in caught.value.faults)
    assert "s, change 2: lot Q is not in the instance" in caught.value.faults


def test_the_examples_of_the_documentation_are_scenarios() -> None:
    names = [
        scenario.name for scenario in read(sorted((Path(__file__).parents[2] / "docs" / "scenarios").glob("*.yaml")))
    ]
    assert names == ["factory-down", "no-splits", "rush-order", "spike-with-small-lots"]
