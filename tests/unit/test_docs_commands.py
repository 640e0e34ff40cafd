"""Each `c2m` command that the documentation shows exists, with the options it is shown with."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from c2m.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = re.compile(r"(?:`|^\s*(?:\$ )?(?:\.venv/bin/)?)c2m ([a-z][^`\n]*)", re.MULTILINE)


def shown(page: Path) -> Iterator[list[str]]:
    """The words after `c2m` of each command on a page, brackets of what is optional left out."""
    for match in SHOWN.finditer(page.read_text(encoding="utf-8")):
        yield re.sub(r"\\\||[\[\],;]", " ", match[1].split("  ")[0]).split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_of_a_page_exists_with_its_options(page: Path) -> None:
    faults = []
    for words in shown(page):
        command: Any = typer.main.get_command(app)
        rest = words
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        if rest == words:
            faults.append(f"no command: c2m {' '.join(words)}")
        faults += [
            f"no option {word}: c2m {' '.join(words)}" for word in rest if word[:2] == "--" and word not in known
        ]
    assert faults == []


def _leaf(words: list[str]) -> tuple[str, ...]:
    """The names of a command, groups before it."""
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    while words and words[0] in getattr(command, "commands", {}):
        command, names, words = command.commands[words[0]], [*names, words[0]], words[1:]
    return tuple(names)


def test_commands_of_the_readme_and_the_how_to_pages_are_run_by_a_test() -> None:
    """That is: the words of each stand in a test that calls the command line."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
    files = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tests = [text for text in files if "CliRunner" in text or "c2m.cli" in text or "command(" in text]
    asked = {_leaf(words) for page in pages for words in shown(page)} - {()}
    assert {names for names in asked if not any(all(f'"{one}"' in text for one in names) for text in tests)} == set()


def test_the_readme_lists_every_command() -> None:
    commands: Any = typer.main.get_command(app)
    listed = {words[0] for words in shown(ROOT / "README.md")}
    assert set(commands.commands) - listed == set()
