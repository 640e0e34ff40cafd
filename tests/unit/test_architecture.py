"""Who may import whom (the kernel imports none of its siblings), what `--help` costs, how heavy functions are."""

import ast
import graphlib
import importlib
import statistics
import subprocess
import sys
from collections import Counter
from functools import cache
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


# Folders of a package, each on the floor above those before it. What stands in no folder lies below them all.
FLOORS = {
    "c2m": (
        "wire",
        "domain",
        "feeds",
        "warehouse",
        "materials",
        "ledger",
        "floor",
        "simulation",
        "people",
        "why",
        "rooms",
        "upkeep",
        "doctor",
        "proof",
        "cli",
    ),
    "models": (
        "panel",
        "demand",
        "evaluation",
        "ensemble",
        "market",
        "governance",
        "finish",
        "surprise",
        "price",
        "design",
    ),
    "optimization": (
        "contract",
        "verification",
        "routing",
        "book",
        "statement",
        "stages",
        "engines",
        "unmet",
        "planning",
        "explanation",
        "whatif",
        "promising",
        "materials",
        "costing",
    ),
    "optimization.engines": ("bounds", "exact", "first", "location", "whole_lots", "large", "staged"),
}
# Nodes of the syntax tree. They may fall and not rise: whoever makes a function heavier makes others lighter.
HEAVIEST, MEDIAN_WEIGHT, NINTH_TENTH_WEIGHT = 420, 40, 130
NINTH_TENTHS = {"c2m": 115, "models": 138, "optimization": 168, "flows": 136}  # of a part, where it has enough of them
MOST_MODULES = 14  # of a folder, beside __init__
# Parameters of one letter: those of the field's own notation, and those of an algebra at the top of their module.
LETTERS = {
    "c2m/domain/worktime.py": "z",  # of the standard normal distribution
    "models/demand/heldout.py": "y",  # what was observed
    "models/panel/long.py": "y",
    "models/panel/outliers.py": "y",
    "models/panel/rows.py": "y",
    "models/demand/response.py": "x",  # what explains y
    "models/ensemble/forecaster.py": "h",  # the horizon, as the field calls it
    "models/evaluation/backtest.py": "xy",
    "optimization/engines/bounds/master.py": "z",  # columns of the program
    "optimization/engines/bounds/relaxation.py": "x",
    "optimization/engines/whole_lots/assignment.py": "ipxz",
    "optimization/materials/statement.py": "mt",
    "optimization/stages/passing.py": "jfgd",
    "optimization/stages/program.py": "jftd",
    "optimization/stages/sets.py": "jftd",
    "optimization/statement/mip.py": "ofk",  # index sets of the program: Pyomo passes them to each rule
}
# What the field shortens. Nothing else is renamed by who imports it: a name that needs it is a wrong name.
SHORT = {
    "great_expectations": "gx",
    "great_expectations.expectations": "gxe",
    "numpy": "np",
    "numpy.typing": "npt",
    "pandas": "pd",
    "pyarrow": "pa",
    "pyarrow.compute": "pc",
    "pyarrow.parquet": "pq",
    "pyomo.environ": "pyo",
    "scipy.sparse": "sp",
    "sqlalchemy": "sa",
    "xgboost": "xgb",
}
COMMANDS = sorted((ROOT / "c2m" / "cli").glob("*.py"))


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """Once for all tests: parsing is what they spend their time on."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    return imported(parsed(path))


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
    tree = ast.parse(path.read_text(encoding="utf-8"))  # one of its own: it is changed here
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        function.body = [ast.Pass()]
    assert imported(tree) <= {"c2m"}


def names() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    files = (path for part in PARTS for path in modules(part))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def wanted(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of ours that a module imports, at its top or anywhere in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
            found |= inner or {str(node.module)}
    return found & known.keys()


def floor(package: str, name: str) -> int:
    """On which floor of a package a module is; -1: below all folders."""
    folder = name.removeprefix(f"{package}.").partition(".")[0]
    return FLOORS[package].index(folder) if folder in FLOORS[package] else -1


@pytest.mark.parametrize("package", FLOORS)
def test_folders_import_only_what_lies_below_them(package: str) -> None:
    known = {name: path for name, path in names().items() if name.startswith(f"{package}.")}
    faults = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in wanted(path, known)
        if floor(package, other) > floor(package, name)
    ]
    assert faults == []


def test_folders_are_entered_by_what_they_offer() -> None:
    known, faults = names(), []
    for name, path in known.items():
        for other in wanted(path, known):
            folder, _, module = other.rpartition(".")
            offered = getattr(importlib.import_module(folder), "__all__", None) if folder else None
            if offered is not None and not name.startswith(folder) and module not in offered:
                faults.append(f"{name} imports {other}, which {folder} does not offer")
    assert faults == []


def test_every_folder_says_what_it_offers() -> None:
    folders = [name for name, path in names().items() if path.name == "__init__.py"]
    silent = {name for name in folders if not hasattr(importlib.import_module(name), "__all__")}
    assert silent == {"c2m", "c2m.ledger.migrations", "c2m.ledger.migrations.versions"}  # the kernel is open to all


def test_modules_import_each_other_in_no_circle() -> None:
    known = names()
    order = graphlib.TopologicalSorter({name: wanted(path, known) - {name} for name, path in known.items()})
    assert set(order.static_order()) == set(known)  # else CycleError, which names the circle


def test_no_folder_has_too_many_modules() -> None:
    sizes = Counter(path.parent for path in names().values() if path.stem != "__init__")
    crowded = {str(folder.relative_to(ROOT)): size for folder, size in sizes.items() if size > MOST_MODULES}
    assert crowded.keys() <= {"flows", "c2m/ledger/migrations/versions"}, crowded


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


def weight(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Nodes of a function's body, docstring and contexts of names left out: what a reader has to take in."""
    body = function.body[ast.get_docstring(function) is not None :]
    return sum(not isinstance(node, ast.expr_context) for part in body for node in ast.walk(part))


def test_nobody_renames_what_it_imports() -> None:
    renamed = {
        f"{path.relative_to(ROOT)}: {alias.name} as {alias.asname}"
        for part in PARTS
        for path in modules(part)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname not in (None, alias.name, SHORT.get(alias.name))
    }
    assert renamed == set()


def test_parameters_have_names() -> None:
    found: dict[str, set[str]] = {}
    for part in PARTS:
        for path in modules(part):
            arguments = {node.arg for node in ast.walk(parsed(path)) if isinstance(node, ast.arg)}
            if letters := {name for name in arguments - {"_"} if len(name) == 1}:
                found[str(path.relative_to(ROOT))] = letters
    assert found == {path: set(letters) for path, letters in LETTERS.items()}


@cache
def weights(part: str) -> dict[str, int]:
    """Of each function of a part; migrations are written once."""
    return {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": weight(node)
        for path in modules(part)
        if "migrations" not in path.parts
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_functions_are_light() -> None:
    every = {name: found for part in PARTS for name, found in weights(part).items()}
    assert not {name: found for name, found in every.items() if found > HEAVIEST}
    assert statistics.median(every.values()) <= MEDIAN_WEIGHT
    assert statistics.quantiles(every.values(), n=10)[-1] <= NINTH_TENTH_WEIGHT


@pytest.mark.parametrize(("part", "most"), NINTH_TENTHS.items())
def test_nine_tenths_of_a_part_are_light(part: str, most: int) -> None:
    assert statistics.quantiles(weights(part).values(), n=10)[-1] <= most
