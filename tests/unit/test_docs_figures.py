"""Figures that pages quote: a table of them is what its files give, or names the command and the day it is of."""

import calendar
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.allocation import report
from benchmarks.faults import matrix
from benchmarks.forecast import pages
from benchmarks.proof import publish
from benchmarks.worlds import calibrate

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "how-to").glob("*.md"))]
COMMAND = re.compile(r"(?:python -m |`)(benchmarks[./][\w./]*\w)|`make ([a-z-]+)|`c2m [a-z]")
DAY = re.compile(rf"\b\d{{1,2}}\s(?:{'|'.join(calendar.month_name[1:])})\s20\d\d\b")
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


UNDATED = {  # what generators and settings say whenever they are asked, and what is reckoned from figures of benchmarks
    ("demo-world.md", "# The demo world"),
    ("demo-world.md", "### The joint factory"),
    ("merchants.md", "## Errors"),
    ("operations.md", "## Scores and bands"),
    ("run-a-team.md", "### Sizes"),
}


def test_figures_that_were_typed_tell_their_day() -> None:
    """What is not written from files: constants and machines change."""
    typed = {page: MARKED.sub("", page.read_text(encoding="utf-8")) for page in PAGES if page != publish.PAGE}
    silent = {
        (page.name, heading)
        for page, text in typed.items()
        for heading, own, _ in sections(text)
        if has_figures(own) and not DAY.search(own)
    }
    assert silent == UNDATED


def test_sizes_of_machines_are_those_of_the_benchmarks() -> None:
    """Each figure of the table stands on the page that has its command."""
    page = (DOCS / "how-to" / "run-a-team.md").read_text(encoding="utf-8").partition("### Sizes")[2]
    carried = [row.strip("|").split("|")[1:3] for row in TABLE.findall(page)[0].splitlines()[2:]]
    told = set(re.findall(r"[\d,.]*\d", (DOCS / "benchmarks.md").read_text(encoding="utf-8").replace(",", "")))
    figures = {one for row in carried for one in re.findall(r"[\d,.]*\d", " ".join(row).replace(",", ""))}
    assert len(figures) > 10
    assert figures - told == {"1160"}  # a second: 100 million scans a day


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
