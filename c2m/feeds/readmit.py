"""Quarantined rows that come back: corrected by a person, or right at last because what they name has come in.

They go through the mapping, the rules and the landing that their file went through, keep its arrival and their record
number, and move in the file's outcome from quarantined to accepted.
"""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from c2m.errors import InputError
from c2m.feeds import file_outcomes, landing, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.file_outcomes import FileOutcome
from c2m.feeds.forms import cells
from c2m.feeds.mapping import Mapping, ReadOptions
from c2m.feeds.records import kind_of, read
from c2m.feeds.split import LINE, split

Row = dict[str, str | None]  # column of the file: its text
_BATCH_ID = re.compile("[0-9a-f]{32}")


def readmit(file: Path) -> pd.DataFrame:
    """Takes the corrected rows of an export (quarantine.export_quarantine) back; the outcomes of their batches.

    Rows that still break a rule stay in quarantine with what is wrong now; rows taken back before change nothing. A
    file that names no quarantined row is refused, all faults at once, before anything is written.

    Raises
    ------
    InputError
        The file names no quarantined row, or a row that its batch does not have; all faults at once.
    """
    landing.ensure_landing()
    submitted = _submitted(Path(file))
    return file_outcomes.frame(_admit(outcome, rows) for outcome, rows in submitted)


def admit_waiting() -> None:
    """Tries again the rows whose only fault was that a row of another feed was not there."""
    for feed in FEEDS.values():
        waiting = quarantine.read(feed.name) if feed.waits_for else pd.DataFrame()
        for batch_id, broken in waiting.groupby("batch_id") if len(waiting) else ():
            rows = {
                int(str(record)): json.loads(group["raw"].iloc[0])
                for record, group in broken.groupby("record")
                if set(group["rule"]) <= feed.waits_for
            }
            if rows and (outcome := file_outcomes.find(str(batch_id))):
                _admit(outcome, rows)


def _admit(outcome: FileOutcome, rows: dict[int, Row]) -> FileOutcome:
    """Brings rows of one batch in again, by record number; those that are not in quarantine are left alone."""
    feed, mapping = FEEDS[outcome.feed], quarantine.mapping_of(outcome)
    held = quarantine.records_of(outcome)
    if not (rows := {record: row for record, row in sorted(rows.items()) if record in held}):
        return outcome
    with landing.connect() as connection:
        _lay_out(connection, mapping, rows)
        split(connection, mapping, [outcome.arrived_at])
        # A run that broke off between landing and here: what has landed stands, however it was corrected since.
        landed = landing.records_of(connection, feed.name, outcome.batch_id)
        connection.execute('DELETE FROM broken WHERE list_contains($landed, "#record")', {"landed": sorted(landed)})
        numbers = hashlib.sha256(repr(sorted(rows.keys() - landed)).encode()).hexdigest()[:12]
        if connection.execute("FROM accepted WHERE NOT duplicate LIMIT 1").fetchall():
            landing.land(connection, feed, outcome.batch_id, f"{outcome.batch_id}-{numbers}")
        columns = [name for name in connection.table("records").columns if not name.startswith("#")]
        quarantined = quarantine.keep(connection, mapping, outcome, columns)
        landed = landing.records_of(connection, feed.name, outcome.batch_id)
    return _settled(outcome, len(landed), quarantined)


def _settled(outcome: FileOutcome, landed: int, quarantined: int) -> FileOutcome:
    """The outcome after some rows came back, written where it changed."""
    accepted = outcome.rows_in - quarantined - outcome.left_out
    settled = replace(
        outcome,
        accepted=accepted,
        quarantined=quarantined,
        duplicates=accepted - landed,
        readmitted=outcome.readmitted + accepted - outcome.accepted,
        status=file_outcomes.status(accepted, quarantined, outcome.problems),
    )
    if settled != outcome:
        file_outcomes.record(settled)
    return settled


def _lay_out(connection: duckdb.DuckDBPyConnection, mapping: Mapping, rows: dict[int, Row]) -> None:
    """The table `records` of rows at hand."""
    texts = {name: [row.get(name) for row in rows.values()] for name in mapping.wanted}
    if mapping.feed.numbered:
        texts[LINE] = [row.get("_line") for row in rows.values()]
    said: dict[str, list[str | None]] = {name: [None] * len(rows) for name in ("#fault", "#seen", "#cells")}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in (said | texts).items()})
    numbers = pa.array(rows, pa.int64())
    connection.register("laid_out", table.add_column(0, "#record", numbers))
    connection.execute('CREATE TEMP TABLE records AS SELECT 1 AS "#file", * FROM laid_out')


def _submitted(file: Path) -> list[tuple[FileOutcome, dict[int, Row]]]:
    """The rows of a corrected file by batch; all that is wrong with the file at once."""
    rows, faults = _rows(file)
    batches: dict[str, dict[int, Row]] = {}
    for line, row in enumerate(rows, start=1):
        batch_id, number = row.get("_batch_id") or "", row.get("_record") or ""
        if not number.isdecimal() or int(number) in batches.setdefault(batch_id, {}):
            faults.append(f"record {line}: _record is {number!r}; expected a record number that no other row has")
        else:
            batches[batch_id][int(number)] = row
    found = [
        (file_outcomes.find(batch_id) if _BATCH_ID.fullmatch(batch_id) else None, batch_id) for batch_id in batches
    ]
    faults += [
        f"_batch_id {batch_id!r}: no such batch; keep what the export wrote" for known, batch_id in found if not known
    ]
    for known, batch_id in found:
        if known and (beyond := [n for n in batches[batch_id] if not 1 <= n <= known.rows_in]):
            faults.append(f"_record {beyond}: {known.file} has {known.rows_in} records")
    if faults:
        raise InputError("readmission", [f"{file}: {fault}" for fault in faults])
    return [(known, batches[batch_id]) for known, batch_id in found if known]


def _rows(file: Path) -> tuple[list[Row], list[str]]:
    """The file's sound rows, and what is wrong with it."""
    with landing.connect() as connection:
        problems = list(read(connection, file, ReadOptions.model_validate({})).problems)
        table = connection.table("records").to_arrow_table().to_pylist()
    told = cells.restored if kind_of(file) == "csv" else str
    return (
        [
            {told(name): text and told(text) for name, text in row.items() if not name.startswith("#")}
            for row in table
            if not row["#fault"]
        ],
        problems + [f"record {row['#record']}: {row['#seen']}" for row in table if row["#fault"]],
    )
