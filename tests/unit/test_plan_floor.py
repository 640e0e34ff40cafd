"""The floor of every plan: the common rule, what is in force, frozen work that its neighbours give way to, limits."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plan_kit import checked, day_of_work, instance, tiny
from typer.testing import CliRunner

from benchmarks.allocation.never_worse import KINDS, drawn, judged, reported
from c2m.cli import app
from c2m.errors import InfeasibleError
from optimization.contract.instances import Instance, read, write
from optimization.engines.first.start_plans import known
from optimization.engines.large import in_parts
from optimization.planning.solve import solve
from optimization.statement.part import whole_of
from optimization.statement.reduction import reduce

CASES = Path(__file__).parents[3] / "shared" / "cases" / "decisions"


@pytest.mark.parametrize("kind", KINDS)
def test_no_plan_costs_more_than_what_is_known_before(kind: str, tmp_path: Path) -> None:
    found = judged(drawn(kind, 1), 0.5, tmp_path)
    assert not found["worse"], found
    assert found["broken"] == []


@pytest.mark.parametrize("fewest_slots", [0, in_parts._FEWEST_SLOTS], ids=["in parts", "one program"])
def test_a_search_that_finds_nothing_returns_the_rules_plan(
    fewest_slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_parts, "_FEWEST_SLOTS", fewest_slots)
    problem = day_of_work(lots=20)
    plan = solve(problem, time_limit_s=0)
    assert checked(problem, plan, tmp_path).broken == []
    assert plan.report["objective"] == pytest.approx(min(plan.report["engine"]["known"].values()))
    assert plan.report["stopped_by"] == "time"


def test_a_factory_without_capacity_misses_its_target_in_every_plan() -> None:
    arcs = {("A", "F"): 1, ("A", "G"): 2, ("B", "F"): 1, ("B", "G"): 9}
    problem = instance(
        orders=[{"order_id": o, "quantity": 40} for o in ("A", "B")],
        arcs=[{"order_id": o, "factory_id": f, "unit_cost": cost} for (o, f), cost in arcs.items()],
        capacity=[{"factory_id": f, "day": 1, "minutes": 50} for f in ("F", "G")],
        factories=[{"factory_id": f, "target_minutes": 0, "shortfall_cost": 0} for f in ("F", "G")]
        + [{"factory_id": "Closed", "target_minutes": 1000, "shortfall_cost": 10}],
    )
    report = solve(problem, 5).report
    assert report["objective"] == pytest.approx(10_110)
    assert report["status"] == "optimal"
    assert min(report["engine"]["known"].values()) == pytest.approx(10_400)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_in_force_made_feasible_keeps_every_rule(seed: int, tmp_path: Path) -> None:
    problem = tiny(seed)
    reduced = reduce(problem)
    w = whole_of(problem, reduced)
    try:
        drafts = known(w)
    except InfeasibleError:
        return
    for name, draft in drafts.items():
        plan = reported(problem, w.allocation(draft), w.schedule(draft))
        assert checked(problem, plan, tmp_path / name).broken == [], name


def full_factory(frozen_minutes: float) -> Instance:
    """One factory whose day frozen work and a dearer neighbour want together."""
    return instance(
        orders=[{"order_id": "A", "quantity": 50, "unmet_cost": 1}, {"order_id": "B", "quantity": 90}],
        arcs=[
            {"order_id": "A", "factory_id": "F", "minutes_per_piece": frozen_minutes / 50},
            {"order_id": "B", "factory_id": "F", "minutes_per_piece": 1.3, "min_lot": 10},
        ],
        capacity=[{"factory_id": "F", "day": 1, "minutes": 100}],
        incumbent=[{"order_id": "A", "factory_id": "F", "quantity": 50, "frozen": True}],
    )


@pytest.mark.parametrize("minutes", [40.7, 86.9, 99.99, 100.0])
def test_neighbours_give_way_where_frozen_work_lacks_a_part_of_a_minute(
    minutes: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_parts, "_FEWEST_SLOTS", 0)
    problem = full_factory(minutes)
    plan = solve(problem, time_limit_s=3)
    made = dict(zip(plan.allocation["lot_id"], plan.allocation["quantity"], strict=True))
    fits = int((100 - minutes) / 1.3 + 1e-9)
    assert checked(problem, plan, tmp_path).broken == []
    assert made["A"] == 50 and made.get("B", 0) == (fits if fits >= 10 else 0)


def test_frozen_work_that_fills_the_last_minute_fits_and_one_minute_less_does_not() -> None:
    problem = full_factory(100.0)
    assert solve(problem).report["unmet"][0]["order_id"] == "B"
    short = replace(problem, capacity=problem.capacity.assign(minutes=99.9))
    with pytest.raises(InfeasibleError):
        solve(short)


def shared_lot(frozen_pieces: int, limit: int, split_at: int = 1) -> Instance:
    """A lot of 100 with `split_at` frozen pairs; a free factory would be cheaper."""
    return instance(
        orders=[{"order_id": "A", "quantity": 100, "max_factories": limit}],
        arcs=[{"order_id": "A", "factory_id": f"F{n}", "unit_cost": 9 - 2 * n} for n in range(4)],
        capacity=[{"factory_id": f"F{n}", "day": 1, "minutes": 80} for n in range(4)],
        incumbent=[
            {"order_id": "A", "factory_id": f"F{n}", "quantity": frozen_pieces, "frozen": True} for n in range(split_at)
        ],
    )


@pytest.mark.parametrize(
    ("frozen_pieces", "limit", "split_at", "made"),
    [
        (30, 1, 1, {"F0": 80}),
        (30, 2, 1, {"F0": 30, "F3": 70}),
        (10, 1, 2, {"F0": 20, "F1": 80}),
        (0, 1, 1, {"F3": 80}),
        (0, 2, 2, {"F3": 80, "F2": 20}),
    ],
)
@pytest.mark.parametrize("fewest_slots", [0, in_parts._FEWEST_SLOTS], ids=["in parts", "one program"])
def test_frozen_pairs_count_as_factories_of_the_lot(
    frozen_pieces: int,
    limit: int,
    split_at: int,
    made: dict[str, int],
    fewest_slots: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_parts, "_FEWEST_SLOTS", fewest_slots)
    problem = shared_lot(frozen_pieces, limit, split_at)
    plan = solve(problem, time_limit_s=3)
    assert dict(zip(plan.allocation["factory_id"], plan.allocation["quantity"], strict=True)) == made
    assert checked(problem, plan, tmp_path).broken == []


def test_verifier_refuses_a_new_pair_beside_as_many_frozen_ones(tmp_path: Path) -> None:
    plan = solve(shared_lot(30, 2))
    assert checked(shared_lot(30, 1), plan, tmp_path).broken[0].rule == "max-factories"


def test_rule_is_written_by_command_and_verifies(tmp_path: Path) -> None:
    write(day_of_work(lots=6), tmp_path / "instance")
    arguments = ["allocate", str(tmp_path / "instance"), "--out", str(tmp_path / "plan"), "--rule"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    report = json.loads((tmp_path / "plan" / "report.json").read_text())
    assert report["status"] == "feasible" and 0 <= report["bound"] <= report["objective"]
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "instance"), str(tmp_path / "plan")]).exit_code == 0


@pytest.mark.shared
@pytest.mark.parametrize("limit_s", [1.0, 5.0])
def test_short_limits_hold_on_a_large_book_with_frozen_work(limit_s: float) -> None:
    problem = read(CASES / "frozen_3000x400")
    began = time.process_time()
    plan = solve(problem, time_limit_s=limit_s)
    # Processor time of this process; coverage slows it. A search blind to its limit took 437 s of 300.
    assert time.process_time() - began <= limit_s + 15
    assert plan.report["objective"] <= min(plan.report["engine"]["known"].values()) * (1 + 1e-9)
    assert np.isfinite(plan.report["bound"])
