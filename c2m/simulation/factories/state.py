"""What a process of simulated factories remembers over a crash: job orders, answers given, letters not yet delivered.

One SQLite file, synchronous: a message is acknowledged only after the transaction that holds its effect.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from c2m.floor.delivery import Letter
from c2m.simulation.factories.booking import Segment
from c2m.simulation.factories.production import ProductionEvent
from c2m.wire.messages import FactoryState, JobOrder, Kind

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (factory_id, job_order_id, document, PRIMARY KEY (factory_id, job_order_id));
CREATE TABLE IF NOT EXISTS answers (factory_id, message_id, body, PRIMARY KEY (factory_id, message_id));
CREATE TABLE IF NOT EXISTS goods (scan_id PRIMARY KEY, document);
CREATE TABLE IF NOT EXISTS letters (position INTEGER PRIMARY KEY AUTOINCREMENT, factory_id, kind, body);
"""
_LETTERS_AT_ONCE = 2_000


class SimulatedJob(BaseModel):
    """A job order as its factory sees it.

    revision: the newest seen; order: the newest agreed to; told: how many of its events the platform has been told;
    begun: of a job order that was cut when work had begun, the steps that went on.
    """

    job_order_id: str
    order: JobOrder | None = None
    revision: int = 0
    sequence: int = 0
    state: FactoryState = "NotAllowedToStart"
    segments: list[Segment] = []
    told: int = 0
    begun: list[ProductionEvent] = []


class Goods(BaseModel):
    """Pieces on their way from a factory to that of the next stage, or there and not received yet.

    scan_id: by which they left; stage: for which they come; at: when they left, once they have arrived: when that was.
    """

    from_factory: str
    to_factory: str
    scan_id: str
    order_id: str
    stage: int
    sku_id: str
    quantity: int
    at: datetime


class State:
    """The file. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(folder / "factories.db", isolation_level=None)
        self._file.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written in the block."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def jobs(self, factory_id: str) -> list[SimulatedJob]:
        """The job orders of a factory, in the order in which it came to know them."""
        rows = self._file.execute("SELECT document FROM jobs WHERE factory_id = ? ORDER BY rowid", (factory_id,))
        return [SimulatedJob.model_validate_json(document) for (document,) in rows]

    def keep(self, factory_id: str, job: SimulatedJob) -> None:
        """Writes a job order."""
        self._file.execute(
            "INSERT INTO jobs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
            (factory_id, job.job_order_id, job.model_dump_json()),
        )

    def answer(self, factory_id: str, message_id: str) -> bytes | None:
        """What was answered to a message, None where it is new."""
        found = self._file.execute(
            "SELECT body FROM answers WHERE factory_id = ? AND message_id = ?", (factory_id, message_id)
        ).fetchone()
        return found[0] if found else None

    def keep_answer(self, factory_id: str, message_id: str, body: bytes) -> None:
        """Writes what is answered to a message."""
        self._file.execute("INSERT INTO answers VALUES (?, ?, ?)", (factory_id, message_id, body))

    def hand_over(self, goods: Goods) -> None:
        """Notes goods that left for another factory."""
        self._file.execute("INSERT OR IGNORE INTO goods VALUES (?, ?)", (goods.scan_id, goods.model_dump_json()))

    def goods(self) -> list[Goods]:
        """What has left a factory and was not received, in the order in which it left."""
        rows = self._file.execute("SELECT document FROM goods ORDER BY rowid")
        return [Goods.model_validate_json(document) for (document,) in rows]

    def received(self, goods: Goods) -> None:
        """Strikes off goods."""
        self._file.execute("DELETE FROM goods WHERE scan_id = ?", (goods.scan_id,))

    def post(self, factory_id: str, kind: Kind, body: bytes) -> None:
        """Adds a letter to those that must be delivered."""
        self._file.execute("INSERT INTO letters (factory_id, kind, body) VALUES (?, ?, ?)", (factory_id, kind, body))

    def letters(self, pausing: Iterable[str]) -> list[Letter]:
        """The oldest letters not yet delivered, save of factories that pause."""
        rows = self._file.execute(
            "SELECT position, factory_id, kind, body FROM letters "
            "WHERE factory_id NOT IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT ?",
            (json.dumps(list(pausing)), _LETTERS_AT_ONCE),
        )
        return [Letter(str(position), factory_id, kind, body) for position, factory_id, kind, body in rows]

    def delivered(self, keys: list[str]) -> None:
        """Strikes off letters."""
        self._file.executemany("DELETE FROM letters WHERE position = ?", [(int(key),) for key in keys])
