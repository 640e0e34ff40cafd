"""The ledger's database: engine, transactions, migrations, and the few statements that every repository module needs.

SQLite (WAL) by default, PostgreSQL by URL (`C2M_LEDGER_URL`). docs/reference/ledger.md has the tables.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    create_engine,
    event,
    inspect,
    make_url,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ledger.tables import TABLES, Base
from c2m.settings import settings

if TYPE_CHECKING:
    from alembic.config import Config

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_FOLDER = Path(__file__).with_name("migrations")
BUSY_TIMEOUT_S = 60
IN_CHUNK = 10_000  # bound parameters per statement; SQLite takes 32,766, PostgreSQL 65,535
_READING = "c2m_reading"
_FOR_TENANT = text(
    "SELECT set_config('c2m.merchant_id', :merchant, true), set_config('c2m.factory_id', :factory, true)"
)
_LOCK_IN_ORDER = text(
    "SELECT pg_advisory_xact_lock(hashtext(:area), lock) "
    "FROM (SELECT unnest(CAST(:locks AS int[])) AS lock ORDER BY lock) AS locks"
)
LOCKS = 256  # per area
MIGRATION_LOCK = 0x633263  # any number that only this project uses in its database

# Wall-clock, transport and arrival-order columns: two ledgers that hold the same facts may differ in them.
INCIDENTAL = {
    "order_quantities": {"build_id"},  # of hashes of marts, whose sums by threads may differ in the last digit
    "outbox": {"position", "attempts", "next_attempt_at", "at"},
    "inbox": {"at"},
    "dead_letters": {"at", "readmitted_at"},
    "factory_status": {"online", "at"},
}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """Whose rows a caller may see; empty means all."""

    merchant_id: str | None = None
    factory_id: str | None = None

    def conditions(self, table: type[Any]) -> list[ColumnElement[bool]]:
        """For `where(*...)`; a table without the column cannot be asked for by it."""
        asked = {"merchant_id": self.merchant_id, "factory_id": self.factory_id}
        return [getattr(table, column) == value for column, value in asked.items() if value is not None]


EVERYONE = Scope()


@contextmanager
def session() -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on an error.

    Raises
    ------
    InputError
        The ledger is empty, or at another version than this code.
    """
    _refuse_other_version(settings().ledger)
    with Session(engine(settings().ledger), expire_on_commit=False) as transaction, transaction.begin():
        yield transaction


@contextmanager
def reading(scope: Scope = EVERYONE) -> Iterator[Session]:
    """A transaction that only reads, for as long as it likes: on SQLite it keeps no writer waiting.

    scope: whose rows it sees. PostgreSQL then holds back all others (migration 0025), whatever a statement forgets; a
    superuser of the database sees them all the same.

    Raises
    ------
    InputError
        The ledger is empty, or at another version than this code.
    """
    _refuse_other_version(settings().ledger)
    bound = engine(settings().ledger).execution_options(**{_READING: True})
    with Session(bound) as transaction, transaction.begin():
        if scope != EVERYONE and bound.dialect.name == "postgresql":
            transaction.execute(_FOR_TENANT, {"merchant": scope.merchant_id or "", "factory": scope.factory_id or ""})
        yield transaction


@lru_cache(maxsize=8)
def engine(url: str) -> Engine:
    """The connection pool of this process for `url`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    made = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "begin", partial(_begin_immediate, Path(f"{parsed.database}-turn")))
    return made


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # else the driver begins by itself, and DDL escapes the transaction
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(turn: Path, connection: Connection) -> None:
    """Takes the write lock first: a transaction that reads, then writes could otherwise fail as busy half-way.

    In turn: SQLite lets whoever asks at the right moment go first, and a busy process keeps the others waiting for
    many times the length of its transactions. Whoever waits at the file `turn` comes before those who ask later.
    """
    if connection.get_execution_options().get(_READING):
        connection.exec_driver_sql("BEGIN")
        return
    with turn.open("ab") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate() -> None:
    """Brings the ledger to the newest version; any number of processes may call it at once, any number of times.

    Raises
    ------
    InputError
        The ledger is newer than this code.
    """
    from alembic import command

    refuse_newer()
    config = _migrations()
    with engine(settings().ledger).begin() as connection:
        _one_at_a_time(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def versions() -> tuple[str | None, str]:
    """The ledger's version (None: it was never migrated), and the newest that this code knows."""
    with engine(settings().ledger).connect() as connection:
        known = inspect(connection).has_table("alembic_version")
        held = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    return held, _known_versions()[-1]


