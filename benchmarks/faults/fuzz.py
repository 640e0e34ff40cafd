"""A million broken messages through the collector: nothing crashes, each is obeyed or a dead letter with a reason.

    .venv/bin/python -m benchmarks.faults.fuzz [MESSAGES]          (default 1,000,000)

Good messages of every kind are broken in their schema, their encoding, their size, their depth, their bytes and their
topic, and given to the collector's own `commit`, in its own group sizes. What became of each is then read from disk
and ledger: its scans, its response in the inbox, or its dead letter. A message in none of them is lost. Status messages
leave one row per factory, whoever sent how many: that those which were taken are good is checked by hand.
"""

import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import psutil
from sqlalchemy import text

from benchmarks.faults import matrix
from c2m.floor import collect
from c2m.ledger import audit, store
from c2m.settings import settings
from c2m.wire.messages import MAX_BYTES, MAX_SCANS

GROUP = 500
NOW = "2026-01-05T12:00:00Z"
FACTORY = matrix.FACTORIES[0]
OTHER_ID = "cannot be obeyed"  # of a message that is well formed, such as an answer for an unknown job order
STRANGE = [
    "",
    " ",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "é" * 70,
    "x" * 5_000,
    "../..",
    "'; DROP TABLE audit; --",
    "NaN",
    "\u202e",
]
NUMBERS = [-1, 0, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308, float("nan"), float("inf"), True, "1", None, [], {}]


