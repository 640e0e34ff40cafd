"""Materials: bills and needs against an oracle, what covers a lot, safety, and the first day of work."""

import os
import re
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from order_world import DAY, built, factory, job_order, lot

from c2m.materials.cover import ready
from c2m.materials.needs import explode, of_forecast
from c2m.materials.safety import safety_stock
from optimization import solve
from optimization.materials.supply_case import days_late, expected

MODELS = Path(__file__).parents[2] / "dbt_project" / "models"
TODAY = date(2026, 3, 6)
LENGTHS = {"m": 1.0, "cm": 0.01, "yd": 0.9144}


def model(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    """A dbt model as a view, its references by their names."""
    sql = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", (MODELS / path).read_text("utf-8"))
    connection.execute(f"CREATE VIEW {Path(path).stem} AS {sql}")


def bills(lines: pd.DataFrame, materials: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """The models on bills of materials over these lines."""
    connection = duckdb.connect()
    connection.register("stg_bill_of_materials", lines)
    connection.register("stg_materials", materials)
    connection.execute("CREATE TABLE stg_designs (merchant_id VARCHAR, design_id VARCHAR, bill_of_materials VARCHAR)")
    connection.execute("CREATE TABLE stg_suppliers (supplier_id VARCHAR, capacity_per_week DOUBLE)")
    connection.execute(
        """CREATE TABLE stg_supplier_materials
        (supplier_id VARCHAR, material_id VARCHAR, pack DOUBLE, minimum_order DOUBLE)"""
    )
    for name in ("bill_lines", "bill_parts"):
        model(connection, f"intermediate/int_{name}.sql")
    for name in ("material_faults", "style_materials"):
        model(connection, f"marts/{name}.sql")
    return connection


def random_bills(styles: int, seed: int) -> pd.DataFrame:
    """Three levels: styles of materials 20..39, some of which are made of 10..19, and these of 0..9."""
    draw, lines = np.random.default_rng(seed), []
    parents = [("style", f"s{n}", 20, 40) for n in range(styles)]
    parents += [("material", f"m{n}", 10, 20) for n in range(20, 30)] + [
        ("material", f"m{n}", 0, 10) for n in range(10, 15)
    ]
    for kind, parent, first, last in parents:
        for material in draw.choice(np.arange(first, last), 5, replace=False):
            colour = draw.choice(["", "red", "blue"]) if kind == "style" else ""
            unit = draw.choice(list(LENGTHS))
            amount = draw.uniform(0.1, 3), unit, draw.choice([0, 0.1])
            lines.append(("x", kind, parent, colour, f"m{material}", *amount))
    columns = ["merchant_id", "parent_kind", "parent_id", "colour", "material_id", "quantity", "unit", "waste_share"]
    return pd.DataFrame(lines, columns=columns)


def taken(lines: dict, kind: str, parent: str, colour: str, pieces: float, found: dict) -> None:
    """The oracle: a line after the other, down to what has no bill."""
    for line in lines.get((kind, parent), ()):
        if kind == "style" and line["colour"] not in ("", colour):
            continue
        amount = pieces * line["quantity"] * LENGTHS[line["unit"]] / (1 - line["waste_share"])
        if ("material", line["material_id"]) in lines:
            taken(lines, "material", line["material_id"], colour, amount, found)
        else:
            found[line["material_id"]] = found.get(line["material_id"], 0.0) + amount


def test_explosion_equals_an_oracle() -> None:
    lines = random_bills(400, 1)
    materials = pd.DataFrame({"material_id": [f"m{n}" for n in range(40)], "unit": "m"})
    recipes = bills(lines, materials.assign(kg_per_unit=None, m3_per_unit=None)).sql("FROM style_materials").df()
    draw = np.random.default_rng(2)
    number = int(os.environ.get("EXPLOSION_LINES", "9000"))  # 100,000 were tried
    wanted = pd.DataFrame(
        {
            "source": "lot",
            "source_id": [f"l{n}" for n in range(number)],
            "merchant_id": "x",
            "style_id": [f"s{n}" for n in draw.integers(0, 400, number)],
            "colour": draw.choice(["red", "blue", "green"], number),
            "day": pd.Timestamp(TODAY) + pd.to_timedelta(draw.integers(0, 30, number), unit="D"),
            "pieces": draw.integers(1, 500, number).astype(float),
        }
    )
    needs = explode(wanted, recipes)
    by_parent: dict = {}
    for line in lines.to_dict("records"):
        by_parent.setdefault((line["parent_kind"], line["parent_id"]), []).append(line)
    kinds: dict = {}
    for style_id, colour in set(zip(wanted["style_id"], wanted["colour"], strict=True)):
        taken(by_parent, "style", style_id, colour, 1.0, kinds.setdefault((style_id, colour), {}))
    expected: dict = {}
    for row in wanted.itertuples():
        for material, quantity in kinds[(row.style_id, row.colour)].items():
            expected[(row.source_id, material)] = quantity * row.pieces
    found = dict(zip(zip(needs["source_id"], needs["material_id"], strict=True), needs["quantity"], strict=True))
    assert found.keys() == expected.keys() and len(needs) > 50_000
    seen, right = (np.array([table[key] for key in expected]) for table in (found, expected))
    np.testing.assert_allclose(seen, right, rtol=1e-9)
    assert (needs["day"] == needs["source_id"].map(wanted.set_index("source_id")["day"])).all()


def test_faults_of_bills_are_named_at_once_and_the_rest_goes_on() -> None:
    columns = ["merchant_id", "parent_kind", "parent_id", "colour", "material_id", "quantity", "unit", "waste_share"]
    rows = [
        ("x", "style", "good", "", "cloth", 2.0, "m", 0.0),
        ("x", "style", "good", "", "dye", 5.0, "g", 0.5),
        ("x", "style", "unit", "", "zip", 1.0, "m", 0.0),
        ("x", "style", "unit", "", "cloth", 1.0, "m", 0.0),
        ("x", "style", "circle", "", "a", 1.0, "m", 0.0),
        ("x", "material", "a", "", "b", 1.0, "m", 0.0),
        ("x", "material", "b", "", "a", 1.0, "m", 0.0),
        ("y", "style", "other", "", "a", 1.0, "m", 0.0),  # of another merchant, who buys it
    ]
    units = {"cloth": "m", "dye": "l", "zip": "piece", "a": "m", "b": "m"}
    materials = pd.DataFrame({"material_id": list(units), "unit": list(units.values()), "m3_per_unit": None})
    materials["kg_per_unit"] = materials["material_id"].map({"dye": 1.25})
    connection = bills(pd.DataFrame(rows, columns=columns), materials)
    faults = connection.sql("FROM material_faults").df()
    assert set(zip(faults["style_id"], faults["fault"], strict=True)) == {
        ("unit", "unit"), ("circle", "circle"), ("", "circle"),
    }  # fmt: skip
    assert faults["words"].str.contains("circle > a > b > a", regex=False).any()
    assert faults["words"].str.contains("zip is asked for in m and counted in piece", regex=False).any()
    recipes = connection.sql("SELECT style_id, material_id, quantity FROM style_materials ORDER BY ALL").fetchall()
    assert recipes == [("good", "cloth", 2.0), ("good", "dye", pytest.approx(0.008)), ("other", "a", 1.0)]


def test_material_is_given_once_and_by_rank() -> None:
    needs = pd.DataFrame(
        [("lot", one, "cloth", 40.0) for one in ("a", "b", "c", "d")],
        columns=["source", "source_id", "material_id", "quantity"],
    )
    needs.loc[len(needs)] = ("forecast", "", "cloth", 1000.0)
    ranks = pd.DataFrame({"lot_id": ["c", "a", "b", "d"], "rank": [0, 1, 2, 3]})
    stock = pd.DataFrame({"material_id": ["cloth"], "on_hand": [50.0]})
    days = [TODAY + timedelta(days=3), TODAY - timedelta(days=1), TODAY + timedelta(days=9)]
    arrivals = pd.DataFrame({"material_id": "cloth", "day": days, "quantity": [40.0, 10.0, 20.0]})
    found = ready(needs, ranks, stock, arrivals, TODAY).set_index("lot_id")["ready_on"]
    assert found["c"].date() == TODAY, "an overdue arrival counts as of today"
    assert found["a"].date() == days[0]
    assert found["b"].date() == days[2]
    assert pd.isna(found["d"]), "nothing covers it"


def test_forecast_beyond_stock_and_lots_is_needed_a_lead_time_before() -> None:
    days = [TODAY + timedelta(days=n) for n in range(10)]
    forecasts = pd.DataFrame({"merchant_id": "x", "style_id": "s", "ds": pd.to_datetime(days), "mean": 10.0})
    held = pd.DataFrame({"merchant_id": ["x"], "style_id": ["s"], "pieces": [55.0]})
    skus = pd.DataFrame(
        {"merchant_id": "x", "style_id": "s", "colour": ["red", "blue", "blue"], "size_share": [0.2, 0.4, 0.4]}
    )
    found = of_forecast(forecasts, held, skus, TODAY, 4, 14)
    assert found["pieces"].sum() == pytest.approx(140 - 55)  # fourteen days of ten, four of them past the forecast
    by_day = found.groupby("day")["pieces"].sum()
    assert by_day.index.min().date() == TODAY + timedelta(days=1) and by_day.iloc[0] == pytest.approx(5)
    assert found[found["colour"] == "blue"]["pieces"].sum() == pytest.approx(0.8 * 85)


def test_shortages_come_as_often_as_stated() -> None:
    """Three hundred weeks of a material that six styles take, bought up to its safety level every week."""
    draw, level, weeks, lead = np.random.default_rng(3), 0.95, 300, 2
    use, mean, size = draw.uniform(0.5, 3, 6), draw.uniform(20, 200, 6), draw.uniform(3, 12, 6)
    protected = lead + 1.0
    moments = (use * mean).sum() * protected, (use**2 * (mean + mean**2 / size)).sum() * protected
    target = moments[0] + safety_stock(np.array([moments[0]]), np.array([moments[1]]), level)[0]
    demand = draw.negative_binomial(size, size / (size + mean), (40, weeks + lead, 6)) @ use
    ends = target - np.lib.stride_tricks.sliding_window_view(demand, lead + 1, axis=1).sum(axis=2)
    assert abs((ends < 0).mean() - (1 - level)) < 0.02
    assert (safety_stock(np.array([5.0, 0.0]), np.array([0.0, 4.0]), level) == 0).all()


def test_suppliers_who_come_late_are_expected_late() -> None:
    due = pd.Timestamp(TODAY) - pd.Timedelta(days=20)
    purchases = pd.DataFrame({"supplier_id": ["late"] * 30 + ["sharp"] * 30, "due_on": due, "under_way": 0.0})
    purchases["received_on"] = due + pd.to_timedelta([4] * 30 + [0] * 30, unit="D")
    open_one = pd.DataFrame({"supplier_id": ["late"], "due_on": [due], "under_way": [5.0], "received_on": [pd.NaT]})
    purchases = pd.concat([purchases, open_one], ignore_index=True)
    sellers = pd.DataFrame({"supplier_id": ["late", "sharp", "new"]})
    late = days_late(sellers, purchases, 0.8, TODAY)
    assert late.to_dict() == {"late": 4, "new": 4, "sharp": 0}, "a new one counts as all of them together"
    assert expected(purchases, late)["due_on"].iloc[-1] == due + pd.Timedelta(days=4)
    assert (days_late(sellers, purchases.iloc[:0], 0.9, TODAY) == 0).all()


def test_work_never_begins_before_its_cloth_is_there() -> None:
    """One lot waits for cloth, one has begun, one has it, of one nothing is known; the book is solved whole."""
    lots = [lot(one, quantity=600) for one in ("waits", "never", "there", "free", "begun", "told")]
    live = [
        job_order("begun", "f1", remaining=300, state="Running"),
        job_order("told", "f1", remaining=600),
    ]
    lots[4] |= {"committed": 300}
    lots[5] |= {"committed": 600}
    cloth = DAY + timedelta(days=7)
    told = pd.DataFrame(
        {
            "lot_id": ["waits", "waits", "never", "there", "begun", "told"],
            "ready_on": pd.to_datetime([cloth, DAY, None, DAY, cloth, cloth]),
        }
    )
    factories = [factory("f1"), factory("f2")]
    instance = built(lots, factories, live=live, ready=told)
    assert instance.day_1 is not None
    day = (cloth - instance.day_1).days + 1
    plan = solve(instance, 20.0)
    first = plan.schedule.groupby(["lot_id", "factory_id"])["day"].min()
    assert first["waits"].min() >= day and first["told"].min() >= day
    assert "never" not in first.index.get_level_values(0)
    assert first["there"].min() < day and first["free"].min() < day and first[("begun", "f1")] < day
    assert first.drop(("begun", "f1"))["begun"].ge(day).all() if len(first["begun"]) > 1 else True
    unbound = built(lots, factories, live=live)
    assert unbound.sha256 == built(lots, factories, live=live, ready=None).sha256
