"""A home as one file, taken while the day runs, and the same home again at another place.

The databases first, the ledger before all, each as of one moment; then the files. What the ledger knows to be landed is
there when the files are taken, and what lands meanwhile is landed again by whoever sent it. dbt's warehouse and its
build files are left out: the next build makes them from the landing zone. Of absolute paths only those of MLflow and
c2m.yaml are state; they are moved along. Databases on PostgreSQL are in the file too (databases.py): they are laid out
in the empty ones that the settings name at the new place.
"""

import io
import json
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from c2m.errors import InputError
from c2m.files import make_folder, write_atomically, write_with
from c2m.home import turn
from c2m.settings import settings
from c2m.upkeep import databases
from c2m.upkeep.databases import Database

_FORMATS = (1, 2)  # 2: with dumps of databases, which an older version would leave out in silence
_MADE = "backup.at"  # in the home: when the last one was made
_FACTS, _DUMPS = "backup.json", "databases"
_SQLITE, _BESIDE = b"SQLite format 3\0", ("-wal", "-shm", "-journal")  # first bytes; ends of the names of its own files
# Made anew, or of the processes that run now.
_LEFT_OUT = (
    "warehouse.duckdb",
    "warehouse.whole",
    "dbt_target",
    "dbt_logs",
    "gx",
    "logs",
    "floor.json",
    "processes.json",
    "backups",
)
_PATHS = {  # in MLflow's database: columns that hold addresses of files
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "datasets": "dataset_source",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


@dataclass(frozen=True)
class Saved:
    """What is in a backup. elsewhere: what is not, each with the server that has it."""

    files: int
    databases: list[str]
    elsewhere: list[str]


def save(file: Path) -> Saved:
    """Writes all state of this home to a packed file, whole or not at all.

    Raises
    ------
    InputError
        There is no home, or a database cannot be dumped.
    """
    home = settings().home
    named = databases.named()
    dumped = [one for one in named if one.on_postgresql]
    inside = [one for one in named if _is_in(home, one)]
    if not (home / "ledger.db").exists() and "ledger" not in {one.name for one in dumped + inside}:
        raise InputError("cannot-back-up", [f"{home.absolute()} has no ledger.db: expected a home of C2M (C2M_HOME)"])
    count = 0

    def write(part: Path) -> None:
        nonlocal count
        with part.open("wb") as packed, tarfile.open(fileobj=packed, mode="w:gz", compresslevel=5) as archive:
            part.chmod(0o600)  # it holds the keys
            _add_facts(archive, home, dumped)
            with tempfile.TemporaryDirectory(dir=home, prefix=".backup-") as folder:
                _add_databases(archive, home, dumped, Path(folder))
                with turn("warehouse"):  # nobody publishes, merges or prunes
                    _add_files(archive, home)
                count = len(archive.getnames()) - 1

    write_with(file, write)
    write_atomically(home / _MADE, datetime.now(UTC).isoformat().encode())
    elsewhere = [f"{one.name} ({one.setting})" for one in named if one not in dumped + inside]
    return Saved(count, [one.name for one in dumped], elsewhere)


def last() -> datetime | None:
    """When the last backup of this home was made; None: never."""
    made = settings().home / _MADE
    return datetime.fromisoformat(made.read_text()) if made.exists() else None


def _is_in(home: Path, database: Database) -> bool:
    path = database.url.removeprefix("sqlite:///")
    return path != database.url and Path(path).resolve().is_relative_to(home.resolve())


def _facts(home: Path, dumped: list[Database]) -> dict[str, Any]:
    return {"format": 2 if dumped else 1, "home": str(home.resolve()), "databases": [one.name for one in dumped]}


def _add_facts(archive: tarfile.TarFile, home: Path, dumped: list[Database]) -> None:
    facts = json.dumps(_facts(home, dumped)).encode()
    about = tarfile.TarInfo(_FACTS)
    about.size = len(facts)
    archive.addfile(about, io.BytesIO(facts))


def _add_databases(archive: tarfile.TarFile, home: Path, dumped: list[Database], folder: Path) -> None:
    """The ledger first: what it knows to have landed is there when the files are taken."""
    for one in dumped:
        one.dump(folder / one.name)
        archive.add(folder / one.name, f"{_DUMPS}/{one.name}")
    for path in sorted(filter(_is_database, _files(home)), key=lambda path: path.name != "ledger.db"):
        archive.add(_as_of_now(path, folder), str(path.relative_to(home)))


def _add_files(archive: tarfile.TarFile, home: Path) -> None:
    for path in _files(home):
        with suppress(FileNotFoundError):  # it was swapped for a newer one just now
            if not path.name.endswith(_BESIDE) and not _is_database(path):
                archive.add(path, str(path.relative_to(home)), recursive=False)


def _as_of_now(database: Path, folder: Path) -> Path:
    copy = folder / database.name
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _files(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and not _is_left_out(path.relative_to(home)):
            yield path


def _is_left_out(name: Path) -> bool:
    """Working files, locks, and what is made again."""
    working = any(part.startswith(".") for part in name.parts) or name.suffix == ".lock"
    return working or name.parts[0] in _LEFT_OUT


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def restore(file: Path, home: Path) -> None:
    """Lays out a saved home in a folder that is not there yet, its dumps in the databases that the settings name.

    Parameters
    ----------
    file
        The backup.
    home
        The new folder.

    Raises
    ------
    InputError
        The folder is there, a database is missing or not empty, or the file is no backup of a format that this version
        knows. The folder is then not made.
    """
    if home.exists():
        raise InputError("cannot-restore", [f"{home} is there: expected the name of a new folder"])

    def make(working: Path) -> None:
        working.chmod(0o700)
        with tarfile.open(file) as archive:
            archive.extractall(working, filter="data")
        facts = json.loads((working / _FACTS).read_bytes())
        if facts["format"] not in _FORMATS:
            known = " or ".join(map(str, _FORMATS))
            raise InputError("cannot-restore", [f"{file} is of format {facts['format']}, expected {known}"])
        (working / _FACTS).unlink()
        _load(_targets(facts.get("databases", [])), working / _DUMPS)
        _move_paths(working, facts["home"], str(home.resolve()))

    try:
        make_folder(home, make)
    except (tarfile.TarError, OSError, KeyError, ValueError) as error:
        raise InputError("cannot-restore", [f"{file} is no whole backup of a home: {error}"]) from error


def _refuse_without_target(missing: list[Database]) -> None:
    if missing:
        seen = "the backup has a dump from PostgreSQL: set it to an empty database"
        raise InputError("cannot-restore", [f"{one.setting}: {seen}" for one in missing])


def _targets(dumped: list[str]) -> list[Database]:
    """Where the dumps go, all of them empty."""
    there = databases.on_postgresql()
    _refuse_without_target([Database(name, "") for name in dumped if name not in there])
    for name in dumped:
        there[name].refuse_full()
    return [there[name] for name in dumped]


def _load(targets: list[Database], dumps: Path) -> None:
    for one in targets:
        one.load(dumps / one.name)
        (dumps / one.name).unlink()
    if targets:
        dumps.rmdir()


def _move_paths(working: Path, old: str, new: str) -> None:
    for path in (working / "c2m.yaml", *(working / "mlflow").rglob("MLmodel")):
        if path.exists():
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    own, served = working / "mlflow" / "mlflow.db", databases.on_postgresql().get("mlflow")
    for url in [served.driven("psycopg")] if served else [f"sqlite:///{own}"] if own.exists() else []:
        with create_engine(url).begin() as connection:
            for table, column in _PATHS.items():
                moved = text(f"UPDATE {table} SET {column} = replace({column}, :old, :new)")  # noqa: S608
                connection.execute(moved, {"old": old, "new": new})
