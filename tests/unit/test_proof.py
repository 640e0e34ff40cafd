"""The proof of effect: intervals that cover, outcomes by hand, faults of policies, no claim without an interval."""

import json
import pickle
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import docs_kit
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.proof import publish
from benchmarks.proof.publish import PAGE, RESULTS
from c2m.cli import app
from c2m.errors import InputError
from c2m.proof.interval import difference
from c2m.proof.kept import TABLES
from c2m.proof.outcomes import OUTCOMES, Rates, measured, value
from c2m.proof.page import write
from c2m.proof.policy import FOLDER, Policy, load
from c2m.simulation.shelf import answered

FIRST = date(2026, 4, 13)
Sums = Callable[[float], pd.DataFrame]


def orders(days: list[int], source: str = "replenishment", pieces: int = 100) -> pd.DataFrame:
    """Orders placed on days in turn, due after seven days, each received after so many days."""
    placed = pd.Series([FIRST + timedelta(days=number) for number in range(len(days))])
    came = [day + timedelta(days=wait) for day, wait in zip(placed, days, strict=True)]
    rows = pd.DataFrame({"order_id": [f"o{n}" for n in range(len(days))], "placed_on": placed, "days": days})
    promised = pd.to_datetime(pd.Series([day + timedelta(days=8) for day in placed]))
    rows = rows.assign(source=source, pieces=pieces, promised_on=promised, arrived_on=pd.to_datetime(pd.Series(came)))
    return rows.assign(late_days=rows["days"] - 7)


def tables(days: list[int], on_hand: float = 10.0) -> dict[str, pd.DataFrame]:
    """What a replay of two weeks would leave: one SKU that sells 8 of 10 a day, a job order an order."""
    every = [FIRST + timedelta(days=number) for number in range(14)]
    shelf = pd.DataFrame({"day": every, "asked": 10.0, "served": 8.0, "on_hand": on_hand, "price": 20.0, "cost": 8.0})
    made = orders(days)
    jobs = made[["order_id", "source", "placed_on"]].assign(quantity=100, shipped=100, accepted=True, changes=1)
    jobs = jobs.assign(paid_minutes=1000.0, overtime_minutes=100.0, earned_minutes=700.0, overhead=50.0, km=30.0)
    left = pd.DataFrame({"on_hand": [on_hand + 56.0], "daily": [2.0], "cost": [8.0]})
    minutes = pd.DataFrame({"day": every, "paid_minutes": 60.0, "minutes": 100.0})
    return dict(zip(TABLES, (made, jobs, shelf, left, minutes), strict=True))


