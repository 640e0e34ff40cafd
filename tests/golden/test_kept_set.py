"""Plans and forecasts of a kept set are what they were, to the last digit that is written.

Searches end by gap or by nodes on one thread, never by time, so they are the same on a slow and on a fast machine.
Plans are compared as the bytes of their files: whole pieces, and minutes rounded to nine digits. A forecast comes from
XGBoost, whose trees differ between versions (Python 3.11 has an older one): it is compared where the version is the
kept one, within 1e-5, which is the precision of its 32-bit floats.

After a wanted change: GOLDEN_WRITE=1 pytest tests/golden/test_kept_set.py, then say in CHANGELOG.md what changed.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from models_kit import long_frame
from plan_kit import day_of_work, instance, tiny

from benchmarks.allocation.generator import Shape, draw
from c2m.errors import InfeasibleError
from c2m.settings import settings
from models.demand.forecast import forecast
from models.panel.long import panel_of
from optimization.contract.instances import Instance
from optimization.contract.plan import Plan
from optimization.engines.first.rule import greedy
from optimization.planning.solve import solve

KEPT = Path(__file__).parent / "kept"


def sites(most: int, factories: int = 30, lots: int = 40) -> Instance:
    """Lots at random places, a day, and factories that cost something to engage; a lot at so many of them at most."""
    r = np.random.default_rng(5)
    at, sites_at, pieces = r.random((lots, 2)), r.random((factories, 2)), r.integers(5, 35, lots).tolist()
    far = np.linalg.norm(at[:, None] - sites_at, axis=2)
    orders = [
        {"lot_id": f"C{i}", "quantity": n, "max_factories": most, "unmet_cost": 1000} for i, n in enumerate(pieces)
    ]
    arcs = [
        {"lot_id": f"C{i}", "factory_id": f"P{j}", "unit_cost": round(10 * float(far[i, j]), 3), "max_lot": n}
        for i, n in enumerate(pieces)
        for j in range(factories)
    ]
    days = [{"factory_id": f"P{j}", "day": 1, "minutes": int(r.integers(60, 160))} for j in range(factories)]
    costs = [{"factory_id": f"P{j}", "engagement_cost": int(r.integers(200, 500))} for j in range(factories)]
    return instance(orders, arcs, days, costs)


INSTANCES: dict[str, Callable[[], Instance]] = {
    **{f"tiny {seed}": lambda seed=seed: tiny(seed) for seed in range(8)},  # type: ignore[misc]
    "day": day_of_work,
    "larger day": lambda: day_of_work(3, 20, 6, 9),
    "generated": lambda: Instance.from_tables(draw(Shape(30, 12, 1))),
    "sites": lambda: sites(99),
    "sites of one factory each": lambda: sites(1, 10, 30),
}


def digest(plan: Plan, folder: Path) -> dict[str, Any]:
    """Digests of the plan's files, and its figures."""
    plan.write(folder)
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in sorted(folder.glob("*.csv"))}
    return files | {name: plan.report.get(name) for name in ("status", "objective", "bound")}


def plans(name: str, folder: Path) -> dict[str, Any]:
    """What solver and common rule make of an instance."""
    problem = INSTANCES[name]()
    found: dict[str, Any] = {"instance": problem.sha256[:16]}
    for way, made in (("solve", lambda: solve(problem, threads=1, node_limit=60)), ("rule", lambda: greedy(problem))):
        try:
            found[way] = digest(made(), folder / way)
        except InfeasibleError as error:
            found[way] = error.faults
    return found


def renewed(file: Path, found: str) -> None:
    """Writes what was found where that is asked for."""
    if os.environ.get("GOLDEN_WRITE"):
        file.write_text(found, encoding="utf-8")


@pytest.mark.parametrize("name", INSTANCES)
def test_a_plan_is_the_kept_one(name: str, tmp_path: Path) -> None:
    found, file = plans(name, tmp_path), KEPT / f"{name.replace(' ', '_')}.json"
    renewed(file, json.dumps(found, indent=1) + "\n")
    assert found == json.loads(file.read_text(encoding="utf-8"))


def test_a_forecast_is_the_kept_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_FORECAST__ROUNDS", "20")
    monkeypatch.setenv("C2M_FORECAST__THREADS", "1")
    settings.cache_clear()
    file, found = KEPT / f"forecast_xgboost_{xgboost.__version__}.csv", forecast(panel_of(long_frame()))
    renewed(file, found.to_csv(index=False, float_format="%.9g"))
    if not file.exists():
        pytest.skip(f"the forecast is kept for another version of XGBoost than {xgboost.__version__}")
    kept = pd.read_csv(file, parse_dates=["ds"], dtype={"series_id": "str"})
    pd.testing.assert_frame_equal(found.reset_index(drop=True), kept, rtol=1e-5, check_dtype=False)
