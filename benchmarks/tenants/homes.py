"""A copy of a home in which a day was run, to ask and to change at will; and the order room that serves it."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger.states import Role
from c2m.ledger.store import migrate
from c2m.rooms import links
from c2m.settings import settings
from flows import services

_COPIED = ("landing", "quarantine", "published", "runs")


@contextmanager
def copied() -> Iterator[Path]:
    """This home with the same rows in another folder until the block ends: files are linked, the ledger is copied."""
    home = settings().home
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for name in _COPIED:
            if (home / name).exists():
                shutil.copytree(home / name, Path(folder) / name, copy_function=os.link)
        ledgers = (sqlite3.connect(root / "ledger.db") for root in (home, Path(folder)))
        with closing(next(ledgers)) as old, closing(next(ledgers)) as new:
            old.backup(new)
        os.environ["C2M_HOME"] = folder
        settings.cache_clear()
        migrate()
        yield Path(folder)


@contextmanager
def served() -> Iterator[str]:
    """The address of the order room of a copied home."""
    port = free_port()
    os.environ["C2M_ROOMS_PORT"] = str(port)
    with copied(), services.rooms(port):
        yield f"http://{LOOPBACK}:{port}"


def cookie(address: str, role: Role, tenant: str = "") -> str:
    """The session of somebody who has signed in, as a browser sends it."""
    token, _ = links.give(role, tenant, "benchmark", 1, "benchmark")
    entered = httpx.post(f"{address}/in", data={"token": token}, trust_env=False)
    return entered.headers["set-cookie"].partition(";")[0]
