"""Designs: first quantity, purchase of materials and early reading, each beside an answer found without the code."""

import json
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from c2m.domain.designs import DesignMaterial, design_of
from c2m.domain.newsvendor import Stakes
from c2m.errors import InputError
from c2m.people import first_order
from c2m.settings import DesignPolicy, ReplenishmentPolicy, TrendPolicy
from models.design import attribute_worth, first_quantity, reading
from models.design.demand import Ahead, Level
from optimization.costing.purchase import MaterialMarket, curve, purchases
from optimization.costing.study import able, lacking

STOCK = ReplenishmentPolicy()
ROW: dict[str, Any] = {
    "merchant_id": "m", "design_id": "d", "design_name": "Wide tee", "category": "tee", "price": 20.0,
    "currency": "EUR", "crafts": "", "colours": "red;blue", "sizes": "S;M",
    "routing": json.dumps([
        {"operation": "sew", "sam_minutes": 9, "craft": "knit"},
        {"operation": "cuff", "sam_minutes": 1, "attribute": "cuff"},
        {"operation": "dye", "sam_minutes": 2, "craft": "dye", "stage": 2},
    ]),
    "bill_of_materials": json.dumps([
        {"material_id": "rib", "quantity": 0.1, "unit": "m2", "attribute": "cuff"},
        {"material_id": "rib", "quantity": 0.05, "unit": "m2"},
    ]),
    "attributes": '{"cuff": "wide"}', **{f"sam_{n}_minutes": None for n in ("cut", "sew", "finish", "inspect", "pack")},
}  # fmt: skip


def season(
    early: list[float], late: list[float], fixed: float = 0.0, each: float = 8.0, least: int = 5
) -> first_quantity.Season:
    cost = lambda pieces: np.where(pieces > 0, fixed + each * pieces, 0.0)  # noqa: E731
    return first_quantity.Season(np.array(early), np.array(late), 20.0, 0.3, least, cost)


@pytest.mark.parametrize(("fixed", "least"), [(0.0, 5), (60.0, 5), (150.0, 12)])
def test_the_first_quantity_is_the_best_of_all_that_are_tried(fixed: float, least: int) -> None:
    rng = np.random.default_rng(5)
    early, late = rng.integers(0, 12, 9).tolist(), rng.integers(0, 30, 9).tolist()
    case, pieces = season(early, late, fixed, least=least), np.arange(1, 43)

    def cost(made: int) -> float:
        return fixed + 8 * made if made else 0.0

    def earned(made: int, soon: int, later: int, batch: int) -> float:
        """Piece by piece: what the first goods and a repeat sell, and what is left of each."""
        sold = min(made, soon)
        more = min(made - sold, later)
        rest, again = later - more, min(batch, later - more)
        assert rest >= again
        left = 0.3 * (
            (made - sold - more) * cost(made) / made + ((batch - again) * cost(batch) / batch if batch else 0)
        )
        return 20 * (sold + more + again) + left - cost(made) - cost(batch)

    def tried(made: int, batches: bool) -> float:
        sums = 0.0
        for soon, later in zip(early, late, strict=True):
            lack = later - min(made - min(made, soon), later)
            options = [0, max(lack, least)] if batches and lack else [0]
            sums += max(earned(made, soon, later, batch) for batch in options)
        return sums / len(early)

    for batches in (True, False):
        found = first_quantity.profits(pieces, case, batches)
        assert found == pytest.approx([tried(int(made), batches) for made in pieces])
        best = first_quantity.best(pieces, found, case)
        assert best.profit == pytest.approx(max(0.0, *(tried(int(made), batches) for made in pieces)))


def test_without_a_repeat_the_best_quantity_is_the_newsvendors() -> None:
    demand = np.arange(1, 101, dtype=float)
    case = season(demand.tolist(), [0.0] * 100)
    pieces = np.arange(1, 101)
    stakes = Stakes(np.array([20.0 - 8]), np.array([8 - 0.3 * 8]))
    found = first_quantity.best(pieces, first_quantity.profits(pieces, case, False), case)
    assert found.quantity == np.ceil(100 * stakes.critical_ratio[0])
    assert (
        first_quantity.best(
            pieces, first_quantity.profits(pieces, season([1.0], [0.0], fixed=500), False), case
        ).quantity
        == 0
    )


def offers() -> pd.DataFrame:
    rows = [
        ("a", "rib", 5.0, "200:4.8;1000:4", 10.0, 30.0, 25.0, 6, np.nan),
        ("b", "rib", 5.5, "", 1.0, 1.0, 0.0, 2, 70.0),
        ("a", "label", 0.06, "1000:0.04", 100.0, 200.0, 8.0, 3, np.nan),
    ]
    names = ["supplier_id", "material_id", "price", "price_breaks", "pack", "minimum_order", "order_cost", "lead_days"]
    return pd.DataFrame(rows, columns=[*names, "capacity_per_week"]).assign(factor=1.0, days_late=1)


