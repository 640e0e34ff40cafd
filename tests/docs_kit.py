"""Command lines as the pages show them: a test that takes its words from here runs what the page shows."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SHOWN = re.compile(r"(?:`|^\s*(?:\$ )?(?:\.venv/bin/)?|exec team )c2m ([a-z][^`\n]*)", re.MULTILINE)


@cache
def lines(page: Path) -> list[str]:
    """What follows `c2m` in each command of a page; lines that go on are joined, a column of comments is left out."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    return [match[1].split("  ")[0].strip() for match in _SHOWN.finditer(text)]


def words(line: str) -> list[str]:
    """The words of a line, brackets of what is optional left out."""
    return re.sub(r"\\\||\.\.\.|[\[\],;]", " ", line).split()


def optional(line: str) -> list[str]:
    """The words in brackets."""
    return [word for part in re.findall(r"\[([^\]]*)\]", line) for word in words(part)]


def of(page: str, start: str, **given: object) -> list[str]:
    """The words of the one line of a page that begins so, with what this run gives in place of the page's words.

    Parameters
    ----------
    page
        README.md, or a path below docs.
    start
        The words with which the line begins, after `c2m`; the longest of such lines is taken.
    given
        By word of the page in lower case, letters and digits alone: what stands there instead. `dir=...` is for DIR,
        `refused_csv=...` for refused.csv, `out=...` for what follows `--out`.
    """
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    found = [told for told in map(words, lines(path)) if " ".join([*told, ""]).startswith(f"{start} ")]
    assert found, f"{page} shows no line `c2m {start}`"
    told = max(found, key=len)
    return [_given(before, word, given) for before, word in zip(["", *told], told, strict=False)]


def _given(before: str, word: str, given: dict[str, object]) -> str:
    if word[:2] == "--":
        return word
    names = [re.sub(r"\W+", "_", name).strip("_").lower() for name in (before if before[:2] == "--" else "", word)]
    return next((str(given[name]) for name in names if name in given), word)


def shown(page: Path) -> Iterator[list[str]]:
    """The words after `c2m` of each command on a page."""
    return map(words, lines(page))
