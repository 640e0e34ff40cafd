"""The code on the how-to pages and notebooks runs, block after block, as a reader would run it."""

import json
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.ipynb"))
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))] + NOTEBOOKS


def blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    if page not in NOTEBOOKS:
        return BLOCK.findall(text)
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)
    assert capsys.readouterr().out


def test_files_that_a_page_names_are_there() -> None:
    root = Path(__file__).parents[2]
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(
            r"`((?:c2m|models|optimization|flows|expectations|tests|dbt_project)/[\w./-]+)`", page.read_text()
        )
    }
    assert [one for one in named if not (root / one[1]).exists()] == []
