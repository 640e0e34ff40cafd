"""3,000 requests over all addresses of the merchant API and of /epcis, from their documents, with foreign tokens.

No answer has a row of the merchant that the ids are of, and none is a fault of the server.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api_kit import Caller
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from test_epcis import told  # noqa: F401 - fixture
from test_merchant_api import served  # noqa: F401 - fixture

from c2m.doors import App
from c2m.rooms.api import site
from c2m.rooms.epcis import door

REQUESTS = 3000
IDS = {
    "order_id": ("O1", "O2"),
    "quote_id": ("q", "Q2"),
    "webhook_id": ("w", "W2"),
    "after": ("O1",),
    "style_id": ("S1",),
    "event_id": ("urn:c2m:event:0" + "0" * 31,),
}
MARKS = ("PO-of-M1", "Shirt of M1", '"S1-', '"S1"', '"O1"', "L1", "F1")
DOCUMENTS = {below: made.openapi() for below, made in ((site.PREFIX, site.create()), (door.PREFIX, door.create()))}
OPERATIONS = [
    (below, path, method)
    for below, document in DOCUMENTS.items()
    for path, on in document["paths"].items()
    for method in on
]
EACH = -(-REQUESTS // len(OPERATIONS))


class Strangers:
    """Programs of another merchant, of a factory and of nobody; one loop for all their requests."""

    def __init__(self, app: App) -> None:
        callers = [Caller(app, "merchant", "M2"), Caller(app, "factory", "F2"), Caller(app)]
        self.tokens = [caller.token or "none" for caller in callers]
        self.loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        self.count = 0

    def send(self, below: str, case: Any, token: str, ids: bool) -> httpx.Response:
        """The answer to a case, with known ids in place of made-up ones."""
        if ids:
            case.path_parameters |= {name: IDS[name][0] for name in case.path_parameters or {}}
        asked = case.as_transport_kwargs(base_url=f"http://127.0.0.1{below}")
        headers = {str(name): str(value) for name, value in (asked.pop("headers") or {}).items()}
        headers = {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}
        headers |= {"authorization": f"Bearer {token}"}
        known = {name: asked[name] for name in ("method", "url", "params", "json", "content", "data") if name in asked}
        self.count += 1
        return self.loop.run_until_complete(self.client.request(**known, headers=headers))


@pytest.fixture(scope="module")
def strangers(told: App) -> Iterator[Strangers]:  # noqa: F811
    made = Strangers(told)
    yield made
    made.loop.run_until_complete(made.client.aclose())
    made.loop.close()


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one[2].upper()} {one[0]}{one[1]}")
def test_strangers_get_no_row_and_make_no_fault(strangers: Strangers, operation: tuple[str, str, str]) -> None:
    import schemathesis  # 3 s of processor time, which a worker that only collects these tests need not spend
    from schemathesis.generation import GenerationMode

    logging.getLogger("httpx").setLevel(logging.WARNING)
    below, path, method = operation
    described = schemathesis.openapi.from_dict(DOCUMENTS[below])[path][method]
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    cases = modes.flatmap(lambda mode: described.as_strategy(generation_mode=mode))
    before = strangers.count

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, st.sampled_from(strangers.tokens), st.booleans())
    def ask(case: Any, token: str, ids: bool) -> None:
        try:
            answer = strangers.send(below, case, token, ids)
        except httpx.InvalidURL:  # a generated one that is longer than a client sends
            reject()
        assert answer.status_code < 500 or answer.json()["type"] in ("no-quotes", "no-plan"), (
            case.as_curl_command(),
            answer.text,
        )
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert not [mark for mark in MARKS if mark in answer.text and answer.status_code < 400], answer.text

    ask()
    assert strangers.count - before >= EACH * 0.9
