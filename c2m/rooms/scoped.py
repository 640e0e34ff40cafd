"""The one way to rows: what a person sees of the published marts and of the ledger, by the scope of their sign-in.

A mart is read once per build and held in memory; a person's part of it is cut out by the columns merchant_id and
factory_id. A mart without the column of a scope is refused, so that nothing is shown by oversight.
"""

from dataclasses import dataclass
from threading import Lock

import pandas as pd

from c2m.errors import InputError
from c2m.ledger.rooms.links import Grant
from c2m.ledger.store import EVERYONE, Scope
from c2m.warehouse import published

_held: dict[str, pd.DataFrame] = {}
_build = ""
_lock = Lock()


@dataclass(frozen=True)
class View:
    """What the holder of a link sees. Repository functions of the ledger take `scope`."""

    scope: Scope

    def mart(self, name: str) -> pd.DataFrame:
        """Their rows of a mart of the build that is published now; never to be changed in place.

        Raises
        ------
        InputError
            The mart has no column by which their rows could be told, or nothing is published.
        """
        rows = _read(name)
        for column in ("merchant_id", "factory_id"):
            wanted = getattr(self.scope, column)
            if wanted is None:
                continue
            if column not in rows:
                raise InputError("mart-without-scope", [f"mart {name} has no {column}: a {column} sees nothing of it"])
            rows = rows[rows[column] == wanted]
        return rows


def view(grant: Grant) -> View:
    """What a grant shows.

    Raises
    ------
    InputError
        A tenant's grant without its tenant: never everybody's rows.
    """
    if grant.role in ("merchant", "factory") and grant.scope == EVERYONE:
        raise InputError("no-scope", [f"link {grant.link_id} of a {grant.role} names none: revoke it, make another"])
    return View(grant.scope)


def _read(name: str) -> pd.DataFrame:
    """The whole mart, read when the first person asks for it after a build."""
    global _build
    build = published.manifest()["build_id"]
    with _lock:
        if build != _build:
            _held.clear()
            _build = build
        if name not in _held:
            _held[name] = published.read(name)
        return _held[name]
