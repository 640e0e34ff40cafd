"""The pages of docs/reference say what the code says."""

import re
from pathlib import Path

import pytest

from scripts.reference import PAGES, page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_makes_of_it(name: str) -> None:
    kept = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert page(name) == kept, "run `make reference` and look at what has changed"


def test_no_other_page_lies_there() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", ["settings", "command-line"])
def test_every_setting_and_option_says_what_it_is_for(name: str) -> None:
    entries = re.findall(r"^\* `.*(?:\n  .*)*", page(name), re.MULTILINE)
    assert entries
    assert [entry for entry in entries if not re.search(r"(?:`|\)): ", entry.replace("\n  ", " "))] == []
