"""Factories for the fault matrix: they know docs/asyncapi.yaml, none of the platform's code, and keep a journal.

The journal is a SQLite file: every message that was heard for the first time and what it did, every scan that was made,
every letter and whether the broker acknowledged it. It is one half of what the judge compares (floor_faults_judge.py);
hence nothing here is forgiving: a factory knows a message by its id alone, as the contract says, and a message under
another id takes effect once more, though it says the same.

After a lost connection a factory sends again what was acknowledged within RESEND_S before: a broker that dies has lost
what it had acknowledged since it last saved its queues. Over HTTP (web.py) a 2xx is the end of it.
"""

import json
import os
import queue
import random
import signal
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.faults import web

SCANS, SCANS_A_MESSAGE = 75, 25  # per job order
OPERATIONS = ("cut", "sew", "inspect", "pack", "ship")
RESEND_S = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS heard
    (message_id PRIMARY KEY, factory_id, type, job_order_id, revision, quantity, did, answer);
CREATE TABLE IF NOT EXISTS jobs (job_order_id PRIMARY KEY, document);
CREATE TABLE IF NOT EXISTS scans
    (factory_id, scan_id, job_order_id, operation, quantity, PRIMARY KEY (factory_id, scan_id));
CREATE TABLE IF NOT EXISTS letters
    (position INTEGER PRIMARY KEY, factory_id, kind, message_id, body, acknowledged REAL);
