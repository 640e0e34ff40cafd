"""What is too old to be of use to anyone is removed: plans' folders, quarantined rows, letters, logs, runs in Prefect.

How long each kind is kept is a setting (`retention`). Orders, plans and promises stay in the ledger for good, and so
does what landed: tomorrow's marts are built from it. Sizes in bytes.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from c2m import clock, objects
from c2m.errors import C2MError, InputError
from c2m.feeds import compact, file_outcomes
from c2m.files import sync
from c2m.floor.child import LOOPBACK
from c2m.ledger import archive, store
from c2m.ledger.conversation import letters
from c2m.ledger.rooms import spent
from c2m.orchestrator import Orchestrator, orchestrator
from c2m.settings import settings
from c2m.upkeep.upgrade import saved

_PAGE = 200  # of runs in Prefect, the most that it answers with


@dataclass(frozen=True)
class Old:
    """Something that may go. remove: takes it away; done twice it does nothing more."""

    kind: str
    count: int
    size_bytes: int
    remove: Callable[[], object]


def prune(dry_run: bool) -> list[Old]:
    """Removes what is too old, then merges the scans of past days; with dry_run only says what would go.

    The caller has the warehouse's turn: neither a build nor a backup sees files go.
    """
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
    yield from of_letters(*(today - timedelta(days=days) for days in (policy.letters_days, policy.open_letters_days)))
    yield from of_messages(*(today - timedelta(days=days) for days in (policy.outbox_days, policy.inbox_days)))
    yield from of_rooms(today - timedelta(days=policy.quotes_days))
    yield from of_logs(policy.log_mb * 1_000_000)
    yield from of_prefect(policy.flow_runs_days)
    yield from of_mlflow(policy.model_runs_days)
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
        outcome = file_outcomes.find(file.stem)
        if outcome and outcome.arrived_at.date() < before:
            yield _of_files("quarantine", [file, file.with_suffix(".yaml")])


def of_letters(settled_before: date, open_before: date) -> Iterator[Old]:
    """Dead letters that were taken after all, and those that nobody has wanted for long."""
    moments = clock.cut_off(settled_before), clock.cut_off(open_before)
    with store.reading() as session:
        count, size = letters.old(session, *moments)
    if count:
        yield Old("dead letters", count, size, partial(_in_ledger, letters.forget, *moments))


def of_messages(outbox_before: date, inbox_before: date) -> Iterator[Old]:
    """Messages of job orders that ended, answers of factories, and the audit of both."""
    before = archive.Before(clock.cut_off(outbox_before), clock.cut_off(inbox_before))
    with store.reading() as session:
        found = archive.counted(session, before)
    leave = partial(_in_ledger, archive.leave, before)
    for kind, (count, size) in found.items():
        if count:
            yield Old(kind, count, size, leave)


def of_rooms(before: date) -> Iterator[Old]:
    """Quotes that nobody took, and the answers that the merchant API gives again for the same key."""
    moment = clock.cut_off(before)
    with store.reading() as session:
        count = spent.old(session, moment)
    if count:
        yield Old("quotes and answers", count, 0, partial(_in_ledger, spent.forget, moment))


def _in_ledger(change: Callable[..., object], *asked: object) -> None:
    with store.session() as session:
        change(session, *asked)


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
    server = orchestrator(address)
    try:
        runs = _ended_runs(server, days) if server.home() == settings().home.resolve() else []
    except (httpx.HTTPError, ValueError):
        return
    for run in runs:
        yield Old("runs in Prefect", 1, 0, partial(server.ask, f"/flow_runs/{run['id']}", method="DELETE"))


def _ended_runs(server: Orchestrator, days: int) -> list[dict[str, object]]:
    before = datetime.now(UTC) - timedelta(days=days)
    asked = {"flow_runs": {"end_time": {"before_": before.isoformat()}}, "limit": _PAGE, "sort": "END_TIME_DESC"}
    runs: list[dict[str, object]] = []
    while found := server.ask("/flow_runs/filter", asked | {"offset": len(runs)}):
        runs += found
    return runs


def of_mlflow(days: int) -> Iterator[Old]:
    """Runs that ended long ago and are no registered version's, nor above or below such a one's."""
    if settings().mlflow.startswith("http") or not _has_models():
        return
    import mlflow  # takes seconds

    mlflow.set_tracking_uri(settings().mlflow)
    client = mlflow.MlflowClient()
    runs = [run for one in client.search_experiments() for run in _ended(client, one.experiment_id, days)]
    above = {run.info.run_id: run.data.tags.get("mlflow.parentRunId") for run in runs}
    old = _forgettable(above, {version.run_id for version in client.search_model_versions()})
    if old:
        yield Old("runs in MLflow", len(old), 0, partial(_forget_runs, client, old))


def _forgettable(above: Mapping[str, str | None], registered: Set[str | None]) -> list[str]:
    """above: by run the run that it is a part of."""
    kept = registered | {above[name] for name in above.keys() & registered}
    return [name for name, parent in above.items() if name not in kept and parent not in kept]


def _has_models() -> bool:
    return settings().mlflow_uri is not None or (settings().home / "mlflow" / "mlflow.db").exists()


def _ended(client: Any, experiment_id: str, days: int) -> Iterator[Any]:
    before_ms = int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000)
    token = None
    while True:
        page = client.search_runs([experiment_id], f"attributes.end_time < {before_ms}", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _forget_runs(client: Any, run_ids: list[str]) -> None:
    """Deleted, then taken off the disk by MLflow's own collector of garbage."""
    for run_id in run_ids:
        client.delete_run(run_id)
    stores = {"MLFLOW_BACKEND_STORE_URI": settings().mlflow, "MLFLOW_TRACKING_URI": settings().mlflow}
    command = [sys.executable, "-m", "mlflow", "gc", "--run-ids", ",".join(run_ids)]
    done = subprocess.run(command, env=os.environ | stores, capture_output=True, text=True)
    if done.returncode:
        raise C2MError("models-not-pruned", [f"mlflow gc says: {done.stderr[-500:]}"])


def _of_files(kind: str, paths: list[Path]) -> Old:
    there = [path for path in paths if path.exists()]
    return Old(kind, 1, sum(map(_size_bytes, there)), partial(_remove, there))


def _size_bytes(path: Path) -> int:
    """Of a file, or of all in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _refuse_outside(home: Path, path: Path) -> None:
    if not path.resolve().is_relative_to(home):  # a link that leads elsewhere
        raise InputError("not-of-this-home", [f"{path} leads to {path.resolve()}, outside {home}: remove the link"])


def _remove(paths: list[Path]) -> None:
    home = settings().home.resolve()
    for path in paths:
        _refuse_outside(home, path)
        objects.remove([file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path])
        if path.is_dir():
            shutil.rmtree(path)
        sync(path.parent)


def totals(found: list[Old]) -> list[dict[str, object]]:
    """One row a kind: count and MB."""
    count, size = Counter[str](), Counter[str]()
    for one in found:
        count[one.kind] += one.count
        size[one.kind] += one.size_bytes
    return [{"kind": kind, "count": count[kind], "mb": round(size[kind] / 1e6, 1)} for kind in count]
