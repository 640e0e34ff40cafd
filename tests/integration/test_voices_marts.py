"""From a review to the batch and to the score: traced first in, first out, the bad batch found, points lost."""

from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from warehouse_world import build, land, moment, sale, sku

from c2m.domain.alert_rules import bad_batches
from c2m.settings import settings

DAY, FIRST = date(2022, 6, 1), date(2022, 3, 1)
ARRIVALS = {"good1": (date(2022, 4, 1), 400), "bad": (date(2022, 5, 15), 90), "good2": (date(2022, 5, 24), 200)}
OPENING, SOLD_A_DAY = 290, 9
MARTS = ("batches", "voices", "factory_score_components", "factory_scores")


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12))


def land_supply() -> None:
    known = {"known_at": moment("2022-01-01")}
    facts = {"country": "IN", "latitude": 1, "longitude": 1, "timezone": "UTC", "currency": "EUR", "operators": 40}
    facts |= {"minute_cost": 0.1, "overtime_minute_cost": 0.15, "setup_cost": 1, "setup_minutes": 1, "min_lot": 10}
    facts |= {"engagement_cost": 1, "small_order_willingness": 1, "handling_days": 1, "transport": "mqtt"}
    makers = ["fgood1", "fbad"]
    land("factories", [known | facts | {"factory_id": name, "lines": 2, "status": "active"} for name in makers])
    kind = {"kind": "category", "name": "kurta", "efficiency": 0.8}
    land("factory_capabilities", [known | kind | {"factory_id": name} for name in makers])
    land("catalogue", [sku("s-M")])
    count = {"merchant_id": "m", "sku_id": "s-M", "location_id": "main", "on_hand": OPENING}
    land("stock", [known | count | {"as_of": noon(FIRST) - timedelta(hours=13)}])
    for number, (name, (day, pieces)) in enumerate(ARRIVALS.items()):
        of = {"order_id": f"o{number}", "merchant_id": "m", "known_at": noon(day - timedelta(days=20))}
        job = {"job_order_id": name, "factory_id": "fbad" if name == "bad" else "fgood1", "quantity": pieces}
        land("ledger_orders", [of | {"source": "replenishment", "tolerance_share": 0.0, "state": "closed"}])
        land("ledger_lots", [of | {"lot_id": f"l{number}", "style_id": "s", "quantity": pieces, "category": "kurta"}])
        state = {"state": "Ended", "revision": 1, "sequence": 1, "at": of["known_at"], "accepted": True}
        dated = {"start_on": day - timedelta(days=19), "due_on": day, "attempt": 1, "ended_at": noon(day)}
        land("ledger_job_orders", [of | job | state | dated | {"lot_id": f"l{number}"}])
        came = {"merchant_id": "m", "receipt_id": name, "location_id": "main", "sku_id": "s-M", "quantity": pieces}
        land(
            "receipts",
            [came | {"lost_quantity": 0, "job_order_id": name, "received_at": noon(day), "known_at": noon(day)}],
        )


def shop() -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, str]]:
    """Sales, reviews with their aspects, and by an own queue whose batch each sale is of."""
    random = np.random.default_rng(3)
    shelf, lines, said, truth = deque(["opening"] * OPENING), [], [], {}
    for number in range((DAY - FIRST).days):
        day = FIRST + timedelta(days=number)
        for name, (came, pieces) in ARRIVALS.items():
            shelf.extend([name] * pieces if came == day else [])
        for one in range(SOLD_A_DAY):
            line = f"{number:03}-{one}"
            truth[line] = shelf.popleft()
            lines.append(sale(line, day))
            told = noon(day + timedelta(days=int(random.integers(1, 4))))
            if random.random() < (0.4 if truth[line] == "bad" else 0.05):
                said.append({"line": line, "told": told, "sku": random.random() < 0.2})
    return lines, said, truth


def land_voices(said: list[dict[str, Any]]) -> None:
    review = {"merchant_id": "m", "style_id": "s", "sku_id": "s-M", "rating": 2}
    aspect = {"merchant_id": "m", "aspect": "making", "polarity": "bad", "chance": 0.9, "model_version": "1"}
    rows = [(one, {"review_id": f"r{one['line']}", "known_at": one["told"]}) for one in said]
    land("reviews", [
        review | of | {"sale_line_id": None if one["sku"] else one["line"], "reviewed_on": one["told"].date()}
        for one, of in rows
    ])  # fmt: skip
    land("review_aspects", [aspect | of | {"part": part} for _, of in rows for part in ("", "waist")])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("voices")))
        settings.cache_clear()
        land_supply()
        lines, said, truth = shop()
        land("sales_lines", lines)
        land_voices(said)
        build(DAY, "--select", *(f"+{name}" for name in MARTS), "--indirect-selection", "cautious")
        with duckdb.connect(str(settings().warehouse), read_only=True) as connection:
            built = {name: connection.sql(f"FROM marts.{name}").df() for name in MARTS}
            traced = connection.sql("FROM main.int_sale_batches").df()
        yield {"truth": truth, "said": said, "traced": traced, **built}
    settings.cache_clear()


def test_each_sale_is_of_the_batch_that_came_first(world: dict[str, Any]) -> None:
    traced = world["traced"]
    assert (traced["share"] == 1).all()
    known = {line: name for line, name in world["truth"].items() if name != "opening"}
    assert dict(zip(traced["sale_line_id"], traced["job_order_id"], strict=True)) == known


def test_the_bad_batch_is_found_and_no_good_one(world: dict[str, Any]) -> None:
    batches = world["batches"].set_index("job_order_id")
    assert batches["is_bad"].to_dict() == {"good1": False, "bad": True, "good2": False}
    alert = bad_batches(world["batches"]).iloc[0]
    assert (alert["kind"], alert["subject"], alert["factory_id"]) == ("batch", "bad", "fbad")
    told = [one for one in world["said"] if world["truth"][one["line"]] == "bad" and one["told"].date() < DAY]
    traced = sum(not one["sku"] for one in told)  # the others count by share
    assert traced < batches["complaints"]["bad"] <= len(told) + 3


def test_the_score_falls_with_its_reason(world: dict[str, Any]) -> None:
    parts = world["factory_score_components"]
    lost = parts[parts["component"] == "batches"]
    assert lost["factory_id"].tolist() == ["fbad"]
    assert -12 <= lost["points"].iloc[0] < -6
    assert "bad batch bad" in lost["words"].iloc[0]
    scores = world["factory_scores"].set_index("factory_id")
    assert "bad batch bad" in scores.loc["fbad", "reason"]
    sums = parts.groupby("factory_id")["points"].sum()
    pd.testing.assert_series_equal(scores["score"].sort_index(), sums.sort_index(), check_names=False)


def test_voices_are_counted_with_their_interval(world: dict[str, Any]) -> None:
    one = world["voices"].set_index("part").loc["waist"]
    assert one["voices"] == one["said"] == sum(s["told"] < noon(DAY) - timedelta(hours=12) for s in world["said"])
    assert 0.9 < one["share_low"] < one["share"] == 1 == one["share_high"]
