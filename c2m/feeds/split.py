"""The quarantine split: of the table `records`, rows that keep the contract go to `accepted`, broken rules to `broken`.

`typed` holds the contract's columns of every record, `broken` one row per record and broken rule (what was seen, what
to do), `accepted` the rest: every record is in exactly one of the two. Of rows with one key and known_at the first
stands; the same row again is accepted and not landed twice (`duplicate`), other content is a conflict. Several files of
one mapping may be split together, as if one came after the other: "#file" (1, 2, ...) says of which a record is.
"""

# ruff: noqa: S608  identifiers are the contract's or quoted, values are bound

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from c2m.feeds import landing
from c2m.feeds.mapping import Mapping
from c2m.feeds.rules import Column, Conversion, Feed, Reference, literal, quoted

LINE = "#line"  # of the table `records`: the number that a row of a numbered feed had before

_TYPES = {
    "INTEGER": "a whole number",
    "DOUBLE": "a number",
    "DATE": "a date, YYYY-MM-DD",
    "TIMESTAMP": "a time such as 2026-06-01T09:30:00Z",
    "BOOLEAN": "true or false",
}


@dataclass(frozen=True)
class _Check:
    """SQL: when a row is broken, by which rule, what to show as seen, and what to do."""

    when: str
    rule: str
    seen: str
    advice: str

    def __str__(self) -> str:
        said = f"{{'rule': {literal(self.rule)}, 'seen': {self.seen}, 'advice': {literal(self.advice)}}}"
        return f"CASE WHEN {self.when} THEN {said} END"


def split(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    arrivals: Sequence[datetime],
    own: Sequence[str] = (),
    earlier: Sequence[str] = (),
) -> None:
    """Makes `typed`, `broken` and `accepted` of files that came at these moments.

    Landed rows of the batches `own` (a run that broke off) do not count. What a file that was read otherwise before, in
    the batches `earlier`, now says of a key is known since it came anew; the rows of keys that it says nothing of any
    more are in the table `gone`.
    """
    _type(connection, mapping, arrivals)
    _number_lines(connection, mapping.feed)
    if mapping.newest_file_wins or earlier:
        held = "true" if mapping.newest_file_wins else "list_contains($earlier, l._batch_id)"
        bound = {"arrived_at": arrivals[0], "own": list(own), "earlier": list(earlier)}
        _date_by_arrival(connection, mapping.feed, held, bound)
    if earlier:
        _miss(connection, mapping.feed, arrivals[0], {"own": list(own), "earlier": list(earlier)})
    connection.execute(
        """CREATE TEMP TABLE broken AS SELECT "#record", "#fault" AS rule, "#seen" AS seen, $advice AS advice
        FROM records WHERE "#fault" IS NOT NULL""",
        {"advice": "Mend the record in the file, or give its columns here."},
    )
    _insert(connection, 'typed JOIN source USING ("#record")', [_fill(mapping, c) for c in mapping.feed.columns])
    _insert(
        connection,
        "typed",
        [_Check(f"NOT ({rule.holds})", rule.name, _shown(rule.columns), rule.advice) for rule in mapping.feed.rules],
    )
    _insert(connection, "typed", [_refer(reference) for reference in mapping.feed.references])
    _insert(connection, "typed", [_convert(conversion) for conversion in mapping.feed.conversions])
    _stand(connection, mapping.feed, own)


def quarantine_all(connection: duckdb.DuckDBPyConnection, feed: Feed, problems: Sequence[str]) -> None:
    """`broken` with every record and an empty `accepted`: for a file that cannot be used as a whole."""
    columns = ", ".join(f"NULL::{column.type} AS {column.name}" for column in feed.columns)
    connection.execute(
        f"""CREATE TEMP TABLE accepted AS
        SELECT NULL::BIGINT AS "#record", NULL::INTEGER AS "#file",
            {columns}, NULL::VARCHAR AS _row_hash, NULL::BOOLEAN AS duplicate LIMIT 0"""
    )
    connection.execute(
        """CREATE TEMP TABLE broken AS
        SELECT "#record", 'file' AS rule, $seen AS seen, 'Mend the file and bring it in again.' AS advice
        FROM records""",
        {"seen": "; ".join(problems)},
    )


