"""The marts of factories from tables in memory, by the SQL that dbt compiles: a day in half a second, no build."""

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
from dbt.cli.main import dbtRunner

from c2m.warehouse.published import PROJECT

_SOME_DAY = "2099-12-31"  # stands in the compiled models for the business date
_MODELS = ["int_factory_speed", "int_factory_events", "int_score_days", "int_factory_evidence", "int_factory_rates"]
_MODELS += ["int_factory_efficiency", "int_factory_manners", "int_factory_components", "factories", "factory_scores"]
_MODELS += ["factory_capabilities"]

# What the models read of the ledger and the floor, where a world has none of it.
NOTHING = {
    "int_batch_days": "job_order_id varchar, factory_id varchar, as_of date, first_sold_on date, sold double, "
    "complaints double, expected double, evidence double",
    "int_factory_twins": "factory_id varchar, same_place_as varchar, by_what varchar",
    "int_scan_slots": "factory_id varchar, job_order_id varchar, operation varchar, pieces int, defects int, "
    "line_id varchar, slot timestamp",
    "int_job_order_pieces": "job_order_id varchar, factory_id varchar, first_scan_at timestamp",
    "int_job_orders": "job_order_id varchar, lot_id varchar, order_id varchar, factory_id varchar, quantity int, "
    "rank bigint, state varchar, accepted boolean, start_on date, due_on date, ends_by date, ended_at timestamp, "
    "released_at timestamp, answered_at timestamp, changed_at timestamp, stage int, stages int",
    "stg_ledger_job_orders": "job_order_id varchar, rank bigint, known_at timestamp",
    "stg_ledger_lots": "lot_id varchar, category varchar, sam_cut_minutes double, sam_sew_minutes double, "
    "sam_finish_minutes double, sam_inspect_minutes double, sam_pack_minutes double, operations varchar",
    "stg_ledger_orders": "order_id varchar, parent_order_id varchar, tolerance_share double",
}


def marts(tables: Mapping[str, pd.DataFrame], day: date) -> dict[str, pd.DataFrame]:
    """The marts of factories as of the start of `day`; a table of a model's name stands in for the model."""
    with duckdb.connect(config={"threads": 1}) as connection:  # tables are small: more threads only cost
        for name, columns in NOTHING.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
        for name, frame in tables.items():
            connection.register("frame", frame)
            if name in NOTHING:
                connection.execute(f"INSERT INTO {name} BY NAME FROM frame")
            else:
                connection.execute(f"CREATE TABLE {name} AS FROM frame")
        for name, sql in _compiled().items():
            if name not in tables:
                connection.execute(f"CREATE TABLE {name} AS {sql.replace(_SOME_DAY, day.isoformat())}")
        return {name: connection.table(name).df() for name in _MODELS[-3:]}


@cache
def _compiled() -> dict[str, str]:
    """SQL of each model, its relations by their bare names."""
    with tempfile.TemporaryDirectory() as scratch:
        given = {"business_date": _SOME_DAY, "cut_off": f"{_SOME_DAY} 00:00:00", "timezone": "UTC"}
        given |= {"landing": scratch, "warehouse": f"{scratch}/warehouse.duckdb"}
        folders = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--log-path", scratch)
        command = ("compile", "--quiet", "--target-path", scratch, "--no-introspect", "--vars", json.dumps(given))
        with contextlib.redirect_stdout(io.StringIO()):
            result = dbtRunner().invoke([*command, *folders, "--select", *_MODELS])
        if not result.success:
            raise RuntimeError(f"dbt does not compile the marts of factories: {result.exception}")
        nodes = json.loads((Path(scratch) / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
        code = {node["name"]: node["compiled_code"] for node in nodes if node["name"] in _MODELS}
    bare = {f'"warehouse"."{schema}".': "" for schema in ("main", "marts")}
    for name, sql in code.items():
        for qualified, instead in bare.items():
            sql = sql.replace(qualified, instead)
        code[name] = sql
    return {name: code[name] for name in _MODELS}
