"""Public facility location cases through the command, at the published optimum."""

from pathlib import Path

import pytest

from benchmarks.allocation import cases, suite


@pytest.mark.shared
@pytest.mark.parametrize("name", ["cap41", "cap114"])
def test_published_optimum_is_reached(name: str, shared_data: Path, tmp_path: Path) -> None:
    case = cases.case(name)
    case.write(tmp_path / "instance")
    result = suite.run(suite.Run(name, "c2m", 60, 1e-6), tmp_path / "instance", tmp_path / "plan")
    assert result["verified"], result
    assert result["objective"] == pytest.approx(case.published, rel=1e-6)
    assert result["gap"] <= 1e-6