def test_materials_cost_what_the_cheapest_of_all_purchases_costs() -> None:
    market, table = MaterialMarket.of(offers()), offers()
    prices = {"rib-a": [(0, 5.0), (200, 4.8), (1000, 4.0)], "rib-b": [(0, 5.5)], "label-a": [(0, 0.06), (1000, 0.04)]}

    def cheapest(material: str, need: float) -> float:
        costs: list[float] = []
        for one in table[table["material_id"] == material].to_dict("records"):
            for packs in range(1, 3000):
                units = float(packs * one["pack"])
                if units >= max(need, one["minimum_order"]) - 1e-9:
                    price = [p for start, p in prices[f"{material}-{one['supplier_id']}"] if start <= units][-1]
                    costs.append(float(one["order_cost"] + units * price))
        return min(costs)

    each = pd.Series({"rib": 0.17, "label": 1.0})
    pieces = np.array([1, 30, 100, 158, 300, 999, 1000, 1177, 2900])
    brute = [cheapest("rib", 0.17 * n) + cheapest("label", 1.0 * n) for n in pieces]
    assert curve(each, pieces, market) == pytest.approx(brute)
    bought = [purchases(each * n, market) for n in pieces]
    assert [one["cost"].sum() for one in bought] == pytest.approx(brute)
    assert bought[0].set_index("material_id")[["supplier_id", "days"]].to_dict("index")["rib"] == {
        "supplier_id": "b",
        "days": 3,
    }
    assert purchases(pd.Series({"rib": 80.0}), MaterialMarket.of(offers().iloc[1:2]))["days"].tolist() == [
        10
    ]  # two weeks' worth
    with pytest.raises(InputError, match="no active supplier sells material silk"):
        purchases(pd.Series({"silk": 1.0}), market)


def test_the_level_is_that_of_the_launches_and_leans_on_what_is_usual() -> None:
    rng = np.random.default_rng(2)
    many = Level.of(np.exp(rng.normal(0.4, 0.7, 4000)))
    assert (many.centre, many.spread) == pytest.approx((0.4, 0.7), abs=0.03)
    none = Level.of(np.empty(0))
    assert none.centre == 0
    assert none.at(np.array([0.1, 0.9])) == pytest.approx(np.exp(none.spread * stats.t.ppf([0.1, 0.9], 3)))


def test_first_days_move_the_level_as_weighted_draws_of_the_prior_do() -> None:
    ahead, size = Ahead(np.array([2.0, 3.0, 2.5]), Level(0.1, 0.8, 8.0)), 4.0
    rng = np.random.default_rng(3)
    drawn = 0.1 + 0.8 * rng.standard_t(8, 400_000)
    for pieces, ran_out in (([5, 9, 4], False), ([5, 9, 4, 0, 1], False), ([0, 0, 0], False), ([5, 9], True)):
        sold = reading.TestSales(np.array(pieces, dtype=float), ran_out)
        logs, chance = reading.levels(ahead, sold, size)
        mean = np.exp(drawn)[:, None] * np.append(ahead.daily, [ahead.daily.mean()] * 5)[: len(pieces)]
        weight = stats.nbinom.pmf(pieces, size, size / (size + mean))
        if ran_out:
            weight[:, -1] = 1 - stats.nbinom.cdf(pieces[-1] - 1, size, size / (size + mean[:, -1]))
        weights = weight.prod(axis=1)
        middle = float(np.exp(logs) @ chance)
        assert middle == pytest.approx(np.average(np.exp(drawn), weights=weights), rel=0.02), (pieces, ran_out)


def test_eight_of_ten_intervals_hold_the_level() -> None:
    ahead, size, days = Ahead(np.full(14, 1.5), Level(0.0, 1.0, 12.0)), 5.0, 6
    rng = np.random.default_rng(4)
    case = reading.ReorderCase(20, 8, 40, 9, 84, 100)
    held = 0
    for _ in range(200):
        level = np.exp(rng.standard_t(12))
        pieces = rng.poisson(level * 1.5 * rng.gamma(size, 1 / size, days)).astype(float)
        found = reading.read(ahead, reading.TestSales(pieces, False), case, size, DesignPolicy(), STOCK)
        held += found.times[0] <= level <= found.times[2]
    assert 0.72 <= held / 200 <= 0.88  # three standard errors


