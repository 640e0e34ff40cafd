"""Landing zones for tests of the warehouse and the gate: rows as they would have landed, and dbt on top."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd

from c2m.feeds.contracts import SCHEMAS
from c2m.feeds.landing import ensure_landing, folder
from c2m.settings import settings
from c2m.warehouse.published import dbt_args

moment = datetime.fromisoformat
_PARSED: list[tuple[Any, str]] = []  # dbt's manifest, and the landing zone of its sources
Rows = Iterable[Mapping[str, Any]]


def land(feed: str, rows: Rows) -> None:
    """One immutable file of `feed`, named by its content; columns that the rows leave out are null."""
    ensure_landing()
    frame = pd.DataFrame(list(rows))
    batch = hashlib.sha256(frame.to_csv().encode()).hexdigest()[:32]
    frame["_batch_id"] = batch
    frame["_row_hash"] = [hashlib.sha256(repr(row).encode()).hexdigest() for row in frame.to_dict("records")]
    schema = SCHEMAS[feed]
    columns = ", ".join(
        f'CAST({f"frame.{name}" if name in frame else "NULL"} AS {schema[name]}) AS "{name}"' for name in schema
    )
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.sql(f"SELECT {columns} FROM frame").write_parquet(str(folder(feed) / f"{batch}.parquet"))


def sale(line: str, sold_on: date, known_at: datetime | None = None, **values: Any) -> dict[str, Any]:
    """A line of a shopper's order, known on the evening of its day."""
    known_at = known_at or datetime.combine(sold_on, datetime.min.time()) + timedelta(hours=20)
    row = {"merchant_id": "m", "sale_line_id": line, "channel": "web", "sku_id": "s-M", "style_id": "s", "quantity": 1}
    row |= {"status": "placed", "amount": 100, "currency": "EUR", "promotion": False, "business_customer": False}
    return row | {"sold_on": sold_on, "known_at": known_at} | values


def sku(sku_id: str, **values: Any) -> dict[str, Any]:
    """A row of the catalogue."""
    row = {"merchant_id": "m", "sku_id": sku_id, "style_id": sku_id.split("-")[0], "colour": "red", "category": "kurta"}
    row |= {"size": sku_id.split("-")[1], "price": 100, "cost": 40, "currency": "EUR", "crafts": ""}
    row |= {f"sam_{operation}_minutes": 3 for operation in ("cut", "sew", "finish", "inspect", "pack")}
    return row | {"known_at": moment("2022-01-01 00:00")} | values


def dbt(command: str, business_date: date, *more: str) -> Any:
    """Runs dbt in this process; the result of dbtRunner.

    The project is read once: half of a small build's time. Only the models' SQL asks for the day, only sources say
    where they lie.
    """
    from dbt.cli.main import dbtRunner

    ensure_landing()
    if not _PARSED:
        parsed = dbtRunner().invoke([*dbt_args("parse", business_date), "--quiet"])
        if not parsed.success:
            return parsed
        _PARSED.append((parsed.result, _landing()))
    manifest, lay = _PARSED.pop()
    for source in manifest.sources.values():
        source.relation_name = source.relation_name.replace(lay, _landing())
        for config in (source.config, source.unrendered_config):
            config["external_location"] = config["external_location"].replace(lay, _landing())
    _PARSED.append((manifest, _landing()))
    return dbtRunner(manifest=manifest).invoke([*dbt_args(command, business_date), "--quiet", *more])


def _landing() -> str:
    return str(settings().landing.absolute())


def build(business_date: date, *more: str) -> None:
    """Builds the warehouse; fails the test where dbt does."""
    result = dbt("build", business_date, *more)
    assert result.success, result.exception or [
        (r.node.name, r.message) for r in result.result if r.status != "success"
    ]


def dbt_process(command: str, business_date: date, *more: str) -> subprocess.Popen[str]:
    """dbt in a process of its own, its log lines on stdout."""
    ensure_landing()
    call = "import sys; from dbt.cli.main import dbtRunner; sys.exit(not dbtRunner().invoke(sys.argv[1:]).success)"
    arguments = [sys.executable, "-c", call, *dbt_args(command, business_date), *more]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
