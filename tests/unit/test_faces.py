"""The examples in the docstrings of the faces run, and what a face offers is there."""

import ast
import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _parameters(function: ast.FunctionDef) -> list[str]:
    asked = function.args
    return [one.arg for one in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]


def _section(told: str, title: str) -> list[str]:
    """Lines of a section: a name and, below it, at least a line on it; only the first line on it is kept."""
    text = told.partition(f"{title}\n{'-' * len(title)}\n")[2].split("\n\n")[0]
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith(" ") or not lines[-1].startswith(" "):
            lines.append(line)
    return lines


@pytest.mark.parametrize(
    "face", ["optimization", "c2m.domain.apportion", "c2m.domain.designs", "c2m.domain.newsvendor"]
)
def test_the_example_of_a_face_runs(face: str) -> None:
    found = doctest.testmod(import_module(face))
    assert found.attempted > 0
    assert found.failed == 0


def test_what_the_face_of_plans_offers_is_there() -> None:
    face = import_module("optimization")
    assert all(callable(getattr(face, name)) for name in face.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        face.nothing  # noqa: B018


FUNCTIONS = ("allocate", "explain", "solve", "verify", "what_if", "Instance.from_tables")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_offered_tells_its_parameters_its_result_and_its_errors(name: str) -> None:
    thing = import_module("optimization")
    for part in name.split("."):
        thing = getattr(thing, part)
    told = inspect.getdoc(thing) or ""
    parameters = told.partition("Parameters\n----------\n")[2].partition("\n\nReturns\n-------\n")[0]
    named = [line for line in parameters.splitlines() if line and not line.startswith(" ")]
    assert named == list(inspect.signature(thing).parameters)
    assert "\nReturns\n-------\n" in told
    assert "\nRaises\n------\n" in told


def test_no_function_of_the_face_of_plans_is_left_out() -> None:
    face = import_module("optimization")
    assert {name for name in face.__all__ if inspect.isfunction(getattr(face, name))} <= set(FUNCTIONS)


PARTS = ("c2m", "expectations", "models", "optimization", "flows")
FEW = 2  # parameters that a line may tell


def _modules() -> dict[str, ast.Module]:
    files = (path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    return {name.removesuffix(".__init__"): ast.parse(path.read_text("utf-8")) for name, path in named.items()}


def _called_from_outside() -> dict[str, ast.FunctionDef]:
    """Functions of a part that another part imports, or calls by its module, by dotted name."""
    trees = _modules()
    functions = {
        f"{name}.{node.name}": node
        for name, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    found = set()
    for name, tree in trees.items():
        modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                modules |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        called = {
            f"{modules[node.value.id]}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
        }
        part = name.partition(".")[0]
        found |= {other for other in {*modules.values(), *called} if other.partition(".")[0] != part}
    return {name: function for name, function in functions.items() if name in found}


def _is_told(function: ast.FunctionDef) -> bool:
    told = ast.get_docstring(function) or ""
    if _section(told, "Parameters")[::2] != _parameters(function):
        return False
    nothing = isinstance(function.returns, ast.Constant)
    return nothing or bool(_section(told, "Returns") or _section(told, "Yields"))


def test_what_another_part_calls_tells_each_parameter_and_its_result() -> None:
    outside = {name: node for name, node in _called_from_outside().items() if len(_parameters(node)) > FEW}
    assert len(outside) > 40
    assert {"models.ensemble.answer.answer", "c2m.ledger.plans.release"} <= outside.keys()
    assert [name for name, node in outside.items() if not _is_told(node)] == []
