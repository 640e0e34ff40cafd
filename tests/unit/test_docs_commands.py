"""Each `c2m` command that the documentation shows exists, with the options it is shown with."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from c2m.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
STEPS = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
CALLS = {"c2m", "c2m_on", "command", "invoke", "Popen", "run"}  # by which tests call the command line
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


def called() -> Iterator[list[str]]:
    """The literal words of each call of the command line in a test, from the name of the command on."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List) and (words := list(literals(node.elts)))[:1] == ["c2m.cli"]:
                yield words[1:]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CALLS:
                yield list(itertools.dropwhile(lambda word: word in ("", "-m", "c2m.cli"), literals(node.args)))


def literals(nodes: list[ast.expr]) -> Iterator[str]:
    """Texts among arguments and in lists among them; what is no text is empty."""
    for node in nodes:
        if isinstance(node, ast.List | ast.Tuple):
            yield from literals(node.elts)
        else:
            yield node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_commands_of_the_readme_and_the_how_to_pages_are_run_by_a_test() -> None:
    asked = {_leaf(words) for page in STEPS for words in shown(page)} - {()}
    calls = list(called())
    assert {names for names in asked if not any(tuple(words[: len(names)]) == names for words in calls)} == set()


def test_what_else_the_readme_and_the_how_to_pages_call_is_there() -> None:
    """Targets of make, modules of benchmarks, test files: each costs too much to run here."""
    told = "\n".join(page.read_text(encoding="utf-8") for page in [*STEPS, ROOT / "CONTRIBUTING.md"])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ {4,})make ([a-z-]+)", told, re.MULTILINE)) <= targets
    modules = re.findall(r"python -m ([\w.]+)", told)
    files = [f"{name.replace('.', '/')}.py" for name in modules] + re.findall(r"pytest (?:-m long )?([\w./]+)", told)
    assert len(files) > 5
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_the_readme_lists_every_command() -> None:
    commands: Any = typer.main.get_command(app)
    listed = {words[0] for words in shown(ROOT / "README.md")}
    assert set(commands.commands) - listed == set()
