"""Lists and tables of the documentation that the code has too: they say the same."""

import ast
import re
from pathlib import Path

import yaml

from c2m.domain.alert_rules import PLATFORM
from c2m.domain.alert_words import WORDS
from c2m.feeds.contracts import PRODUCED
from c2m.ledger.changelog import EXPORTED
from c2m.settings import AssumedRates
from c2m.simulation.world import SIZES
from c2m.warehouse.published import PROJECT
from optimization.contract.terms import TERMS
from scripts import first_run

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_glossary_lists_the_terms_of_a_plans_cost() -> None:
    told = page("docs/glossary.md").partition("is the sum of these terms")[2].partition("\n## ")[0]
    assert re.findall(r"^\* \*\*(\w+)\*\*:", told, re.MULTILINE) == [term.name for term in TERMS]


def test_the_table_of_bands_is_that_of_the_warehouse() -> None:
    bands = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]["bands"]
    rows = re.findall(r"^\| (A|B|C|D|trial) \| (.+) \|$", page("docs/operations.md"), re.MULTILINE)
    told = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    assert told == {
        name: [
            "-" if band["score"] is None else f"{band['score']}",
            f"{band['order_cap_pieces']:,}" if band["order_cap_pieces"] else "no limit",
            f"{band['exposure_share']:.0%}".replace("%", " %"),
            "all" if band["inspection_share"] == 1 else f"{band['inspection_share']:.0%}".replace("%", " %"),
        ]
        for name, band in bands.items()
    }


def test_assumed_rates_stand_in_operations_as_they_are_set() -> None:
    rates = AssumedRates()
    told = page("docs/operations.md").partition("### Assumed rates")[2].partition("\n## ")[0]
    for words in (
        f"**late**: {100 * rates.late_share_per_day:g} % of the price",
        f"**late after a quoted date**: {100 * rates.quoted_late_share_per_day:g} % of the price",
        f"**late, small replenishments**: {100 * rates.small_late_share_per_day:g} % of the price",
        f"the material saved ({100 * (1 - rates.making_share):g} % of the cost)",
        f"**change**: {100 * rates.change_share:g} % of the cost",
        f"**freight**: {100 * rates.freight_share_per_km:.4f} % of the cost",
        f"**spoiled pieces**: {100 * (1 - rates.making_share):g} % of the cost",
        f"**inspection**: {100 * rates.inspection_share:g} % of the cost",
        f"late rate x ({rates.late_days:g} days x (1 - on-time rate) + {rates.refused_days:g} day x",
    ):
        assert words in told


def test_the_tables_that_the_ledger_lands_are_listed() -> None:
    told = page("docs/architecture.md").partition("valid. The tables are")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", told)) == set(EXPORTED)


def test_the_tables_that_other_parts_land_are_listed() -> None:
    told = page("docs/architecture.md").partition("**Other producers**")[2].partition("\n## ")[0]
    others = {name for name in PRODUCED if not name.startswith("ledger_")} - {"file_outcomes"}
    assert others <= set(re.findall(r"`(\w+)`", told))


def test_policies_and_sizes_that_pages_name_are_there() -> None:
    there = {file.stem for file in (ROOT / "worlds" / "proof" / "policies").glob("*.yaml")}
    told = page("docs/how-to/prove-it.md") + page("Makefile")
    named = set(re.findall(r"--policy (\w+)", told)) | set(re.findall(r"`(without_\w+)`", told))
    assert named - {"P"} == there
    (sizes,) = re.findall(r"--size ([\w|]+)\]", page("README.md"))
    assert sizes.split("|") == list(SIZES)


def test_each_kind_of_alert_is_told_in_operations() -> None:
    told = page("docs/operations.md").partition("### The alerts")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"^\* `(\w+)`:", told, re.MULTILINE)) == sorted({*WORDS, PLATFORM, "promises"})


def test_deployments_with_a_schedule_are_those_that_the_page_lists() -> None:
    scheduled = {one["name"] for one in yaml.safe_load(page("prefect.yaml"))["deployments"] if one.get("schedules")}
    told = page("docs/data-engineer.md").partition("## Schedules")[2].partition("* The other flows have no")[0]
    bullets = re.findall(r"^\* .*$", told, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(bullets))) == scheduled


def test_the_readme_shows_the_main_parts_of_the_first_run() -> None:
    assert first_run.block(first_run.README) == first_run.main_parts(first_run.block(first_run.PAGE)) != ""


def test_each_page_for_people_is_in_the_table_of_pages() -> None:
    calls = (
        node
        for file in (ROOT / "flows").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("page", "job_orders")
    )
    keys = {node.args[0].value for node in calls if node.args and isinstance(node.args[0], ast.Constant)}
    told = page("docs/operations.md").partition("### The pages")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", told, re.MULTILINE)) == keys
