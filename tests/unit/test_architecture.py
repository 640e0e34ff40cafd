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


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names & set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_parts_import_only_what_lies_below_them(part: str) -> None:
    for path in modules(part):
        if path != ROOT / "c2m" / "cli.py":
            assert imports(path) - {part} <= ALLOWED[part], path


def test_only_inside_functions_does_the_command_line_call_up() -> None:
    tree = ast.parse((ROOT / "c2m" / "cli.py").read_text(encoding="utf-8"))
    top = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not {name for name in top if name.split(".")[0] in set(PARTS) - {"c2m"}}


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
