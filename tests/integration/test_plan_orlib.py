"""Public facility location cases through the command, at the published optimum."""

from pathlib import Path

import pytest

from benchmarks.allocation import cases, suite
from optimization.contract import instances
from optimization.contract.edits import Edit, edited
from optimization.contract.plan import unmet_pieces
from optimization.planning.solve import solve


@pytest.mark.shared
@pytest.mark.parametrize("name", ["cap41", "cap114"])
def test_published_optimum_is_reached(name: str, shared_data: Path, tmp_path: Path) -> None:
    case = cases.case(name)
    case.write(tmp_path / "instance")
    result = suite.run(suite.Run(name, "c2m", 60, 1e-6), tmp_path / "instance", tmp_path / "plan")
    assert result["verified"], result
    assert result["objective"] == pytest.approx(case.published, rel=1e-6)
    assert result["gap"] <= 1e-6


@pytest.mark.shared
def test_what_splitting_is_worth_where_a_customer_asks_for_more_than_any_site_has(
    shared_data: Path, tmp_path: Path
) -> None:
    """Two of cap41's customers ask for 12,912 and 5,495 pieces of sites that make 5,000: unsplit 8,407 stay unmet."""
    cases.case("cap41").write(tmp_path)
    instance = instances.read(tmp_path)
    whole = edited(instance, [Edit("orders", {}, {"max_factories": 1})])
    unmet = [
        int(unmet_pieces(book, solve(book, 5, 0.05, threads=1, reasoned=False).allocation).sum())
        for book in (instance, whole)
    ]
    assert unmet[0] == 0 and unmet[1] >= 12_912 - 5_000 + 5_495 - 5_000
