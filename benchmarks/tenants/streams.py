"""How quickly pages come while many watch the pieces of an order: open event streams, and pages asked for beside them.

Usage: C2M_HOME=var python -m benchmarks.tenants.streams [--streams 500] [--asked 200] [--at-once 2]

On a copy of a home in which a day was run. Prints one line of JSON: streams open, seconds of a page by rank (median,
p95, most), and how many streams told the pieces. Exit code 1 where a page or a stream fails.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx
import typer
from sqlalchemy import select

from benchmarks.tenants import homes
from c2m.ledger.store import reading
from c2m.ledger.tables import JobOrder

PAGES = ("/", "/exceptions", "/orders", "/plans", "/network", "/figures")
_WAIT_S = 120.0
_AT_ONCE = 8  # streams that are being opened


def main(streams: int = 500, asked: int = 200, at_once: int = 2) -> None:
    """Opens the streams, then asks for pages."""
    with homes.served() as address:
        with reading() as s:
            orders = list(s.scalars(select(JobOrder.order_id).distinct().order_by(JobOrder.order_id)))
        found = asyncio.run(_measure(address, orders, streams, asked, at_once))
    print(json.dumps(found))
    raise SystemExit(0 if found["failed"] == 0 and found["telling"] == streams else 1)


async def _measure(address: str, orders: Sequence[str], streams: int, asked: int, at_once: int) -> dict[str, object]:
    headers = {"cookie": homes.cookie(address, "operator")}
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, timeout=_WAIT_S, limits=limits, trust_env=False) as client,
        AsyncExitStack() as stack,
    ):
        began = time.monotonic()
        turn = asyncio.Semaphore(_AT_ONCE)
        opened = [_open(client, stack, turn, orders[number % len(orders)]) for number in range(streams)]
        telling = sum(await asyncio.gather(*opened))
        opened_s = time.monotonic() - began
        pages, seconds, failed = iter([PAGES[number % len(PAGES)] for number in range(asked)]), [], 0

        async def ask() -> None:
            nonlocal failed
            for path in pages:
                begun = time.monotonic()
                answer = await client.get(path)
                seconds.append(time.monotonic() - begun)
                failed += answer.status_code != 200

        await asyncio.gather(*(ask() for _ in range(at_once)))
    ranks = statistics.quantiles(seconds, n=20)
    told = {"median_s": statistics.median(seconds), "p95_s": ranks[-1], "most_s": max(seconds)}
    counts = {"streams": streams, "telling": telling, "opened_s": opened_s, "pages": len(seconds), "failed": failed}
    return counts | told | {"load": os.getloadavg()[0]}


async def _open(client: httpx.AsyncClient, stack: AsyncExitStack, turn: asyncio.Semaphore, order_id: str) -> bool:
    """Opens a stream and leaves it open; whether it told the pieces."""
    async with turn:
        answer = await stack.enter_async_context(client.stream("GET", f"/live/{order_id}"))
        first = await anext(answer.aiter_text(), "")
    return answer.status_code == 200 and first.startswith("event: pieces")


if __name__ == "__main__":
    typer.run(main)
