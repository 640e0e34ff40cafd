"""Runs dbt in this process and publishes what it built; one flow at a time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from typing import Any

import pandas as pd
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from prefect import State
from prefect.concurrency.sync import concurrency
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed

from c2m.errors import C2MError
from c2m.files import read_json
from c2m.home import turn
from c2m.ledger import changelog
from c2m.orchestrator import warehouse_limit
from c2m.settings import settings
from c2m.warehouse.published import (
    dbt_args,
    inputs,
    is_published,
    keep_docs,
    manifest,
    mark_warehouse,
    publish,
    remove_old_warehouse,
)

LEASE_S = 60  # the least that Prefect takes; a run that was killed keeps its slot for so long
_OF_NODE = {"unique_id": "node", "status": "status", "execution_time": "seconds"}  # in dbt's results
_LOG = ("--log-level-file", "info")
_FAILED = {"error", "fail", "runtime error"}
_held: ContextVar[bool] = ContextVar("warehouse_held", default=False)


@contextmanager
def held() -> Iterator[None]:
    """The warehouse, and the marts just built, are this flow's alone until the block ends; others wait.

    Prefect's limit makes flows wait where people see it, on every machine. The lock keeps out who runs a flow without
    that server, and a run that lives on after its server was killed. A flow inside one that holds it goes straight on.
    """
    if _held.get():
        yield
        return
    with _slot(), turn("warehouse"):
        token = _held.set(True)
        try:
            yield
        finally:
            _held.reset(token)


def _slot() -> AbstractContextManager[None]:
    """In Prefect's limit; a flow that was started without a server has the lock alone."""
    if not PREFECT_API_URL.value():
        return nullcontext()
    return concurrency(warehouse_limit(), strict=True, lease_duration=LEASE_S, raise_on_lease_renewal_failure=False)


def nothing_yet() -> State[None] | None:
    """The state in which a run on the floor ends, by its schedule, before the first day of a home."""
    return None if is_published() else Completed(message="no day was published yet: there is nothing to look at")


def build(day: date, select: str | None = None) -> dict[str, Any]:
    """Lands the ledger's changes, builds the selected models as of the start of `day`, publishes; the new manifest.

    Where the last build followed from the same, as on a day that is run again, it is not made again.
    """
    changelog.export()
    found = inputs(day, select)
    if not is_published() or manifest().get("inputs") != found:
        whole = remove_old_warehouse() or select is None
        run_dbt(dbt_args("build", day, None if whole else select))
        if whole:
            mark_warehouse()
        publish(day, found, whole=whole)
    return manifest()


def write_docs(day: date) -> None:
    """The page of dbt docs, if it is not there yet: the models change with the code, not with the day."""
    if not (settings().home / "dbt_docs" / "index.html").exists():
        run_dbt(dbt_args("docs generate --static", day))
        keep_docs()


def run_dbt(arguments: list[str]) -> None:
    """One dbt command; a failure comes out in words, one for each node that failed.

    Prefect sees one task, not one a node (prefect-dbt makes those, at several times the cost of a small build); `nodes`
    tells what each node did.
    """
    done = dbtRunner(manifest=_project(str(settings().landing))).invoke(["--quiet", *_LOG, *arguments])
    if not done.success:
        seen: Any = done.result or ()
        failed = [f"{one.node.unique_id}: {one.message}" for one in seen if one.status in _FAILED]
        raise C2MError("dbt-failed", failed or [str(done.exception)])


@lru_cache(maxsize=1)
def _project(_landing: str) -> Manifest:
    """dbt's project as read once in this process, which is half the time of a small build.

    What is read once asks for no day, so that any will do: days stand in the SQL, which each build renders anew. Where
    the landing zone lies stands in it.
    """
    read = dbtRunner().invoke(["--quiet", *_LOG, *dbt_args("parse", date(2000, 1, 1))])
    if not isinstance(read.result, Manifest):
        raise C2MError("dbt-failed", [str(read.exception)])
    return read.result


def nodes() -> pd.DataFrame:
    """What dbt's last run did: node, status, seconds; the slowest first."""
    run = read_json(settings().home / "dbt_target" / "run_results.json")
    found = pd.DataFrame(run["results"], columns=list(_OF_NODE)).rename(columns=_OF_NODE)
    return found.sort_values("seconds", ascending=False)
