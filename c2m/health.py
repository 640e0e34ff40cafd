"""What a process of ours tells of itself behind its door: `/health` for who looks after it, `/metrics` for Prometheus.

Without the key `/health` says whether the process is alive and ready, which whoever can connect could find out anyway;
with it also version, lag and what is wrong. `/metrics` needs the key.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

PATHS = ("/health", "/metrics")


@dataclass(frozen=True)
class Health:
    """lag_s: how long the oldest work has waited, None where nothing waits in this process. faults: why not ready."""

    lag_s: float | None = None
    faults: tuple[str, ...] = ()


Look = Callable[[], Health]


async def answer(path: str, with_key: bool, look: Look) -> tuple[int, bytes | dict[str, Any]]:
    """HTTP status and content of one of PATHS: 503 where the process cannot do its work now."""
    if path == "/metrics":
        return 200, await asyncio.to_thread(generate_latest, REGISTRY)
    try:
        found = await asyncio.to_thread(look)
    except Exception as error:  # whatever a broken ledger makes a library raise: it is what the look found
        found = Health(faults=(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",))
    told: dict[str, Any] = {"alive": True, "ready": not found.faults}
    if with_key:
        told |= {"version": our_version(), "lag_s": found.lag_s, "faults": found.faults}
    return 503 if found.faults else 200, told


METRICS_TYPE = CONTENT_TYPE_PLAIN_0_0_4


@cache
def our_version() -> str:
    """The version of the installed package; `unknown` where the code runs without being installed."""
    try:
        return version("c2m")
    except PackageNotFoundError:
        return "unknown"