def _type(connection: duckdb.DuckDBPyConnection, mapping: Mapping, arrivals: Sequence[datetime]) -> None:
    present = {name.casefold() for name in connection.table("records").columns}
    lacking = "".join(f", NULL::VARCHAR AS {quoted(n)}" for n in mapping.wanted if n.casefold() not in present)
    meant = "".join(
        f", TRY(CAST((\n{expression}\n) AS BOOLEAN)) AS {quoted(f'#meant {column}')}"
        for column, expression in mapping.null_when.items()
    )
    own = mapping.wanted if not mapping.name else ()  # of a native file; once, whatever looks at a cell how often
    trimmed = ", ".join(f"trim({quoted(name)}) AS {quoted(name)}" for name in own if name.casefold() in present)
    connection.execute(
        f"""CREATE TEMP VIEW source AS SELECT *{meant}
        FROM (SELECT * {f"REPLACE ({trimmed})" if trimmed else ""}{lacking} FROM records WHERE "#fault" IS NULL)"""
    )
    *columns, known_at = mapping.feed.columns
    values = "".join(f", {mapping.value(column)} AS {column.name}" for column in columns)
    arrival = f'CASE WHEN NOT ({_filled(mapping, known_at)}) THEN $arrivals["#file"] END'
    moment = f"coalesce({mapping.value(known_at)}, {arrival})"
    connection.execute(
        f"""CREATE TEMP TABLE typed AS
        SELECT "#record", "#file"{values}, CAST({moment} AS TIMESTAMP) AS known_at FROM source""",
        {"arrivals": list(arrivals)},
    )


def _number_lines(connection: duckdb.DuckDBPyConnection, feed: Feed) -> None:
    """Equal lines of one file without an id of their own are lines of their own; one that comes back has its number."""
    if feed.numbered is None:
        return
    if LINE in connection.table("records").columns:
        number = f"""r.{quoted(LINE)} FROM records AS r
            WHERE typed."#record" = r."#record" AND r.{quoted(LINE)} IS NOT NULL"""
    else:
        equal = ", ".join((*(name for name in feed.key if name != feed.numbered), "known_at"))
        number = f"""'#' || place FROM (
                SELECT "#record", row_number() OVER (PARTITION BY "#file", {equal} ORDER BY "#record") AS place
                FROM typed WHERE {feed.numbered} = {literal(feed.column(feed.numbered).default)}
            ) AS numbered WHERE typed."#record" = numbered."#record" AND place > 1"""
    connection.execute(f"UPDATE typed SET {feed.numbered} = {number}")


def _filled(mapping: Mapping, column: Column) -> str:
    """SQL: every column of the file behind this one holds something, and null is not meant. A constant is filled."""
    if column.name not in mapping.expressions:
        return "false"
    names = mapping.mentioned[column.name]
    filled = [f"source.{quoted(name)} IS NOT NULL" for name in names]
    if column.name in mapping.null_when:
        filled.append(f"NOT coalesce(source.{quoted(f'#meant {column.name}')}, false)")
    return " AND ".join(filled) or "true"


def _fill(mapping: Mapping, column: Column) -> _Check:
    """Null out of filled cells, or where there must be something."""
    name, filled = column.name, _filled(mapping, column)
    null = f"typed.{name} IS NULL"
    when = f"{null} AND {filled}" if column.nullable else null
    cells = [
        f"{literal(cell + '=')} || coalesce(source.{quoted(cell)}, '(empty)')"
        for cell in mapping.mentioned.get(name, ())
    ]
    seen = f"concat_ws(', ', {', '.join(cells) or literal('(empty)')})"
    return _Check(when, f"{name}-type", seen, f"Give {name} as {_TYPES.get(column.type, 'the mapping expects it')}.")


