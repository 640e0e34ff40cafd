"""Records of a file become rows, as its mapping says: filled down, joined, one to many, left out on purpose, numbered.

In: a source. Out: the table `records` (see records.py), now of rows. "#record" is the record's number where a record is
a row; else the rows are numbered through, left-out ones too, and a column holds the number of the record. Rows that
cannot be made whole carry a "#fault". The steps are one SQL statement, a part of it per step, in the order of `Shape`.
"""

# ruff: noqa: S608  identifiers are quoted, texts are literals, expressions come from a checked mapping

import collections.abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from c2m.feeds import records
from c2m.feeds.mapping import NO_SHAPE, AddUp, Explode, FillDown, Join, Mapping, NumberLines, Unpivot, Where, columns_of
from c2m.feeds.records import Records
from c2m.feeds.rules import literal, quoted

Files = collections.abc.Mapping[str, Sequence[Path]]  # of a join, by its name
_BEFORE = "\0"  # in a step's SQL, the table of the step before; no YAML can hold it

_PER_ITEM = f"""SELECT *, unnest(CASE WHEN len("#list") > 0 THEN range(1, len("#list") + 1) ELSE [0] END) AS "#at"
    FROM {_BEFORE}"""


@dataclass(frozen=True)
class ShapedRows:
    """What stands in the table `records`: the file's own columns, its problems, the rows left out by reason."""

    file: Records
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()


def read(connection: duckdb.DuckDBPyConnection, path: Path, mapping: Mapping, joined: Files) -> ShapedRows:
    """Makes the table `records` of a file's rows, as its mapping shapes them.

    Parameters
    ----------
    connection
        Where the table is made.
    path
        The file.
    mapping
        How records become rows.
    joined
        The files behind each join.

    Returns
    -------
    ShapedRows
        What was read, and how many records were left out for which reason.
    """
    shape = mapping.shape or NO_SHAPE
    faults = [fault for join in shape.join for fault in _lay(connection, join, mapping, joined)]
    file = records.read(connection, path, mapping.read, mapping.of_file)
    file = replace(file, problems=(*file.problems, *faults))
    if mapping.shape is None or file.problems or lacks(mapping, file):
        return ShapedRows(file, {})
    connection.execute("ALTER VIEW records RENAME TO unshaped")
    connection.execute(f"CREATE TEMP TABLE shaped AS {_statement(connection, mapping)}")
    _keep_wanted(connection, mapping)
    counts = """SELECT "#out", count(*) FROM shaped WHERE "#out" IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    left_out = dict(connection.execute(counts).fetchall())
    return ShapedRows(file, left_out, tuple(_notes(connection, shape.number_lines)))


def _keep_wanted(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """The view `records` of the rows that are not left out, with no column that nobody asked for."""
    present = {name.casefold(): name for name in connection.table("shaped").columns}
    kept = [present[name.casefold()] for name in mapping.wanted if name.casefold() in present]
    names = ", ".join(map(quoted, ("#record", "#file", "#fault", "#seen", "#cells", *kept)))
    connection.execute(f'CREATE TEMP VIEW records AS SELECT {names} FROM shaped WHERE "#out" IS NULL')


def drop(connection: duckdb.DuckDBPyConnection) -> None:
    """Takes all tables of a file away, for the next one's."""
    records.drop(connection)
    connection.execute("DROP VIEW IF EXISTS unshaped; DROP TABLE IF EXISTS shaped")


def lacks(mapping: Mapping, file: Records) -> list[str]:
    """Columns that the file must have and has not."""
    present = {name.casefold() for name in file.columns}
    return [name for name in mapping.indispensable if name.casefold() not in present]


def _notes(connection: duckdb.DuckDBPyConnection, numbered: NumberLines | None) -> Iterator[str]:
    if numbered:
        further = _count(connection, f"shaped WHERE TRY_CAST({quoted(numbered.name)} AS BIGINT) > 1")
        if further:
            yield f"{further:,} further lines of one {', '.join(numbered.within)}: numbered, each a line of its own"


def _lay(connection: duckdb.DuckDBPyConnection, join: Join, mapping: Mapping, joined: Files) -> Iterator[str]:
    """Makes the table `joined_<name>` of a join's files; what is wrong with them."""
    columns = _joined_columns(join, mapping)
    texts = ", ".join(f"{quoted(column)} VARCHAR" for column in columns)
    connection.execute(f"CREATE TEMP TABLE {_table(join)} ({texts})")
    paths = joined.get(join.name, ())
    if not paths:
        yield f"join {join.name}: no file {join.files}; put it there, or take the join out of the mapping"
    for path in paths:
        faults = _add_file(connection, join, path, columns)
        yield from (f"join {join.name}: {path.name}: {fault}" for fault in faults)
    yield from _ambiguous(connection, join, columns)


def _joined_columns(join: Join, mapping: Mapping) -> list[str]:
    shape = mapping.shape or NO_SHAPE
    own = [name for name in (*mapping.wanted, *shape.reads) if shape.joined_by(name) == join]
    return list(dict.fromkeys((*join.keys.values(), *(name.partition(".")[2] for name in own))))


