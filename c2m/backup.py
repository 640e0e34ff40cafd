"""A home as one file, taken while the day runs, and the same home again at another place.

The databases first, the ledger before all, each as of one moment; then the files. What the ledger knows to be landed is
there when the files are taken, and what lands meanwhile is landed again by whoever sent it. dbt's warehouse and its
build files are left out: the next build makes them from the landing zone. Of absolute paths only those of MLflow and
c2m.yaml are state; they are moved along.
"""

import io
import json
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from c2m.errors import InputError
from c2m.files import make_folder, write_with
from c2m.home import turn
from c2m.settings import settings

_FORMAT = 1
_FACTS = "backup.json"
_SQLITE, _BESIDE = b"SQLite format 3\0", ("-wal", "-shm", "-journal")  # first bytes; ends of the names of its own files
# Made anew, or of the processes that run now.
_LEFT_OUT = (
    "warehouse.duckdb",
    "warehouse.code",
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


def save(file: Path) -> int:
    """Writes all state of this home to a packed file, whole or not at all; the number of files in it.

    Raises
    ------
    InputError
        The state is not all in this home, or there is no home.
    """
    home = settings().home
    elsewhere = {"C2M_LEDGER_URL": settings().ledger_url, "C2M_MLFLOW_URI": settings().mlflow_uri}
    faults = [f"{name} names a server: back that up with its own tools" for name, value in elsewhere.items() if value]
    if not (home / "ledger.db").exists() and not faults:
        faults = [f"{home.absolute()} has no ledger.db: expected a home of C2M (C2M_HOME)"]
    if faults:
        raise InputError("cannot-back-up", faults)
    count = 0

    def write(part: Path) -> None:
        nonlocal count
        with part.open("wb") as packed, tarfile.open(fileobj=packed, mode="w:gz", compresslevel=5) as archive:
            part.chmod(0o600)  # it holds the keys
            facts = json.dumps({"format": _FORMAT, "home": str(home.resolve())}).encode()
            about = tarfile.TarInfo(_FACTS)
            about.size = len(facts)
            archive.addfile(about, io.BytesIO(facts))
            with tempfile.TemporaryDirectory(dir=home, prefix=".backup-") as folder:
                databases = sorted(filter(_is_database, _files(home)), key=lambda path: path.name != "ledger.db")
                for path in databases:
                    archive.add(_as_of_now(path, Path(folder)), str(path.relative_to(home)))
                with turn("warehouse"):  # nobody publishes
                    for path in _files(home):
                        if path not in databases and not path.name.endswith(_BESIDE):
                            with suppress(FileNotFoundError):  # it was swapped for a newer one just now
                                archive.add(path, str(path.relative_to(home)), recursive=False)
                count = len(archive.getnames()) - 1

    write_with(file, write)
    return count


def _as_of_now(database: Path, folder: Path) -> Path:
    copy = folder / database.name
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _files(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        working = any(part.startswith(".") for part in name.parts) or path.suffix == ".lock"
        if path.is_file() and not working and name.parts[0] not in _LEFT_OUT:
            yield path


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def restore(file: Path, home: Path) -> None:
    """Lays out a saved home in a folder that is not there yet, whole or not at all.

    Raises
    ------
    InputError
        The folder is there, or the file is no backup of a format that this version knows.
    """
    if home.exists():
        raise InputError("cannot-restore", [f"{home} is there: expected the name of a new folder"])

    def make(working: Path) -> None:
        working.chmod(0o700)
        with tarfile.open(file) as archive:
            archive.extractall(working, filter="data")
        facts = json.loads((working / _FACTS).read_bytes())
        if facts["format"] != _FORMAT:
            raise InputError("cannot-restore", [f"{file} is of format {facts['format']}, expected {_FORMAT}"])
        (working / _FACTS).unlink()
        _move_paths(working, facts["home"], str(home.resolve()))

    try:
        make_folder(home, make)
    except (tarfile.TarError, OSError, KeyError, ValueError) as error:
        raise InputError("cannot-restore", [f"{file} is no whole backup of a home: {error}"]) from error


def _move_paths(working: Path, old: str, new: str) -> None:
    for path in (working / "c2m.yaml", *(working / "mlflow").rglob("MLmodel")):
        if path.exists():
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    database = working / "mlflow" / "mlflow.db"
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _PATHS.items():
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))  # noqa: S608
