"""Designs through the warehouse: bills at every depth, what a design has become, and what commands and files tell."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import docs_kit
import pytest
from typer.testing import CliRunner
from warehouse_world import build, land, moment, sale, sku

from c2m import clock
from c2m.cli import app
from c2m.feeds.contracts import FEEDS, PRODUCED
from c2m.feeds.ingest import bring_in
from c2m.feeds.landing import read_landed
from c2m.feeds.mapping import native
from c2m.feeds.world import Source
from c2m.ledger import store
from c2m.people import designs
from c2m.settings import settings
from c2m.warehouse import published
from flows.designs import read_tests

DAY = date(2022, 6, 1)
KNOWN = moment("2022-05-01 00:00")
READ = "+designs +design_materials +style_materials +material_faults +demand_drivers +stock_position"
BILL = [
    {"material_id": "jersey", "quantity": 90, "unit": "cm", "waste_share": 0.1, "attribute": "cuff"},
    {"material_id": "kit", "quantity": 2, "unit": "piece"},
]


def design(design_id: str, **values: Any) -> dict[str, Any]:
    row = {"merchant_id": "m", "design_id": design_id, "category": "kurta", "price": 100, "currency": "EUR"}
    row |= {"crafts": "", "colours": "", "sizes": "", "status": "open", "known_at": KNOWN}
    return row | {f"sam_{name}_minutes": 3.0 for name in ("cut", "sew", "finish", "inspect", "pack")} | values


@pytest.fixture(scope="module")
def c2m(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A home with designs d (a bill of two depths), faulty (a unit that does not convert) and s (a style on sale)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(tmp_path_factory.mktemp("designs")))
        settings.cache_clear()
        clock.set_now(datetime.fromisoformat("2022-06-01T08:00:00+00:00"))
        land("catalogue", [sku("s-M"), sku("t-M")])
        land(
            "sales_lines", [sale(f"{n}", DAY - timedelta(days=5 - n), quantity=n, amount=100 * n) for n in range(1, 5)]
        )
        land("sales_lines", [sale("old", date(2022, 4, 1), sku_id="t-M", style_id="t")])
        units = {"jersey": "m", "kit": "piece", "button": "piece"}
        names = [{"material_id": name, "material_name": name, "unit": unit} for name, unit in units.items()]
        land("materials", [one | {"known_at": KNOWN} for one in names])
        part = {
            "merchant_id": "m",
            "parent_kind": "material",
            "parent_id": "kit",
            "colour": "",
            "material_id": "button",
        }
        land("bill_of_materials", [part | {"quantity": 5, "unit": "piece", "waste_share": 0.0, "known_at": KNOWN}])
        faulty = json.dumps([*BILL, {"material_id": "button", "quantity": 1, "unit": "kg"}])
        told = {"bill_of_materials": json.dumps(BILL), "attributes": '{"cuff": "wide"}', "sizes": "S;M"}
        land("designs", [design("d", **told), design("faulty", bill_of_materials=faulty), design("s")])
        build(DAY, "--select", READ, "--indirect-selection", "cautious")
        published.publish(DAY)
        yield lambda *words: CliRunner().invoke(app, list(map(str, words)))
    settings.cache_clear()


def landed(name: str, **values: Any) -> None:
    row = dict.fromkeys(PRODUCED[name]) | {"merchant_id": "m", "design_id": "d", "currency": "EUR"}
    land(name, [row | {"business_date": DAY, "known_at": KNOWN} | values])


def test_a_bill_is_read_at_every_depth_or_left_out_whole(c2m: object) -> None:
    rows = published.read("design_materials").set_index(["design_id", "material_id"])
    assert rows["quantity"].to_dict() == {("d", "jersey"): pytest.approx(1.0), ("d", "button"): 10.0}
    assert rows["attribute"].to_dict() == {("d", "jersey"): "cuff", ("d", "button"): ""}
    assert published.read("style_materials").empty and published.read("material_faults").empty  # no plan is touched


def test_a_style_of_the_same_code_comes_from_the_design(c2m: object) -> None:
    assert designs.mart().set_index("design_id")["state"].to_dict() == {"d": "open", "faulty": "open", "s": "on sale"}


def test_commands_tell_a_design_and_write_its_style(c2m: Callable[..., Any], tmp_path: Path) -> None:
    study = {"lacking": "", "able": 2, "stages": "", "q10": 30.0, "q50": 90.0, "q90": 300.0, "best_quantity": 120}
    landed("design_studies", **study, best_profit=800.0, test_pieces=100, price=100.0)
    cost = {"quantity": 100, "material_cost": 700.0, "probability": 0.95, "factories": "F1", "material_days": 5}
    landed("design_costs", offer="soonest", making_cost=500.0, unit_cost=12.0, lead_days=9, **cost)
    landed("design_costs", offer="cheapest", making_cost=300.0, unit_cost=10.0, lead_days=16, **cost)
    landed("design_attributes", attribute="cuff", value="wide", minutes=2.0, making_cost=1.0, material_cost=2.0)
    listed = json.loads(c2m("designs", "--json").output)
    assert {one["design_id"]: one["best_quantity"] for one in listed} == {"d": 120, "faulty": None, "s": None}
    assert "90 (30 to 300)" in c2m("designs").output.replace("\n", " ")
    told = json.loads(c2m("design", "d", "--json").output)
    assert [one["unit_cost"] for one in told["costs"]] == [12.0, 10.0] and told["attributes"][0]["minutes"] == 2
    assert "cuff" in c2m("design", "d").output
    store.migrate()
    told = c2m(*docs_kit.of("how-to/try-a-design.md", "design CODE --quantity", code="d"))
    assert told.exit_code == 2 and "plan" in told.stderr, told.output  # none is in force: nothing can be quoted
    assert c2m("design", "nobodys").exit_code == c2m("design", "faulty", "--out", tmp_path).exit_code == 2
    files = c2m("design", "d", "--out", tmp_path / "style").output.split()
    assert {Path(file).stem for file in files} <= FEEDS.keys()
    assert len(files) == 4  # no routing: the five minutes say it
    clock.set_now(datetime.fromisoformat("2022-06-02T08:00:00+00:00"))
    outcomes = [bring_in(Source(native(Path(file).stem), Path(file), Path(file).name)) for file in files]
    assert [(one.accepted, one.quarantined) for one in outcomes] == [(2, 0), (2, 0), (1, 0), (2, 0)]
    order = read_landed("merchant_orders").iloc[0]
    assert (str(order["due_on"])[:10], read_landed("merchant_order_lines")["quantity"].sum()) == ("2022-06-17", 100)


def test_the_first_days_are_those_of_the_style(c2m: object) -> None:
    """What was expected is known from the study before."""
    landed("design_studies", design_id="s", known_at=KNOWN, business_date=date(2022, 5, 1), daily=[2.0] * 14,
           level_centre=0.0, level_spread=1.0, level_freedom=9.0)  # fmt: skip
    (found,) = read_tests(designs.mart(), DAY).to_dict("records")
    assert (found["days"], found["sold"], found["expected"], found["held"]) == (4, 10, 8.0, 0)
    assert found["times_low"] < 10 / 8 < found["times_high"] and found["decision"] == "reorder"