def _shown(columns: Iterable[str]) -> str:
    return "concat_ws(', ', " + ", ".join(f"'{c}=' || coalesce({c}::VARCHAR, '(empty)')" for c in columns) + ")"


def _refer(reference: Reference) -> _Check:
    known = f"SELECT {', '.join(reference.columns)} FROM {landing.source(reference.feed)}"
    filled = " AND ".join(f"{column} IS NOT NULL" for column in reference.columns)
    when = f"{filled} AND ({', '.join(reference.columns)}) NOT IN ({known})"
    advice = f"Bring in its row of {reference.feed}: this row then comes in by itself. Or correct the id."
    return _Check(when, reference.name, _shown(reference.columns), advice)


def _convert(conversion: Conversion) -> _Check:
    owner, rates = ", ".join(conversion.columns), landing.source("exchange_rates")
    lacking = f"""
        WITH counted AS (SELECT DISTINCT {owner}, currency FROM {landing.source("catalogue")}),
        known AS (
            SELECT currency, quote_currency, min(day) AS since FROM (
                SELECT currency, quote_currency, day FROM {rates}
                UNION ALL SELECT quote_currency, currency, day FROM {rates}
            ) GROUP BY ALL
        )
        SELECT "#record" FROM (
            SELECT "#record", {owner}, currency, {conversion.day} AS day
            FROM typed ANTI JOIN counted USING ({owner}, currency) WHERE {conversion.amount} > 0
        ) AS t JOIN counted AS c USING ({owner})
        LEFT JOIN known AS k ON k.currency = t.currency AND k.quote_currency = c.currency AND k.since <= t.day
        GROUP BY "#record" HAVING count(k.since) = 0"""
    advice = "Bring in exchange_rates between this currency and the catalogue's, of this day or before: this row then "
    shown = _shown((conversion.amount, "currency", *conversion.columns, conversion.day))
    return _Check(f'"#record" IN ({lacking})', conversion.name, shown, f"{advice}comes in by itself.")


def row_hash(feed: Feed) -> str:
    """SQL: the hash of a row by its contract's columns."""
    content = ", ".join(
        f"'{column.name}=' || {_said(column)}" if column.added else f"coalesce({column.name}::VARCHAR, chr(30))"
        for column in feed.columns
    )
    return f"md5(concat_ws(chr(31), {content}))"


def _said(column: Column) -> str:
    """SQL: the text of a column that came later, null where it says no more than rows that landed before."""
    text = f"{column.name}::VARCHAR"
    return text if column.default is None else f"nullif({text}, {literal(column.default)})"


def hashes(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, arrived_at: datetime, numbers: Sequence[int]
) -> dict[int, str]:
    """Hashes of rows of the table `every`, broken ones too. Makes the table `records` of them.

    Parameters
    ----------
    connection
        Where both tables are.
    mapping
        Of the file.
    arrived_at
        UTC; stands for known_at where the file names none.
    numbers
        Of the rows.

    Returns
    -------
    dict
        Hash by number.
    """
    connection.execute("DROP VIEW IF EXISTS source")
    connection.execute("DROP TABLE IF EXISTS typed")
    wanted = '"#record" IN (SELECT unnest($numbers))'
    # A row is numbered among all of its file.
    typed = "$numbers IS NOT NULL" if mapping.feed.numbered else wanted
    connection.execute(f"CREATE OR REPLACE TEMP TABLE records AS FROM every WHERE {typed}", {"numbers": list(numbers)})
    _type(connection, mapping, [arrived_at])
    _number_lines(connection, mapping.feed)
    found = f'SELECT "#record", {row_hash(mapping.feed)} FROM typed WHERE {wanted}'
    return dict(connection.execute(found, {"numbers": list(numbers)}).fetchall())


