"""Tells merchants' addresses what happened: signed by the Standard Webhooks specification, again until it is taken.

The secret of an address follows from this home's key and the address's id, so that nothing secret is kept of it.
"""

import base64
import hashlib
import hmac
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx

from c2m import clock
from c2m.errors import InputError
from c2m.floor.delivery import NotDeliveredError
from c2m.floor.http import Client, public_address
from c2m.home import secret
from c2m.ledger.rooms import events, webhooks
from c2m.ledger.rooms.webhooks import Call
from c2m.ledger.store import EVERYONE, reading, session
from c2m.ledger.tables import MerchantEvent
from c2m.settings import settings

LOOK_S = 5.0  # between two looks for what is new
_AT_ONCE = 50

log = logging.getLogger(__name__)


def secret_of(webhook_id: str) -> str:
    """The secret with which calls of an address are signed, as the specification writes it."""
    key = hmac.digest(secret("webhooks").encode(), webhook_id.encode(), hashlib.sha256)
    return f"whsec_{base64.b64encode(key).decode()}"


def refuse(url: str) -> None:
    """Refuses an address that is not HTTPS to a public host, unless `endpoint_hosts` names its host.

    Raises
    ------
    InputError
        In words.
    """
    try:
        public_address(url)
    except NotDeliveredError as error:
        raise InputError("url-refused", [str(error)]) from None
    if not _is_secure(httpx.URL(url)):
        raise InputError("url-refused", [f"{url}: expected an address that begins with https://"])


def _is_secure(url: httpx.URL) -> bool:
    """HTTPS, or HTTP to a host that the settings name."""
    return url.scheme == "https" or url.host in settings().endpoint_hosts


def told(event: MerchantEvent) -> dict[str, object]:
    """An event as merchants get it, called or asked for."""
    known = {"id": event.event_id, "position": event.position, "type": event.kind, "order_id": event.order_id}
    return known | {"happened_at": event.happened_at.isoformat(), "data": event.data}


def signed(call: Call, at: datetime) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a call: the signature is over id, timestamp and body."""
    body, stamp = json.dumps(told(call.event)).encode(), str(int(at.timestamp()))
    key = base64.b64decode(secret_of(call.webhook_id).removeprefix("whsec_"))
    over = f"{call.event.event_id}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, over, hashlib.sha256)).decode()
    headers = {"webhook-id": call.event.event_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    return body, headers | {"content-type": "application/json"}


def round_of_calls(client: Client) -> int:
    """Collects what happened, tells what is due; how many calls were made."""
    now = datetime.now(UTC)
    with reading() as s:
        if not webhooks.of_scope(s, EVERYONE):
            return 0
    with session() as s:
        events.collect(s, clock.now())
        webhooks.fan_out(s, now)
        calls = webhooks.claim(s, now, _AT_ONCE)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # a slow address holds up no other
        for call, (answer, taken) in zip(calls, pool.map(lambda call: _call(client, call, now), calls), strict=True):
            with session() as s:
                webhooks.note(s, call, answer, taken)
    return len(calls)


def _call(client: Client, call: Call, at: datetime) -> tuple[str, bool]:
    try:
        status, text = client.post(call.url, *signed(call, at), public_address(call.url))
    except NotDeliveredError as error:
        return str(error), False
    return f"{status} {text}", 200 <= status < 300


class Bell:
    """Calls in a thread of its own from `start` to `stop`."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ring, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the call that is being made."""
        self._over.set()
        self._thread.join()

    def _ring(self) -> None:
        with Client() as client:
            while not self._over.wait(LOOK_S):
                try:
                    while round_of_calls(client) == _AT_ONCE and not self._over.is_set():
                        pass
                except Exception:  # a ledger that is away for a while; what is due stays due
                    log.exception("webhooks: the next look is in %g s", LOOK_S)
