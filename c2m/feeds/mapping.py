"""How files of one feed become columns of its contract. Foreign files bring a mapping as YAML, native ones need none.

    feed: sales_lines
    files: "export-*.csv.gz"            # glob below the source's root; compressed or not
    read: {format: csv, delimiter: ",", quote: '"', encoding: utf-8}
    columns:                            # contract column: one DuckDB SQL expression over the file's columns, all text
      quantity: '"Qty"'

Each expression is evaluated as TRY(expression), cast to the column's type. Null where every column that it mentions is
filled is a fault of the row, unless the column says when null is meant: {value: ..., null_when: ...}. A column that no
expression mentions goes nowhere: neither into the landing zone nor into the quarantine. What makes rows of records
(fill_down, join, explode, unpivot, where, number_lines) is carried out by shape.py. Without such keys every record is a
row, and none is left out.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from c2m.errors import InputError
from c2m.feeds import landing
from c2m.feeds.contracts import FEEDS
from c2m.feeds.rules import Column, Feed, Rule, literal, quoted


def _parsed(expression: str) -> dict[str, Any]:
    """DuckDB's syntax tree of one expression; `error` is set where the text is anything else."""
    row = landing.connect().execute("SELECT json_serialize_sql(?)", [f"SELECT (\n{expression}\n)"]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    node = tree["statements"][0]["node"] if not tree.get("error") else {}
    if node and (len(tree["statements"]) > 1 or len(node["select_list"]) > 1 or node["from_table"]["type"] != "EMPTY"):
        return {"error": True, "error_message": "expected one expression"}
    return tree


@cache
def columns_of(expression: str) -> tuple[str, ...]:
    """The columns that an expression mentions."""
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


# DuckDB's types, and the macro (see landing.py) that a cast to it goes through.
_STRICTLY = {"DATE": "day_of", "TIMESTAMP WITH TIME ZONE": "moment_of"}


@cache
def _strict(expression: str) -> str:
    """The expression with casts that take no text for another day, time or number than it says."""
    tree = _parsed(expression)
    casts = [] if tree.get("error") else [node for node in _nodes(tree) if _stand_in(node)]
    if not casts:
        return expression
    for node in casts:
        call = _call("FUNCTION", "FUNCTION", node["child"]) | {"function_name": _stand_in(node), "schema": ""}
        call |= {"filter": None, "order_bys": {"type": "ORDER_MODIFIER", "orders": []}, "distinct": False}
        call |= {"is_operator": False, "export_state": False, "catalog": ""}
        node["child"] = _call("OPERATOR", "OPERATOR_TRY", call) if node["try_cast"] else call
    row = landing.connect().execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchone()
    return str(row[0]).removeprefix("SELECT ") if row else expression


def _call(kind: str, name: str, child: dict[str, Any]) -> dict[str, Any]:
    return {"class": kind, "type": name, "alias": "", "query_location": 0, "children": [child]}


def _stand_in(node: dict[str, Any]) -> str | None:
    """The macro that the cast in this node of a syntax tree lacks, where it is one."""
    kind = str(node["cast_type"]["id"]) if node.get("class") == "CAST" else ""
    macro = "whole_of" if kind.endswith(("INT", "INTEGER")) else _STRICTLY.get(kind)
    return None if macro in _values(node["child"] if macro else {}, "function_name") else macro


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    for branch in tree if isinstance(tree, list) else ():
        yield from _nodes(branch)


def _below(glob: str) -> str:
    if not Path(glob).parts or Path(glob).is_absolute():
        raise ValueError(f"{glob!r} names no file below the source's root: give a glob such as orders-*.csv")
    return glob


Expression = Annotated[str, AfterValidator(_strict)]
Files = Annotated[str, AfterValidator(_below)]


class ReadOptions(BaseModel):
    """How the file is read, always as text."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl", "parquet", "json", "xml", "excel"] | None = Field(
        None, description="Else by the file's suffix"
    )
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    escape: str | None = Field(
        None, min_length=1, max_length=1, description="Sign that takes the next one as it is: a backslash, of databases"
    )
    encoding: str = Field("utf-8", description="Any codec of Python")
    header: int = Field(
        1, ge=0, le=1000, description="Line (of a sheet: row) that names the columns, from 1; 0: no line does"
    )
    names: list[str] = Field(default_factory=list, description="Names of all columns, instead of those in the header")
    sheet: str | None = Field(None, description="Of a workbook; else its first that is neither hidden nor empty")
    member: str | None = Field(None, description="File in a zip that holds several; *.csv: all such, as one")
    path: str | None = Field(
        None, description="Where the records stand: keys of JSON (data.orders), a tag of XML (order)"
    )
    lists: list[str] = Field(default_factory=list, description="Tags of XML that are lists, though one comes alone")
    empty: list[str] = Field(default_factory=list, description="Texts that mean an empty cell, such as N/A")

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError as error:
            raise ValueError(f"{error}; such as utf-8, utf-16, cp1252, gb18030") from None
        return encoding

    @model_validator(mode="after")
    def _columns_have_names(self) -> "ReadOptions":
        if self.header == 0 and not self.names:
            raise ValueError("header: 0 says that no line names the columns: give names: [...]")
        return self


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FillDown(_Part):
    """Blank cells of these columns take the value above; with `within`, of the same group only."""

    columns: list[str] = Field(min_length=1)
    within: list[str] = Field(default_factory=list)


class Join(_Part):
    """Columns of another file, under `name.column`, by equal keys; a record without a partner is a fault."""

    name: str = Field(alias="as", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    files: Files = Field(description="Glob below the source's root")
    keys: dict[str, str] = Field(min_length=1, description="Column here: column of the other file")
    read: ReadOptions = Field(default_factory=lambda: ReadOptions.model_validate({}))
    optional: bool = Field(False, description="A record without a partner is in order; its columns are empty")


class Explode(_Part):
    """A record becomes as many rows as a list has items."""

    rows: Expression = Field(description="DuckDB SQL: the list of items, as text")
    name: str = Field("item", alias="as", description="Column that holds the item")
    number: str = Field("item_number", description="Column that holds its place in the list, from 1")


class Unpivot(_Part):
    """A record becomes a row per filled cell of these columns."""

    columns: list[str] = Field(min_length=1)
    name: str = Field(description="Column that will hold the name of the cell's column")
    value: str = Field(description="Column that will hold the cell")
    none: list[str] = Field(default_factory=list, description="Texts that mean none, beside blank")


class Where(_Part):
    """Rows for which `keep` is false are left out, counted under the reason."""

    keep: Expression = Field(description="DuckDB SQL; null (it cannot be told) keeps the row")
    reason: str = Field(min_length=1)


class NumberLines(_Part):
    """Numbers the rows of one file that are equal in these columns: what has no id of its own gets one."""

    name: str = Field("line_number", alias="as")
    within: list[str] = Field(min_length=1)


class AddUp(_Part):
    """Rows of one file that are equal in these columns become one: the first, with the sum; the others are left out."""

    value: Expression = Field(description="DuckDB SQL: what is added, a number; a row without one stays as it is")
    name: str = Field("total", alias="as", description="Column that holds the sum")
    within: list[str] = Field(min_length=1)


class Value(_Part):
    """A contract column that is null on purpose where `null_when` is true."""

    value: Expression
    null_when: Expression


class Shape(_Part):
    """How records become rows, in the order in which it is done."""

    record_number: str | None = Field(None, description="Column that holds the number of the record in the file")
    fill_down: list[FillDown] = Field(default_factory=list)
    join: list[Join] = Field(default_factory=list)
    explode: Explode | None = None
    unpivot: Unpivot | None = None
    where: list[Where] = Field(default_factory=list)
    add_up: AddUp | None = None
    number_lines: NumberLines | None = None

    @property
    def multiplies(self) -> bool:
        """Whether a record may become several rows."""
        return bool(self.explode or self.unpivot)

    @cached_property
    def made(self) -> frozenset[str]:
        """Columns that no file has."""
        found = {self.record_number}
        found |= {self.explode.name, self.explode.number} if self.explode else set()
        found |= {self.unpivot.name, self.unpivot.value} if self.unpivot else set()
        found |= {self.add_up.name} if self.add_up else set()
        found |= {self.number_lines.name} if self.number_lines else set()
        return frozenset(found - {None})  # type: ignore[arg-type]

    def joined_by(self, column: str) -> Join | None:
        """The join that a column `name.column` comes from."""
        return next((join for join in self.join if column.startswith(f"{join.name}.")), None)

    def conditions(self) -> Iterator[tuple[str, str, str]]:
        """Where it stands, the expression, and the type that it must have."""
        if self.explode:
            yield "explode.rows", self.explode.rows, "VARCHAR[]"
        if self.add_up:
            yield "add_up.value", self.add_up.value, "DECIMAL(38,9)"
        yield from ((f"where.{i}.keep", one.keep, "BOOLEAN") for i, one in enumerate(self.where))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Columns that the steps themselves need, of whatever file."""
        names = [name for fill in self.fill_down for name in (*fill.columns, *fill.within)]
        names += [name for join in self.join for name in join.keys]
        names += [name for _, expression, _ in self.conditions() for name in columns_of(expression)]
        names += self.unpivot.columns if self.unpivot else []
        names += self.add_up.within if self.add_up else []
        names += self.number_lines.within if self.number_lines else []
        return tuple(dict.fromkeys(names))


NOT_OF_SOURCE = "merchant-not-of-source"  # the rule of a source that speaks for some merchants alone
NO_SHAPE = Shape.model_validate({})


class MappingFile(Shape):
    """The YAML of a mapping."""

    feed: Literal[tuple(FEEDS)]  # type: ignore[valid-type]
    description: str = ""
    files: Files
    read: ReadOptions = Field(default_factory=lambda: ReadOptions.model_validate({}))
    newest_file_wins: bool = Field(
        False, description="A row that differs from what has landed under its key is known since its file arrived"
    )
    columns: dict[str, Expression | Value]

    @field_validator("columns", mode="before")
    @classmethod
    def _texts(cls, columns: Any) -> Any:
        specs = columns.items() if isinstance(columns, dict) else ()
        if odd := [str(name) for name, spec in specs if not isinstance(spec, str | dict)]:
            raise ValueError(
                f"{', '.join(odd)}: YAML takes this for a number, a date or a truth value; put it in quotes"
            )
        return columns


@dataclass(frozen=True)
class Mapping:
    """A checked mapping. `text` is what it was made of: part of a batch's identity, kept beside the quarantine."""

    name: str  # '' for native files
    feed: Feed
    files: str  # glob below the source's root
    read: ReadOptions
    expressions: dict[str, str]  # DuckDB SQL by column of the feed
    text: str
    # condition by column of the feed, under which null is meant
    null_when: dict[str, str] = field(default_factory=dict)
    shape: Shape | None = None  # None: every record is a row
    newest_file_wins: bool = False
    merchants: tuple[str, ...] | None = None  # who its source may speak for; None: anybody
    unbound: "Mapping | None" = None  # of one whose source may not speak for anybody: what it is for all

    def bound(self, merchants: Sequence[str] | None) -> "Mapping":
        """The mapping of a source that may speak for these merchants alone: rows of others go to quarantine."""
        if merchants is None or not any(column.name == "merchant_id" for column in self.feed.columns):
            return self
        feed = self.feed.with_rule(_speaks_for(merchants))
        return replace(self, feed=feed, merchants=tuple(merchants), unbound=self)

    def is_like(self, other: "Mapping") -> bool:
        """Whether both read files alike, whoever their sources may speak for."""
        return (self.name, self.feed.name, self.text) == (other.name, other.feed.name, other.text)

    @cached_property
    def mentioned(self) -> dict[str, tuple[str, ...]]:
        """The columns behind each contract column."""
        return {column: columns_of(expression) for column, expression in self.expressions.items()}

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Every column of a row that the mapping reads; of one record among several rows, its number too."""
        conditions = (name for expression in self.null_when.values() for name in columns_of(expression))
        wanted = [name for names in self.mentioned.values() for name in names] + list(conditions)
        if self.shape and self.shape.multiplies:
            wanted.append(self.shape.record_number or "")
        return tuple(dict.fromkeys(wanted))

    @cached_property
    def of_file(self) -> tuple[str, ...]:
        """Every column of the file itself that is read."""
        shape = self.shape
        if shape is None:
            return self.wanted
        names = dict.fromkeys((*self.wanted, *shape.reads))
        return tuple(name for name in names if name not in shape.made and not shape.joined_by(name))

    @property
    def indispensable(self) -> tuple[str, ...]:
        """Columns that a file must have: all that a mapping mentions; of a native file, those that must be filled."""
        if self.name:
            return self.of_file
        may_lack = {"known_at", *(c.name for c in self.feed.columns if c.nullable or c.default is not None)}
        return tuple(name for name in self.wanted if name not in may_lack)

    def value(self, column: Column) -> str:
        """SQL of a contract column over the file's columns; NULL where it cannot be had."""
        typed = _typed(self.expressions.get(column.name, "NULL"), column.type)
        if meant := self.null_when.get(column.name):
            typed = f"CASE WHEN {_typed(meant, 'BOOLEAN')} THEN NULL ELSE {typed} END"
        return typed if column.default is None else f"coalesce({typed}, '{column.default}')"


def _speaks_for(merchants: Sequence[str], file: int | None = None) -> Rule:
    """The rule of a source, or of this one of several files."""
    known = ", ".join(map(literal, merchants)) or "NULL"
    advice = f"This source speaks for {', '.join(merchants) or 'nobody'}: name its merchants in world.yaml."
    other = f'"#file" <> {file} OR ' if file else ""
    return Rule(NOT_OF_SOURCE, ("merchant_id",), f"{other}coalesce(merchant_id IN ({known}), false)", advice)


def of_files(mappings: Sequence[Mapping]) -> Mapping:
    """One mapping for files 1, 2, ... whose mappings are alike but for whom their sources may speak for."""
    first = mappings[0]
    if all(one.merchants == first.merchants for one in mappings):
        return first
    base = first.unbound or first
    feed = base.feed
    for file, mapping in enumerate(mappings, 1):
        feed = feed if mapping.merchants is None else feed.with_rule(_speaks_for(mapping.merchants, file))
    return replace(base, feed=feed)


def native(name: str) -> Mapping:
    """The mapping of files that already have the columns of the feed; blanks around a cell are none of it."""
    feed = FEEDS[name]
    expressions = {column.name: quoted(column.name) for column in feed.columns}
    return Mapping("", feed, f"{name}*", ReadOptions.model_validate({}), expressions, "")


def load(path: Path, name: str | None = None) -> Mapping:
    """Reads and checks a mapping; all its faults at once."""
    return parse(path.read_text(encoding="utf-8"), name or path.name)


def parse(text: str, name: str) -> Mapping:
    """`load` for a text at hand.

    Parameters
    ----------
    text
        YAML; JSON is YAML too.
    name
        What faults call it.

    Returns
    -------
    Mapping
        Checked: no column that the feed needs is missing, and every expression can be evaluated.

    Raises
    ------
    InputError
        It is not YAML, or breaks the form of a mapping; all faults at once.

    Examples
    --------
    >>> stock = {"merchant_id": "'m1'", "sku_id": "Item", "location_id": "'main'", "as_of": "Counted", "on_hand": "Qty"}
    >>> mapping = parse(json.dumps({"feed": "stock", "files": "stock*.csv", "columns": stock}), "stock.yaml")
    >>> mapping.feed.name, mapping.wanted
    ('stock', ('Item', 'Counted', 'Qty'))
    >>> stock["unit"] = "U"
    >>> parse(json.dumps({"feed": "stock", "files": "stock*.csv", "columns": stock}), "stock.yaml")
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    c2m.errors.InputError: stock.yaml: columns.unit: stock has no such column; it has merchant_id, sku_id, ...
    """
    try:
        file = MappingFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InputError("mapping", [f"{name}: not YAML: {error}"]) from error
    except ValidationError as error:
        faults = [f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError("mapping", faults) from error
    if faults := [f"{name}: {fault}" for fault in _faults(file)]:
        raise InputError("mapping", faults)
    specs = {column: spec if isinstance(spec, Value) else None for column, spec in file.columns.items()}
    return Mapping(
        name,
        FEEDS[file.feed],
        file.files,
        file.read,
        {column: spec if isinstance(spec, str) else spec.value for column, spec in file.columns.items()},
        text,
        {column: spec.null_when for column, spec in specs.items() if spec},
        _shape(file),
        file.newest_file_wins,
    )


def _shape(file: MappingFile) -> Shape | None:
    """Its steps; None where every record is a row as it stands."""
    shape = Shape.model_validate(file.model_dump(include=set(Shape.model_fields), by_alias=True))
    if shape.multiplies and not shape.record_number:
        shape = shape.model_copy(update={"record_number": "record_number"})
    return shape if file.read.empty or shape != NO_SHAPE else None


def fingerprint(mapping: Mapping) -> str:
    """Hex digest of the mapping's content."""
    return hashlib.sha256(mapping.text.encode()).hexdigest()


def _faults(file: MappingFile) -> Iterator[str]:
    feed = FEEDS[file.feed]
    known = {column.name: column for column in feed.columns}
    for name in file.columns.keys() - known.keys():
        yield f"columns.{name}: {feed.name} has no such column; it has {', '.join(known)}"
    for name, column in known.items():
        if (spec := file.columns.get(name)) is not None:
            yield from (f"columns.{name}: {fault}" for fault in _spec_faults(spec, column))
        elif not column.nullable and column.default is None and name != "known_at":
            yield f"columns.{name}: missing; {feed.name} needs it"
    yield from _step_faults(file, feed)


def _step_faults(file: MappingFile, feed: Feed) -> Iterator[str]:
    for place, expression, kind in file.conditions():
        yield from (f"{place}: {fault}" for fault in _expression_faults(expression, kind))
    if file.newest_file_wins and feed.mode != "upsert":
        yield f"newest_file_wins: {feed.name} keeps every row ({feed.mode}); only an upsert feed has a newest one"
    names = [join.name for join in file.join]
    yield from (f"join: two are named {name}" for name in sorted({n for n in names if names.count(n) > 1}))


def _spec_faults(spec: str | Value, column: Column) -> Iterator[str]:
    if isinstance(spec, str):
        yield from _expression_faults(spec, column.type)
        return
    yield from _expression_faults(spec.value, column.type)
    yield from (f"null_when: {fault}" for fault in _expression_faults(spec.null_when, "BOOLEAN"))
    if not column.nullable:
        yield "null_when: this column may not be empty"


def _expression_faults(expression: str, kind: str) -> Iterator[str]:
    tree = _parsed(expression)
    if tree.get("error"):
        yield f"not a DuckDB expression: {tree['error_message']}: {expression}"
        return
    if refused := sorted({kind for kind in _values(tree, "class") if kind in _REFUSED}):
        yield f"an expression over one row may hold no {', '.join(refused).lower()}: {expression}"
        return
    source = ", ".join(f"NULL::VARCHAR AS {quoted(name)}" for name in ("#record", *columns_of(expression)))
    try:
        landing.connect().sql(f'SELECT "#record", {_typed(expression, kind)} FROM (SELECT {source})')  # noqa: S608
    except duckdb.Error as error:
        yield f"{str(error).splitlines()[0]}: {expression}"


_REFUSED = {"SUBQUERY", "WINDOW", "LAMBDA", "STAR", "PARAMETER"}


def _typed(expression: str, kind: str) -> str:
    value = f"(\n{expression}\n)"
    if kind in ("INTEGER", "BIGINT"):
        return f"TRY(CAST(whole_of({value}) AS {kind}))"
    if kind.startswith(("DOUBLE", "DECIMAL")):
        return f"TRY(CAST(unparted({value}) AS {kind}))"
    if kind == "DATE":
        return f"TRY(day_of({value}))"
    if kind == "TIMESTAMP":  # an offset in the text counts; without one it is UTC, the session's zone
        plain = f"CASE WHEN CAST({value} AS VARCHAR) LIKE '____-__-_____:__:__' THEN CAST({value} AS TIMESTAMP) END"
        moment = "TRY(CAST(moment_of({}) AS TIMESTAMP))"
        closed = rf"regexp_replace(CAST({value} AS VARCHAR), ' ([+-]\d\d):?(\d\d)$', '\1:\2')"  # DuckDB wants no blank
        return f"coalesce(TRY({plain}), {moment.format(value)}, {moment.format(closed)})"  # nearly all are plain
    return f"TRY(CAST({value} AS {kind}))"
