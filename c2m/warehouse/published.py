"""The published marts: Parquet behind one pointer. dbt alone writes the warehouse; everybody else reads what lies here.

`current.json` names build, business_date and dbt's invocation_id, and per mart its file, rows and SHA-256. A build is a
folder that is complete from its first moment and never changes; the last `KEPT_BUILDS` stay for readers that are still
at them. The manifests of all builds stay, in C2M_HOME/manifests: build_id ends with the hash over the marts' hashes.
"""

import hashlib
import json
import shutil
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

import c2m
from c2m import clock, objects
from c2m.errors import InputError
from c2m.feeds.contracts import FEEDS
from c2m.feeds.rules import literal
from c2m.files import read_json, sha256, write_atomically
from c2m.settings import settings

PROJECT = c2m.PROJECT / "dbt_project"
KEPT_BUILDS = 5
_SMALL_BYTES = 1 << 18  # marts up to this size are held for the next reader


def dbt_args(command: str, business_date: date, select: str | None = None) -> list[str]:
    """Arguments of dbt for the warehouse as of the start of a day; all that it writes lies in C2M_HOME.

    Parameters
    ----------
    command
        Of dbt: build, run, test ...
    business_date
        The day; what was known later is not read.
    select
        Models; None: all.

    Returns
    -------
    list of str
        For `dbt` itself.
    """
    now = settings()
    home = now.home.absolute()
    variables = {
        "business_date": business_date.isoformat(),
        "cut_off": f"{clock.cut_off(business_date):%Y-%m-%d %H:%M:%S}",
        "timezone": now.timezone,
        "landing": str(now.landing.absolute()),
        "warehouse": str(now.warehouse.absolute()),
        "memory": now.warehouse_memory,
        "threads": now.warehouse_threads,
        "scan_skew_seconds": now.plan.clock_skew_s,
        **now.goods.model_dump(),
        "other_places": f"[{', '.join(map(literal, now.other_places))}]::varchar[]",
    }
    return [
        *command.split(),
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(home / "dbt_target"), "--log-path", str(home / "dbt_logs")),
        *("--vars", json.dumps(variables)),
        *(("--select", select) if select else ()),
        *(("--exclude-resource-type", "unit_test") if command == "build" else ()),  # those judge the code, not the day
    ]


