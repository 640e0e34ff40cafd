"""Trends of attributes: a planted one is found, one style is none, chance is none; forecasts by place add up."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.trend import planted
from c2m.simulation.world import assumptions
from c2m.simulation.world.catalogue import attributes as attributes_of
from models.trend import attributes, shares
from models.trend.attributes import Styles, difference

POLICY = planted.POLICY


def found(seed: int, factor: float, channels: tuple[str, ...]) -> pd.DataFrame:
    world = planted.world(np.random.default_rng(seed), 60, factor, channels)
    told = attributes.trends(world.weekly, world.attributes, POLICY)
    return told[told["is_sure"]]


def test_what_livestreams_take_up_is_found_there_and_chance_is_not() -> None:
    first = found(1, 3.0, ("livestream",)).iloc[0]
    assert (first["attribute"], first["value"], first["channel"]) == ("cuff", "1", "livestream")
    assert first["growth_low"] < 3.0 < first["growth_high"] and first["share_recent"] > first["share_before"]
    assert sum(len(found(seed, 1.0, ())) > 0 for seed in range(5)) <= 1


def test_one_style_that_took_off_is_no_trend() -> None:
    held = pd.DataFrame([("m", f"s{at}", "cuff", str(at % 2)) for at in range(12)], columns=[
        "merchant_id", "style_id", "attribute", "value"])  # fmt: skip
    rows = [("m", f"s{at}", "channel", "app", week, 900 if (at, week) == (1, 1) else 20)
            for at in range(12) for week in range(1, 13)]  # fmt: skip
    weekly = pd.DataFrame(rows, columns=["merchant_id", "style_id", "dimension", "place", "weeks_ago", "pieces_asked"])
    told = attributes.trends(weekly, held, POLICY)
    assert len(told) == 2 and not told["is_sure"].any()
    assert attributes.trends(weekly.head(0), held, POLICY).empty


def test_without_spread_of_styles_it_is_the_difference_of_weighted_means() -> None:
    growth, variance = np.array([0.5, 0.5, 0.5, 0.1, 0.1, 0.1]), np.array([0.1, 0.2, 0.4, 0.1, 0.2, 0.4])
    told = difference(Styles(growth, variance), np.arange(6) < 3)
    assert told.estimate == pytest.approx(0.4)
    assert told.error == pytest.approx(np.sqrt(2 / (10 + 5 + 2.5))) and told.freedom == 4


def test_forecasts_by_place_add_up_to_the_style() -> None:
    world = planted.world(np.random.default_rng(1), 20, 1.0, ())
    of_style = shares.shares(world.weekly, POLICY)
    assert of_style.groupby(["style_id", "dimension"])["share"].sum().to_numpy() == pytest.approx(1)
    key = {"merchant_id": "m", "business_date": "2026-01-01", "model_version": "1", "known_at": "2026-01-01"}
    daily = pd.DataFrame([key | {"style_id": f"s{at}", "mean": at + day} for at in range(20) for day in range(14)])
    told = shares.shared_out(daily, of_style)
    pieces = told.groupby("style_id")["pieces"].sum()
    assert pieces.to_numpy() == pytest.approx(daily.groupby("style_id")["mean"].sum()[pieces.index].to_numpy())


def test_attributes_of_the_demo_world_part_the_styles() -> None:
    cuffs = [attributes_of(number)["cuff"] for number in range(1, 21)]
    assert {cuffs.count(value) for value in assumptions.ATTRIBUTES["cuff"]} == {5}
    assert assumptions.RISING[1] in assumptions.ATTRIBUTES[assumptions.RISING[0]]
