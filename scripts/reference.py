"""Writes docs/reference from the code: feeds, landing zone, marts, ledger, settings, messages, cost terms, commands.

And docs/merchants.openapi.json.

Usage: .venv/bin/python scripts/reference.py [docs/reference]      (make reference; a test compares the pages)
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from c2m.cli import app
from c2m.feeds import contracts
from c2m.feeds.contracts import FEEDS, PRODUCED
from c2m.ledger.tables import Base
from c2m.rooms.api import site
from c2m.settings import Settings
from c2m.wire import messages
from optimization.contract import terms as cost_terms

ROOT = Path(__file__).parents[1]
_SAID = {"Parameters": "", "Returns": "returns ", "Yields": "yields ", "Raises": "raises "}
_SECTION = re.compile(r"^(Parameters|Returns|Yields|Raises)\n-+\n(.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^(\S.*)\n((?: +.*(?:\n|\Z))+)", re.MULTILINE)
_EXAMPLE = re.compile(r"^>>> (?:.|\n(?!\n))*", re.MULTILINE)
_PAYLOADS: tuple[type[BaseModel], ...] = (
    messages.JobOrder,
    messages.Start,
    messages.Cancel,
    messages.JobResponse,
    messages.Scan,
    messages.Status,
    messages.RoutingStep,
    messages.Item,
    messages.Destination,
)
_SIGNS = {Ge: ("ge", ">="), Gt: ("gt", ">"), Le: ("le", "<="), Lt: ("lt", "<"), MinLen: ("min_length", "length >="),
          MaxLen: ("max_length", "length <=")}  # fmt: skip


def told(thing: Any) -> str:
    """A docstring in one paragraph."""
    return " ".join((inspect.getdoc(thing) or "").split())


def spelled(annotation: Any) -> str:
    """A type as a person writes it."""
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if hasattr(annotation, "__metadata__"):
        return spelled(parts[0])
    name = getattr(annotation, "__name__", str(annotation))
    if parts and name in ("list", "dict", "tuple"):
        return f"{name} of {', '.join(dict.fromkeys(spelled(part) for part in parts if part is not ...))}"
    return " or ".join(map(spelled, parts)) if parts else name


def limits(info: FieldInfo) -> str:
    """Bounds and form of a field."""
    marks = list(info.metadata)
    for part in get_args(info.annotation):
        marks += getattr(part, "__metadata__", ())
    marks += [inner for mark in marks if isinstance(mark, FieldInfo) for inner in mark.metadata]
    found = [f"{sign} {getattr(mark, name)}" for mark in marks for kind, (name, sign) in _SIGNS.items()
             if isinstance(mark, kind)]  # fmt: skip
    return ", ".join(dict.fromkeys(found))


def feeds() -> Iterator[str]:
    """Feed by feed: grain, key, mode, columns, rules."""
    yield "Files of merchants and factories. Mappings bring other layouts into these columns."
    for feed in FEEDS.values():
        yield f"## {feed.name}"
        needed = "A day needs it." if feed.required else "A day goes on without it."
        yield f"A row is one {feed.grain}. Key: {', '.join(feed.key)}. Mode: {feed.mode}. {needed}"
        yield listed(
            entry(
                column.name,
                [column.type, column.unit, "may be empty" if column.nullable else "", _otherwise(column.default)],
                column.description,
            )
            for column in feed.columns
        )
        yield "Rows that break a rule go to quarantine:"
        yield listed(entry(rule.name, [], textwrap.shorten(rule.advice, 160)) for rule in feed.rules)


def _otherwise(default: object) -> str:
    return "" if default is None else f"else {default!r}"


def landing() -> Iterator[str]:
    """Table by table: the comment above it, columns."""
    yield (
        "What the platform's own parts append to the landing zone, a folder per table. Those named `ledger_` are the "
        "change log of the ledger: of each key the row with the latest `known_at` is valid. Moments are UTC."
    )
    source = inspect.getsource(contracts)
    for name, columns in PRODUCED.items():
        yield f"## {name}"
        if above := re.search(rf'((?:^ +# .*\n)+) +"{name}": {{', source, re.MULTILINE):
            yield " ".join(line.strip(" #") for line in above[1].splitlines()).replace("*", r"\*")
        yield "Columns: " + ", ".join(f"`{column}` {kind}" for column, kind in columns.items()) + "."


def marts() -> Iterator[str]:
    """Mart by mart: what a row is, columns."""
    yield "What dbt builds from feeds, ledger and scans; published as Parquet after each build that passes its tests."
    for file in sorted((ROOT / "dbt_project/models/marts").glob("_*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            yield f"## {model['name']}"
            yield " ".join(model["description"].split())
            yield listed(
                entry(column["name"], [column.get("data_type", "")], column.get("description", ""))
                for column in model.get("columns", [])
            )


def ledger() -> Iterator[str]:
    """Table by table, with keys."""
    yield "The record of orders, plans, job orders and messages, on SQLite or PostgreSQL; `c2m.ledger` alone writes it."
    for model in sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda found: found.__tablename__):
        yield f"## {model.__tablename__}"
        yield told(model)
        yield listed(
            entry(
                column.name,
                [
                    str(column.type),
                    "may be empty" if column.nullable else "",
                    "primary key" if column.primary_key else "",
                    *(f"of {key.target_fullname}" for key in column.foreign_keys),
                ],
                "",
            )
            for column in model.__table__.columns
        )


def settings() -> Iterator[str]:
    """Group by group, by the name in the environment."""
    yield told(sys.modules[Settings.__module__])
    yield "In c2m.yaml the same names stand without prefix, in small letters, groups indented: `plan: {gap: 0.005}`."
    yield from _group(Settings, "C2M_", "The platform")


def _group(model: type[BaseModel], prefix: str, title: str) -> Iterator[str]:
    groups = {name: info.annotation for name, info in model.model_fields.items() if _is_model(info.annotation)}
    yield f"## {title}"
    if prefix != "C2M_":
        yield told(model)
    yield listed(
        entry(
            prefix + name.upper(), [spelled(info.annotation), limits(info), _unless_said(info)], info.description or ""
        )
        for name, info in model.model_fields.items()
        if name not in groups
    )
    for name, inner in groups.items():
        yield from _group(inner, f"{prefix}{name.upper()}__", f"{prefix}{name.upper()}")


def _unless_said(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True, validated_data={})
    return "" if default is None else f"default {default}"


def _is_model(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def wire() -> Iterator[str]:
    """Payload by payload of the messages between platform and factories."""
    yield "What platform and factories say to each other. `c2m contract asyncapi|openapi` prints it for machines."
    for kind in _PAYLOADS:
        yield f"## {kind.__name__}"
        yield told(kind)
        yield listed(
            entry(
                name,
                [
                    spelled(info.annotation),
                    limits(info),
                    "" if info.is_required() else "may be left out",
                    "from version 2 on" if kind is messages.JobOrder and name in messages.ADDED else "",
                ],
                "",
            )
            for name, info in kind.model_fields.items()
        )


def commands() -> Iterator[str]:
    """Command by command, with arguments and options."""
    yield "`c2m COMMAND --help` says the same. Faults of the input end with exit code 2, each told in words."
    root: Any = typer.main.get_command(app)
    for name, command in sorted(root.commands.items()):
        yield from _command(f"c2m {name}", command)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}"
    yield " ".join((command.help or "").split())
    yield listed(
        entry(
            " ".join(option.opts) if option.param_type_name == "option" else option.name.upper(),
            [_default(option)],
            option.help or "",
        )
        for option in command.params
        if option.name != "help"
    )
    for inner, each in sorted(getattr(command, "commands", {}).items()):
        yield from _command(f"{name} {inner}", each)


def api() -> Iterator[str]:
    """Module by module: what it is for, its public functions, classes and methods, and the examples that tests run."""
    yield (
        "What one part of the code offers the others. Of a folder whose face names modules, these alone are listed. "
        "Arrays have their shape in brackets. Tests run the examples, below the names that their module imports."
    )
    for part in ("c2m", "expectations", "models", "optimization"):
        for file in sorted((ROOT / part).rglob("*.py")):
            if _is_offered(file):
                yield from _module(file)


def _is_offered(file: Path) -> bool:
    """Whether other folders may import a module; migrations, commands and faces are left out."""
    if file.stem.startswith("__") or {"migrations", "cli"} & set(file.parts):
        return False
    face = ast.parse((file.parent / "__init__.py").read_text(encoding="utf-8"))
    found = (node.value for node in face.body if isinstance(node, ast.Assign) and _names(node) == ["__all__"])
    named = next((ast.literal_eval(value) for value in found), None)
    return named is None or file.stem in named


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _module(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
    if defined:
        yield f"## {'.'.join(file.relative_to(ROOT).with_suffix('').parts)}"
        yield _first(tree)
        yield listed(line for node in defined for line in _told(node))
        yield from (f"```pycon\n{example}\n```" for node in (tree, *defined) for example in _examples(node))


def _told(node: ast.FunctionDef | ast.ClassDef, of: str = "") -> Iterator[str]:
    """A function or a class with its methods; below it what its docstring says of parameters, result and errors."""
    yield entry(of + _signature(node), [], _first(node))
    for title, body in _SECTION.findall(ast.get_docstring(node) or ""):
        for name, text in _NAMED.findall(body):
            words = f"    * {_SAID[title]}`{name}`: {' '.join(text.split())}"
            yield textwrap.fill(words, 118, subsequent_indent=" " * 6, break_on_hyphens=False)
    for method in _methods(node) if isinstance(node, ast.ClassDef) else ():
        yield from _told(method, f"{node.name}.")


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Those that are called: properties, and what a module keeps to itself, are left out."""
    for part in node.body:
        properties = [mark for mark in getattr(part, "decorator_list", ()) if "property" in ast.unparse(mark)]
        if isinstance(part, ast.FunctionDef) and part.name[0] != "_" and not properties:
            yield part