def since(connection: duckdb.DuckDBPyConnection, feed: Feed, earlier: Sequence[str]) -> tuple[int, int]:
    """Rows of the batches `earlier` that are `gone`, and keys of `accepted` that never landed."""
    key = ", ".join(feed.key)
    landed = f"(FROM {landing.source(feed.name)} WHERE list_contains($earlier, _batch_id))"
    counts = f"""SELECT (SELECT count(*) FROM gone),
        (SELECT count(*) FROM (SELECT DISTINCT {key} FROM accepted ANTI JOIN {landed} USING ({key})))"""
    gone, new = connection.execute(counts, {"earlier": list(earlier)}).fetchall()[0]
    return gone, new


def _miss(
    connection: duckdb.DuckDBPyConnection, feed: Feed, arrived_at: datetime, batches: dict[str, list[str]]
) -> None:
    """Makes `gone`: the rows of `earlier` that hold and count, and whose key `typed` has no more."""
    key = ", ".join(feed.key)
    counts = f"status IS DISTINCT FROM {literal(feed.ended)}" if feed.ended else "true"
    connection.execute(
        f"""CREATE TEMP TABLE gone AS FROM (
            FROM {landing.source(feed.name)} WHERE NOT list_contains($own, _batch_id)
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC, _row_hash) = 1
        ) ANTI JOIN typed USING ({key})
        WHERE list_contains($earlier, _batch_id) AND {counts}""",
        batches,
    )
    if feed.numbered:  # lines without an id stand together: those that stay are known as long as that others went
        group = ", ".join(name for name in feed.key if name != feed.numbered)
        connection.execute(
            f"""UPDATE typed SET known_at = greatest(known_at, $arrived_at)
            WHERE {feed.numbered} LIKE '#%' AND ({group}) IN (
                SELECT ({group}) FROM gone WHERE {feed.numbered} LIKE '#%')""",
            {"arrived_at": arrived_at},
        )


def _date_by_arrival(connection: duckdb.DuckDBPyConnection, feed: Feed, held: str, bound: dict[str, object]) -> None:
    """Rows that say something new of a key that has landed, in a row that is `held`, are known since their file came.

    What says the same is a repeat. A row of an older file than the one whose row holds keeps the mapping's date.
    """
    key = ", ".join(feed.key)
    same = " AND ".join(f"typed.{c.name} IS NOT DISTINCT FROM l.{c.name}" for c in feed.columns if c.name != "known_at")
    connection.execute(
        f"""UPDATE typed SET known_at = CASE WHEN {same} THEN l.known_at
            ELSE greatest($arrived_at, l.known_at + INTERVAL 1 MICROSECOND) END
        FROM (
            SELECT * FROM {landing.source(feed.name)}
            WHERE NOT list_contains($own, _batch_id) AND ({key}) IN (SELECT ({key}) FROM typed)
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC, _row_hash) = 1
        ) AS l LEFT JOIN (
            SELECT batch_id, min(arrived_at) AS landed_at FROM {landing.source("file_outcomes")} GROUP BY batch_id
        ) AS o ON o.batch_id = l._batch_id
        WHERE {" AND ".join(f"typed.{name} = l.{name}" for name in feed.key)} AND {held}
            AND len($earlier) >= 0 AND coalesce(o.landed_at <= $arrived_at, true)""",
        bound,
    )


def _stand(connection: duckdb.DuckDBPyConnection, feed: Feed, own: Sequence[str]) -> None:
    """Which row of a key and known_at stands: the landed one, else the first.

    Makes `again`, the rows of a key that has another one, and with it the view `accepted`: nothing is copied.
    """
    key, mine = ", ".join((*feed.key, "known_at")), row_hash(feed)
    _doubt(connection, feed, key, own)
    connection.execute('CREATE TEMP TABLE again ("#record" BIGINT, conflict BOOLEAN)')
    if connection.execute("SELECT 1 FROM doubtful LIMIT 1").fetchall():
        _repeat(connection, feed, key, mine)
    twice, kept = "false", "true"  # a join, even with an empty table, may lose the order of the records
    if connection.execute("SELECT 1 FROM broken UNION ALL SELECT 1 FROM again LIMIT 1").fetchall():
        twice, kept = '"#record" IN (SELECT "#record" FROM again)', '"#record" NOT IN (SELECT "#record" FROM broken)'
    connection.execute(
        f"CREATE TEMP VIEW accepted AS SELECT *, {mine} AS _row_hash, {twice} AS duplicate FROM typed WHERE {kept}"
    )


