"""Who may import whom (the kernel imports none of its siblings), what `--help` costs, how long functions are."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("c2m", "expectations", "models", "optimization", "flows")
ALLOWED = {
    "c2m": set(),
    "expectations": {"c2m"},
    "models": {"c2m"},
    "optimization": {"c2m"},
    "flows": {"c2m", "expectations", "models", "optimization"},
}


COMMANDS = sorted((ROOT / "c2m" / "cli").glob("*.py"))


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imports(path: Path) -> set[str]:
    return imported(ast.parse(path.read_text(encoding="utf-8")))


def imported(tree: ast.Module) -> set[str]:
    """Parts that the code imports, at its top or anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names & set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_parts_import_only_what_lies_below_them(part: str) -> None:
    for path in modules(part):
        if path not in COMMANDS:
            assert imports(path) - {part} <= ALLOWED[part], path


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_only_inside_functions_does_the_command_line_call_up(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        function.body = [ast.Pass()]
    assert imported(tree) <= {"c2m"}


def test_nobody_below_imports_the_command_line() -> None:
    for part in PARTS:
        for path in set(modules(part)) - set(COMMANDS):
            assert "c2m.cli" not in path.read_text(encoding="utf-8"), path


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, c2m.cli; print(' '.join(sorted(m for m in sys.modules if '.' not in m)))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {
        "pandas",
        "numpy",
        "duckdb",
        "prefect",
        "mlflow",
        "great_expectations",
        "pyomo",
        "xgboost",
        "sqlalchemy",
        "dbt",
    }
    assert not loaded & heavy


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for part in PARTS
        for path in modules(part)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: length for name, length in lengths.items() if length > 60}
    assert statistics.median(lengths.values()) <= 12
