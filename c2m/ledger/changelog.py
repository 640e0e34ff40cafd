"""The ledger as dbt sees it: changed rows appended to landing/ledger_*/ as immutable Parquet, the newest per key holds.

Schemas: c2m/feeds/contracts.py PRODUCED. What has landed is compared with the ledger itself, so nothing needs to be
remembered, and a crash between two files costs nothing: the next export lands what is missing.
"""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.feeds.contracts import PRODUCED
from c2m.feeds.landing import connect, ensure_landing, folder, source, write_parquet
from c2m.ledger import store
from c2m.ledger.tables import TABLES

# Whose `at` speaks for rows that have none.
OWNER = {
    "lot_skus": "lots",
    "order_quantity_skus": "order_quantities",
    "job_order_skus": "job_orders",
    "promise_factories": "promises",
}
EXPORTED = ("orders", "lots", "order_quantities", "job_orders", "promises", "purchases", *OWNER)
ARROW = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "DECIMAL(18,4)": pa.decimal128(18, 4),
}


def export(exported: dict[str, Any] | None = None) -> list[Path]:
    """Lands the rows that changed since the last export, known since the ledger changed; returns the files written.

    `exported`: what this process has exported, where no other writes the ledger. What still is so is not compared.
    """
    ensure_landing()
    exported = {} if exported is None else exported
    with store.session() as session:
        held = {name: _held(session, name) for name in EXPORTED}
    changed = {name: rows for name, rows in held.items() if name not in exported or rows != exported[name]}
    with connect() as connection:
        landed = [_land(connection, name, rows) for name, rows in changed.items()]
    exported.update(changed)
    return [path for path in landed if path]


def _held(session: Session, name: str) -> Any:
    """The ledger's rows as an Arrow table in the landing schema; known_at is when the row, or its owner, changed."""
    schema = PRODUCED[f"ledger_{name}"]
    table = TABLES[name].__table__
    owner = TABLES[OWNER[name]].__table__ if name in OWNER else table
    known_at = owner.columns["at"].label("known_at")
    query = select(*(known_at if column == "known_at" else table.columns[column] for column in schema))
    rows = session.execute(query.join_from(table, owner) if name in OWNER else query).all()
    values = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(cells, ARROW[kind]) for cells, kind in zip(values, schema.values(), strict=True)]
    return pa.table(arrays, names=list(schema))


def _land(connection: duckdb.DuckDBPyConnection, name: str, held: Any) -> Path | None:
    """Lands what differs from the newest landed rows, under a name that follows from the content.

    Where the clock stands still, a later change of a row is known a microsecond after the earlier one.
    """
    keys = ", ".join(column.name for column in TABLES[name].__table__.primary_key)
    connection.register("held", held)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE newest AS FROM {source(f"ledger_{name}")}
        QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY known_at DESC) = 1"""
    )
    changed = connection.sql(
        f"""SELECT c.*, greatest(h.known_at, n.known_at + INTERVAL 1 MICROSECOND) AS known_at
        FROM (SELECT * EXCLUDE (known_at) FROM held EXCEPT SELECT * EXCLUDE (known_at) FROM newest) AS c
        JOIN held AS h USING ({keys}) LEFT JOIN newest AS n USING ({keys}) ORDER BY {keys}"""  # noqa: S608
    )
    content = changed.fetchall()
    if not content:
        return None
    path = folder(f"ledger_{name}") / f"{hashlib.sha256(repr(content).encode()).hexdigest()[:32]}.parquet"
    write_parquet(changed, path)
    return path