@pytest.mark.parametrize(
    ("pieces", "held", "decision"),
    [
        ([30, 41, 28, 35], 10, "scale"),
        ([4, 5, 3, 4, 5], 20, "reorder"),
        ([0, 0, 0, 0, 0, 0, 0], 99, "stop"),
        ([50], 10, "wait"),
        ([4, 5, 3, 4], 200, "wait"),
    ],
)
def test_what_the_first_days_say(pieces: list[int], held: int, decision: str) -> None:
    ahead, case = Ahead(np.full(14, 1.5), Level(0.0, 1.0, 12.0)), reading.ReorderCase(20, 8, held, 9, 80, 100)
    sold = reading.TestSales(np.array(pieces, dtype=float), False)
    found = reading.read(ahead, sold, case, 5.0, DesignPolicy(), STOCK)
    assert found.decision == decision, found


def test_who_can_make_a_design_by_stage() -> None:
    design = design_of(ROW)
    skills = {"knitter": "tee knit", "dyer": "tee dye", "both": "tee knit dye", "idle": "tee knit dye"}
    rows = [(f, "category" if n == "tee" else "craft", n) for f, names in skills.items() for n in names.split()]
    capabilities = pd.DataFrame(rows, columns=["factory_id", "kind", "name"])
    factories = pd.DataFrame({"factory_id": list(skills), "status": ["active"] * 3 + ["paused"]})
    found = able(design, factories, capabilities)
    assert [one.factory_ids for one in found] == [("both",), ("both", "knitter"), ("both", "dyer")]
    assert lacking(found, design) == ""
    alone = able(design, factories.iloc[:2], capabilities)
    assert (alone[0].factory_ids, lacking(alone, design)) == ((), "")  # in stages
    assert "stage 2 needs dye" in lacking(able(design, factories.iloc[:1], capabilities), design)


def test_attributes_cost_what_their_steps_and_materials_cost_and_bring_what_styles_show() -> None:
    design = design_of(ROW, [DesignMaterial("cuff", "rib", 0.1), DesignMaterial("", "rib", 0.05)])
    styles = [f"s{n}" for n in range(8)]
    weekly = pd.DataFrame(
        {"merchant_id": "m", "style_id": styles, "weeks_ago": 1, "dimension": "channel", "place": "x"}
    )
    weekly["pieces_asked"] = [100, 110, 90, 100, 50, 55, 45, 50]
    held = pd.DataFrame(
        {"merchant_id": "m", "style_id": styles, "attribute": "cuff", "value": ["wide"] * 4 + ["plain"] * 4}
    )
    said = {"merchant_id": "m", "style_id": ["s0", "s0", "s5"], "part": ["cuff", "", "cuff"], "voices": [50, 50, 20]}
    voices = pd.DataFrame({**said, "polarity": ["small", "good", "bad"], "said": [7, 20, 5]})
    trends = pd.DataFrame(
        columns=["merchant_id", "attribute", "value", "channel", "growth", "growth_low", "growth_high", "is_sure"]
    )
    market = attribute_worth.StyleFacts(weekly, held, voices, trends)
    found = attribute_worth.table(
        design, attribute_worth.Piece(6.0, pd.Series({"rib": 5.0})), market, TrendPolicy()
    ).set_index("attribute")
    cuff = found.to_dict("index")["cuff"]
    assert [cuff[name] for name in ("minutes", "making_cost", "material_cost")] == pytest.approx([1, 0.5, 0.5])
    assert found[["making_cost", "material_cost"]].sum().tolist() == pytest.approx([6.0, 0.75])
    assert cuff["level"] == pytest.approx(2.0, rel=0.02)
    assert cuff["level_low"] > 1.5
    assert (cuff["complaints"], cuff["voices"]) == (0.14, 50)
    assert found["level"].notna().to_dict() == {"": False, "category": False, "cuff": True}


def test_a_design_becomes_a_style_of_its_code_with_a_test_order() -> None:
    sizes = pd.DataFrame(
        {"merchant_id": "m", "category": "tee", "size": ["S", "M", "L"], "size_share": [0.2, 0.6, 0.2]}
    )
    days = tuple(pd.Timestamp(day).date() for day in ("2026-04-13", "2026-05-03"))
    found = first_order.written(ROW, sizes, 7.5, 100, days)  # type: ignore[arg-type]
    assert set(found["catalogue"]["style_id"]) == {"d"}
    assert found["catalogue"][["colour", "size"]].to_numpy().tolist() == [
        list(x) for x in product(["red", "blue"], ["S", "M"])
    ]
    assert found["merchant_order_lines"][["sku_id", "quantity"]].to_numpy().tolist() == [
        ["d-red-S", 25],
        ["d-red-M", 75],
    ]
    assert found["routings"][["operation", "stage"]].to_numpy().tolist() == [["sew", 1], ["cuff", 1], ["dye", 2]]
    assert found["bill_of_materials"]["quantity"].tolist() == pytest.approx([0.15])
