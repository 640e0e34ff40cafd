"""Commands that the documentation shows: each exists with its options, and those of README and how-to are run."""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import bench_kit
import docs_kit
import pytest
import typer.main
from docs_kit import shown

from c2m.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
STEPS = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
CALLS = {"c2m", "c2m_on", "command", "invoke", "Popen", "run"}  # by which tests call the command line
TOLD_AS = {"--json", "--help"}  # how the answer is told: not what is done


@cache
def whole() -> Any:
    """The command that all others are parts of."""
    return typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_of_a_page_exists_with_its_options(page: Path) -> None:
    faults = []
    for words in shown(page):
        command = whole()
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
    return _options(words)[0]


def _options(words: list[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The names of a command, and the options among its words, each by its first name."""
    command = whole()
    names: list[str] = []
    while words and words[0] in getattr(command, "commands", {}):
        command, names, words = command.commands[words[0]], [*names, words[0]], words[1:]
    alias = {name: one.opts[0] for one in command.params for name in [*one.opts, *one.secondary_opts]}
    return tuple(names), frozenset(alias[word] for word in words if word[:1] == "-" and word in alias) - TOLD_AS


def called() -> Iterator[list[str]]:
    """The literal words of each call of the command line in a test, from the name of the command on."""
    for path in set((ROOT / "tests").rglob("*.py")) - {Path(__file__)}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List) and (words := list(literals(node.elts)))[:1] == ["c2m.cli"]:
                yield words[1:]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "docs_kit.of":
                page, start = literals(node.args)
                yield docs_kit.of(page, start)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CALLS:
                yield list(itertools.dropwhile(lambda word: word in ("", "-m", "c2m.cli"), literals(node.args)))


def literals(nodes: list[ast.expr]) -> Iterator[str]:
    """Texts among arguments and in lists among them; what is no text is empty."""
    for node in nodes:
        if isinstance(node, ast.List | ast.Tuple):
            yield from literals(node.elts)
        else:
            yield node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@cache
def calls() -> dict[tuple[str, ...], set[frozenset[str]]]:
    """By command the sets of options with which tests call it, word by word or as a page shows it."""
    found = defaultdict(set)
    for words in called():
        names, options = _options(words)
        found[names].add(options)
    return found


def _is_named(line: str) -> bool:
    """A line without any argument of a command that needs one is a name in a sentence, not a command to type."""
    command, words = whole(), docs_kit.words(line)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return not words and any(one.required or one.nargs < 0 for one in command.params)


def _not_run(line: str) -> Iterator[str]:
    """What of a line no test runs: the line with all that is not in brackets, and each option in brackets."""
    names, options = _options(docs_kit.words(line))
    spare = _options([*names, *docs_kit.optional(line)])[1]
    made = calls().get(names, set())
    if not any(_is_named(line) or options - spare <= one <= options for one in made):
        yield f"c2m {line}"
    yield from (f"c2m {' '.join(names)} {one}" for one in sorted(spare - frozenset().union(*made)))


@pytest.mark.parametrize("page", STEPS, ids=lambda page: page.name)
def test_commands_of_the_readme_and_the_how_to_pages_are_run_by_a_test_with_the_same_options(page: Path) -> None:
    assert [fault for line in docs_kit.lines(page) if _leaf(docs_kit.words(line)) for fault in _not_run(line)] == []


def _benchmarks() -> set[str]:
    """The modules of benchmarks that are commands: `allocation.suite`."""
    folder = ROOT / "benchmarks"
    files = (path for path in folder.rglob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8"))
    return {".".join(path.relative_to(folder).with_suffix("").parts) for path in files}


@cache
def _called_modules() -> set[str]:
    """Modules of which a test calls something, and those whose smallest form tests/bench_kit.py has run."""
    found = {f"benchmarks.{name}" for name in bench_kit.QUICK | bench_kit.LONG}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        whence = {one.name: node.module for node in imports for one in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                first, _, attribute = ast.unparse(node.func).partition(".")
                if first in whence:
                    found.add(f"{whence[first]}.{first}" if attribute else whence[first])
    return found


def _recipe(target: str) -> Iterator[list[str]]:
    """The commands of a target of make, words of the shell left out."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    rule = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert rule, f"no target {target}"
    for part in re.split(r"\|\||&&|\n", rule[1]):
        words = [word for word in part.split() if word != "@exec" and not re.match(r"[A-Z_\d]+=", word)]
        if words and words[0].startswith("$(BIN)/"):
            yield [words[0].removeprefix("$(BIN)/"), *words[1:]]


def _is_run(words: list[str], made: list[list[str]], modules: set[str]) -> bool:
    """Whether a test runs a command: of c2m, a module of Python, a script of ours, or another program."""
    program, *rest = words
    if program == "c2m":
        names = _leaf(rest)
        return any(tuple(call[: len(names)]) == names for call in made)
    if program == "python":
        return (rest[1] if rest[0] == "-m" else rest[0].removesuffix(".py").replace("/", ".")) in modules
    return any(words[:2] == call[at : at + 2] for call in made for at in range(len(call)))


def _told() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in [*STEPS, ROOT / "CONTRIBUTING.md"])


def test_targets_of_make_that_pages_name_are_run_by_continuous_integration_or_step_by_step_by_tests() -> None:
    targets = set(re.findall(r"(?:`|^ {4,})make ([a-z-]+)", _told(), re.MULTILINE))
    by_ci = set(re.findall(r"^make ([a-z-]+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE))
    assert len(targets) > 5
    made, modules = list(called()), _called_modules()
    steps = {target: list(_recipe(target)) for target in targets - by_ci}
    assert all(steps.values())
    left = [words for target in steps for words in steps[target] if not _is_run(words, made, modules)]
    assert left == []


def test_modules_that_pages_call_are_run_by_a_test() -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", _told()))
    assert modules
    assert modules - _called_modules() == set()


def test_every_benchmark_is_run_by_a_test_in_its_smallest_form() -> None:
    not_run = {name for name in _benchmarks() if f"benchmarks.{name}" not in _called_modules()}
    assert not_run == set(bench_kit.NOT_RUN)


PARTS_OF_OTHERS = {"allocation.generator", "allocation.rivals", "floor.factories"}  # commands that another one starts


def test_every_benchmark_stands_on_a_page() -> None:
    told = "\n".join(page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "Makefile"])
    silent = {name for name in _benchmarks() if name not in told and f"{name.replace('.', '/')}.py" not in told}
    assert silent == PARTS_OF_OTHERS


def test_tests_that_pages_call_are_there_with_what_they_are_asked_for() -> None:
    """What `pytest FILE` runs, `make test` or `make test-long` runs; -m, -k and the environment are looked up."""
    asked = re.findall(r"(GOLDEN_WRITE=1 )?pytest( -m long)? (tests[\w./]*)(?: -k (\w+))?", _told())
    assert len(asked) > 5
    for writes, long, name, chosen in asked:
        folder = ROOT / name
        assert folder.exists(), name
        text = folder.read_text(encoding="utf-8") if folder.is_file() else ""
        assert not long or "pytest.mark.long" in text, name
        assert not chosen or re.search(rf"def test_\w*{chosen}", text), (name, chosen)
        assert not writes or "GOLDEN_WRITE=1 pytest" in text, name


def test_the_readme_lists_every_command() -> None:
    commands = whole()
    listed = {words[0] for words in shown(ROOT / "README.md")}
    assert set(commands.commands) - listed == set()
