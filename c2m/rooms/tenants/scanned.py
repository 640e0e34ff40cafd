"""Pieces by operation out of all the scans that have landed, each counted once by its first delivery.

A correction that holds takes the place of its scan; one that was set aside counts nothing. For pages; what comes while
a page is open, `live` tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from c2m.feeds import landing


@dataclass(frozen=True)
class Made:
    """Good and lost pieces of a job order in an operation, and when they were scanned (UTC)."""

    good: int
    defects: int
    first: datetime
    last: datetime


Counts = dict[tuple[str, str], Made]  # by job_order_id and operation


def made(factories: Mapping[str, str]) -> Counts:
    """What has been scanned of job orders, each by its own factory.

    Parameters
    ----------
    factories
        factory_id by job_order_id: scans of anybody else do not count.
    """
    if not factories:
        return {}
    landing.ensure_landing()
    query = f"""
        WITH said AS (
            SELECT * FROM {landing.source("scans")} WHERE list_contains($jobs, job_order_id)
            QUALIFY row_number() OVER (PARTITION BY factory_id, scan_id ORDER BY received_at, "at") = 1
        ), held AS (
            SELECT * FROM {landing.source("scan_corrections")} WHERE list_contains($jobs, job_order_id)
            QUALIFY row_number() OVER (PARTITION BY factory_id, corrects ORDER BY "at" DESC, scan_id DESC) = 1
        )
        SELECT said.job_order_id, said.operation, said.factory_id,
            sum(coalesce(held.quantity, said.quantity))::BIGINT, sum(coalesce(held.defects, said.defects))::BIGINT,
            min(said."at"), max(said."at")
        FROM said LEFT JOIN held ON held.factory_id = said.factory_id AND held.corrects = said.scan_id
            AND held.job_order_id = said.job_order_id AND held.sku_id = said.sku_id AND held.operation = said.operation
        WHERE (said.factory_id, said.scan_id) NOT IN (
            SELECT (factory_id, scan_id) FROM {landing.source("scan_set_asides")})
        GROUP BY ALL
    """  # noqa: S608 - the paths are settings
    with landing.connect() as connection:
        found = connection.execute(query, {"jobs": list(factories)}).fetchall()
    return {(job, what): Made(*pieces) for job, what, who, *pieces in found if factories[job] == who}
