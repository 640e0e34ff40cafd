"""What a feed's pydantic model says, as DuckDB sees it: columns with type and unit, and one predicate per row rule.

A limit is written once, on the model's field; the vectorised predicate behind the quarantine is derived from it here.
"""

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

_TENANTS = ("merchant_id", "factory_id")


@dataclass(frozen=True)
class Sql:
    """Marks a field with its DuckDB type and the unit of its values."""

    type: str
    unit: str = ""
    added: bool = False  # rows had landed before the contract had it
    personal: bool = False  # free text of a person: what tells who they are is removed before it lands


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL is no letter of a text")
    return text


NO_NUL = AfterValidator(_without_nul)  # of texts that have a longest length: PostgreSQL takes none with a NUL


@dataclass(frozen=True)
class Column:
    """One column of a feed."""

    name: str
    type: str
    unit: str
    description: str
    nullable: bool  # an empty cell is allowed
    default: str | None  # what an empty cell means, where it means something
    added: bool = False  # left out of a row's hash where it is empty: rows landed before stay what they were
    personal: bool = False  # lands without what tells who the writer is


@dataclass(frozen=True)
class Rule:
    """A predicate that every row must meet. Null meets it: what must be filled is the column's own affair."""

    name: str
    columns: tuple[str, ...]  # what a broken rule shows as seen
    holds: str  # DuckDB SQL over typed columns
    advice: str


@dataclass(frozen=True)
class Reference:
    """These columns must be found in another feed; a row that comes before what it names waits in quarantine."""

    columns: tuple[str, ...]
    feed: str

    @property
    def name(self) -> str:
        """The rule's name in the quarantine."""
        return f"{self.columns[-1]}-unknown"


@dataclass(frozen=True)
class Conversion:
    """An amount counts in the currency of the catalogue's rows with the same `columns`.

    In another currency it needs a rate, either way round, of `day` or before; without one it waits in quarantine.
    """

    amount: str
    day: str
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The rule's name in the quarantine."""
        return f"{self.amount}-rate"


@dataclass(frozen=True)
class Feed:
    """A feed's contract; `row` holds columns and limits, `rules` what concerns several columns."""

    name: str
    row: type[BaseModel]
    grain: str
    key: tuple[str, ...]
    mode: Literal["upsert", "snapshot", "append"]
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    required: bool = False  # the day cannot go on without a row of it
    numbered: str | None = None  # last of the key: numbers rows of one file that lack it and are equal in the others
    ended: str | None = None  # status of a row that counts no more
    columns: tuple[Column, ...] = field(init=False)

    def __post_init__(self) -> None:
        fields = sorted(self.row.model_fields.items(), key=lambda item: item[0] == "known_at")  # inherited, so first
        object.__setattr__(self, "columns", tuple(_column(name, info) for name, info in fields))
        derived = [rule for name, info in fields for rule in _limits(name, info)]
        object.__setattr__(self, "rules", (*derived, *self.rules))

    def with_rule(self, rule: Rule) -> "Feed":
        """The same contract with one rule more."""
        more = copy(self)
        object.__setattr__(more, "rules", (*self.rules, rule))
        return more

    @property
    def tenant(self) -> str | None:
        """The column that says whose a row is."""
        return next((column.name for column in self.columns if column.name in _TENANTS), None)

    @property
    def waits_for(self) -> frozenset[str]:
        """The rules that other feeds may come to meet: rows that break no other come in by themselves then."""
        return frozenset([*(one.name for one in self.references), *(one.name for one in self.conversions)])

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


def _column(name: str, info: FieldInfo) -> Column:
    sql = next(m for m in _metadata(info) if isinstance(m, Sql))
    default = None if info.is_required() else info.default
    nullable = not info.is_required() and default is None
    return Column(name, sql.type, sql.unit, info.description or "", nullable, default, sql.added, sql.personal)


def _metadata(info: FieldInfo) -> Iterator[Any]:
    """Marks of the field and, for `X | None`, those inside X; a pydantic Field inside Annotated is opened."""
    yield from info.metadata
    for part in get_args(info.annotation) if get_origin(info.annotation) in (Union, UnionType) else ():
        for mark in getattr(part, "__metadata__", ()):
            yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, however deep in Annotated and Optional it stands."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())


_SIGNS = {"ge": (">=", "at least"), "gt": (">", "above"), "le": ("<=", "at most"), "lt": ("<", "below")}


def _limits(name: str, info: FieldInfo) -> Iterator[Rule]:
    marks = list(_metadata(info))
    if choices := _choices(info.annotation):
        yield _rule(name, "choice", f"{name} IN ({', '.join(map(literal, choices))})", f"one of {', '.join(choices)}")
    is_double = _column(name, info).type == "DOUBLE"
    if is_double:
        # NaN is greater than every number in DuckDB, so that no limit would catch it.
        yield _rule(name, "finite", f"isfinite({name})", "a finite number")
    for mark in marks:
        yield from _of_text(name, mark)
    yield from _range(name, marks, is_double)


def _of_text(name: str, mark: object) -> Iterator[Rule]:
    """What a mark of a field asks of a text: its form and its length."""
    if pattern := getattr(mark, "pattern", None):
        holds = f"regexp_full_match({name}, {literal(pattern)})"
        yield _rule(name, "form", holds, f"text of the form {pattern}")
    if (longest := getattr(mark, "max_length", None)) is not None:
        holds = f"length({name}) <= {longest} AND NOT contains({name}, chr(0))"
        yield _rule(name, "length", holds, f"at most {longest} characters, none of them NUL")
    if (shortest := getattr(mark, "min_length", None)) is not None:
        yield _rule(name, "filled", f"length(trim({name})) >= {shortest}", "a text that is not blank")


def _range(name: str, marks: list[Any], is_double: bool) -> Iterator[Rule]:
    """The bounds of all marks as one rule; NaN and the infinite break another."""
    limits = [(sign, getattr(mark, sign, None)) for mark in marks for sign in _SIGNS]
    bounds = [(*_SIGNS[sign], limit) for sign, limit in limits if limit is not None]
    if not bounds:
        return
    holds = " AND ".join(f"{name} {sign} {literal(limit)}" for sign, _, limit in bounds)
    wanted = " and ".join(f"{words} {limit}" for _, words, limit in bounds)
    yield _rule(name, "range", f"NOT isfinite({name}) OR ({holds})" if is_double else holds, f"a value {wanted}")


def _rule(column: str, name: str, holds: str, wanted: str) -> Rule:
    return Rule(f"{column}-{name}", (column,), holds, f"Give {column} as {wanted}.")


def literal(value: object) -> str:
    """A constant of a contract as a SQL literal. Not for values that come from outside: those are bound."""
    if isinstance(value, date):
        return f"TIMESTAMP '{value.isoformat()}'"
    return f"'{value.replace(chr(39), chr(39) * 2)}'" if isinstance(value, str) else str(value)


def quoted(identifier: str) -> str:
    """A column name of a file as a SQL identifier."""
    return '"' + re.sub('"', '""', identifier) + '"'
