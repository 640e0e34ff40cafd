"""Feed rows as people in the rooms see and write them: their own as last known, new ones through the feed's contract.

What is written here becomes a file under C2M_HOME/rooms, and comes in as any other file does: checked, quarantined or
landed, with the moment of its arrival. The next day's plan reads it. Nobody writes for another tenant: a row of someone
else's is refused before there is a file.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import landing, mapping, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.file_outcomes import FileOutcome
from c2m.feeds.ingest import bring_in
from c2m.feeds.records import read
from c2m.feeds.world import Source, World
from c2m.files import write_atomically
from c2m.ledger.store import Scope
from c2m.people.json_rows import records
from c2m.settings import settings

MOST_BYTES = 20 * 1024 * 1024  # of a file that somebody brings
MOST_FAULTS = 200  # that a page shows
MOST_NAME = 100  # letters of a file's name
TOLERANCE_SHARE = 0.03  # of an order that names none: what factories usually miss

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Arrived:
    """What became of a file. faults: record, rule, seen, advice of what lies in quarantine."""

    outcome: FileOutcome
    faults: list[dict[str, Any]]


def tenant(scope: Scope) -> tuple[str, str]:
    """Column and value by which rows are somebody's own.

    Raises
    ------
    InputError
        A scope of everybody: nobody writes or reads all of a feed here.
    """
    for column in ("merchant_id", "factory_id"):
        if (value := getattr(scope, column)) is not None:
            return column, value
    raise InputError("no-scope", ["rows of a feed are shown to one merchant or factory alone"])


def own(feed: str, scope: Scope, **equal: object) -> pd.DataFrame:
    """Per key of an upsert feed, the row of theirs that was known last, in the order of its keys."""
    found = produced(feed, scope, **equal)
    keys = list(FEEDS[feed].key)
    newest = found.sort_values(["known_at", "_row_hash"], ascending=[True, False])
    return newest.drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)


def produced(name: str, scope: Scope, **equal: object) -> pd.DataFrame:
    """All of their rows that have landed, also of what the platform makes, such as forecasts."""
    column, value = tenant(scope)
    if not (landing.folder(name) / "_empty.parquet").exists():
        landing.ensure_landing()
    return landing.read_landed(name, **{column: value}, **equal)


def write(scope: Scope, feed: str, rows: Sequence[Row], name: str) -> Arrived:
    """Brings rows of theirs in, as a file of that name. known_at: now, or just after what it replaces.

    Raises
    ------
    InputError
        A row is not theirs.
    """
    column, value = tenant(scope)
    if any(row[column] != value for row in rows):
        raise InputError("not-yours", [f"rows of {feed} must have {column} {value}"])
    columns = [one.name for one in FEEDS[feed].columns]
    known_at = _after(row.get("known_at") for row in rows)
    lines = [json.dumps({name: _plain(row.get(name)) for name in columns} | {"known_at": known_at}) for row in rows]
    file = _folder(value) / name / f"{feed}.jsonl"
    write_atomically(file, ("\n".join(lines) + "\n").encode())
    merchants = [value] if column == "merchant_id" else None
    return _bring_in(Source(mapping.native(feed).bound(merchants), file, f"rooms/{value}/{name}/{feed}.jsonl"))


def take(scope: Scope, feed: str, name: str, content: bytes) -> Arrived:
    """Brings in a file that a merchant gives: by the mapping that its world has for such files, else as it is.

    Raises
    ------
    InputError
        The file is too large, or its feed is none that merchants bring here.
    """
    _, value = tenant(scope)
    if feed not in ("merchant_orders", "merchant_order_lines") or len(content) > MOST_BYTES:
        limit = f"{MOST_BYTES // 1024 // 1024} MB"
        raise InputError("file-refused", [f"{len(content):,} bytes of {feed}: orders and their lines, up to {limit}"])
    safe = re.sub(r"[^\w.-]", "_", Path(name).name).lstrip("._")[-MOST_NAME:] or f"{feed}.csv"
    file = _folder(value) / hashlib.sha256(content).hexdigest()[:16] / safe
    write_atomically(file, content)
    foreign = (one for one in _mappings(value) if one.feed.name == feed and file.match(one.files))
    form = next(foreign, None) or _said_by_itself(mapping.native(feed), file, value)
    return _bring_in(Source(form.bound([value]), file, f"rooms/{value}/{safe}"))


def _said_by_itself(form: mapping.Mapping, file: Path, merchant_id: str) -> mapping.Mapping:
    """For a file with the columns of the feed that leaves out what goes without saying: whose its rows are."""
    with landing.connect() as connection:
        there = {name.casefold() for name in read(connection, file, form.read).columns}
    known = {"merchant_id": merchant_id, "tolerance_share": str(TOLERANCE_SHARE), "status": "open"}
    said = {name: f"'{text}'" for name, text in known.items() if name in form.expressions and name not in there}
    return replace(form, expressions=form.expressions | said, text=json.dumps(said)) if said else form


def _mappings(merchant_id: str) -> list[mapping.Mapping]:
    """The foreign files' mappings that speak for this merchant."""
    try:
        world = World.load(settings().world_folder)
    except InputError:  # a home whose feeds lie elsewhere
        return []
    return [form for form, _ in world.foreign if form.merchants is None or merchant_id in form.merchants]


def _bring_in(source: Source) -> Arrived:
    outcome = bring_in(source)
    lying = quarantine.of_batch(outcome).head(MOST_FAULTS)
    return Arrived(outcome, records(lying[["record", "rule", "seen", "advice"]]))


def _folder(tenant_id: str) -> Path:
    return settings().home / "rooms" / tenant_id


def _after(known: Any) -> str:
    """Now, UTC; on a clock that stands still, a moment after the rows that are replaced."""
    now = clock.now().astimezone(UTC).replace(tzinfo=None)
    before = [pd.Timestamp(one).to_pydatetime() for one in known if one is not None and pd.notna(one)]
    return max([now, *(one + timedelta(microseconds=1) for one in before)]).isoformat()


def _plain(value: Any) -> Any:
    """As JSON says it: no row has lists, so that a missing value is one of pandas' or None."""
    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp | datetime | date):
        moment = pd.Timestamp(value)
        return moment.date().isoformat() if moment == moment.normalize() else moment.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value.item() if hasattr(value, "item") else value
