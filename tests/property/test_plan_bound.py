"""Bounds against the cheapest of all plans, found by trying them all; both ways to the Lagrangian bound agree."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plan_kit import cheapest, tiny

from optimization.contract.instances import write
from optimization.engines.bounds import lagrangian
from optimization.engines.bounds.relaxation import relax
from optimization.planning.solve import solve
from optimization.statement.dense import dense
from optimization.statement.reduction import reduce
from optimization.verification import verifier

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_is_cheaper_than_the_relaxation_or_any_prices_say(seed: int) -> None:
    instance = tiny(seed)
    best, d = cheapest(instance), dense(instance, reduce(instance))
    if best is None:
        return
    relaxed = relax(d)
    assert relaxed is not None
    assert relaxed.value <= best + 1e-6 * abs(best)
    random = np.random.default_rng(seed)
    for scale in (0.0, 0.1, 1.0, 10.0):
        drawn = scale * random.uniform(-0.3, 1.0, d.room.shape)
        assert lagrangian.bound(d, drawn) <= best + 1e-6 * abs(best)
    assert lagrangian.bound(d, relaxed.prices) <= best + 1e-6 * abs(best)


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_the_verifier_finds_the_same_bound(seed: int, tmp_path: Path) -> None:
    instance = tiny(seed)
    reduced = reduce(instance)
    d = dense(instance, reduced)
    if cheapest(instance) is None:
        return
    drawn = np.random.default_rng(seed).uniform(-0.3, 1.0, d.room.shape)
    table = instance.capacity[["factory_id", "day"]].copy()
    row = pd.Index(sorted({*instance.capacity["factory_id"], *reduced.pairs["factory_id"]}))
    table["price"] = drawn[row.get_indexer(table["factory_id"]), table["day"] - 1]
    write(instance, tmp_path / "instance")
    plan = solve(instance)
    plan.write(tmp_path / "plan")
    table.to_csv(tmp_path / "plan" / "prices.csv", index=False)
    report = verifier.verify(tmp_path / "instance", tmp_path / "plan")
    assert not report.broken
    assert report.confirmed_bound == pytest.approx(lagrangian.bound(d, drawn), rel=1e-9, abs=1e-6)