def inputs(business_date: date, select: str | None = None) -> str:
    """A digest of all that a build follows from: landed files with a row before its cut-off, variables, dbt project.

    Landed files never change, so that their names stand for them.

    Parameters
    ----------
    business_date
        Day of the build.
    select
        Models, as `dbt --select` takes them; None: all.

    Returns
    -------
    str
        SHA-256.
    """
    landed = _landed(business_date)
    facts = [dbt_args("build", business_date, select), landed, code()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def code() -> list[str]:
    """Digests of the files of the dbt project."""
    return [sha256(path) for path in sorted(PROJECT.rglob("*")) if path.suffix in {".sql", ".yml", ".csv"}]


def remove_old_warehouse() -> bool:
    """Removes a warehouse that this version of the dbt project did not build whole: its tables may differ, or lack.

    All that it holds follows from the landing zone. Returns whether the next build must be of all models.
    """
    if _mark().exists() and _mark().read_text() == _digest():
        return False
    for file in settings().home.glob(f"{settings().warehouse.name}*"):  # and DuckDB's log of what is not in it yet
        file.unlink()
    return True


def mark_warehouse() -> None:
    """Notes that this version of the dbt project has built the warehouse whole."""
    write_atomically(_mark(), _digest().encode())


def _mark() -> Path:
    return settings().home / "warehouse.whole"


def _digest() -> str:
    return hashlib.sha256(json.dumps(code()).encode()).hexdigest()


def _landed(business_date: date) -> list[str]:
    """Paths of the landed files that have a row before the day's cut-off, or none at all."""
    objects.fetch(settings().landing)
    files = f"{settings().landing.absolute()}/*/[!.]*.parquet"
    later = """
        SELECT file_name FROM parquet_metadata($files) WHERE path_in_schema IN ('known_at', 'received_at')
        GROUP BY 1 HAVING min(stats_min_value::TIMESTAMP) >= $cut_off"""
    with duckdb.connect() as connection:
        query = f"SELECT file FROM glob($files) WHERE file NOT IN ({later}) ORDER BY 1"  # noqa: S608 - constant text
        found = connection.execute(query, {"files": files, "cut_off": clock.cut_off(business_date)})
        return [file for (file,) in found.fetchall()]


def publish(business_date: date, inputs: str | None = None, whole: bool = True) -> Path:
    """Copies the marts out of the warehouse and swaps the pointer; the same marts make the same build again.

    Parameters
    ----------
    business_date
        Of the build.
    inputs
        What the build follows from, to be found in the manifest.
    whole
        All models were built; where only some were, the feed files behind the others are those of the build before.

    Returns
    -------
    Path
        Folder of the build.

    Raises
    ------
    InputError
        dbt has not run, its last build was not good, or was of another day; every fault is named.
    """
    invocation_id = _good_build(business_date)
    landed = _feed_files(business_date) if whole else manifest().get("landed")
    with duckdb.connect(str(settings().warehouse), read_only=True) as connection:
        return publish_from(connection, business_date, invocation_id, inputs, landed)


def publish_from(
    connection: duckdb.DuckDBPyConnection,
    business_date: date,
    invocation_id: str,
    inputs: str | None = None,
    landed: list[str] | None = None,
) -> Path:
    """Publishes the marts of a database as they are: `publish` without its look at dbt's last run."""
    for unfinished in settings().published.glob(".part-*"):
        shutil.rmtree(unfinished)
    part = settings().published / f".part-{invocation_id}"
    marts = _copy_marts(connection, part)
    digest = hashlib.sha256("".join(mart["sha256"] for mart in marts.values()).encode()).hexdigest()
    build = settings().published / f"{business_date:%Y%m%d}-{digest[:12]}"
    if build.exists():
        shutil.rmtree(part)
    else:
        part.rename(build)
    objects.keep(build)
    build.touch()
    for mart in marts.values():
        mart["file"] = f"{build.name}/{mart['file']}"
    pointer = {"build_id": build.name, "business_date": business_date.isoformat(), "invocation_id": invocation_id}
    content = json.dumps(pointer | {"inputs": inputs, "landed": landed, "marts": marts}, indent=1).encode()
    for file in (_kept(build.name), _pointer()):
        objects.write(file, lambda part: part.write_bytes(content))
    _forget_old_builds()
    return build


def manifest() -> dict[str, Any]:
    """What is published now.

    Raises
    ------
    InputError
        Nothing is published yet.
    """
    objects.fetch(_pointer())
    try:
        found: dict[str, Any] = read_json(_pointer())
    except FileNotFoundError:
        fault = (
            f"nothing is published in {settings().published}; build the marts first: c2m run, or the flow `transform`"
        )
        raise InputError("not-published", [fault]) from None
    return found


def manifest_of(build_id: str) -> dict[str, Any] | None:
    """The manifest of a build, also of one whose files were removed since; None where there was none of that name."""
    objects.fetch(kept := _kept(build_id))
    return read_json(kept) if kept.exists() else None


def as_of(manifest: dict[str, Any], day: date) -> str:
    """The business date that a build of a day has: the day's, or the next where the floor was looked at during the day.

    The robot builds the marts of the floor as of the next day's start; a plan of the same day then reads that build.

    Parameters
    ----------
    manifest
        What is published (`manifest`).
    day
        The day.

    Returns
    -------
    str
        ISO date.
    """
    following = (day + timedelta(days=1)).isoformat()
    return following if manifest["business_date"] == following else day.isoformat()


def is_published() -> bool:
    """Whether anything is."""
    objects.fetch(_pointer())
    return _pointer().exists()


def faults() -> list[str]:
    """Files of the published build that are missing or not what was published, in words.

    Raises
    ------
    InputError
        Nothing is published yet.
    """
    found = ((name, _fault(mart)) for name, mart in manifest()["marts"].items())
    return [f"{name}: {fault}" for name, fault in found if fault]


def _fault(mart: dict[str, Any]) -> str:
    file = file_of(mart)
    if not file.exists():
        return f"{file} is missing"
    return "" if sha256(file) == mart["sha256"] else f"{file} is not what was published"


def path(name: str) -> Path:
    """The Parquet file of a mart in the build that is published now.

    Raises
    ------
    InputError
        Nothing is published yet, or no mart has this name.
    """
    marts = manifest()["marts"]
    if name not in marts:
        raise InputError("unknown-mart", [f"no mart {name!r}; published are {', '.join(marts)}"])
    return file_of(marts[name])


def file_of(mart: dict[str, Any]) -> Path:
    """The Parquet file of a mart that a manifest names, fetched where another machine has published it."""
    return objects.here(settings().published / mart["file"])


def read(name: str) -> pd.DataFrame:
    """A mart by its name, with its columns as docs/reference/marts.md gives them. Dates and moments (UTC, without zone)
    are datetime64, money is float64, text is str.

    Raises
    ------
    InputError
        Nothing is published yet, or no mart has this name.
    """
    file = path(name)
    seen = file.stat()
    rows = _small if seen.st_size <= _SMALL_BYTES else _rows
    return rows(file, seen.st_mtime_ns).copy()


def _rows(file: Path, written_ns: int) -> pd.DataFrame:
    """The rows of a mart's file, as it was written then."""
    with _database().cursor() as connection:
        mart = connection.read_parquet(str(file))
        frame: pd.DataFrame = mart.df()
        return frame.astype(dict.fromkeys(_text_columns(mart), "str"))


_small = lru_cache(maxsize=32)(_rows)  # a business day reads factories ten times


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Of this process: opening one costs 13 ms of processor time, a cursor of it none."""
    return duckdb.connect()


def _text_columns(mart: duckdb.DuckDBPyRelation) -> list[str]:
    return [column for column, kind in zip(mart.columns, mart.types, strict=True) if kind == "VARCHAR"]


def keep_docs() -> Path:
    """Puts the page that `dbt docs generate --static` made where its readers look."""
    page = settings().home / "dbt_docs" / "index.html"
    write_atomically(page, (settings().home / "dbt_target" / "static_index.html").read_bytes())
    return page


def _pointer() -> Path:
    return settings().published / "current.json"


def _kept(build_id: str) -> Path:
    file: Path = settings().home / "manifests" / f"{build_id}.json"
    return file


def _feed_files(business_date: date) -> list[str]:
    """Landed files of the feeds with a row before the cut-off, as feed/file."""
    return [
        f"{feed}/{Path(file).name}"
        for file in _landed(business_date)
        if (feed := Path(file).parent.name) in FEEDS and not file.endswith("_empty.parquet")
    ]


def _good_build(business_date: date) -> str:
    """dbt's last invocation; refused unless it built this day and every node and test of it passed."""
    results = settings().home / "dbt_target" / "run_results.json"
    if not results.exists():
        raise InputError("no-build", [f"dbt has not run, {results} is missing; build the marts first (`transform`)"])
    run = read_json(results)
    faults = [
        f"dbt: {result['unique_id']} ended as {result['status']}: {result['message']}"
        for result in run["results"]
        if result["status"] not in ("success", "pass", "warn", "no-op")
    ]
    if (built := run["args"]["vars"]["business_date"]) != business_date.isoformat():
        faults.append(f"the warehouse was built for {built}, not for {business_date}; build that day again")
    if faults:
        raise InputError("no-good-build", faults)
    invocation: str = run["metadata"]["invocation_id"]
    return invocation


def _copy_marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, dict[str, Any]]:
    """Every table of the schema `marts` as Parquet, its rows in one order whatever the threads did."""
    folder.mkdir(parents=True)
    marts = {}
    names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts' ORDER BY 1")
    for (name,) in names.fetchall():
        file = folder / f"{name}.parquet"
        table = connection.table(f"marts.{name}")
        table.order("ALL").write_parquet(str(file), compression="zstd")
        marts[name] = {"file": file.name, "rows": table.shape[0], "sha256": sha256(file)}
    return marts


def _forget_old_builds() -> None:
    folders = (path for path in settings().published.iterdir() if path.is_dir())
    for old in sorted(folders, key=lambda path: path.stat().st_mtime_ns)[:-KEPT_BUILDS]:
        objects.remove(old.iterdir())
        shutil.rmtree(old, ignore_errors=True)