def _table(join: Join) -> str:
    return quoted(f"joined_{join.name}")


def _add_file(connection: duckdb.DuckDBPyConnection, join: Join, path: Path, columns: Sequence[str]) -> Iterator[str]:
    found = records.read(connection, path, join.read, columns)
    present = {name.casefold() for name in found.columns}
    absent = [name for name in columns if name.casefold() not in present]
    yield from found.problems
    if absent and not found.problems:
        yield f"columns missing: {', '.join(absent)}; the file has {found.told}"
    if not absent:
        names = ", ".join(map(quoted, columns))
        connection.execute(f'INSERT INTO {_table(join)} SELECT {names} FROM records WHERE "#fault" IS NULL')
    if not found.problems and (torn := _count(connection, 'records WHERE "#fault" IS NOT NULL')):
        yield f"{torn:,} records that cannot be read; mend them in the file"
    records.drop(connection)


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _ambiguous(connection: duckdb.DuckDBPyConnection, join: Join, columns: Sequence[str]) -> Iterator[str]:
    table, names = _table(join), ", ".join(map(quoted, columns))
    keys = ", ".join(map(quoted, join.keys.values()))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT {names} FROM {table}")
    row = connection.execute(
        f"""SELECT count(*), any_value(key)
        FROM (SELECT concat_ws(', ', {keys}) AS key FROM {table} GROUP BY {keys} HAVING count(*) > 1)"""
    ).fetchone()
    if row and row[0]:
        yield f"join {join.name}: {row[0]:,} keys, such as {row[1]!r}, have rows that differ; expected one row per key"


