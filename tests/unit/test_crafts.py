"""What a factory has shown in a craft, in the plan: its minutes, defects and lateness; a stage goes to who is good."""

from functools import partial
from typing import Any

import pandas as pd
import pytest
from order_world import built, factory, lot, score, skills

from c2m.domain.crafts import apart, told
from c2m.domain.operations import Operation, shares_of, written
from c2m.people.json_rows import records
from c2m.rooms import page, texts
from c2m.settings import PlanPolicy
from optimization.planning.solve import solve

RATES = PlanPolicy().rates
SOCK = written([Operation("knit", "knit", 6.0, 1), Operation("link", "link", 4.0, 2), Operation("look", None, 2.0, 2)])
OWN = {"efficiency_factor": 0.9173, "yield_rate": 0.9711, "on_time_rate": 0.8437}
ABLE = skills(f={"shirt": 0.8, "knit": 0.9, "link": 0.85}, g={"shirt": 0.8, "knit": 0.9, "link": 0.85})


def shown(**by_factory: dict[str, dict[str, float]]) -> pd.DataFrame:
    """The mart factory_capabilities: every figure the factory's own but for those given, by factory and craft."""
    rows = ABLE.assign(**OWN)
    for name, crafts in by_factory.items():
        for craft, figures in crafts.items():
            rows.loc[(rows["factory_id"] == name) & (rows["name"] == craft), list(figures)] = list(figures.values())
    return rows


def arcs(capabilities: pd.DataFrame, **of_lot: Any) -> pd.DataFrame:
    two = [factory(name, **OWN) for name in "fg"]
    scores = [score(name, yield_rate=0.95, on_time_rate=0.9) for name in "fg"]
    asked = [lot(operations=SOCK, crafts="knit;link", **of_lot), lot("l2")]
    return built(asked, two, capabilities, scores=scores).arcs


@pytest.mark.parametrize("stages", [1, 2])
def test_with_equal_crafts_nothing_changes_to_the_last_digit(stages: int) -> None:
    pd.testing.assert_frame_equal(arcs(shown(), stages=stages), arcs(ABLE, stages=stages), check_exact=True)


def test_a_lot_has_the_minutes_defects_and_lateness_of_its_crafts_by_their_standard_minutes() -> None:
    """Reckoned by hand: half of the minutes is knitting, a third linking, the rest needs no craft."""
    assert shares_of(SOCK) == {"knit": 0.5, "link": 4 / 12}
    better = {"knit": {"efficiency_factor": 0.7}, "link": {"yield_rate": 0.9, "on_time_rate": 0.5}}
    before, after = (arcs(one).set_index(["lot_id", "factory_id"]) for one in (shown(), shown(f=better)))
    pd.testing.assert_frame_equal(before.drop(("l1", "f")), after.drop(("l1", "f")), check_exact=True)
    own, now = before.loc[("l1", "f")], after.loc[("l1", "f")]
    good = 0.95 + (0.9 - OWN["yield_rate"]) / 3
    pace = 0.8 * OWN["efficiency_factor"]  # of what is no knitting; the weakest skill needed is the category's
    minutes = (6.0 / (0.8 * 0.7) + 6.0 / pace) / good
    assert now["minutes_per_piece"] == pytest.approx(minutes)
    spoilt = 8.0 * (1 - RATES.making_share) * (1 / good - 1 / 0.95)
    late = 20.0 * RATES.late_share_per_day * RATES.late_days * (OWN["on_time_rate"] - 0.5) / 3
    more = 0.1 * (minutes - own["minutes_per_piece"]) + spoilt + late
    assert now["unit_cost"] - own["unit_cost"] == pytest.approx(more)


def test_a_stage_goes_to_who_is_good_at_it() -> None:
    """f knits cheaper by the figures of the factories; by those of the crafts it links and g knits."""
    asked = [lot(operations=SOCK, stages=2, quantity=400)]
    two = [factory(name, minute_cost=cost) for name, cost in (("f", 0.099), ("g", 0.1))]
    of_crafts = {"f": {"knit": 0.7, "link": 1.2}, "g": {"knit": 1.2, "link": 0.7}}
    rows = ABLE.assign(
        efficiency_factor=[of_crafts[f].get(n, 1.0) for f, n in zip(ABLE["factory_id"], ABLE["name"], strict=True)]
    )
    found = []
    for capabilities in (ABLE, rows):
        instance = built(asked, two, capabilities)
        made = solve(instance, time_limit_s=20).allocation.sort_values("stage")
        found.append(made["factory_id"].tolist())
    assert found == [["f", "f"], ["g", "f"]]


def test_only_the_crafts_that_are_another_figure_are_told() -> None:
    factories = pd.DataFrame([factory(name, **OWN) for name in "fg"])
    seen = {"busy_days": 4.0, "pieces": 90.0, "job_orders": 2.6}
    rows = shown(f={"link": {"efficiency_factor": 1.1, "yield_rate": 0.9755}}).assign(**seen)
    assert [told(row) for row in apart(rows, factories).to_dict("records")] == [
        "link: 110 % of the planned efficiency (92 % in all), 98 % good pieces (97 % in all), 84 % on time "
        "(84 % in all); 4 busy days, 3 job orders"
    ]
    assert apart(shown(), factories).empty
    assert apart(ABLE, factories).empty  # marts of an older version


@pytest.mark.parametrize("code", texts.languages())
def test_pages_show_each_figure_of_a_craft_beside_the_factorys_own(code: str) -> None:
    factories = pd.DataFrame([factory(name, **OWN) for name in "fg"])
    rows = shown(g={"knit": {"efficiency_factor": 0.61}}).assign(busy_days=4.0, pieces=90.0, job_orders=2.6)
    parts = page._environment().get_template("parts.html").module
    told_of = partial(parts.crafts_table, t=partial(texts.text, code))
    mine, all_of_them = (told_of(records(apart(rows, factories)), whose=whose) for whose in (False, True))
    for words in ("61 %", "92 %", "knit"):
        assert words in mine
    assert '<th scope="row">g</th>' in all_of_them
    assert '<th scope="row">g</th>' not in mine
    assert told_of([]).strip() == ""
