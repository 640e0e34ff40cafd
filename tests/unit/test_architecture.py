"""Who may import whom (the kernel imports none of its siblings), what `--help` costs, how heavy functions are."""

import ast
import graphlib
import importlib
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
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
# Classes that share a name: one thing, as each floor has it. Any other name stands for one class.
CLASSES_OF_ONE_THING = {
    "Decision": "on a plan: as a person fills it in on Prefect's form, and as the ledger keeps it",
    "Design": "a row of its feed, and what the platform knows of it",
    "Item": "pieces of a SKU in a job order: of the message, and as its room shows them",
    "JobOrder": "as the ledger keeps it, and the message that tells of it",
    "Plan": "of a day: the contract's, its row in the ledger, and which one Prefect's form asks for",
    "Purchase": "of a material: as the choice of suppliers finds it, and its row in the ledger",
    "RoutingStep": "an operation of a style: a row of its feed, and as a job order carries it",
    "Scenario": "what would be otherwise: Prefect's form, and the file that is made of it",
}
# Modules and folders that share a name: one noun on several floors. Any other name stands for one module.
NOUNS_ON_SEVERAL_FLOORS = {
    "__main__": "what `python -m` runs",
    "book": "the order book: as people ask about it, and as an instance",
    "changes": "what a merchant changes of an order: as it comes in, and as factories are asked",
    "checkup": "all checks of the platform on itself, and the flow that runs them",
    "daily": "the daily run, its panel, its forecast and its price proposals",
    "day": "the business day: its commands, and its materials",
    "demand": "of shoppers: as the world generates it, as it is forecast, for a style and for a design",
    "designs": "what may become styles",
    "dispatch": "from a released plan to job orders, and the flow that does it",
    "factory": "its commands, its room, and a simulated one",
    "feeds": "feed files and their commands",
    "floor": "the factory floor: its services, their commands and checks, and what is known of it at a moment",
    "forecast": "of demand: the engine's and the flow",
    "ingest": "feed files on their way in",
    "letters": "dead letters",
    "links": "by which people sign in to the order room",
    "mapping": "a YAML file that says what foreign names mean: columns of a file, metrics of Sparkplug",
    "market": "volume and price of categories",
    "markets": "what is forecast of the market: in words, and its model in MLflow",
    "materials": "of which pieces are made: what is needed, and what is bought",
    "models": "what forecasts, and the commands for it",
    "network": "of factories",
    "orders": "of merchants and of replenishment",
    "page": "one page: how it is made, that of a world, that of a quantity",
    "pages": "web pages, and whether they answer",
    "plan": "the joint-factory plan",
    "plans": "joint-factory plans",
    "pools": "of lots that share a setup",
    "prices": "price proposals, and what was decided on them",
    "promises": "promised dates of orders",
    "quotes": "for new orders",
    "readmit": "what was refused is taken back in: rows of feeds, messages of factories",
    "rooms": "the order room",
    "sales": "what shoppers ordered: as the world generates it, as landed rows tell it",
    "scenarios": "what would be otherwise",
    "shelf": "what a merchant has to sell: as its room shows it, and in a replay",
    "stages": "in which lots are made",
    "statement": "a program stated, before it is solved: of the plan, of supplier choice",
    "status": "how the platform stands: the command, and the ledger's part of it",
    "surprise": "spikes of incoming orders",
    "train": "the model of demand is trained",
    "voices": "what shoppers say in reviews",
    "warehouse": "what dbt builds and publishes",
    "webhooks": "at which merchants hear of events",
    "why": "a job order is as it is",
    "world": "a folder of feed files",
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


def places_by_name(found: Iterable[tuple[str, Path]]) -> dict[str, set[str]]:
    """Of names that stand in more than one module: where."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for name, path in found:
        places[name].add(str(path.relative_to(ROOT)))
    return {name: where for name, where in places.items() if len(where) > 1}


def test_a_public_class_has_its_name_to_itself() -> None:
    shared = places_by_name(
        (node.name, path)
        for path in names().values()
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert shared.keys() == CLASSES_OF_ONE_THING.keys(), shared


def test_a_module_has_its_name_to_itself() -> None:
    shared = places_by_name((name.rpartition(".")[2], path) for name, path in names().items())
    assert shared.keys() == NOUNS_ON_SEVERAL_FLOORS.keys(), shared


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
