"""Figures of the whole home for Prometheus, at `/metrics` of the documents: asked of ledger and disk at each scrape.

Every figure of FIGURES is given, unless what it is taken from cannot be read; then `c2m_readable` of that source is 0.
What a service counts by itself (scans, messages) stands at its own `/metrics`. Times in seconds, sizes in bytes.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from c2m import clock
from c2m.health import Health
from c2m.ledger import alerts, status, store
from c2m.ledger.conversation import outbox
from c2m.settings import settings
from c2m.upkeep.keeper import noted
from c2m.warehouse import published

FIGURES = {
    "c2m_readable": ("Whether a source of figures could be read", "source"),
    "c2m_outbox_messages": ("Messages to factories", "state"),
    "c2m_outbox_age_seconds": ("For how long the message that has waited longest was due", ""),
    "c2m_dead_letters": ("Dead letters that are open", ""),
    "c2m_orders": ("Merchants' and replenishment orders", "state"),
    "c2m_job_orders": ("Job orders", "state"),
    "c2m_alerts": ("Alerts that stand", ""),
    "c2m_factories_online": ("Factories that have said that they are online", ""),
    "c2m_last_good_day_timestamp_seconds": ("Begin of the business date whose marts are published, since 1970", ""),
    "c2m_days_behind": ("Business days since the one that was published last", ""),
    "c2m_disk_used_bytes": ("Size of a part of C2M_HOME", "part"),
    "c2m_disk_free_bytes": ("Room left on the disk of C2M_HOME", ""),
    "c2m_process_running": ("Whether a child of c2m up runs", "process"),
    "c2m_process_restarts": ("How often c2m up has started a child again", "process"),
}
_SIZES_S = 60.0  # a walk over all files of a home is not made more often

Sample = tuple[str, str, float]  # figure, label, value


class HomeCollector(Collector):
    """Registers with prometheus_client."""

    def __init__(self) -> None:
        self._sizes: tuple[float, dict[str, int]] = (float("-inf"), {})

    def collect(self) -> Iterator[Metric]:
        """All figures, as of now."""
        sources: dict[str, Callable[[], Iterable[Sample]]] = {
            "ledger": of_ledger,
            "marts": of_marts,
            "disk": self.of_disk,
            "processes": of_processes,
        }
        samples: list[Sample] = []
        for source, read in sources.items():
            try:
                samples += read()
                samples.append(("c2m_readable", source, 1))
            except Exception:  # whatever a broken source makes a library raise: the figure says so
                samples.append(("c2m_readable", source, 0))
        for name, (about, label) in FIGURES.items():
            family = GaugeMetricFamily(name, about, labels=[label] if label else None)
            for figure, value_of, value in samples:
                if figure == name:
                    family.add_metric([value_of] if label else [], value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Names without values: registering must not ask a ledger that is not there yet."""
        return [GaugeMetricFamily(name, about) for name, (about, _) in FIGURES.items()]

    def of_disk(self) -> Iterator[Sample]:
        """Sizes of the parts of C2M_HOME, measured once a minute at most, and what is left."""
        measured, sizes = self._sizes
        if time.monotonic() - measured > _SIZES_S:
            sizes = {path.name: _size(path) for path in settings().home.iterdir()}
            self._sizes = time.monotonic(), sizes
        yield from (("c2m_disk_used_bytes", part, size) for part, size in sizes.items() if size)
        yield "c2m_disk_free_bytes", "", shutil.disk_usage(settings().home).free


def of_ledger() -> list[Sample]:
    """Messages, dead letters, orders, alerts, factories."""
    with store.reading() as session:
        held = status.summary(session)
        samples: list[Sample] = [
            ("c2m_outbox_age_seconds", "", outbox.lag_s(session, datetime.now(UTC), clock.now())),
            ("c2m_dead_letters", "", held["dead_letters"]),
            ("c2m_alerts", "", len(alerts.standing(session))),
            ("c2m_factories_online", "", int(status.factories(session)["online"].sum())),
        ]
    for figure, key in (
        ("c2m_outbox_messages", "outbox"),
        ("c2m_orders", "orders"),
        ("c2m_job_orders", "job_orders"),
    ):
        samples += [(figure, state, count) for state, count in held[key].items()]
    return samples


def of_marts() -> list[Sample]:
    """The last good day; nothing before the first."""
    if not published.is_published():
        return []
    day = datetime.fromisoformat(published.manifest()["business_date"]).date()
    behind = (clock.business_date(clock.now()) - day).days
    return [
        ("c2m_last_good_day_timestamp_seconds", "", clock.cut_off(day).timestamp()),
        ("c2m_days_behind", "", behind),
    ]


def of_processes() -> Iterator[Sample]:
    """The children of `c2m up`, as it noted them."""
    for one in noted():
        yield "c2m_process_running", one["process"], float(one["pid"] is not None)
        yield "c2m_process_restarts", one["process"], one["restarts"]


def of_home() -> Health:
    """Ready while the ledger answers, at the version of this code; the lag is the outbox's."""
    held, newest = store.versions()
    if held != newest:
        return Health(faults=(f"the ledger is at version {held}, this code needs {newest}",))
    with store.reading() as session:
        return Health(outbox.lag_s(session, datetime.now(UTC), clock.now()))


def _size(path: Path) -> int:
    total = 0
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        try:
            total += 0 if file.is_dir() else file.stat().st_size
        except OSError:  # it was swapped for a newer one just now
            continue
    return total
