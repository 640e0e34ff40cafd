"""How much of a request is read, and for how long: whoever sends it, before anybody looks who it is.

A file that somebody brings in a form is the largest body of all.
"""

import asyncio
import time

from starlette.exceptions import HTTPException

from c2m.doors import App, Message, Receive, Send
from c2m.rooms.tenants.landed import MOST_BYTES

MOST = MOST_BYTES + 1024 * 1024  # with the fields beside the file
WITHIN_S = 120.0
STATUS = (408, 413)
_LARGE = f"More than {MOST // 1024 // 1024} MB came: send it in parts."
_SLOW = f"It was not here whole within {WITHIN_S:.0f} s: send it again."


class BodyLimit:
    """ASGI middleware: whoever reads a body gets HTTPException 413 beyond the size, 408 beyond the time."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands on what comes, and counts it."""
        came, whole, until = 0, scope["type"] != "http", time.monotonic() + WITHIN_S

        async def counted() -> Message:
            nonlocal came, whole
            if whole:  # what comes now is that the other side has gone
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), until - time.monotonic())
            except TimeoutError:
                raise HTTPException(408, _SLOW, {"connection": "close"}) from None
            came, whole = came + len(message.get("body", b"")), not message.get("more_body", False)
            if came > MOST:
                raise HTTPException(413, _LARGE, {"connection": "close"})
            return message

        await self._app(scope, counted, send)
