"""Whether what lies in C2M_HOME is whole: ledger, published marts, room on the disk, and the clock over all of it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from c2m import clock
from c2m.doctor.finding import Finding, judged
from c2m.ledger import store
from c2m.settings import settings
from c2m.warehouse import published

_SKEW = timedelta(minutes=1)


def ledger() -> Iterator[Finding]:
    """It answers, at the version that this code knows."""
    held, newest = store.versions()
    same = held == newest
    seen = f"version {held}" if same else f"version {held}, this code needs {newest}"
    yield Finding("ledger", same, seen, "" if same else "start c2m up or c2m run, which migrate it")


def marts() -> list[Finding]:
    """The pointer names files that are there, unchanged."""
    if not published.is_published():
        return [Finding("marts", None, "nothing is published yet: run a day")]
    return judged("marts", published.faults(), f"build {published.manifest()['build_id']} is whole", "run: transform")


def disk() -> list[Finding]:
    """Room is left."""
    usage = shutil.disk_usage(settings().home)
    free_gb = usage.free / 1e9
    faults = [f"{free_gb:.1f} GB free on the disk of {settings().home}"] if free_gb < settings().least_free_gb else []
    move = f"make room: at least {settings().least_free_gb:g} GB (C2M_LEAST_FREE_GB)"
    return judged("disk", faults, f"{free_gb:,.0f} GB free", move)


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
