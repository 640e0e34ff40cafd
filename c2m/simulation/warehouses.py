"""Simulated warehouses of merchants: receipts of what the simulated factories shipped, as files of the feed `receipts`.

Goods arrive in the forenoon of the day that their transit ends on, a day after the shipment at the earliest; now and
then a few of them are lost. All of it follows from (seed, scan). In pieces.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from c2m.feeds import landing
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.files import write_atomically
from c2m.ids import derive_id
from c2m.settings import settings

_RECEIVED_HOUR, _TOLD_AFTER = 10, timedelta(hours=2)
# Assumed, no public source: one shipment in so many loses up to this share of its pieces.
_LOSS_CHANCE, _LOSS_SHARE = 0.05, 0.02
_SOURCES = {  # of the query below
    "factories": "factories",
    "scans": "scans",
    "jobs": "ledger_job_orders",
    "transit": "ledger_promise_factories",
}
_SHIPPED = """
    WITH jobs AS (
        SELECT DISTINCT job_order_id, order_id, merchant_id, factory_id FROM {jobs}
        WHERE coalesce(stage, 1) = coalesce(stages, 1)
    ), transit AS (
        SELECT order_id, factory_id, max(transit_days) AS days FROM {transit} GROUP BY ALL
    ), zones AS (
        SELECT factory_id, arg_max(timezone, known_at) AS zone FROM {factories} GROUP BY ALL
    )
    SELECT merchant_id, factory_id, s.scan_id, s.job_order_id, s.sku_id, s.quantity,
        (s.at AT TIME ZONE 'UTC' AT TIME ZONE zone)::DATE + greatest(coalesce(t.days, 0), 1)::INT AS arrives_on
    FROM {scans} AS s JOIN jobs USING (job_order_id, factory_id) JOIN zones USING (factory_id)
        LEFT JOIN transit AS t USING (order_id, factory_id)
    WHERE s.operation = 'ship' AND s.quantity > 0
    QUALIFY row_number() OVER (PARTITION BY factory_id, s.scan_id ORDER BY s.received_at) = 1
"""


def folder() -> Path:
    """Where the files lie: a world of its own, beside that of the feeds."""
    return settings().home / "sim" / "warehouses"


def bring_in(now: datetime) -> Iterator[pd.DataFrame]:
    """Sends what is known by `now` and takes it in; its outcomes. Nothing where the factories are real."""
    if (settings().home / "sim" / "factories.json").exists():
        send(now)
        if folder().exists():
            yield ingest(World.load(folder()))


def send(now: datetime) -> None:
    """Writes the receipts that are known by `now`, a file a day; a day that was written stands."""
    shipped = _shipped()
    senders = _senders(sorted(shipped["merchant_id"].unique()))
    for day, rows in shipped[shipped["merchant_id"].isin(senders)].groupby("arrives_on"):
        morning = datetime.fromisoformat(str(day)).replace(hour=_RECEIVED_HOUR, tzinfo=ZoneInfo(settings().timezone))
        received_at = morning.astimezone(UTC)
        file = folder() / "receipts" / f"{morning:%Y-%m-%d}.csv"
        if received_at + _TOLD_AFTER < now and not file.exists():
            receipts = pd.DataFrame([_receipt(row, received_at) for row in rows.to_dict("records")])
            write_atomically(file, receipts.sort_values("receipt_id").to_csv(index=False, lineterminator="\n").encode())


def _shipped() -> pd.DataFrame:
    landing.ensure_landing()
    with landing.connect() as connection:
        query = _SHIPPED.format(**{name: landing.source(source) for name, source in _SOURCES.items()})
        return connection.execute(query).df()


def _senders(merchants: list[str]) -> list[str]:
    """The merchants that send receipts: the setting's share of them, by lot."""
    drawn = sorted(merchants, key=lambda name: derive_id("sends receipts", settings().simulation_seed, name))
    return drawn[: math.ceil(settings().simulation.receipts_share * len(drawn))]


def _receipt(shipped: dict[Any, Any], received_at: datetime) -> dict[str, object]:
    draws = random.Random(f"{settings().simulation_seed} {shipped['factory_id']} {shipped['scan_id']}")  # noqa: S311
    pieces = int(shipped["quantity"])
    lost = round(pieces * _LOSS_SHARE * draws.random()) if draws.random() < _LOSS_CHANCE else 0
    return {
        **{name: shipped[name] for name in ("merchant_id", "sku_id", "job_order_id")},
        "receipt_id": derive_id("receipt", shipped["factory_id"], shipped["scan_id"]),
        "location_id": "main",
        "quantity": pieces - lost,
        "lost_quantity": lost,
        "received_at": received_at.replace(tzinfo=None),
        "known_at": (received_at + _TOLD_AFTER).replace(tzinfo=None),
    }