def test_outcomes_by_hand() -> None:
    sums = measured(tables([5, 7, 14]), FIRST, 2)
    found = {name: value(rows) for name, rows in sums.groupby("outcome")}
    lost_on_leftovers = 10 * 8 * (1 - 0.35)
    earned = 14 * (8 * 12 - 10 * 8 * 0.0005) - lost_on_leftovers - 3 * 50
    wanted = {
        "lead_time_days": 26 / 3,
        "late_share": 1 / 3,
        "lost_as_late_share": 1 / 3,
        "promises_kept_share": 2 / 3,
        "served_share": 0.8,
        "stock_days": 10 / 8,
        "lost_margin_share": 2 * 12 / 200,
        "overstock_share": lost_on_leftovers / (14 * 160),
        "contribution_share": earned / (14 * 200),
        "overhead_per_piece": 0.5,
        "efficiency": 0.7,
        "overtime_share": 0.1,
        "utilisation": 0.6,
        "changes_per_job_order": 1.0,
        "km_per_piece": 30.0,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    patient = measured(tables([5, 7, 14]), FIRST, 2, Rates(late_days=7))
    assert value(patient[patient["outcome"] == "lost_as_late_share"]) == 0
    assert set(found) == {outcome.name for outcome in OUTCOMES}


def arm(
    random: np.random.Generator, weeks: "np.ndarray[tuple[int], np.dtype[np.float64]]", effect: float
) -> pd.DataFrame:
    """Twenty replays: what all weeks share, what a seed and what chance adds; lead times times `effect`."""
    days = effect * (weeks + random.normal(0, 0.5, (20, 1)) + random.normal(0, 1.0, (20, len(weeks))))
    seed, week = np.indices(days.shape)
    return pd.DataFrame({"seed": seed.ravel(), "week": week.ravel(), "above": days.ravel(), "below": 1.0})


def test_intervals_cover_what_is_there_and_find_what_is_planted() -> None:
    random = np.random.default_rng(5)
    weeks = 10 + random.normal(0, 1.5, 13)
    same = [difference(arm(random, weeks, 1), arm(random, weeks, 1), paired=False, draws=200) for _ in range(150)]
    assert 0.9 <= 1 - np.mean([found.shown for found in same]) <= 0.99
    planted = [difference(arm(random, weeks, 0.8), arm(random, weeks, 1), paired=False, draws=200) for _ in range(50)]
    assert np.mean([found.high < 0 for found in planted]) >= 0.9


def test_no_interval_of_one_seed_or_of_pairs_that_are_none() -> None:
    one = arm(np.random.default_rng(1), np.ones(4), 1)
    with pytest.raises(ValueError, match="one seed gives no interval"):
        difference(one.query("seed == 0"), one.query("seed == 0"))
    with pytest.raises(ValueError, match="paired arms have seeds"):
        difference(one.query("seed < 5"), one)


def test_policies_tell_all_faults_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("name: a\ntitle: A\nfigures: {replenishment.colour: {value: 3, source: nobody said so}}\n")
    second.write_text("name: b\ntitle: B\nfigures: {plan.rounds: {value: 2}}\nforecast: oracle\n")
    days = ["--from", "2026-04-13", "--to", "2026-04-14", "--out", str(tmp_path / "out")]
    files = [word for file in (first, second, "nonesuch") for word in ("--policy", str(file))]
    result = CliRunner().invoke(app, ["replay", str(tmp_path), *days, *files])
    assert result.exit_code == 2
    told = result.stderr
    for seen in ("replenishment.colour", "plan.rounds.source", "forecast", "nonesuch", "make_to_stock_14"):
        assert seen in told


def test_errors_of_a_replay_come_back_from_its_process() -> None:
    error = pickle.loads(pickle.dumps(InputError("no-stock", ["what was seen", "what to do"])))
    assert (type(error), error.reason, error.faults) == (InputError, "no-stock", ["what was seen", "what to do"])


def test_replays_that_nothing_is_compared_with_are_refused(tmp_path: Path) -> None:
    given = {"world": str(tmp_path), "policy": "make_to_stock", "seeds": 2, "out": tmp_path}
    days = {"from": "2026-04-13", "to": "2026-04-14"}
    result = CliRunner().invoke(app, docs_kit.of("README.md", "replay WORLD", **given, **days))
    assert result.exit_code == 2
    assert "add --policy platform" in result.stderr


def test_policies_that_come_along_are_good() -> None:
    names = ["make_to_stock", "make_to_stock_14", "common_planning_tool", "platform", "without_model"]
    policies = load([Path(name) for name in names])
    assert [policy.name for policy in policies] == names
    assert policies[0].settings()["replenishment"] == {
        "lead_time_days": 28,
        "cloth_days": 20,
        "review_days": 28,
        "minimum_order_pieces": 1000,
        "trigger_share": 0.2,
    }


# What each policy takes away, or adds, by the fields of the file that differ from the platform's.
CHANGED = {
    "without_joint_factory": {"split": False},
    "without_stages": {"stages": False},
    "without_small_minimum": {"replenishment.minimum_order_pieces": 1000},
    "without_replan": {"plan.rounds": 1, "plan.rates.change_share": 1.0},
    "without_scores": {"learns": False},
    "without_model": {"forecast": "seasonal_naive", "spikes": False},
    "without_spikes": {"spikes": False},
    "with_pricing": {"price_answer": -1.8, "prices.automatic": True},
}


def fields(policy: Policy) -> dict[str, object]:
    """What a policy says, figures among it."""
    said = policy.model_dump(exclude={"name", "title", "figures"})
    return said | {name: figure.value for name, figure in policy.figures.items()}


def test_each_part_is_one_policy_and_changes_what_it_says() -> None:
    of_files = {file.stem for file in FOLDER.glob("with*.yaml")}
    assert of_files == set(CHANGED)
    platform, *parts = load([Path(name) for name in ("platform", *sorted(CHANGED))])
    usual = fields(platform)
    for part in parts:
        said = fields(part)
        assert {name: value for name, value in said.items() if usual.get(name) != value} == CHANGED[part.name]
        assert usual.keys() <= said.keys()


def test_prices_without_whoever_releases_them_are_refused() -> None:
    part = load([Path("with_pricing")])[0].model_copy(update={"figures": {}})
    assert "prices.automatic" in part.faults()[0]


def test_shoppers_answer_to_a_price_in_whole_pieces() -> None:
    owed, factor, found = pd.Series([0.0, 0.0]), pd.Series([1.0, 0.9**-1.8]), pd.Series([0.0, 0.0])
    for _ in range(10):
        asked, owed = answered(pd.Series([3.0, 3.0]), owed, factor)
        found += asked
        assert (asked % 1 == 0).all()
    assert found.tolist() == [30, int(30 * 0.9**-1.8)]


def test_page_of_the_docs_is_what_was_found() -> None:
    """Written by `python -m benchmarks.proof.publish`; no verdict without an interval."""
    told = PAGE.read_text(encoding="utf-8")
    assert told == publish.page(RESULTS)
    shown = re.compile(r"\| (better|worse|different) \||verdict: shown|answer: (yes|no, the contrary)")
    said = (" ".join(part.split()) for part in re.split(r"\n(?=[*|#])", told))
    assert "verdict: shown" in told
    for part in filter(shown.search, said):
        assert re.search(r"\[[-+]?[\d,.]+( %| days)? to [-+]?[\d,.]+", part), part


def test_page_claims_nothing_without_an_interval(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    policies = load([Path(name) for name in ("platform", "make_to_stock", "without_model")])
    for policy, wait in zip(policies, (7, 28, 7), strict=True):
        for seed in range(5 if policy.name == "platform" else 4):  # one more than the others have: it is left out
            folder = tmp_path / "kept" / policy.name / str(seed)
            folder.mkdir(parents=True)
            days = [wait + int(random.integers(0, 3)) for _ in range(14)]
            for name, table in tables(days, on_hand=10.0 + wait).items():
                table.to_parquet(folder / f"{name}.parquet")
            (folder / "done.json").write_text(json.dumps({"seconds": 1}))
    page = write(tmp_path / "kept", tmp_path, "a <world>", FIRST, FIRST + timedelta(days=13), policies).read_text()
    assert "a &lt;world&gt;" in page and "http" not in page.replace("http-equiv", "")
    rows = re.findall(r'<(?:tr|li) class="difference">.*?</(?:tr|li)>', page, re.S)
    assert len(rows) > 30
    bounds = re.compile(r"\[([-+]?[\d,.]+) to ([-+]?[\d,.]+)\]")
    for row in rows:
        said = set(re.findall(r'<span class="(better|worse|shown)"', row))
        found = bounds.findall(row)
        assert found or not said, row
        if said - {"shown"}:
            low, high = (float(part.replace(",", "")) for part in found[-1])
            assert low >= 0 or high <= 0, row
    outcomes = pd.read_csv(tmp_path / "outcomes.csv").set_index(["base", "outcome"])
    assert set(outcomes["seeds"]) == {4}
    assert outcomes.loc[("make_to_stock", "lead_time_days"), "verdict"] == "better"
    assert outcomes.loc[("make_to_stock", "served_share"), "verdict"] == "too few days"
    assert outcomes.loc[("without_model", "served_share"), "verdict"] == "not shown"
    assert "Lead time falls by 75 %" in page and "cannot be shown with public data" in page
    assert "The days are few for Make to stock, 28 days." in page
    for asked in ("What is it worth?", "Against what?", "How sure?", "What was assumed?", "(asked later)"):
        assert asked in page
