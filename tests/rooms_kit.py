"""A served order room with two merchants and two factories, and people who sign in to it by link."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ledger_kit import lot_row, order_row, plan_of, record, release, sku_rows

from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import plans
from c2m.ledger.store import migrate, session
from c2m.rooms import links
from c2m.settings import settings
from flows.services import serving

UNKIND = "<script>alert('stripes')</script>"
# What stands on a page only where rows of a tenant do.
MARKS = {"M1": ("PO-of-M1", "Shirt of M1"), "M2": ("PO-of-M2", "alert(")}
MARKS |= {"F1": MARKS["M1"], "F2": MARKS["M2"]}
WAITING = plan_of([("L1", "F1", 900), ("L2", "F2", 1000)], round=2)  # waits for a decision


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served home with an order of each of two merchants."""
    with served(tmp_path_factory.mktemp("rooms"), fill) as address:
        yield address


@contextmanager
def served(home: Path, fill: Callable[[], None]) -> Iterator[str]:
    """The address of the order room of a home; `fill` puts into its ledger what it shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2M_HOME", str(home))
        port = free_port()
        patch.setenv("C2M_ROOMS_PORT", str(port))
        settings.cache_clear()
        migrate()
        fill()
        with serving("rooms", ["c2m.cli", "rooms"], f"http://{LOOPBACK}:{port}/health"):
            yield f"http://{LOOPBACK}:{port}"
    settings.cache_clear()


def fill() -> None:
    """Merchants M1 and M2 with an order each, made by F1 and F2; every name tells whose it is."""
    names = {"1": "Shirt of M1", "2": UNKIND}
    owners = {number: {"merchant_id": f"M{number}"} for number in names}
    orders = [order_row(f"O{n}", order_code=f"PO-of-M{n}", **owner) for n, owner in owners.items()]
    lots = [lot_row(f"L{n}", order_id=f"O{n}", style_name=names[n], **owner) for n, owner in owners.items()]
    record(orders, lots, [row for n in names for row in sku_rows(f"L{n}")])
    release(("L1", "F1", 1000), ("L2", "F2", 1000))
    with session() as s:
        plans.propose(s, WAITING)


@pytest.fixture
def browser(site: str) -> Iterator[Callable[..., httpx.Client]]:
    """Signs in with a new link, as a person does: opens it, presses the button."""
    clients = []

    def enter(role: str, tenant: str = "") -> httpx.Client:
        token, _ = links.give(role, tenant, "somebody", 1, "test")
        client = httpx.Client(base_url=site, trust_env=False)
        clients.append(client)
        assert client.get(f"/in/{token}").status_code == 200
        assert client.get("/", follow_redirects=False).status_code == 303  # looking at a link signs nobody in
        assert client.post("/in", data={"token": token}).status_code == 303
        return client

    yield enter
    for client in clients:
        client.close()