def _repeat(connection: duckdb.DuckDBPyConnection, feed: Feed, key: str, mine: str) -> None:
    """Fills `again`; those of other content are broken."""
    connection.execute(
        f"""INSERT INTO again
        WITH found AS (
            SELECT "#record", l._row_hash AS landed, first_value("#record") OVER same_key AS first
            FROM doubtful ANTI JOIN broken USING ("#record") LEFT JOIN landed AS l USING ({key})
            WINDOW same_key AS (PARTITION BY {key} ORDER BY "#record")
            QUALIFY landed IS NOT NULL OR "#record" > first
        ), hashed AS (SELECT "#record", {mine} AS hash FROM doubtful)
        SELECT "#record", mine.hash <> coalesce(landed, theirs.hash) AS conflict
        FROM found JOIN hashed AS mine USING ("#record") JOIN hashed AS theirs ON theirs."#record" = first"""
    )
    connection.execute(
        f"""INSERT INTO broken SELECT "#record", 'key-conflict', {_shown((*feed.key, "known_at"))}, $advice
        FROM doubtful JOIN again USING ("#record") WHERE conflict""",
        {"advice": "Another content of this key and known_at came before. Give a later known_at, or drop this row."},
    )


def _doubt(connection: duckdb.DuckDBPyConnection, feed: Feed, key: str, own: Sequence[str]) -> None:
    """Makes `doubtful`, the rows whose key may come twice (by its hash), and `landed`, the landed rows of such keys."""
    near, bound = _near(connection, feed, own)
    connection.execute(
        f"""CREATE TEMP TABLE doubtful AS FROM typed WHERE hash({key}) IN (
            SELECT hash FROM (SELECT hash({key}) AS hash FROM typed UNION ALL SELECT hash({key}) FROM {near})
            GROUP BY hash HAVING count(*) > 1)""",
        bound,
    )
    connection.execute(
        f"""CREATE TEMP TABLE landed AS SELECT {key}, _row_hash
        FROM {near} WHERE hash({key}) IN (SELECT hash({key}) FROM doubtful)""",
        bound,
    )


def _near(connection: duckdb.DuckDBPyConnection, feed: Feed, own: Sequence[str]) -> tuple[str, dict[str, object]]:
    """SQL of the landed rows that were known while these rows were, and what it binds."""
    first, last = connection.execute("SELECT min(known_at), max(known_at) FROM typed").fetchone() or (None, None)
    files = landing.landed_between(feed.name, first, last)
    if not files:
        return "(SELECT *, NULL::VARCHAR AS _row_hash FROM typed LIMIT 0)", {}
    landed = landing.source(feed.name, union=feed.numbered is not None, files=files)
    rows = f"(FROM {landed} WHERE NOT list_contains($own, _batch_id) AND known_at BETWEEN $first AND $last)"
    return rows, {"own": list(own), "first": first, "last": last}


def _insert(connection: duckdb.DuckDBPyConnection, table: str, checks: Sequence[_Check]) -> None:
    """Adds the broken rules of `table`; what is said of them is made only where a row breaks one."""
    broken = " OR ".join(f"({check.when})" for check in checks)
    if not checks or not connection.execute(f"SELECT 1 FROM {table} WHERE {broken} LIMIT 1").fetchall():
        return
    said = f"list_filter([{', '.join(map(str, checks))}], lambda one: one IS NOT NULL)"
    connection.execute(
        f"""INSERT INTO broken SELECT "#record", unnest({said}, recursive := true)
        FROM {table} WHERE {broken}"""
    )
