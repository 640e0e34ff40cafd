"""A TCP proxy that is the bad network of the fault matrix: it cuts, goes deaf, or is slow, on command."""

import asyncio
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

BLOCK = 65536


class Proxy:
    """Forwards one port to another. slow_s: each block waits so long, in order."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.open: set[asyncio.StreamWriter] = set()
        self.refusing = False
        self.slow_s = 0.0
        self.deaf = asyncio.Event()
        self.deaf.set()  # set: it hears

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self.open |= pair
        await asyncio.gather(self.forward(reader, far_writer), self.forward(far_reader, writer))
        self.open -= pair

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK):
                if self.slow_s:
                    await asyncio.sleep(self.slow_s)
                await self.deaf.wait()
                writer.write(block)
                await writer.drain()
        writer.transport.abort()

    async def obey(self, order: str, seconds: float) -> None:
        if order == "slow":
            self.slow_s = seconds
            return
        self.refusing = True
        if order == "deaf":  # connections stand, nothing comes through, then they break
            self.deaf.clear()
            await asyncio.sleep(seconds)
        for writer in list(self.open):
            writer.transport.abort()
        self.deaf.set()
        if order == "cut":
            await asyncio.sleep(seconds)
        self.refusing = False


def run(port: int, target: int, orders: Connection, ready: Any) -> None:
    """A process of its own; orders: pairs of cut, deaf or slow, and seconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(port, target, orders, ready))


async def _serve(port: int, target: int, orders: Connection, ready: Any) -> None:
    proxy = Proxy(target)
    tasks = set()
    loop = asyncio.get_running_loop()

    def heard() -> None:
        task = loop.create_task(proxy.obey(*orders.recv()))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_reader(orders.fileno(), heard)
    async with await asyncio.start_server(proxy.accept, "127.0.0.1", port) as server:
        ready.set()
        await server.serve_forever()
