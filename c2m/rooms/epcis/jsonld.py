"""What happened to some pieces as an event of EPCIS 2.0 in JSON-LD.

Cutting turns the cloth of a lot into pieces (transformation), packing puts pieces into a pack (aggregation); each other
operation, shipping and receiving look at pieces (object). Lost pieces are told beside the good ones.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from c2m.rooms.epcis.names import RECEIVED, goods, step, urn
from c2m.wire.messages import INSPECT, SHIP

Row = Mapping[str, Any]
Event = dict[str, Any]

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_DISPOSITIONS = {INSPECT: "conformant", "pack": "container_closed", SHIP: "in_transit", RECEIVED: "available"}


def document(events: Sequence[Event], made_at: datetime) -> Event:
    """Events as the answer to a query."""
    results = {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": list(events)}}
    return {
        "@context": [CONTEXT, {"c2m": "urn:c2m:"}],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": _moment(made_at),
        "epcisBody": {"queryResults": results},
    }


def event(row: Row, job: Row, sku_code: str | None, shows_lines: bool) -> Event:
    """One event.

    Parameters
    ----------
    row
        What happened (`happened.rows`).
    job
        The job order: merchant_id, order_id, lot_id, next_factory_id.
    sku_code
        The merchant's own number of the SKU.
    shows_lines
        Whether the factory's lines are named: to the factory itself.
    """
    place = urn("place", job["merchant_id"] if row["location_id"] else row["factory_id"], row["location_id"] or "")
    place = place.rstrip(":")
    at_line = shows_lines and row["line_id"]
    made: Event = {
        "type": row["type"],
        "eventID": urn("event", row["event_id"]),
        "eventTime": _moment(row["at"]),
        "recordTime": _moment(row["recorded_at"]),
        "eventTimeZoneOffset": "+00:00",
        "bizStep": step(row["operation"]),
        "disposition": _disposition(row),
        "readPoint": {"id": f"{place}:{row['line_id']}" if at_line else place},
        "bizLocation": {"id": place},
        "bizTransactionList": [
            {"type": "po", "bizTransaction": urn("order", job["order_id"])},
            {"type": "prodorder", "bizTransaction": urn("job-order", row["job_order_id"])},
        ],
    }
    batch = goods(job["merchant_id"], job["lot_id"], row["sku_id"], sku_code)
    made |= _what(row, job, {"epcClass": batch, "quantity": row["pieces"]})
    if row["operation"] == SHIP and row["is_good"]:
        made |= _way(row, job)
    return made | _declared(row)


def _what(row: Row, job: Row, pieces: Event) -> Event:
    kind = row["type"]
    if kind == "TransformationEvent":
        cloth = {"epcClass": urn("cloth", job["merchant_id"], job["lot_id"])}
        return {"inputQuantityList": [cloth], "outputQuantityList": [pieces]}
    if kind == "AggregationEvent":
        pack = urn("pack", row["factory_id"], row["bundle_id"] or row["event_id"])
        return {"action": "ADD", "parentID": pack, "childQuantityList": [pieces]}
    return {"action": "OBSERVE", "quantityList": [pieces]}


def _way(row: Row, job: Row) -> Event:
    """From where to where pieces go: to the next stage, from the last one to the merchant."""
    to = job["next_factory_id"] or job["merchant_id"]
    source = {"type": "possessing_party", "source": urn("party", row["factory_id"])}
    return {"sourceList": [source], "destinationList": [{"type": "possessing_party", "destination": urn("party", to)}]}


def _disposition(row: Row) -> str:
    if row["is_good"]:
        return _DISPOSITIONS.get(row["operation"], "in_progress")
    return urn("disposition", "lost") if row["kind"] == "receipt" else "non_conformant"


def _declared(row: Row) -> Event:
    """What is said against an event that no longer holds."""
    if row["declared_at"] is None:
        return {}
    told: Event = {"declarationTime": _moment(row["declared_at"])}
    told["reason"] = "incorrect_data" if row["replaced_by"] else "did_not_occur"
    if row["replaced_id"]:
        told["correctiveEventIDs"] = [urn("event", row["replaced_id"])]
    return {"errorDeclaration": told}


def _moment(at: datetime) -> str:
    """UTC, to the millisecond."""
    told = at if at.tzinfo else at.replace(tzinfo=UTC)
    return told.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