@lru_cache(maxsize=1)
def _known_versions() -> list[str]:
    """In their order: each migration's file name begins with its version. Alembic itself takes long to import."""
    return sorted(file.name.partition("_")[0] for file in _FOLDER.glob("versions/[0-9]*.py"))


def refuse_newer() -> None:
    """A ledger that a newer version of this code has migrated is left alone.

    Raises
    ------
    InputError
        The ledger's version is none that this code knows.
    """
    held, newest = versions()
    if held and held not in _known_versions():
        told = f"the ledger is at version {held}, newer than this code, which knows up to {newest}"
        raise InputError("ledger-newer", [f"{told}: install the version that wrote it, or restore a backup"])


@lru_cache(maxsize=8)
def _refuse_other_version(_url: str) -> None:
    """Once a process: the ledger is at the version of this code, or it is not touched."""
    refuse_newer()
    held, newest = versions()
    if held != newest:
        seen = f"is at version {held}" if held else "is empty"
        told = f"the ledger {seen}, version {newest} was expected: c2m upgrade, c2m run or c2m up brings it there"
        raise InputError("ledger-version", [told])


def _one_at_a_time(connection: Connection) -> None:
    """Who migrates on PostgreSQL waits until nobody else does; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


def _migrations() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def upsert(transaction: Session, table: type[Base], new: Sequence[Row], keep: Sequence[str] = ()) -> None:
    """Inserts; in a row that exists, updates all but `keep`. `at` alone is no difference."""
    if not new:
        return
    insert = _insert(transaction, table)
    keys = _keys(table)
    changing = [name for name in new[0] if name not in {*keys, *keep}]
    differs = [getattr(table, name).is_distinct_from(insert.excluded[name]) for name in changing if name != "at"]
    statement = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in changing}, where=or_(*differs)
    )
    transaction.execute(statement, list(new))


def insert_missing(transaction: Session, table: type[Base], new: Sequence[Row]) -> None:
    """Inserts the rows whose key is not there yet.

    Parameters
    ----------
    transaction
        Of the ledger.
    table
        Where to.
    new
        By column.
    """
    if new:
        transaction.execute(_insert(transaction, table).on_conflict_do_nothing(index_elements=_keys(table)), list(new))


def serialise(transaction: Session, area: str, keys: Iterable[str] = ("",)) -> None:
    """Until this transaction ends, no other that names the same area and key goes on. SQLite has one writer anyway.

    Keys share LOCKS locks per area, taken in one order: ten thousand of them would not fit PostgreSQL's lock table.
    """
    if transaction.get_bind().dialect.name != "postgresql":
        return
    locks = sorted({crc32(key.encode()) % LOCKS for key in keys})
    transaction.execute(_LOCK_IN_ORDER, {"area": area, "locks": locks})


def frame(transaction: Session, statement: Executable) -> pd.DataFrame:
    """The result of a statement as a table, with its columns even where it is empty.

    Parameters
    ----------
    transaction
        Of the ledger.
    statement
        A select.

    Returns
    -------
    pd.DataFrame
        The statement's columns.
    """
    result = transaction.execute(statement)
    columns = list(result.keys())
    return pd.DataFrame.from_records([tuple(row) for row in result], columns=columns)


def rows(table: type[Base], source: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows for the database, each value in its column's Python type; NaN, NaT and NA become None."""
    values = {}
    for name in columns:
        kind = table.__table__.columns[name].type.python_type
        filled = source[name].notna()
        values[name] = [
            _as(kind, value) if is_filled else None for value, is_filled in zip(source[name], filled, strict=True)
        ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _as(kind: type[Any], value: Any) -> Any:
    if kind is date:
        return value.date() if isinstance(value, datetime) else value
    return kind(value) if kind in (int, float, bool, str) else value


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Pieces that fit into one IN (...)."""
    for start in range(0, len(values), IN_CHUNK):
        yield values[start : start + IN_CHUNK]


def snapshot(transaction: Session) -> dict[str, pd.DataFrame]:
    """Every business column of every table, sorted by key: equal for two ledgers that hold the same facts."""
    tables = {}
    for name, table in TABLES.items():
        held = frame(transaction, select(*_business_columns(name, table)))
        tables[name] = held.sort_values(_keys(table), ignore_index=True)
    return tables


def _business_columns(name: str, table: type[Base]) -> list[Any]:
    return [column for column in table.__table__.columns if column.name not in INCIDENTAL.get(name, ())]


def _keys(table: type[Base]) -> list[str]:
    return [column.name for column in table.__table__.primary_key]


def _insert(transaction: Session, table: type[Base]) -> Any:
    """Past the ORM, whose bookkeeping per row costs more than the row."""
    return (sqlite if transaction.get_bind().dialect.name == "sqlite" else postgresql).insert(table.__table__)
