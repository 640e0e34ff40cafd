"""Marts in one DuckDB session without dbt's machinery, for replays: dbt compiles its models once, each day runs them.

In: the landing zone. Out: the marts that a plan reads, published as dbt's are; the same rows (a test compares). Every
model is built from nothing: no test of dbt runs, and nothing that no plan needs is built.
"""

import contextlib
import hashlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from c2m import clock
from c2m.errors import C2MError
from c2m.files import read_json, write_atomically
from c2m.settings import settings
from c2m.warehouse import published

NEEDED = ["factories", "factory_capabilities", "factory_calendar", "factory_scores", "exchange_rates", "skus", "styles"]
NEEDED += ["stock_position", "merchant_order_book", "promises", "job_order_progress", "goods", "scan_corrections"]
NEEDED += ["hand_overs"]
NEEDED += ["demand_daily", "demand_drivers"]
_DAY = date(2099, 12, 31)  # stands in the compiled models for the business date
_HOOK = "-- hooks of {}"


@dataclass(frozen=True)
class DbtModel:
    """A model as dbt compiled it; `columns` have types where the model has a contract."""

    name: str
    mart: bool
    table: bool
    sql: str
    hooks: str
    columns: dict[str, str]

    def statements(self) -> str:
        """What builds it, hooks first."""
        kind, place = ("TABLE", "marts" if self.mart else "main") if self.table else ("VIEW", "main")
        made = f"FROM ({self.sql})"
        if self.columns:
            typed = ", ".join(f'CAST("{name}" AS {kind_of}) AS "{name}"' for name, kind_of in self.columns.items())
            made = f"SELECT {typed} {made}"
        return f'{self.hooks};\nCREATE OR REPLACE {kind} {place}."{self.name}" AS {made}'


def compiled(file: Path) -> list[DbtModel]:
    """The models behind `NEEDED` in the order in which they are built.

    Parameters
    ----------
    file
        Where they are kept, for this code and these settings.

    Returns
    -------
    list of DbtModel
        What `build` takes.

    Raises
    ------
    C2MError
        dbt does not compile its models.
    """
    wanted = hashlib.sha256(json.dumps([published.code(), _variables(), NEEDED]).encode()).hexdigest()
    kept = read_json(file) if file.exists() else {}
    if kept.get("of") != wanted:
        kept = {"of": wanted, "models": [vars(model) for model in _compile()]}
        write_atomically(file, json.dumps(kept).encode())
    return [DbtModel(**model) for model in kept["models"]]


def build(models: list[DbtModel], day: date, held: Mapping[str, str]) -> None:
    """Builds and publishes the marts as of the start of a day.

    Parameters
    ----------
    models
        What `compiled` gives.
    day
        The business date.
    held
        Marts that are something else instead: the SQL of each.
    """
    stands_for = {_DAY.isoformat(): day.isoformat(), f"{clock.cut_off(_DAY):%Y-%m-%d %H:%M:%S}": _moment(day)}
    with _session() as connection:
        for model in models:
            sql = model.statements()
            for placeholder, instead in (
                *reversed(stands_for.items()),
                (_landing(), str(settings().landing.absolute())),
            ):
                sql = sql.replace(placeholder, instead)
            connection.execute(sql)
        for name, query in held.items():
            connection.execute(f"CREATE OR REPLACE TABLE marts.{name} AS {query}")
        published.publish_from(connection, day, invocation_id="replay")


@contextlib.contextmanager
def _session() -> Iterator[duckdb.DuckDBPyConnection]:
    """In one thread: sums add up in one order whatever else has landed, so that the same rows give the same bytes."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; CREATE SCHEMA marts")
        connection.execute("SET parquet_metadata_cache = true")
        yield connection


def _moment(day: date) -> str:
    return f"{clock.cut_off(day):%Y-%m-%d %H:%M:%S}"


def _landing() -> str:
    """A folder of no machine, which stands in the compiled models for the landing zone."""
    return "/c2m-landing-zone"


def _variables() -> dict[str, Any]:
    """As a build of dbt has them, save where the files lie."""
    arguments = published.dbt_args("build", _DAY)
    given: dict[str, Any] = json.loads(arguments[arguments.index("--vars") + 1])
    return given | {"landing": _landing(), "warehouse": "warehouse.duckdb"}


def _compile() -> list[DbtModel]:
    nodes = _nodes("compile", "--no-introspect", "--select", *(f"+{name}" for name in NEEDED))
    nodes = {key: node for key, node in nodes.items() if node["resource_type"] == "model" and node["compiled_code"]}
    hooks = _hooks(nodes)
    reads = {key: set(node["depends_on"]["nodes"]) & set(nodes) for key, node in nodes.items()}
    readers = Counter(chain.from_iterable(reads.values()))
    order = TopologicalSorter(reads).static_order()
    return [_model(nodes[key], hooks.get(nodes[key]["name"], ""), readers[key]) for key in order]


def _model(node: dict[str, Any], hooks: str, readers: int) -> DbtModel:
    """A view that several read becomes a table: planning one view inside another took half of a small build."""
    mart, contract = node["schema"] == "marts", node["config"]["contract"]["enforced"]
    columns = {name: column["data_type"] for name, column in node["columns"].items()} if contract else {}
    table = node["config"]["materialized"] != "view" or readers > 1
    return DbtModel(node["name"], mart, table, _bare(node["compiled_code"]), _bare(hooks), columns)


def _hooks(nodes: dict[str, Any]) -> dict[str, str]:
    """By model, what its pre-hooks are in a build from nothing: dbt renders hooks only when it runs them."""
    asked = [
        "\n".join([_HOOK.format(node["name"]), *(f"{hook['sql']};" for hook in node["config"]["pre-hook"])])
        for node in nodes.values()
        if node["config"]["pre-hook"]
    ]
    found = next(
        iter(_nodes("compile", "--no-introspect", "--inline", "\n".join(asked), kind="sql_operation").values())
    )
    parts = found["compiled_code"].split(_HOOK.format(""))[1:]
    return {name: _filled(sql) for name, _, sql in (part.partition("\n") for part in parts)}


def _filled(sql: str) -> str:
    """Without the statements that say nothing."""
    return ";\n".join(statement for statement in sql.split(";") if statement.strip())


def _bare(sql: str) -> str:
    return sql.replace('"warehouse"."main".', "main.").replace('"warehouse"."marts".', "marts.")


def _nodes(command: str, *arguments: str, kind: str = "model") -> dict[str, Any]:
    """What dbt compiled."""
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as scratch:
        given = json.dumps(_variables() | {"warehouse": f"{scratch}/warehouse.duckdb"})
        places = ["--project-dir", str(published.PROJECT), "--profiles-dir", str(published.PROJECT)]
        places += ["--target-path", scratch, "--log-path", scratch, "--vars", given]
        with contextlib.redirect_stdout(io.StringIO()):
            result = dbtRunner().invoke([command, "--quiet", *places, *arguments])
        if not result.success or result.result is None:
            raise C2MError("dbt-failed", [f"dbt does not compile its models: {result.exception}"])
        nodes = (found.node.to_dict() for found in result.result.results)  # type: ignore[union-attr]
        return {node["unique_id"]: node for node in nodes if node["resource_type"] == kind}
