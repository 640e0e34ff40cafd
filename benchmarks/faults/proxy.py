"""A TCP proxy that is the bad network of the fault matrix or a bad peer: it cuts, is deaf, drips, talks without end."""

import asyncio
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

BLOCK = 65536
DRIP_S = 5.0  # between two bytes
_ENDLESS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


class Proxy:
    """Forwards one port to another. slow_s: each block waits so long, in order.

    peer: what connections meet that are opened now. `drip questions` and `drip answers` let one byte through every
    DRIP_S, either way; `endless` takes the question, hands nobody anything, and answers 200 without end.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.open: set[asyncio.StreamWriter] = set()
        self.refusing = False
        self.slow_s = 0.0
        self.peer = ""
        self.deaf = asyncio.Event()
        self.deaf.set()  # set: it hears

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        if self.peer == "endless":
            await talk(reader, writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self.open |= pair
        there = drip if self.peer == "drip questions" else self.forward
        back = drip if self.peer == "drip answers" else self.forward
        await asyncio.gather(there(reader, far_writer), back(far_reader, writer))
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
        peer = order in ("drip questions", "drip answers", "endless")
        self.refusing, self.peer = not peer, order if peer else ""
        if order == "deaf":  # connections stand, nothing comes through, then they break
            self.deaf.clear()
            await asyncio.sleep(seconds)
        for writer in list(self.open):
            writer.transport.abort()
        self.deaf.set()
        if order != "deaf":
            await asyncio.sleep(seconds)
        self.refusing, self.peer = False, ""


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side gives up."""
    with suppress(OSError):
        while block := await reader.read(BLOCK):
            for byte in block:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP_S)
    writer.transport.abort()


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer without end to a question that nobody gets, for as long as anybody listens."""
    with suppress(OSError):
        await reader.read(BLOCK)
        writer.write(_ENDLESS)
        while True:
            writer.write(_CHUNK)
            await writer.drain()
    writer.transport.abort()


def run(port: int, target: int, orders: Connection, ready: Any) -> None:
    """A process of its own; orders: pairs of cut, deaf, slow or one of the peers, and seconds."""
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
