"""What is too old to be of use to anyone is removed: plans' folders, quarantined rows, letters, logs, runs in Prefect.

How long each kind is kept is a setting (`retention`). Orders, plans, promises, messages and their audit stay in the
ledger for good, and so does what landed: tomorrow's marts are built from it. Sizes in bytes.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import compact, outcomes
from c2m.files import sync
from c2m.floor.child import LOOPBACK
from c2m.ledger import store
from c2m.ledger.conversation import letters
from c2m.orchestrator import orchestrator
from c2m.settings import settings
from c2m.upkeep.upgrade import saved


@dataclass(frozen=True)
class Old:
    """Something that may go. remove: takes it away; done twice it does nothing more."""

    kind: str
    count: int
    size_bytes: int
    remove: Callable[[], object]


def prune(dry_run: bool) -> list[Old]:
    """Removes what is too old, then merges the scans of past days; with dry_run only says what would go."""
    found = list(due(clock.business_date(clock.now())))
    if not dry_run:
        for one in found:
            one.remove()
        compact.compact()
    return found


def due(today: date) -> Iterator[Old]:
    """What is older than its kind is kept."""
    policy = settings().retention
    yield from of_runs(today - timedelta(days=policy.plans_days))
    yield from of_quarantine(today - timedelta(days=policy.quarantine_days))
    yield from of_letters(today - timedelta(days=policy.letters_days))
    yield from of_logs(policy.log_mb * 1_000_000)
    yield from of_prefect(policy.flow_runs_days)
    for backup in saved()[policy.backups :]:
        yield _of_files("backups of upgrades", [backup])


def of_runs(before: date) -> Iterator[Old]:
    """The folders of the plans of past days: instance, plan, report, feature rows."""
    for folder in sorted(settings().runs.glob("????-??-??")):
        with suppress(ValueError):
            if date.fromisoformat(folder.name) < before:
                yield _of_files("plans", [folder])


def of_quarantine(before: date) -> Iterator[Old]:
    """Rows that nobody has corrected, and the mapping by which they came. Their counts stay with the file's outcome."""
    for file in sorted(settings().quarantine.glob("*/*.parquet")):
        outcome = outcomes.find(file.stem)
        if outcome and outcome.arrived_at.date() < before:
            yield _of_files("quarantine", [file, file.with_suffix(".yaml")])


def of_letters(before: date) -> Iterator[Old]:
    """Dead letters that were taken after all; open ones wait for a person."""
    moment = clock.cut_off(before)
    with store.reading() as session:
        count, size = letters.settled(session, moment)
    if count:
        yield Old("dead letters", count, size, partial(_forget_letters, moment))


def _forget_letters(moment: datetime) -> None:
    with store.session() as session:
        letters.forget(session, moment)


def of_logs(most: int) -> Iterator[Old]:
    """All but the end of what the processes have written. They go on writing: their files are open at the end."""
    logs = [*(settings().home / "logs").glob("*.log"), *(settings().home / "dbt_logs").glob("*.log*")]
    for file in (*sorted(logs), settings().home / "steps.jsonl"):
        if file.exists() and file.stat().st_size > most:
            yield Old("logs", 1, file.stat().st_size - most, partial(_keep_end, file, most))


def _keep_end(file: Path, most: int) -> None:
    with file.open("r+b") as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(max(0, size - most))
        end = content.read().partition(b"\n")[2]  # from a whole line on
        content.seek(0)
        content.write(end)
        content.truncate()


def of_prefect(days: int) -> Iterator[Old]:
    """Runs that ended long ago, with their logs, where Prefect's server can be asked; the rest next time."""
    address = os.environ.get("PREFECT_API_URL", f"http://{LOOPBACK}:{settings().prefect_port}").removesuffix("/api")
    server, before = orchestrator(address), datetime.now(UTC) - timedelta(days=days)
    asked = {"flow_runs": {"end_time": {"before_": before.isoformat()}}, "limit": 200, "sort": "END_TIME_DESC"}
    try:
        if server.home() != settings().home.resolve():
            return
        runs = server.ask("/flow_runs/filter", asked)
    except (httpx.HTTPError, ValueError):
        return
    for run in runs:
        yield Old("runs in Prefect", 1, 0, partial(server.ask, f"/flow_runs/{run['id']}", method="DELETE"))


def _of_files(kind: str, paths: list[Path]) -> Old:
    there = [path for path in paths if path.exists()]
    files = [file for path in there for file in (path, *path.rglob("*")) if file.is_file()]
    return Old(kind, 1, sum(file.stat().st_size for file in files), partial(_remove, there))


def _remove(paths: list[Path]) -> None:
    home = settings().home.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(home):  # a link that leads elsewhere
            raise InputError("not-of-this-home", [f"{path} leads to {path.resolve()}, outside {home}: remove the link"])
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        sync(path.parent)


def totals(found: list[Old]) -> list[dict[str, object]]:
    """One row a kind: count and MB."""
    count, size = Counter[str](), Counter[str]()
    for one in found:
        count[one.kind] += one.count
        size[one.kind] += one.size_bytes
    return [{"kind": kind, "count": count[kind], "mb": round(size[kind] / 1e6, 1)} for kind in count]
