"""Commands that code tells people to call: each exists, and is told with what it cannot do without."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from c2m.cli import app

ROOT = Path(__file__).parents[2]
TOLD = re.compile(r"`c2m ([a-z][^`]*)`|\bc2m ([a-z-]+(?: [a-z-]+)?)")


def told() -> Iterator[tuple[str, str]]:
    """Where a text of the code names a command, and the words behind `c2m`."""
    for folder in ("c2m", "flows", "expectations", "models", "optimization"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                    for match in TOLD.finditer(node.value):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", match[1] or match[2]


def faults(words: list[str]) -> list[str]:
    """What keeps these words from being called as they stand, values in capitals or braces taken as given."""
    command: Any = typer.main.get_command(app)
    rest = words
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    if rest == words:
        return [f"no command {words[0]}"] if words[0] != "runs" else []  # c2m runs without being installed
    known = {option: one for one in command.params for option in one.opts}
    given = [word for word in rest if word.startswith("--")]
    needed = [one.opts[0] for one in command.params if one.required and one.param_type_name == "option"]
    return [f"no option {word}" for word in given if word not in known] + [
        f"without {option}" for option in needed if given and option not in given
    ]


def test_commands_that_are_told_exist_with_their_options() -> None:
    found = {(place, words): faults(words.split()) for place, words in told()}
    assert len(found) > 30
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