def seed(draws: random.Random, number: int, jobs: Sequence[str]) -> dict[str, Any]:
    """A good message; its id tells it from all others."""
    kind = draws.choice(["scans", "job-response", "status"])
    job = {"job_order_id": draws.choice(jobs)}
    data: Any = {"online": True, "through": NOW}
    if kind == "job-response":
        data = job | {"revision": 1, "sequence": 1 + draws.randrange(9), "state": "Running", "reason": ""}
    elif kind == "scans":
        scan = job | {"sku_id": "K0", "operation": "sew", "quantity": 9, "defects": 1, "line_id": "L1", "at": NOW}
        data = [{"scan_id": f"{number}-{i}", **scan} for i in range(draws.randrange(1, 6))]
    facts = {"specversion": "1.0", "id": f"m{number}", "source": f"c2m/factory/{FACTORY}", "type": f"c2m.{kind}"}
    return facts | {"time": NOW, "datacontenttype": "application/json", "data": data}


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a document that can be changed: container and key."""
    found = []
    stack = [value]
    while stack:
        here = stack.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here))
        for key in keys:
            found.append((here, key))
            if isinstance(here[key], dict | list):
                stack.append(here[key])
    return found


def broken_schema(draws: random.Random, message: dict[str, Any]) -> bytes:
    """A field gone, renamed, added, of another type or beyond its limits."""
    for _ in range(draws.randrange(1, 4)):
        here, key = draws.choice(_spots(message) or [(message, "data")])
        what = draws.randrange(5)
        if what == 0 and isinstance(here, dict):
            here.pop(key, None)
        elif what == 1 and isinstance(here, dict):
            here[draws.choice([*STRANGE, "data", "revisoin"])] = here.get(key)
        elif what == 2:
            here[key] = draws.choice(STRANGE)
        elif what == 3:
            here[key] = [here[key]] * draws.randrange(3)
        else:
            here[key] = draws.choice(NUMBERS)
    return json.dumps(message).encode()


def broken_encoding(draws: random.Random, message: dict[str, Any]) -> bytes:
    """Other encodings, marks, bytes that are no UTF-8, NULs."""
    body = json.dumps(message, ensure_ascii=False)
    other = draws.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "bytes", "surrogates", "nul"])
    if other == "bytes":
        place = draws.randrange(len(body))
        return body[:place].encode() + bytes(draws.choices(range(128, 256), k=3)) + body[place:].encode()
    if other == "surrogates":
        return body.replace("m", "\\ud83d", 1).encode()
    return body.replace(" ", "\x00", 1).encode() if other == "nul" else body.encode(other)


def broken_bytes(draws: random.Random, message: dict[str, Any]) -> bytes:
    """Cut off, run together, bits turned over, noise."""
    body = bytearray(json.dumps(message).encode())
    what = draws.randrange(4)
    if what == 0:
        return bytes(body[: draws.randrange(len(body))])
    if what == 1:
        return bytes(body) * 2
    if what == 2:
        return draws.randbytes(draws.randrange(300))
    for _ in range(draws.randrange(1, 8)):
        body[draws.randrange(len(body))] ^= 1 << draws.randrange(8)
    return bytes(body)


def broken_depth(draws: random.Random, message: dict[str, Any]) -> bytes:
    """Lists or objects inside each other, from harmless to absurd, in an extension or as the data."""
    depth = draws.choice([2, 50, 190, 210, 2_000 if draws.random() < 0.98 else 50_000])
    opened, closed = draws.choice([("[", "]"), ('{"a":', "}")])
    place = draws.choice(["data", "extension"])
    body = json.dumps(message | {place: "here"})
    return body.replace('"here"', f"{opened * depth}1{closed * depth}").encode()


def broken_size(draws: random.Random, message: dict[str, Any]) -> bytes:
    """Too many scans, long names, and now and then more bytes than a message may have."""
    rare = draws.random()
    if rare < 0.0003:
        return json.dumps(message).encode() + b" " * (MAX_BYTES + draws.randrange(9))
    if rare < 0.02 and isinstance(message["data"], list):
        number = draws.choice([MAX_SCANS + 1, MAX_SCANS + 7])
        message["data"] = [message["data"][0] | {"scan_id": f"{message['id']}-{i}"} for i in range(number)]
    message["subject"] = "s" * draws.choice([0, 1, 200, 201, 5_000])
    return json.dumps(message).encode()


def as_it_is(draws: random.Random, message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


WAYS: dict[str, Callable[[random.Random, dict[str, Any]], bytes]] = {
    "schema": broken_schema,
    "encoding": broken_encoding,
    "bytes": broken_bytes,
    "depth": broken_depth,
    "size": broken_size,
    "topic": as_it_is,
    "nothing": as_it_is,
}
KINDS = {"scans": "scans", "job-response": "job-responses", "status": "status"}
TOPICS = [
    "c2m/v1/F02/scans",
    "c2m/v1/F01/job-orders",
    "c2m/v1//status",
    "c2m/v2/F01/scans",
    "c2m/v1/F\x01/scans",
    "x" * 300,
]


def fuzzed(draws: random.Random, number: int, jobs: Sequence[str]) -> tuple[str, str, bytes]:
    """The way it is broken, its topic, its bytes."""
    way, message = draws.choice(list(WAYS)), seed(draws, number, jobs)
    kind = KINDS[message["type"].removeprefix("c2m.")]
    topic = draws.choice(TOPICS) if way == "topic" else f"c2m/v1/{FACTORY}/{kind}"
    return way, topic, WAYS[way](draws, message)


def is_status(message: dict[str, Any]) -> bool:
    """By hand, from the contract."""
    data = message["data"]
    through = data.get("through")
    facts = message["type"], message["source"], message.get("specversion", "1.0")
    good = facts == ("c2m.status", f"c2m/factory/{FACTORY}", "1.0") and type(data["online"]) is bool
    return good and data.keys() <= {"online", "through"} and (through is None or isinstance(through, str))


@dataclass
class Book:
    """What was sent, by what can be found of it again."""

    ways: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    letters: dict[bytes, set[str]] = field(default_factory=dict)  # digests of topic and text: scans that are in it
    unobeyed: set[str] = field(default_factory=set)  # ids
    scans: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    disputed: int = 0

    def note(self, way: str, topic: str, body: bytes, reason: str) -> None:
        """Files a message under what the collector said of it."""
        self.ways[way] += 1
        self.dead[way] += bool(reason)
        if reason and not reason.startswith(OTHER_ID):
            kept_as = _digest(topic, body.decode("utf-8", "replace").replace("\x00", "\ufffd"))
            self.letters[kept_as] = _scans_of(body)
            return
        message = json.loads(body)
        if reason:
            self.unobeyed.add(message["id"])
        elif message["type"] == "c2m.scans":
            self.scans.update(scan["scan_id"] for scan in message["data"])
        elif message["type"] == "c2m.job-response":
            self.answers.add(message["id"])
        else:
            self.disputed += not is_status(message)


def _digest(topic: str, content: str) -> bytes:
    return hashlib.blake2b(f"{topic}\x1f{content[:MAX_BYTES]}".encode(), digest_size=12).digest()


def _scans_of(content: bytes | str) -> set[str]:
    """Ids of the scans that a message has, as JSON, as far as it can be read."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return {json.dumps(scan.get("scan_id")) for scan in json.loads(content)["data"] if isinstance(scan, dict)}
    return set()


