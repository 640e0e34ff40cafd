"""What a plan costs and a score consists of has a name on every page that shows it, in every language."""

import re

import pytest
import yaml

from c2m.rooms import texts
from c2m.warehouse.published import PROJECT
from optimization.contract.terms import COST_WORDS, TERMS


def named(code: str, page: str) -> set[str]:
    return {key.partition(".")[2] for key in texts.catalogue(code) if key.startswith(f"{page}.")}


@pytest.mark.parametrize("code", texts.languages())
def test_cost_terms_and_components_have_a_name(code: str) -> None:
    weights = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]["score_weights"]
    assert named(code, "cost") >= {term.name for term in TERMS}
    assert named(code, "component") >= {name for parts in weights.values() for name in parts}
    assert texts.catalogue(code).keys() == texts.catalogue(texts.FALLBACK).keys()
    pages = re.findall(r"^(\w+):", (texts.FOLDER / f"{code}.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pages) == len(set(pages))  # YAML would drop the first of two without a word


def test_pages_call_a_part_of_the_cost_alike() -> None:
    words = texts.catalogue(texts.FALLBACK)
    assert {name: words[f"cost.{name}"].lower() for name in COST_WORDS} == COST_WORDS
