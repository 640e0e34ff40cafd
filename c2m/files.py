"""Files and folders that a crash cannot leave half-written, and names that follow from content."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that the old or the new content is there, never half: beside it, synced, then swapped in.

    Parameters
    ----------
    path
        The file; its folder is made where it lacks.
    write
        Writes the content to the path that it is called with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{get_ident()}.{path.name}")
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """`write_with` for bytes at hand.

    Parameters
    ----------
    path
        The file; its folder is made where it lacks.
    content
        All of it.
    """
    write_with(path, lambda part: part.write_bytes(content))


def write_json(path: Path, value: object) -> None:
    """Writes what `read_json` reads, indented for people.

    Parameters
    ----------
    path
        The file; its folder is made where it lacks.
    value
        What `json.dumps` takes.
    """
    write_atomically(path, json.dumps(value, indent=1).encode())


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_rows(path: Path, dates: Sequence[str] = (), types: Mapping[str, str] | None = None) -> "pd.DataFrame":
    """A CSV file that the platform wrote: ids are text, whether they look like a number (007) or like nothing (NA).

    Parameters
    ----------
    path
        The file.
    dates
        Columns that hold dates.
    types
        Types of columns, where the cells do not tell.

    Returns
    -------
    DataFrame
        Its rows, numbers as they were written to the last bit.
    """
    import pandas as pd

    names = pd.read_csv(path, nrows=0).columns
    told: dict[Any, Any] = {name: str for name in names if name.endswith("_id") or name.startswith(("from_", "to_"))}
    told.update(types or {})
    return pd.read_csv(
        path, dtype=told, parse_dates=list(dates), keep_default_na=False, na_values=[""], float_precision="round_trip"
    )


def write_private(path: Path, text: str) -> None:
    """Writes a file for its owner alone, from the first byte on.

    Parameters
    ----------
    path
        The file; its folder is made where it lacks.
    text
        All of it, in UTF-8.
    """

    def write(part: Path) -> None:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    write_with(path, write)


def make_folder(folder: Path, make: Callable[[Path], object]) -> None:
    """Makes a folder that is there whole, or is not there.

    A folder that is there stays as it is. Of several processes one makes it and the others wait. What `make` left when
    it broke off stays in the hidden working folder until the next try.

    Parameters
    ----------
    folder
        Where it is to be.
    make
        Fills the empty working folder that it is called with.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    working = folder.with_name(f".{folder.name}")
    with locked(folder.parent):
        if folder.exists():
            return
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir()
        make(working)
        sync(working)
        working.rename(folder)
        sync(folder.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time; a lock of a process that died is free."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """Makes names in a folder durable too: a file without its name is lost in a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Hex digest of a file's content, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