CREATE INDEX IF NOT EXISTS open_letters ON letters (position) WHERE acknowledged IS NULL;
"""
_REFUSE = "production has begun"


@dataclass
class Job:
    """A job order at its factory. due: wall second at which work begins."""

    job_order_id: str
    factory_id: str
    revision: int = 0
    sequence: int = 0
    state: str = "NotAllowedToStart"
    quantity: int = 0
    due: float = 0.0


@dataclass
class Letter:
    """Something to say; position: in the journal."""

    factory_id: str
    kind: str
    body: bytes
    position: int = 0


class Journal:
    """The file of one process of factories; used by one thread."""

    def __init__(self, path: Path) -> None:
        self.file = sqlite3.connect(path, isolation_level=None)
        self.file.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES)
        self.jobs = {row[0]: Job(**json.loads(row[1])) for row in self.file.execute("SELECT * FROM jobs")}
        self.said: list[Letter] = []
        self.last = self.file.execute("SELECT coalesce(max(position), 0) FROM letters").fetchone()[0]

    def unheard(self, message_id: str) -> bytes | None:
        """The answer given to a message before."""
        row = self.file.execute("SELECT answer FROM heard WHERE message_id = ?", (message_id,)).fetchone()
        return row[0] if row else None

    def keep(self, job: Job) -> None:
        self.jobs[job.job_order_id] = job
        self.file.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?)", (job.job_order_id, json.dumps(vars(job))))

    def say(self, factory_id: str, kind: str, body: bytes) -> None:
        """Writes a letter; `said` holds it until it is published."""
        self.last += 1
        message_id = json.loads(body)["id"]
        row = (self.last, factory_id, kind, message_id, body)
        self.file.execute("INSERT INTO letters VALUES (?, ?, ?, ?, ?, NULL)", row)
        self.said.append(Letter(factory_id, kind, body, self.last))

    def acknowledged(self, positions: Iterable[int]) -> None:
        now = time.time()
        rows = [(now, position) for position in positions]
        self.file.executemany("UPDATE letters SET acknowledged = ? WHERE position = ?", rows)

    def letters(self, where: str, *values: object) -> list[Letter]:
        columns = "SELECT factory_id, kind, body, position FROM letters"
        return [Letter(*row) for row in self.file.execute(f"{columns} WHERE {where} ORDER BY position", values)]


def event(factory_id: str, kind: str, data: Any) -> bytes:
    """A CloudEvent of a factory."""
    facts = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"c2m/factory/{factory_id}",
        "type": f"c2m.{kind}",
    }
    now = datetime.now(UTC).isoformat()
    return json.dumps(facts | {"time": now, "datacontenttype": "application/json", "data": data}).encode()


def response(job: Job, accepted: bool | None = None, reason: str = "") -> bytes:
    """What a factory says of a job order, in a new sequence number."""
    job.sequence += 1
    facts = {name: getattr(job, name) for name in ("job_order_id", "revision", "sequence", "state")}
    return event(
        job.factory_id,
        "job-response",
        facts | ({} if accepted is None else {"accepted": accepted}) | {"reason": reason},
    )


def fate(job: Job) -> int:
    """A number that follows from the job order: some are refused, some wait, some say that they run."""
    return int(job.job_order_id[:4], 16)


def obey(job: Job, kind: str, data: dict[str, Any], now: float, hold_s: float) -> tuple[str, bytes]:
    """What a message does to a job order, and the answer to it."""
    begun = job.state in ("Running", "Ended")
    if data["revision"] < job.revision:
        return "nothing", response(job)
    job.revision = data["revision"]
    if kind == "store":
        if begun or job.state == "Aborted":
            return "refused", response(job, False, _REFUSE if begun else "cancelled before")
        if job.quantity == 0 and fate(job) % 10 == 1:
            job.state = "Aborted"
            return "refused", response(job, False, "not wanted")
        job.quantity = data["quantity"]
        return "agreed", response(job, True)
    if kind == "cancel":
        if begun:
            return "refused", response(job, False, _REFUSE)
        job.state = "Aborted"
        return "cancelled", response(job)
    if job.quantity == 0 or job.state != "NotAllowedToStart":
        return "nothing", response(job)
    job.state, job.due = "AllowedToStart", now + hold_s
    return "started", response(job)


def made(job: Job) -> list[tuple[str, str, int]]:
    """scan_id, operation, pieces: bundles through five operations; what is shipped sums to the quantity."""
    bundles = SCANS // len(OPERATIONS)
    sizes = [job.quantity * (i + 1) // bundles - job.quantity * i // bundles for i in range(bundles)]
    return [
        (f"{job.job_order_id[:13]}-{job.revision}-{bundle}-{operation}", operation, size)
        for bundle, size in enumerate(sizes)
        for operation in OPERATIONS
    ]


@dataclass
class Options:
    """disorder: each letter goes twice, late and in any order; so do the messages that come in.

    over_http: those of factory_ids that listen at `own_port` and post to the platform's `http_port`. keys: by factory.
    """

    port: int
    folder: Path
    factory_ids: list[str]
    over_http: list[str]
    own_port: int
    http_port: int
    keys: dict[str, str]
    disorder: bool = False
    hold_s: float = 3.0  # of every fourth job order, so that it may still be changed


@dataclass
class Process:
    """Factories of one process."""

    options: Options
    step: Callable[[str], None]
    inbox: "queue.Queue[web.Heard]" = field(default_factory=queue.Queue)
    arrived: "queue.Queue[int]" = field(default_factory=queue.Queue)  # positions that the other side acknowledged
    again: "queue.Queue[tuple[str, float]]" = field(default_factory=queue.Queue)  # connections that came back
    sessions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    clients: dict[str, Client] = field(default_factory=dict)
    under_way: dict[tuple[str, int], int] = field(default_factory=dict)
    late: list[tuple[float, Letter]] = field(default_factory=list)

    def run(self, ready: Callable[[], None]) -> None:
        self.journal = Journal(self.options.folder / "factories.db")
        over_mqtt = [name for name in self.options.factory_ids if name not in self.options.over_http]
        subscribed = dict.fromkeys(over_mqtt, False)
        for name in over_mqtt:
            self.clients[name] = self._connect(name, subscribed)
        web.listen(self.options.own_port, self.inbox.put)
        self.mouth = web.Mouth(self.options.http_port, self.options.keys, self.arrived.put)
        while not all(subscribed.values()):
            time.sleep(0.02)
        ready()
        lost = self.journal.letters("acknowledged IS NULL OR acknowledged > ?", time.time() - RESEND_S)
        self._publish(lost)
        while True:
            self._turn()

    def _connect(self, name: str, subscribed: dict[str, bool]) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, f"gateway-{name}", clean_session=False, manual_ack=True)
        client.username_pw_set(name, self.options.keys[name])
        client.reconnect_delay_set(1, 1)
        client.max_inflight_messages_set(100)
        lost_at: list[float] = []

        def connected(*_: object) -> None:
            self.sessions[name] += 1
            client.subscribe(f"c2m/v1/{name}/job-orders", 1)
            if lost_at:
                self.again.put((name, lost_at.pop()))

        def disconnected(*_: object) -> None:
            self.sessions[name] += 1
            lost_at[:] = [time.time()]

        client.on_connect, client.on_disconnect = connected, disconnected
        client.on_subscribe = lambda *_: subscribed.update({name: True})
        client.on_message = lambda _c, _u, m: self.inbox.put(self._heard(name, m.mid, m.payload))
        client.on_publish = lambda _c, _u, mid, *_: self._acknowledged(name, mid)
        client.connect_async("127.0.0.1", self.options.port, 20)
        client.loop_start()
        return client

    def _heard(self, name: str, mid: int, body: bytes) -> web.Heard:
        session = self.sessions[name]
        return web.Heard(name, body, lambda: session == self.sessions[name] and self.clients[name].ack(mid, 1))

    def _acknowledged(self, name: str, mid: int) -> None:
        while (name, mid) not in self.under_way:  # publish() has not returned yet
            time.sleep(0.001)
        self.arrived.put(self.under_way[name, mid])

    def _turn(self) -> None:
        heard = _drain(self.inbox, 0.02)
        if self.options.disorder:
            heard = heard + heard[::2]
            random.shuffle(heard)
        self._step("heard", heard)
        self._work([(one.factory_id, json.loads(one.body)) for one in heard])
        self._step("journalled", heard)
        for one in heard:
            one.acknowledge()
        self._step("acknowledged", heard)
        said, self.journal.said = self.journal.said, []
        self._publish(said)
        self._step("published", said)
        for name, lost_at in _drain(self.again, 0):
            self._publish(self.journal.letters("factory_id = ? AND acknowledged > ?", name, lost_at - RESEND_S))

    def _step(self, name: str, work: Sequence[object]) -> None:
        """A step of the protocol, where there was something to do."""
        if work:
            self.step(name)

    def _work(self, heard: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """One transaction of the journal: what was heard, what is due, what has arrived."""
        self.journal.file.execute("BEGIN IMMEDIATE")
        for name, message in heard:
            self._hear(name, message)
        for job in list(self.journal.jobs.values()):
            if job.state == "AllowedToStart" and job.due <= time.time():
                self._make(job)
        self.journal.acknowledged(_drain(self.arrived, 0))
        self.journal.file.execute("COMMIT")

    def _hear(self, name: str, message: dict[str, Any]) -> None:
        kind, data = message["type"].rsplit(".", 1)[1], message["data"]
        answer = self.journal.unheard(message["id"])
        if answer is None:
            job = self.journal.jobs.get(data["job_order_id"]) or Job(data["job_order_id"], name)
            hold_s = self.options.hold_s if fate(job) % 4 == 0 else 0.0
            did, answer = obey(job, kind, data, time.time(), hold_s)
            self.journal.keep(job)
            facts = (message["id"], name, kind, job.job_order_id, data["revision"], data.get("quantity"), did, answer)
            self.journal.file.execute("INSERT INTO heard VALUES (?, ?, ?, ?, ?, ?, ?, ?)", facts)
        self.journal.say(name, "job-responses", answer)

    def _make(self, job: Job) -> None:
        job.state = "Running"
        if fate(job) % 8 == 0:
            self.journal.say(job.factory_id, "job-responses", response(job))
        scans = made(job)
        rows = [(job.factory_id, scan_id, job.job_order_id, *rest) for scan_id, *rest in scans]
        self.journal.file.executemany("INSERT INTO scans VALUES (?, ?, ?, ?, ?)", rows)
        now = datetime.now(UTC).isoformat()
        facts = {"job_order_id": job.job_order_id, "sku_id": "K0", "at": now}
        for start in range(0, SCANS, SCANS_A_MESSAGE):
            batch = scans[start : start + SCANS_A_MESSAGE]
            data = [{"scan_id": i, "operation": operation, "quantity": q, **facts} for i, operation, q in batch]
            self.journal.say(job.factory_id, "scans", event(job.factory_id, "scans", data))
        job.state = "Ended"
        self.journal.say(job.factory_id, "job-responses", response(job))
        self.journal.keep(job)

    def _publish(self, letters: list[Letter]) -> None:
        if self.options.disorder:
            now = time.time()
            self.late += [(now + random.uniform(0, 0.5), letter) for letter in letters for _ in range(2)]
            letters = [letter for due, letter in self.late if due <= now]
            self.late = [item for item in self.late if item[0] > now]
            random.shuffle(letters)
        for letter in letters:
            if letter.factory_id in self.options.over_http:
                self.mouth.say(letter.factory_id, letter.kind, letter.body, letter.position)
                continue
            topic = f"c2m/v1/{letter.factory_id}/{letter.kind}"
            mid = self.clients[letter.factory_id].publish(topic, letter.body, 1).mid
            self.under_way[letter.factory_id, mid] = letter.position


def _drain(source: "queue.Queue[Any]", wait_s: float) -> list[Any]:
    try:
        found = [source.get(timeout=wait_s)] if wait_s else [source.get_nowait()]
    except queue.Empty:
        return []
    while not source.empty():
        found.append(source.get())
    return found


def die() -> None:
    """What a fault does to the process that it hits."""
    os.kill(os.getpid(), signal.SIGKILL)
