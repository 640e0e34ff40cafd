"""What a factory's band and record mean for the instance: caps, exposure, expected cost; the plan keeps every rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from order_world import built, factory, job_order, lot, score, skills, working_days

from c2m.settings import PlanPolicy
from optimization.book.factory_record import (
    exposed,
    failures,
)
from optimization.contract import instances
from optimization.planning.solve import solve
from optimization.verification.verifier import verify

RATES = PlanPolicy().rates


def test_expected_cost_of_a_record_is_the_stated_formula() -> None:
    record: dict[str, Any] = {"yield_rate": 0.9, "inspection_share": 0.3, "on_time_rate": 0.7, "answer_hours": 12.0}
    record |= {"acceptance_rate": 0.8, "small_acceptance_rate": 0.5, "repeat_acceptance_rate": 0.6}
    rows = [lot("l", quantity=400), lot("s", quantity=150), lot("r", parent_order_id="o", quantity=100)]
    found = failures(
        pd.DataFrame(rows),
        pd.DataFrame([factory("f"), factory("g")]),
        skills(),
        pd.DataFrame([score("f", **record)]),
        RATES,
    )
    quality = 8 * ((1 / 0.9 - 1) * (1 - RATES.making_share) + 0.3 * RATES.inspection_share)
    days = [0.3 * RATES.late_days + refused + 0.5 for refused in (0.2, 0.5, 0.4)]
    assert found[:, 0] == pytest.approx([quality + 20 * RATES.late_share_per_day * late for late in days])
    assert (found[:, 1] == 0).all()  # nothing is known of g


def test_a_band_caps_a_lot_and_one_below_the_minimum_lot_is_not_offered() -> None:
    scores = [score("capped", order_cap_pieces=120), score("out", order_cap_pieces=40), score("free")]
    arcs = built([lot()], [factory(s["factory_id"]) for s in scores], scores=scores).arcs.set_index("factory_id")
    assert arcs["max_lot"].to_dict() == {"capped": 120, "free": 500}
    held = built([lot(committed=300)], [factory("capped")], live=[job_order("l1", "capped")], scores=scores[:1])
    assert held.arcs["max_lot"].tolist() == [300]


def test_exposure_bounds_what_is_free_and_leaves_what_was_agreed() -> None:
    whole = built([lot()], [factory("f")])
    half = built([lot()], [factory("f")], scores=[score("f", exposure_share=0.5)])
    assert half.capacity["minutes"].tolist() == pytest.approx((whole.capacity["minutes"] / 2).tolist())
    assert half.capacity["overtime_minutes"].tolist() == pytest.approx(
        (whole.capacity["overtime_minutes"] / 2).tolist()
    )
    live = [job_order("l1", "f", remaining=4_000)]
    agreed = built(
        [lot(quantity=4_000, committed=4_000)], [factory("f")], live=live, scores=[score("f", exposure_share=0)]
    )
    needed = 4_000 * 15.0 + 300
    assert agreed.capacity[["minutes", "overtime_minutes"]].sum().sum() == pytest.approx(needed)
    assert agreed.incumbent["frozen"].all()


def test_frozen_work_always_fits_into_what_is_offered() -> None:
    random = np.random.default_rng(4)
    for _ in range(200):
        days = np.sort(random.choice(np.arange(1, 15), 9, replace=False))
        capacity = pd.DataFrame({"factory_id": "f", "day": days, "minutes": 100.0, "overtime_minutes": 10.0})
        room = {release: 110.0 * (days >= release).sum() for release in range(1, 16)}
        frozen = pd.DataFrame({"factory_id": "f", "release_day": random.integers(1, 13, 3), "minutes": 0.0})
        for n, release in enumerate(frozen["release_day"]):  # as much as fits, beside what is there
            least = min(
                room[r] - frozen.loc[frozen["release_day"] >= r, "minutes"].sum() for r in range(1, int(release) + 1)
            )
            frozen.loc[n, "minutes"] = least * random.random()
        exposure = pd.Series([float(random.choice([0, 0.15, 0.4, 1]))], ["f"])
        offered = exposed(capacity, exposure, frozen)
        for release in range(1, 15):
            need = frozen.loc[frozen["release_day"] >= release, "minutes"].sum()
            rows = offered[offered["day"] >= release]
            assert need <= rows["minutes"].sum() + rows["overtime_minutes"].sum() + 1e-6
        assert (offered["minutes"] <= capacity["minutes"] + 1e-9).all()


def test_a_plan_over_banded_factories_keeps_every_rule(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    makers = [
        factory(f"f{n}", efficiency_level_sd=0.05, efficiency_day_sd=0.2, efficiency_kept=1.0, efficiency_deviation=d)
        for n, d in enumerate(random.normal(0, 0.15, 6))
    ]
    bands = [(None, 1.0), (5_000, 0.8), (1_000, 0.4), (300, 0.15), (500, 0.25), (None, 1.0)]
    scores = [score(f"f{n}", order_cap_pieces=cap, exposure_share=share) for n, (cap, share) in enumerate(bands)]
    rows = [lot(f"l{n}", quantity=int(random.integers(200, 6_000))) for n in range(12)]
    rows[0] |= {"quantity": 900, "committed": 900, "remaining": 900}
    live = [job_order("l0", "f3", remaining=900)]  # more than its band would allow today
    instance = built(rows, makers, live=live, scores=scores, calendar=working_days([m["factory_id"] for m in makers]))
    plan = solve(instance, time_limit_s=10, threads=1)
    instances.write(instance, tmp_path / "instance")
    plan.write(tmp_path / "plan")
    assert verify(tmp_path / "instance", tmp_path / "plan").broken == []
    caps = {f"f{n}": cap for n, (cap, _) in enumerate(bands) if cap}
    given = plan.allocation[plan.allocation["lot_id"] != "l0"]
    assert all(row.quantity <= caps.get(str(row.factory_id), 10**9) for row in given.itertuples())