def _examples(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    """The examples of a docstring, as they are typed."""
    for part in [node, *(_methods(node) if isinstance(node, ast.ClassDef) else ())]:
        if found := _EXAMPLE.search(ast.get_docstring(part) or ""):
            yield re.sub(r"\n\.\.\. # doctest:.*", "", found[0]).rstrip()


def _first(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """The first paragraph of a docstring."""
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    plain = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return f"{node.name}({', '.join(one for one in plain if one not in ('self', 'cls'))})"


def _default(option: Any) -> str:
    """What holds where an option is not given; a switch is off."""
    if isinstance(said := getattr(option, "show_default", None), str):
        return f"default {said}"
    return "" if option.default in (None, False) or callable(option.default) else f"default {option.default}"


def terms() -> Iterator[str]:
    """Term by term: price, algebra, and the formulations that carry it otherwise than exactly."""
    yield told(cost_terms)
    yield "## Formulations"
    yield listed(entry(name, [file], purpose) for name, (file, purpose) in cost_terms.FORMULATIONS.items())
    for term in cost_terms.TERMS:
        yield f"## {term.name}"
        yield f"`{term.column}`, {term.unit}: `{term.algebra}`."
        yield "Exactly, and in bounds at least; apart from that:"
        yield listed(
            entry(name, [how], why) for name in cost_terms.FORMULATIONS for how, why in [term.carried(name)] if why
        )


def entry(name: str, facts: Iterable[str], text: str) -> str:
    """A thing with its type, limits and default, and what it is."""
    known = ", ".join(fact for fact in facts if fact)
    words = f"* `{name}`" + (f" ({known})" if known else "") + (f": {text}" if text else "")
    return textwrap.fill(" ".join(words.split()), 118, subsequent_indent="  ", break_on_hyphens=False)


def listed(entries: Iterable[str]) -> str:
    """One below the other."""
    return "\n".join(entries)


# Title, where the page's facts stand, what makes it.
PAGES: dict[str, tuple[str, str, Callable[[], Iterator[str]]]] = {
    "feeds": ("Feeds", "`c2m/feeds/contracts.py`", feeds),
    "landing": ("Landing zone", "`PRODUCED` of `c2m/feeds/contracts.py`", landing),
    "marts": ("Marts", "the YAML files of `dbt_project/models/marts/`", marts),
    "ledger": ("Ledger", "`c2m/ledger/tables.py`", ledger),
    "settings": ("Settings", "`c2m/settings.py`", settings),
    "cost-terms": ("Cost terms", "`optimization/contract/terms.py`", terms),
    "messages": ("Messages", "`c2m/wire/messages.py`", wire),
    "command-line": ("Command line", "the modules of `c2m/cli/`", commands),
    "python-api": ("Python", "the docstring of each function", api),
}


def page(name: str) -> str:
    """The Markdown of one page."""
    title, source, parts = PAGES[name]
    made = f"Made by `make reference` from {source}: change it there."
    whole = (part if part.startswith(("*", "#", "```")) else textwrap.fill(part, 118) for part in parts() if part)
    return "\n\n".join([f"# {title}", made, *whole]) + "\n"


def merchants() -> str:
    """The OpenAPI document of the merchant API."""
    return json.dumps(site.create().openapi(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Writes all of them."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (folder / f"{name}.md").write_text(page(name), encoding="utf-8")
    (folder.parent / "merchants.openapi.json").write_text(merchants(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
