"""Scans taken back: what a person sets aside, with a record, and corrections that correct nothing.

Nothing is deleted. A scan that is set aside stays where it landed; a row in landing/scan_set_asides says who took it
back and why, and it counts no pieces from then on. A file moves from the landing zone to C2M_HOME/set_aside, beside it
a JSON file with the same facts; what followed from it is counted anew by the next build. A correction may come before
its scan, so that the warehouse judges it (mart scan_corrections); refused ones become dead letters.
"""

from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from typing import Any

import pandas as pd
from pydantic_core import to_json
from sqlalchemy.orm import Session

from c2m import objects
from c2m.errors import InputError
from c2m.feeds.landing import ensure_landing, folder, land_frame, read_landed
from c2m.files import sha256, write_json
from c2m.ledger.conversation import inbox
from c2m.settings import settings
from c2m.wire.messages import SCANS, topic

FOLDERS = ("scans", "scan_corrections")
FACTS = ["scan_id", "corrects", "job_order_id", "sku_id", "operation", "quantity", "defects"]


def set_scans_aside(factory_id: str, scan_ids: list[str], reason: str, actor: str, at: datetime) -> int:
    """Sets scans of a factory aside: from the next build on they do not count.

    Parameters
    ----------
    factory_id
        Who sent them.
    scan_ids
        Which scans.
    reason
        In words.
    actor
        Who says so.
    at
        UTC.

    Returns
    -------
    int
        How many were not set aside before.

    Raises
    ------
    InputError
        The factory sent no such scan; nothing was set aside.
    """
    ensure_landing()
    sent = {scan_id for name in FOLDERS for scan_id in read_landed(name, factory_id=factory_id)["scan_id"]}
    if unknown := sorted(set(scan_ids) - sent):
        seen = f"factory {factory_id} sent no scan %s: see its scans in {folder('scans')}"
        raise InputError("unknown-scan", [seen % scan_id for scan_id in unknown])
    before = set(read_landed("scan_set_asides", factory_id=factory_id)["scan_id"])
    new = sorted(set(scan_ids) - before)
    if new:
        facts = {"factory_id": factory_id, "reason": reason, "actor": actor}
        moment = at.astimezone(UTC).replace(tzinfo=None)
        land_frame("scan_set_asides", pd.DataFrame({"scan_id": new}).assign(**facts, received_at=moment))
    return len(new)


def set_file_aside(name: str, reason: str, actor: str, at: datetime) -> Path:
    """Moves a file of landed scans out of the landing zone. Set aside before, it stays where it is.

    Parameters
    ----------
    name
        Of the file, without folder.
    reason
        In words.
    actor
        Who says so.
    at
        UTC.

    Returns
    -------
    Path
        Where it lies now.

    Raises
    ------
    InputError
        No such file lies there.
    """
    kept = settings().home / "set_aside"
    places = [folder(name_of) / name for name_of in FOLDERS]
    if Path(name).name != name or name.startswith("_") or not any(place.is_file() for place in places):
        if (kept / name).is_file():
            return kept / name
        there = " or ".join(str(place.parent) for place in places)
        raise InputError("unknown-file", [f"{name}: expected the name of a file of scans in {there}"])
    place = next(place for place in places if place.is_file())
    record = {"file": str(place), "sha256": sha256(place), "reason": reason, "actor": actor, "at": at.isoformat()}
    write_json(kept / f"{name}.json", record)
    copyfile(place, kept / name)
    objects.remove([place])
    return kept / name


def refuse(session: Session, corrections: pd.DataFrame, at: datetime) -> int:
    """A dead letter for each refused correction, the same once.

    Parameters
    ----------
    session
        Transaction of the ledger.
    corrections
        The mart `scan_corrections`: scan_id, state and what it names.
    at
        UTC; noted with what it changes.

    Returns
    -------
    int
        How many were refused.
    """
    refused = corrections[(corrections["state"] == "refused") & corrections["scan_id"].notna()]
    inbox.dead_letters(session, [_letter(row) for row in refused.to_dict("records")], at)
    return len(refused)


def _letter(row: dict[Any, Any]) -> inbox.Refused:
    factory_id = str(row["factory_id"])
    said = to_json({name: row[name] for name in FACTS} | {"said_at": str(row["said_at"])})
    return inbox.Refused(factory_id, topic(factory_id, "scans"), said, f"type {SCANS}: {_refused_words(row)}")


def _refused_words(row: dict[Any, Any]) -> str:
    return (
        f"scan {row['scan_id']} corrects {row['corrects']}, which is a correction, or of another job order, SKU or "
        "operation: name the first scan of the same"
    )
