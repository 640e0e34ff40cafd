"""How files of one feed become columns of its contract. Foreign files bring a mapping as YAML, native ones need none.

    feed: sales_lines
    files: "export-*.csv.gz"            # glob below the source's root; compressed or not
    read: {format: csv, delimiter: ",", quote: '"', encoding: utf-8}
    columns:                            # contract column: one DuckDB SQL expression over the file's columns, all text
      quantity: '"Qty"'

Each expression is evaluated as TRY(expression), cast to the column's type. Null where every column that it mentions is
filled is a fault of the row. A mapping filters no rows. A column that no expression mentions goes nowhere: neither into
the landing zone nor into the quarantine.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from c2m.errors import InputError
from c2m.feeds import landing
from c2m.feeds.contracts import FEEDS
from c2m.feeds.rules import Column, Feed, quoted


class ReadOptions(BaseModel):
    """How the file is read, always as text."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl", "parquet"] | None = Field(None, description="Else by the file's suffix")
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    encoding: str = Field("utf-8", description="Any codec of Python")


class MappingFile(BaseModel):
    """The YAML of a mapping."""

    model_config = ConfigDict(extra="forbid")

    feed: Literal[tuple(FEEDS)]  # type: ignore[valid-type]
    description: str = ""
    files: str
    read: ReadOptions = Field(default_factory=lambda: ReadOptions.model_validate({}))
    columns: dict[str, str]


@dataclass(frozen=True)
class Mapping:
    """A checked mapping. `text` is what it was made of: part of a batch's identity, kept beside the quarantine."""

    name: str  # '' for native files
    feed: Feed
    files: str
    read: ReadOptions
    expressions: dict[str, str]
    text: str

    @cached_property
    def mentioned(self) -> dict[str, tuple[str, ...]]:
        """The file's columns behind each contract column."""
        return {column: _columns_of(expression) for column, expression in self.expressions.items()}

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Every column of the file that the mapping reads."""
        return tuple(dict.fromkeys(name for names in self.mentioned.values() for name in names))

    @property
    def indispensable(self) -> tuple[str, ...]:
        """Columns that a file must have: all that a mapping mentions; of a native file, those that must be filled."""
        if self.name:
            return self.wanted
        may_lack = {c.name for c in self.feed.columns if c.nullable or c.default is not None} | {"known_at"}
        return tuple(name for name in self.wanted if name not in may_lack)

    def value(self, column: Column) -> str:
        """SQL of a contract column over the file's columns; NULL where it cannot be had."""
        typed = _typed(self.expressions.get(column.name, "NULL"), column.type)
        return typed if column.default is None else f"coalesce({typed}, '{column.default}')"


def native(name: str) -> Mapping:
    """The mapping of files that already have the columns of the feed."""
    feed = FEEDS[name]
    expressions = {column.name: f"trim({quoted(column.name)})" for column in feed.columns}
    return Mapping("", feed, f"{name}*", ReadOptions.model_validate({}), expressions, "")


def load(path: Path, name: str | None = None) -> Mapping:
    """Reads and checks a mapping; all its faults at once."""
    return parse(path.read_text(encoding="utf-8"), name or path.name)


def parse(text: str, name: str) -> Mapping:
    """`load` for a text at hand."""
    try:
        file = MappingFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InputError("mapping", [f"{name}: not YAML: {error}"]) from error
    except ValidationError as error:
        faults = [f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError("mapping", faults) from error
    if faults := [f"{name}: {fault}" for fault in _faults(file)]:
        raise InputError("mapping", faults)
    return Mapping(name, FEEDS[file.feed], file.files, file.read, file.columns, text)


def fingerprint(mapping: Mapping) -> str:
    """Hex digest of the mapping's content."""
    return hashlib.sha256(mapping.text.encode()).hexdigest()


def _faults(file: MappingFile) -> Iterator[str]:
    feed = FEEDS[file.feed]
    known = {column.name: column for column in feed.columns}
    for name in file.columns.keys() - known.keys():
        yield f"columns.{name}: {feed.name} has no such column; it has {', '.join(known)}"
    for name, column in known.items():
        if name in file.columns:
            yield from (f"columns.{name}: {fault}" for fault in _expression_faults(file.columns[name], column))
        elif not column.nullable and column.default is None and name != "known_at":
            yield f"columns.{name}: missing; {feed.name} needs it"


def _expression_faults(expression: str, column: Column) -> Iterator[str]:
    tree = _parsed(expression)
    if tree.get("error"):
        yield f"not a DuckDB expression: {tree['error_message']}: {expression}"
        return
    if refused := sorted({kind for kind in _values(tree, "class") if kind in _REFUSED}):
        yield f"an expression over one row may hold no {', '.join(refused).lower()}: {expression}"
        return
    source = ", ".join(f"NULL::VARCHAR AS {quoted(name)}" for name in ("#record", *_columns_of(expression)))
    try:
        landing.connect().sql(f'SELECT "#record", {_typed(expression, column.type)} FROM (SELECT {source})')  # noqa: S608
    except duckdb.Error as error:
        yield f"{str(error).splitlines()[0]}: {expression}"


_REFUSED = {"SUBQUERY", "WINDOW", "LAMBDA", "STAR", "PARAMETER"}


def _parsed(expression: str) -> dict[str, Any]:
    """DuckDB's syntax tree of one expression; `error` is set where the text is anything else."""
    row = landing.connect().execute("SELECT json_serialize_sql(?)", [f"SELECT (\n{expression}\n)"]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    node = tree["statements"][0]["node"] if not tree.get("error") else {}
    if node and (len(tree["statements"]) > 1 or len(node["select_list"]) > 1 or node["from_table"]["type"] != "EMPTY"):
        return {"error": True, "error_message": "expected one expression"}
    return tree


@cache
def _columns_of(expression: str) -> tuple[str, ...]:
    found = [names[-1] for names in _values(_parsed(expression), "column_names") if names]
    return tuple({name.casefold(): name for name in found}.values())


def _values(tree: Any, key: str) -> Iterator[Any]:
    """Every value that stands under `key`, anywhere in a JSON tree."""
    if isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        tree = list(tree.values())
    for branch in tree if isinstance(tree, list) else ():
        yield from _values(branch, key)


def _typed(expression: str, kind: str) -> str:
    value = f"(\n{expression}\n)"
    if kind == "INTEGER":  # a bare cast would round 1.5 to 2
        whole = f"CAST({value} AS DECIMAL(18,4))"
        return f"TRY(CASE WHEN {whole} = trunc({whole}) THEN CAST({value} AS INTEGER) END)"
    if kind == "TIMESTAMP":  # an offset in the text counts; without one it is UTC, the session's zone
        return f"TRY(CAST(CAST({value} AS TIMESTAMPTZ) AS TIMESTAMP))"
    return f"TRY(CAST({value} AS {kind}))"
