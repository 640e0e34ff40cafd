"""The verdict of the fault matrix, from three books that were kept apart: what was released, what the factories'
journal says, what ledger and disk hold. SQL alone: nothing here is the code that is judged, save the audit's check.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from sqlalchemy import text

from c2m.ledger import audit, store
from c2m.settings import settings

_BACK = "'Cancelled', 'Refused'"  # what a factory, or the platform, gave back


@dataclass
class Verdict:
    """lost, doubled: counts by what they are. again: scans that came more than once, which had no effect."""

    job_orders: int = 0
    scans: int = 0
    again: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)
    audit_entries: int = 0
    audit_faults: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (+self.lost or +self.doubled or self.audit_faults)


def landed_files() -> str:
    return str(settings().landing / "scans" / "[!.]*.parquet")


def any_landed() -> bool:
    return any((settings().landing / "scans").glob("[!.]*.parquet"))


def open_work(journal: Path) -> dict[str, int]:
    """What is still to happen: all zero when the floor has come to rest."""
    ended = "('Ended', 'Cancelled', 'Refused', 'Expired', 'Aborted')"
    with store.session() as session:
        count = lambda query: int(session.execute(text(query)).scalar_one())  # noqa: E731
        found = {
            "job orders": count(f"SELECT count(*) FROM job_orders WHERE state NOT IN {ended}"),
            "messages": count("SELECT count(*) FROM outbox WHERE state IN ('pending', 'sent')"),
        }
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as file:
        found["letters"] = file.execute("SELECT count(*) FROM letters WHERE acknowledged IS NULL").fetchone()[0]
        made = file.execute("SELECT count(*) FROM scans").fetchone()[0]
        said = file.execute("SELECT count(DISTINCT message_id) FROM letters WHERE kind = 'job-responses'").fetchone()[0]
    if not any(found.values()):
        with store.session() as session:
            found["responses"] = said - int(session.execute(text("SELECT count(*) FROM inbox")).scalar_one())
        there = "SELECT count(DISTINCT (factory_id, scan_id)) FROM read_parquet(?)"
        found["scans"] = made - (duckdb.execute(there, [landed_files()]).fetchone()[0] if any_landed() else 0)
    return found


def judge(lots: Mapping[str, int], pairs: set[tuple[str, str]], journal: Path) -> Verdict:
    """lots: pieces of each; pairs: lot and factory of everything that was released."""
    with duckdb.connect() as books:
        _fill(books, lots, pairs, journal)
        count = lambda query: int(books.execute(query).fetchone()[0])  # noqa: E731
        verdict = Verdict(count("SELECT count(*) FROM job_orders"), count("SELECT count(*) FROM made"))
        verdict.again = count("SELECT (SELECT count(*) FROM landed) - (SELECT count(*) FROM once)")
        verdict.lost.update({name: count(f"SELECT count(*) {query}") for name, query in _LOST.items()})
        verdict.doubled.update({name: count(f"SELECT count(*) {query}") for name, query in _DOUBLED.items()})
        for name, query in (_LOST | _DOUBLED).items():
            verdict.examples += [f"{name}: {row}" for row in books.execute(f"SELECT * {query} LIMIT 3").fetchall()]
    with store.session() as session:
        audited = audit.verify(session)
    verdict.audit_entries, verdict.audit_faults = audited.entries, audited.faults
    return verdict


def _fill(
    books: duckdb.DuckDBPyConnection, lots: Mapping[str, int], pairs: set[tuple[str, str]], journal: Path
) -> None:
    """The three books as tables: released and lots; heard, jobs, made, said; job_orders, inbox, audit, dead, landed."""
    tables: dict[str, tuple[list[str], list[tuple[object, ...]]]] = {
        "lots": (["lot_id", "quantity"], list(lots.items())),
        "released": (["lot_id", "factory_id"], sorted(pairs)),
    }
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as file:
        documents = [json.loads(row[0]) for row in file.execute("SELECT document FROM jobs")]
        names = ["job_order_id", "factory_id", "state", "quantity"]
        tables["jobs"] = names, [tuple(document[name] for name in names) for document in documents]
        for name, columns, query in (
            ("heard", "message_id factory_id type job_order_id revision did", "heard"),
            ("made", "factory_id scan_id job_order_id operation quantity", "scans"),
            ("said", "message_id factory_id kind", "letters"),
        ):
            tables[name] = columns.split(), file.execute(f"SELECT {columns.replace(' ', ', ')} FROM {query}").fetchall()
    with store.session() as session:
        for name, columns, query in (
            ("job_orders", "job_order_id lot_id factory_id state quantity", "job_orders"),
            ("inbox", "source message_id", "inbox"),
            ("audit", "message_id actor event", "audit"),
            ("dead", "letter_id", "dead_letters"),
        ):
            rows = session.execute(text(f"SELECT {columns.replace(' ', ', ')} FROM {query}"))
            tables[name] = columns.split(), [tuple(row) for row in rows]
    for name, (columns, rows) in tables.items():
        kinds = ", ".join(f"{x} {'BIGINT' if x in ('quantity', 'revision') else 'VARCHAR'}" for x in columns)
        books.execute(f"CREATE TABLE {name} ({kinds})")
        if rows:
            frame = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
            books.register("frame", _arrow(frame))
            books.execute(f"INSERT INTO {name} SELECT * FROM frame")
    where = f"read_parquet('{landed_files()}')" if any_landed() else "made"
    what = "factory_id, scan_id, job_order_id, operation, quantity"
    books.execute(f"CREATE TABLE landed AS SELECT {what} FROM {where} WHERE {any_landed()}")
    books.execute("CREATE TABLE once AS SELECT DISTINCT ON (factory_id, scan_id) * FROM landed")


def _arrow(frame: dict[str, list[object]]) -> object:
    import pyarrow

    return pyarrow.table(frame)


_LOST = {
    "released, no job order": "FROM released ANTI JOIN job_orders USING (lot_id, factory_id)",
    "job orders that no factory heard of": "FROM job_orders o ANTI JOIN jobs j ON j.job_order_id = o.job_order_id",
    "job orders not at their end": f"FROM job_orders WHERE state NOT IN ('Ended', {_BACK})",
    "ledger and factory differ in the end or the quantity": f"""
        FROM job_orders o JOIN jobs j USING (job_order_id)
        WHERE (o.state = 'Ended') != (j.state = 'Ended') OR (j.state = 'Ended' AND o.quantity != j.quantity)
            OR (o.state IN ({_BACK}) AND j.state != 'Aborted')""",
    "scans not on disk": "FROM made ANTI JOIN once USING (factory_id, scan_id)",
    "scans on disk, changed": """
        FROM made m JOIN once o USING (factory_id, scan_id)
        WHERE (m.job_order_id, m.operation, m.quantity) != (o.job_order_id, o.operation, o.quantity)""",
    "answers not in the ledger": """
        FROM (SELECT DISTINCT message_id FROM said ANTI JOIN inbox USING (message_id) WHERE kind = 'job-responses')""",
    "dead letters": "FROM dead",
}
_DOUBLED = {
    "one request under two ids": """
        FROM (SELECT job_order_id, revision, type FROM heard GROUP BY ALL HAVING count(*) > 1)""",
    "job orders at two factories": """
        FROM (SELECT job_order_id FROM heard GROUP BY 1 HAVING count(DISTINCT factory_id) > 1)""",
    "job orders made twice or in part": """
        FROM job_orders o LEFT JOIN (
            SELECT job_order_id, sum(quantity) AS pieces FROM once WHERE operation = 'ship' GROUP BY 1) s
            USING (job_order_id)
        WHERE coalesce(s.pieces, 0) != CASE WHEN o.state = 'Ended' THEN o.quantity ELSE 0 END""",
    "lots of which more was made than ordered": """
        FROM (
            SELECT lot_id, sum(m.quantity) AS pieces FROM made m JOIN job_orders USING (job_order_id)
            WHERE operation = 'ship' GROUP BY 1) JOIN lots USING (lot_id) WHERE pieces > lots.quantity""",
    "scans on disk that nobody made": "FROM once ANTI JOIN made USING (factory_id, scan_id)",
    "answers that took effect twice": """
        FROM (SELECT message_id, actor FROM audit WHERE event = 'received' GROUP BY ALL HAVING count(*) > 1)""",
    "messages to factories written twice": """
        FROM (SELECT message_id FROM audit WHERE event = 'written' GROUP BY 1 HAVING count(*) > 1)""",
}