def verdict(book: Book) -> dict[str, int]:
    """All zero where nothing was lost. Of scans of which some are broken those alone become a dead letter."""
    found, ids, set_aside, no_reason = set(), set(), set(), 0
    with store.session() as session:
        stream = text("SELECT topic, payload, reason FROM dead_letters").execution_options(yield_per=GROUP)
        for topic, payload, reason in session.execute(stream):
            found.add(_digest(topic, payload))
            no_reason += not reason
            set_aside |= _scans_of(payload)
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                ids.add(json.loads(payload)["id"])
        answers = set(session.scalars(text("SELECT message_id FROM inbox")))
        broken = len(audit.verify(session).faults)
    rows = duckdb.execute("SELECT DISTINCT scan_id FROM read_parquet(?)", [str(settings().landing / "scans" / "*")])
    there = {row[0] for row in rows.fetchall()}
    safe = {json.dumps(scan_id) for scan_id in there} | set_aside
    whole = {kept_as for kept_as, scans in book.letters.items() if kept_as in found or (scans and scans <= safe)}
    return {
        "dead letters not kept": len(book.letters.keys() - whole) + len(book.unobeyed - ids),
        "dead letters without a reason": no_reason,
        "scans not on disk": len(book.scans - there),
        "answers not in the inbox": len(book.answers - answers),
        "status taken that is none": book.disputed,
        "good messages refused": book.dead["nothing"],
        "faults of the audit": broken,
    }


def released() -> list[str]:
    """A ledger with job orders of one factory."""
    store.migrate()
    made = matrix.Site(settings().home, "sqlite", random.Random(1), ExitStack())
    matrix.release(made, 1, 200)
    with store.session() as session:
        jobs = text("SELECT job_order_id FROM job_orders WHERE factory_id = :factory ORDER BY 1")
        return list(session.scalars(jobs, {"factory": FACTORY}))


def run(messages: int, seed: int = 1) -> tuple[pd.DataFrame, dict[str, int]]:
    """Drives the messages through; a line per way of breaking them, and the verdict. C2M_HOME is an empty folder."""
    draws, book, jobs = random.Random(seed), Book(), released()
    for start in range(0, messages, GROUP):
        some = [fuzzed(draws, number, jobs) for number in range(start, min(start + GROUP, messages))]
        arrivals = [collect.Arrival(topic, body, lambda _: None) for _, topic, body in some]
        reasons = collect.commit(arrivals, datetime.now(UTC))
        for (way, topic, body), reason in zip(some, reasons, strict=True):
            book.note(way, topic, body, reason)
        if start % 50_000 == 0:
            print(f"{start:,} messages, {psutil.Process().memory_info().rss >> 20} MiB", file=sys.stderr, flush=True)
    table = pd.DataFrame({"messages": book.ways, "dead letters": book.dead}).fillna(0).astype(int)
    return table.assign(obeyed=table["messages"] - table["dead letters"]), verdict(book)


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="c2m-fuzz-") as home:
        os.environ["C2M_HOME"] = home
        settings.cache_clear()
        began = time.perf_counter()
        table, found = run(messages)
    print(table.to_string(), found, f"{time.perf_counter() - began:.0f} s", sep="\n\n")
    sys.exit(any(found.values()))


if __name__ == "__main__":
    main()
