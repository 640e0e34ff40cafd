"""Figures that pages quote: a table of them is what its files give, or names the command and the day it is of."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.allocation import report
from benchmarks.faults import matrix
from benchmarks.forecast import pages
from benchmarks.worlds import calibrate

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]
COMMAND = re.compile(r"(?:python -m |`)(benchmarks[./][\w./]*\w)|`make ([a-z-]+)|`c2m [a-z]")
DAY = re.compile(r"\b\d{1,2} (?:November|December|January) 20\d\d\b")
MARKED = re.compile(r"<!-- (\w+): (?:written|begin).*?<!-- \1: end -->", re.DOTALL)
TABLE = re.compile(r"^\|.*\n\|[-:| ]+\|\n(?:\|.*\n)+", re.MULTILINE)
FIGURE = re.compile(r"[-+*]*\d[\d,.]*(?: ?%| s| MiB| M)?\b")
LEAST_FIGURES = 0.4  # of the cells of a table
NOT_MEASURED = {"merchants.md": "## Errors"}  # numbers that are names


def sections(text: str) -> Iterator[tuple[str, str, str]]:
    """Heading and text of each section, and what stands directly below the headings above it."""
    above: list[str] = []
    for part in re.split(r"^(?=#+ )", text, flags=re.MULTILINE):
        heading, _, own = part.partition("\n")
        depth = len(heading) - len(heading.lstrip("#"))
        above = above[:depth]
        yield heading, own, "\n".join(above)
        above += [""] * (depth - len(above)) + [own]


def has_figures(text: str) -> bool:
    """Whether one of its tables is one of figures."""
    tables = [[row.strip("|").split("|") for row in table.splitlines()[2:]] for table in TABLE.findall(text)]
    cells = [[cell.strip() for row in table for cell in row] for table in tables]
    return any(sum(bool(FIGURE.match(cell)) for cell in table) >= LEAST_FIGURES * len(table) for table in cells)


def is_there(found: re.Match[str]) -> bool:
    """Whether what a page names can be called."""
    if module := found[1]:
        path = ROOT / module.removesuffix(".py").replace(".", "/")
        return path.with_suffix(".py").exists() or path.is_dir()
    target = found[2]
    return not target or bool(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_of_figures_name_a_command_that_there_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [found[0] for found in COMMAND.finditer(text) if not is_there(found)] == []
    silent = [
        heading
        for heading, own, above in sections(text)
        if has_figures(own) and not COMMAND.search(own + above) and NOT_MEASURED.get(page.name) != heading
    ]
    assert silent == []


def test_figures_that_were_typed_tell_their_day() -> None:
    """On the page of benchmarks, what is not written from files; their constants and machines change."""
    typed = MARKED.sub("", (DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    assert [heading for heading, own, _ in sections(typed) if has_figures(own) and not DAY.search(own)] == []


WRITTEN: dict[str, Callable[[], str]] = {
    "benchmarks.md": lambda: report.page(report.results()),
    "data-scientist.md": pages.page,
    "demo-world.md": calibrate.page,
    "reliability.md": matrix.page,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_that_benchmarks_write_are_those_of_their_files(name: str) -> None:
    found = MARKED.search((DOCS / name).read_text(encoding="utf-8"))
    assert found
    assert found[0].partition("-->")[2].rpartition("<!--")[0].strip() == WRITTEN[name]()
