"""What happened to the pieces of some job orders, out of what has landed: scans, what corrects them, and receipts.

Each row is one event to come: pieces of one SKU that were good, or that were lost. A scan counts by its first delivery.
Nothing that was once told goes away: what was corrected or set aside stays, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from c2m.feeds import landing

Row = Mapping[str, Any]
Position = tuple[str, str]  # recorded_at and event_id of the last row of a page

_READ = ("scans", "scan_corrections", "scan_set_asides", "receipts")
_CONDITIONS = {
    "since": "events.at >= $since",
    "until": "events.at < $until",
    "recorded_since": "recorded_at >= $recorded_since",
    "recorded_until": "recorded_at < $recorded_until",
    "operations": "list_contains($operations, operation)",
    "skus": "list_contains($skus, lot_id || ' ' || sku_id)",
    "types": "list_contains($types, type)",
    "event_id": "event_id = $event_id",
    "after": "(recorded_at, event_id) > ($after::TIMESTAMP, $after_id)",
}
_ID = "left(sha256(concat_ws(' ', kind, owner, own_id, part)), 32)"
# Ids hold no space. Among rows of equal id the first delivery counts; the latest correction of a scan holds.
_TOLD = f"""
WITH jobs AS (
    SELECT split_part(one, ' ', 1) AS job_order_id, split_part(one, ' ', 2) AS factory_id,
        split_part(one, ' ', 3) AS lot_id
    FROM (SELECT unnest($jobs::VARCHAR[]) AS one)
), said AS (
    SELECT s.*, jobs.lot_id FROM {{scans}} AS s JOIN jobs USING (job_order_id, factory_id)
    QUALIFY row_number() OVER (PARTITION BY factory_id, scan_id ORDER BY received_at, s."at") = 1
), corrections AS (
    SELECT c.* FROM {{scan_corrections}} AS c JOIN said ON said.factory_id = c.factory_id AND said.scan_id = c.corrects
        AND said.job_order_id = c.job_order_id AND said.sku_id = c.sku_id AND said.operation = c.operation
    QUALIFY row_number() OVER (PARTITION BY c.factory_id, c.scan_id ORDER BY c.received_at, c."at") = 1
), held AS (
    SELECT factory_id, corrects, arg_max(scan_id, ("at", scan_id)) AS scan_id,
        arg_max(received_at, ("at", scan_id)) AS received_at, arg_max(quantity, ("at", scan_id)) AS quantity,
        arg_max(defects, ("at", scan_id)) AS defects
    FROM corrections GROUP BY ALL
), aside AS (
    SELECT factory_id, scan_id, min(received_at) AS received_at FROM {{scan_set_asides}} GROUP BY ALL
), arrived AS (
    SELECT * FROM {{receipts}} WHERE merchant_id = $merchant_id AND sku_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY receipt_id ORDER BY known_at DESC, _row_hash DESC) = 1
), shipped AS (
    SELECT scan_id, sku_id, any_value(job_order_id) AS job_order_id FROM said WHERE operation = 'ship'
    GROUP BY ALL HAVING count(*) = 1
), counted AS (
    SELECT 'scan' AS kind, s.factory_id AS owner, s.scan_id AS own_id, s.job_order_id, s.lot_id, s.factory_id,
        NULL AS location_id, s.sku_id, s.operation, s.quantity, s.defects, s.line_id, s.bundle_id, s."at",
        s.received_at AS recorded_at, coalesce(aside.received_at, held.received_at) AS declared_at,
        CASE WHEN aside.scan_id IS NULL THEN held.scan_id END AS replaced_by, held.quantity AS right_quantity,
        held.defects AS right_defects
    FROM said AS s LEFT JOIN held ON held.factory_id = s.factory_id AND held.corrects = s.scan_id
        LEFT JOIN aside ON aside.factory_id = s.factory_id AND aside.scan_id = s.scan_id
    UNION ALL BY NAME
    SELECT 'correction' AS kind, c.factory_id AS owner, c.scan_id AS own_id, c.job_order_id, s.lot_id, c.factory_id,
        c.sku_id, c.operation, c.quantity, c.defects, s.line_id, s.bundle_id, s."at", c.received_at AS recorded_at,
        coalesce(aside.received_at, CASE WHEN held.scan_id <> c.scan_id THEN held.received_at END) AS declared_at,
        CASE WHEN aside.scan_id IS NULL AND held.scan_id <> c.scan_id THEN held.scan_id END AS replaced_by,
        held.quantity AS right_quantity, held.defects AS right_defects
    FROM corrections AS c JOIN said AS s ON s.factory_id = c.factory_id AND s.scan_id = c.corrects
        JOIN held ON held.factory_id = c.factory_id AND held.corrects = c.corrects
        LEFT JOIN aside ON aside.factory_id = c.factory_id AND aside.scan_id = c.corrects
    UNION ALL BY NAME
    SELECT 'receipt' AS kind, r.merchant_id AS owner, concat_ws(' ', r.receipt_id, r._row_hash) AS own_id,
        jobs.job_order_id, jobs.lot_id, jobs.factory_id, r.location_id, r.sku_id, 'received' AS operation, r.quantity,
        r.lost_quantity AS defects, r.received_at AS "at", r.known_at AS recorded_at
    FROM arrived AS r LEFT JOIN shipped AS s ON s.scan_id = r.shipment_id AND s.sku_id = r.sku_id
        JOIN jobs ON jobs.job_order_id = coalesce(r.job_order_id, s.job_order_id)
), events AS (
    SELECT {_ID} AS event_id, part = 'good' AS is_good, if(part = 'good', quantity, defects) AS pieces,
        * EXCLUDE (owner, own_id, part, quantity, defects, right_quantity, right_defects),
        CASE WHEN part = 'good' AND operation = 'cut' THEN 'TransformationEvent'
            WHEN part = 'good' AND operation = 'pack' THEN 'AggregationEvent' ELSE 'ObjectEvent' END AS type,
        CASE WHEN if(part = 'good', right_quantity, right_defects) > 0
            THEN left(sha256(concat_ws(' ', 'correction', owner, replaced_by, part)), 32) END AS replaced_id
    FROM counted, (SELECT unnest(['good', 'lost']) AS part)
    WHERE if(part = 'good', quantity, defects) > 0
)"""  # noqa: S608 - constant text


@dataclass(frozen=True)
class EventQuery:
    """What is looked for; None: anything. Moments are UTC, `since` is within, `until` is not.

    skus: pairs of lot_id and sku_id. after: what comes behind this position. limit: rows.
    """

    since: datetime | None = None
    until: datetime | None = None
    recorded_since: datetime | None = None
    recorded_until: datetime | None = None
    operations: Sequence[str] | None = None
    types: Sequence[str] | None = None
    skus: Sequence[tuple[str, str]] | None = None
    event_id: str | None = None
    after: Position | None = None
    limit: int = 100


def rows(jobs: Sequence[Row], merchant_id: str | None, asked: EventQuery) -> list[Row]:
    """The next rows by the moment of their record.

    Parameters
    ----------
    jobs
        job_order_id, factory_id and lot_id of the job orders; a scan by another factory does not count.
    merchant_id
        Whose receipts are told; None: nobody's.
    asked
        What is looked for.

    Returns
    -------
    list of Row
        event_id, type, kind (scan, correction, receipt), job_order_id, lot_id, factory_id, location_id, sku_id,
        operation, pieces, is_good, line_id, bundle_id, at, recorded_at, and of what no longer holds: declared_at,
        replaced_by (scan_id of the correction; None where it never happened) and replaced_id (event_id of what holds;
        None: nothing does).
    """
    if not jobs or asked.skus == [] or asked.operations == []:
        return []
    landing.ensure_landing()
    values = {name: value for name, value in _values(asked).items() if value is not None}
    chosen = " AND ".join(["true", *(_CONDITIONS[name] for name in values if name in _CONDITIONS)])
    told = _TOLD.format(**{name: landing.source(name) for name in _READ})
    query = f"{told} SELECT * FROM events WHERE {chosen} ORDER BY recorded_at, event_id LIMIT $limit"  # noqa: S608
    named = [f"{job['job_order_id']} {job['factory_id']} {job['lot_id']}" for job in jobs]
    with landing.connect() as connection:
        done = connection.execute(query, {"jobs": named, "merchant_id": merchant_id or "", **values})
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _values(asked: EventQuery) -> dict[str, Any]:
    """What the query is given, by name; None: that is not asked for."""
    told = {name: getattr(asked, name) for name in ("operations", "types", "event_id", "limit")}
    for name in ("since", "until", "recorded_since", "recorded_until"):
        moment: datetime | None = getattr(asked, name)
        told[name] = moment and moment.astimezone(UTC).replace(tzinfo=None)
    told["skus"] = asked.skus and [f"{lot_id} {sku_id}" for lot_id, sku_id in asked.skus]
    return told | ({"after": asked.after[0], "after_id": asked.after[1]} if asked.after else {})
