"""Whether what lies in C2M_HOME is whole and saved: ledger, landing zone, warehouse, marts, disk and clock, backups."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from c2m import clock
from c2m.doctor.finding import Finding, judged
from c2m.home import holder, lock_file
from c2m.ledger import store
from c2m.settings import settings
from c2m.upkeep import backup
from c2m.warehouse import published

_SKEW = timedelta(minutes=1)
_PARQUET = b"PAR1"  # begins and ends a whole file; before the end, the length of its footer in four bytes
_DAYS_BEHIND = 2  # the day before is the last one until today's has run


def ledger() -> Iterator[Finding]:
    """It answers, at the version that this code knows."""
    held, newest = store.versions()
    if held == newest:
        yield Finding("ledger", True, f"version {held}")
        return
    move = "start c2m up or c2m run, which migrate it; where the ledger is newer, install the version that wrote it"
    yield Finding("ledger", False, f"version {held}, this code needs {newest}", move)


def landing() -> list[Finding]:
    """Each file that has landed is whole: it begins and ends as Parquet does."""
    files = [file for file in settings().landing.glob("*/*.parquet") if not file.name.startswith(".")]
    broken = [file.relative_to(settings().landing) for file in files if not _is_whole(file)]
    faults = [f"{file} is cut off or overwritten" for file in broken[:5]]
    faults += [f"and {len(broken) - 5} more"] if len(broken) > 5 else []
    move = "restore it from a backup; or move it away, and bring its rows in again (c2m ingest)"
    return judged("landing", faults, f"{len(files):,} files are whole", move)


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size, head = path.stat().st_size, file.read(4)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except FileNotFoundError:  # it was merged with others just now
        return True
    return head == _PARQUET == tail[4:] and int.from_bytes(tail[:4], "little") + 12 <= size


def warehouse() -> Iterator[Finding]:
    """Nobody but a flow has it open to write: every build would fail."""
    pid, flow = holder(settings().warehouse), holder(lock_file("warehouse"))
    if pid is None or flow is not None:
        yield Finding("warehouse", True, "nobody holds it" if pid is None else f"a flow writes it (process {flow})")
        return
    command = Path(f"/proc/{pid}/cmdline")
    named = command.read_text().replace("\0", " ").strip()[:80] if command.exists() else "unknown"
    seen = f"{settings().warehouse} is held by process {pid} ({named}), which is no flow: builds fail"
    yield Finding("warehouse", False, seen, "close it there; read the files in C2M_HOME/published instead")


def last_day() -> list[Finding]:
    """A day was built lately."""
    if not published.is_published():
        return [Finding("last day", None, "no day was run yet")]
    last = date.fromisoformat(published.manifest()["business_date"])
    behind = (clock.business_date(clock.now()) - last).days
    faults = [f"{last} was the last good day, {behind} days ago"] if behind >= _DAYS_BEHIND else []
    move = "read the last run of `daily` on Prefect's pages, mend what it names, run it again for each day"
    return judged("last day", faults, f"{last}", move)


def backups() -> list[Finding]:
    """One was made lately; a home that is younger than that needs none yet."""
    key, last = settings().home / "pages.key", backup.last()
    if last is None and not key.exists():
        return [Finding("backup", None, "none was made from here")]
    since = last or datetime.fromtimestamp(key.stat().st_mtime, UTC)
    days = (datetime.now(UTC) - since).days
    old = days > settings().backup_days
    faults = [f"the last one is {days} days old" if last else f"none, in {days} days"] if old else []
    move = "c2m backup FILE; deploy/systemd/c2m-backup.timer makes one each night (C2M_BACKUP_DAYS says what is old)"
    return judged("backup", faults, f"made {since:%Y-%m-%d %H:%M} UTC" if last else "not yet due", move)


def marts() -> list[Finding]:
    """The pointer names files that are there, unchanged."""
    if not published.is_published():
        return [Finding("marts", None, "nothing is published yet: run a day")]
    return judged("marts", published.faults(), f"build {published.manifest()['build_id']} is whole", "run: transform")


def disk() -> list[Finding]:
    """Room is left."""
    free_gb, least_gb = shutil.disk_usage(settings().home).free / 1e9, settings().least_free_gb
    faults = [f"{free_gb:.1f} GB free on the disk of {settings().home}"] if free_gb < least_gb else []
    return judged("disk", faults, f"{free_gb:,.0f} GB free", f"make room: at least {least_gb:g} GB (C2M_LEAST_FREE_GB)")


def moment() -> list[Finding]:
    """It goes on, and not backwards."""
    faults = []
    steps = settings().home / "steps.jsonl"
    if steps.exists() and datetime.fromtimestamp(steps.stat().st_mtime, UTC) > datetime.now(UTC) + _SKEW:
        faults.append("the machine's clock was set back: steps were written later than now")
    if clock.is_virtual() and not clock.speed():
        faults.append(f"the virtual clock stands still at {clock.now():%Y-%m-%d %H:%M} UTC")
    kind = "virtual, at the speed of real time" if clock.is_virtual() else "real"
    return judged("clock", faults, f"{clock.now():%Y-%m-%d %H:%M} UTC, {kind}", "start c2m up anew")
