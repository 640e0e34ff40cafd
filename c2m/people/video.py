"""The camera index: where the video of a scan lies, by factory, line and time (settings camera_*, landed scans)."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pandas as pd

from c2m.errors import InputError
from c2m.feeds import landing
from c2m.settings import settings


def is_set() -> bool:
    """Whether any factory has cameras."""
    return bool(settings().camera_url or settings().camera_urls)


def link(factory_id: str, line_id: str | None, first: datetime, last: datetime) -> str | None:
    """The address of a line's video from its first to its last scan (UTC, zone not needed), with a margin at both ends.

    None where the factory has no cameras, or they are found by line and the scans name none.
    """
    template = settings().camera_urls.get(factory_id, settings().camera_url)
    if template is None or (line_id is None and "{line_id}" in template):
        return None
    margin = timedelta(seconds=settings().camera_margin_s)
    start, end = (moment.replace(tzinfo=UTC) for moment in (first - margin, last + margin))
    values = {
        "factory_id": factory_id,
        "line_id": line_id or "",
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "start_s": str(int(start.timestamp())),
        "end_s": str(int(end.timestamp())),
    }
    return template.format_map({name: quote(value, safe="") for name, value in values.items()})


def windows(job_order_id: str, bundle_id: str | None = None, line_id: str | None = None) -> pd.DataFrame:
    """When which line scanned a job order; a pause of more than `camera_pause_s` begins a new window.

    Parameters
    ----------
    job_order_id
        Which one.
    bundle_id
        One bundle of it; None: all.
    line_id
        One line; None: all.

    Returns
    -------
    pd.DataFrame
        factory_id, line_id, operation, first, last (UTC), scans (how many), video.

    Raises
    ------
    InputError
        No factory has cameras.
    """
    if not is_set():
        raise InputError("no-camera", ["no camera is known; set C2M_CAMERA_URL, see docs/operations.md"])
    landing.ensure_landing()
    query = f"""
        WITH scans AS (
            SELECT factory_id, line_id, operation, scan_id, "at" FROM {landing.source("scans")}
            WHERE job_order_id = $job_order_id
                AND ($bundle_id IS NULL OR bundle_id = $bundle_id) AND ($line_id IS NULL OR line_id = $line_id)
        ), paused AS (
            SELECT *, coalesce("at" - lag("at") OVER place > to_seconds($pause_s), true) AS begins FROM scans
            WINDOW place AS (PARTITION BY factory_id, line_id, operation ORDER BY "at")
        ), numbered AS (
            SELECT *, count_if(begins) OVER (
                PARTITION BY factory_id, line_id, operation ORDER BY "at" ROWS UNBOUNDED PRECEDING
            ) AS number FROM paused
        )
        SELECT
            factory_id, line_id, operation,
            min("at") AS "first", max("at") AS "last", count(DISTINCT scan_id) AS scans
        FROM numbered GROUP BY factory_id, line_id, operation, number ORDER BY "first", "last", line_id, operation
    """  # noqa: S608 - values are parameters, the path is a setting
    asked = {"job_order_id": job_order_id, "bundle_id": bundle_id, "line_id": line_id}
    with landing.connect() as connection:
        found = connection.execute(query, asked | {"pause_s": settings().camera_pause_s}).df()
    return _with_links(found)


def latest(since: datetime, before: datetime) -> pd.DataFrame:
    """The last scan of each job order between two moments, with the address of its video.

    Parameters
    ----------
    since
        UTC; the first moment.
    before
        UTC; scans at this moment or later, or received so, do not count.

    Returns
    -------
    pd.DataFrame
        job_order_id, factory_id, line_id, last, video.
    """
    landing.ensure_landing()
    query = f"""
        SELECT job_order_id, factory_id, arg_max(line_id, "at") AS line_id, max("at") AS "last"
        FROM {landing.source("scans")} WHERE "at" >= $since AND "at" < $before AND received_at < $before
        GROUP BY job_order_id, factory_id ORDER BY job_order_id, factory_id
    """  # noqa: S608
    with landing.connect() as connection:
        found = connection.execute(query, {"since": _naive(since), "before": _naive(before)}).df()
    return _with_links(found.assign(first=found["last"])).drop(columns="first")


def _naive(moment: datetime) -> datetime:
    """UTC without a zone, as scans land."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _with_links(found: pd.DataFrame) -> pd.DataFrame:
    found["line_id"] = found["line_id"].astype(object).where(found["line_id"].notna(), None)
    rows = zip(found["factory_id"], found["line_id"], found["first"], found["last"], strict=True)
    return found.assign(video=pd.Series([link(*row) for row in rows], dtype=object))