def _statement(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> str:
    """SQL of all steps, each over the one before it."""
    parts: list[str] = []
    for step in _steps(connection, mapping):
        parts.append(f"s{len(parts)} AS ({step.replace(_BEFORE, f's{len(parts) - 1}' if parts else 'unshaped')})")
    return f"WITH {', '.join(parts)} FROM s{len(parts) - 1}"


def _steps(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> Iterator[str]:
    """SQL per step."""
    shape = mapping.shape or NO_SHAPE
    number = f', "#record"::VARCHAR AS {quoted(shape.record_number)}' if shape.record_number else ""
    yield f'SELECT *{number}, 0 AS "#part", NULL::VARCHAR AS "#out" FROM {_BEFORE}'
    yield from _empty(connection, mapping.read.empty)
    yield from map(_fill_down, shape.fill_down)
    yield from (_join(connection, join) for join in shape.join)
    yield from _explode(shape.explode) if shape.explode else ()
    yield from _unpivot(shape.unpivot) if shape.unpivot else ()
    if shape.multiplies:
        yield f'SELECT * REPLACE (row_number() OVER (ORDER BY "#record", "#part") AS "#record") FROM {_BEFORE}'
    if shape.where:
        yield _where(shape.where)
    yield from _add_up(shape.add_up) if shape.add_up else ()
    if shape.number_lines:
        yield _number(shape.number_lines)


def _empty(connection: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> Iterator[str]:
    cells = [name for name in connection.table("unshaped").columns if not name.startswith("#")]
    if texts and cells:
        empty = ", ".join(map(literal, texts))
        yield f"SELECT * REPLACE ({', '.join(_unless(name, empty) for name in cells)}) FROM {_BEFORE}"


def _unless(name: str, texts: str) -> str:
    return f"CASE WHEN trim({quoted(name)}) NOT IN ({texts}) THEN {quoted(name)} END AS {quoted(name)}"


def _fill_down(fill: FillDown) -> str:
    """Nothing is carried across a record that cannot be read: whose value it would be is not known."""
    names = [quoted(name) for name in fill.columns]
    groups = f"PARTITION BY {', '.join(map(quoted, fill.within))} " if fill.within else ""
    blank = " AND ".join(f"{name} IS NULL" for name in names)
    above = f"""last_value(CASE WHEN NOT ({blank}) THEN "#torn" END IGNORE NULLS) OVER up"""
    orphan = f""""#fault" IS NULL AND {blank} AND "#torn" > coalesce({above}, 0)"""
    filled = "".join(f", last_value({name} IGNORE NULLS) OVER up AS {name}" for name in names)
    return f"""SELECT * EXCLUDE ("#torn") REPLACE (
            CASE WHEN {orphan} THEN 'fill-down' ELSE "#fault" END AS "#fault",
            CASE WHEN {orphan} THEN 'a record above it cannot be read' ELSE "#seen" END AS "#seen"{filled})
        FROM (SELECT *, count("#fault") OVER (ORDER BY "#record") AS "#torn" FROM {_BEFORE})
        WINDOW up AS ({groups}ORDER BY "#record")"""


def _join(connection: duckdb.DuckDBPyConnection, join: Join) -> str:
    theirs = connection.table(f"joined_{join.name}").columns
    columns = "".join(f", other.{quoted(name)} AS {quoted(f'{join.name}.{name}')}" for name in theirs)
    keys = " AND ".join(f"one.{quoted(here)} = other.{quoted(there)}" for here, there in join.keys.items())
    fault = "" if join.optional else _alone(join)
    return f"SELECT one.* {fault}{columns} FROM {_BEFORE} AS one LEFT JOIN {_table(join)} AS other ON {keys}"


def _alone(join: Join) -> str:
    """SQL: a record without a partner is a fault."""
    alone = f'one."#fault" IS NULL AND other.{quoted(next(iter(join.keys.values())))} IS NULL'
    seen = ", ".join(f"{literal(here + '=')} || coalesce(one.{quoted(here)}, '(empty)')" for here in join.keys)
    return f"""REPLACE (
            CASE WHEN {alone} THEN {literal(f"join-{join.name}")} ELSE "#fault" END AS "#fault",
            CASE WHEN {alone} THEN concat_ws(', ', {seen}) ELSE "#seen" END AS "#seen")"""


def _explode(explode: Explode) -> Iterator[str]:
    """A blank cell has no item; a filled one that gives no list is a fault."""
    filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns_of(explode.rows)) or "true"
    yield f"""SELECT *, TRY(CAST((\n{explode.rows}\n) AS VARCHAR[])) AS "#all", {filled} AS "#filled" FROM {_BEFORE}"""
    some = "list_filter(\"#all\", lambda one: trim(one) <> '')"
    yield f"""SELECT *, CASE WHEN "#fault" IS NULL THEN {some} END AS "#list" FROM {_BEFORE}"""
    yield _PER_ITEM
    unread = '"#fault" IS NULL AND "#filled" AND "#all" IS NULL'
    yield f"""SELECT * EXCLUDE ("#list", "#at", "#all", "#filled") REPLACE (
            "#at" * 1000000 AS "#part",
            CASE WHEN "#at" = 0 AND "#fault" IS NULL AND NOT ({unread}) THEN 'no item' ELSE "#out" END AS "#out",
            CASE WHEN {unread} THEN 'items' ELSE "#fault" END AS "#fault",
            CASE WHEN {unread} THEN 'no list of items' ELSE "#seen" END AS "#seen"),
        "#list"["#at"] AS {quoted(explode.name)}, "#at"::VARCHAR AS {quoted(explode.number)} FROM {_BEFORE}"""


def _unpivot(unpivot: Unpivot) -> Iterator[str]:
    cells = ", ".join(f"{{'n': {literal(name)}, 'v': {quoted(name)}}}" for name in unpivot.columns)
    none = ", ".join(map(literal, ("", *unpivot.none)))
    filled = f"list_filter([{cells}], lambda one: trim(one.v) NOT IN ({none}))"
    yield f"""SELECT *, CASE WHEN "#fault" IS NULL AND "#out" IS NULL THEN {filled} END AS "#list" FROM {_BEFORE}"""
    yield _PER_ITEM
    reason = literal(f"no cell of {', '.join(unpivot.columns)} is filled")
    yield f"""SELECT * EXCLUDE ("#list", "#at") REPLACE (
            "#part" + "#at" AS "#part",
            CASE WHEN "#at" = 0 AND "#fault" IS NULL AND "#out" IS NULL THEN {reason} ELSE "#out" END AS "#out"),
        "#list"["#at"].n AS {quoted(unpivot.name)}, "#list"["#at"].v AS {quoted(unpivot.value)} FROM {_BEFORE}"""


def _where(conditions: Sequence[Where]) -> str:
    cases = " ".join(
        f"WHEN NOT TRY(CAST((\n{one.keep}\n) AS BOOLEAN)) THEN {literal(one.reason)}" for one in conditions
    )
    return f"""SELECT * REPLACE (
        CASE WHEN "#fault" IS NULL AND "#out" IS NULL THEN CASE {cases} END ELSE "#out" END AS "#out") FROM {_BEFORE}"""


def _add_up(adds: AddUp) -> Iterator[str]:
    yield f"""SELECT *, CASE WHEN "#fault" IS NULL AND "#out" IS NULL
            THEN TRY(CAST((\n{adds.value}\n) AS DECIMAL(38,9))) END AS "#value" FROM {_BEFORE}"""
    groups = ", ".join(map(quoted, adds.within))
    alike = f'PARTITION BY "#value" IS NULL, {groups}'
    reason = literal(f"added up with another line of its {', '.join(adds.within)}")
    total = f"""rtrim(rtrim((sum("#value") OVER ({alike}))::VARCHAR, '0'), '.')"""
    again = f"""row_number() OVER ({alike} ORDER BY "#record") > 1"""
    yield f"""SELECT * EXCLUDE ("#value")
        REPLACE (CASE WHEN "#value" IS NOT NULL AND {again} THEN {reason} ELSE "#out" END AS "#out"),
        {total} AS {quoted(adds.name)} FROM {_BEFORE}"""


def _number(numbered: NumberLines) -> str:
    counts = '"#fault" IS NULL AND "#out" IS NULL'
    groups = ", ".join(map(quoted, numbered.within))
    return f"""SELECT *, CASE WHEN {counts} THEN row_number() OVER (
            PARTITION BY {counts}, {groups} ORDER BY "#record") END::VARCHAR AS {quoted(numbered.name)}
        FROM {_BEFORE}"""
