"""Where landing zone, quarantine, marts and plans are kept: files of C2M_HOME, or objects that machines share.

Without the setting `store` the home is the store, and `write` and `fetch` only touch its files. With one, such as
s3://BUCKET/PREFIX, every machine has a home of its own that holds a copy of what it has written and read. The key of an
object is its path below the home. A file is put before its name appears in the home, so nobody reads what the others
cannot have; a process that dies in between leaves an object that the next `fetch` brings. Names that begin with `.` or
`_` belong to a home alone.

`store.log` in the home has a line per object that came or went: its key, and its entity tag (none: it was removed).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

from c2m.errors import C2MError, InputError
from c2m.files import write_with
from c2m.settings import settings

_AT_ONCE = 16  # objects that are read at a time; each is a round trip
_PATIENCE = {"max_retries": 5, "retry_timeout": timedelta(seconds=20)}  # of one call


class StoreError(C2MError, OSError):
    """The bucket does not answer, or refuses. A service that retries after a fault of its disk retries after this."""


def write(path: Path, write: Callable[[Path], object], first: bool = False) -> None:
    """`files.write_with`, and the file is in the store before it has its name.

    Parameters
    ----------
    path
        Below C2M_HOME.
    write
        Writes the content to the path that it is given.
    first
        Where the store has an object of this name already, that one stays, and the home gets it.

    Raises
    ------
    InputError
        The store is set, and obstore is not installed.
    StoreError
        The store does not answer, or refuses.
    """
    bucket = _bucket()
    if bucket is None or path.name.startswith((".", "_")):
        write_with(path, write)
        return

    def both(part: Path) -> None:
        write(part)
        with _told():
            bucket.put(path, part, first)

    write_with(path, both)


def keep(folder: Path) -> None:
    """Puts all files of a folder of the home that the store does not have as they are.

    Raises
    ------
    InputError
        The store is set, and obstore is not installed.
    StoreError
        The store does not answer, or refuses.
    """
    if bucket := _bucket():
        with _told():
            bucket.keep(file for file in sorted(folder.rglob("*")) if file.is_file())


def fetch(path: Path) -> None:
    """Brings a folder, or a file, of the home to what the store has now: what is new comes, what was removed goes.

    Raises
    ------
    InputError
        The store is set, and obstore is not installed.
    StoreError
        The store does not answer, or refuses.
    """
    if bucket := _bucket():
        with _told():
            bucket.fetch(path)


def here(path: Path) -> Path:
    """The path of what never changes, after it was fetched; a file that is here already is not asked for."""
    if not path.is_file():
        fetch(path)
    return path


def remove(paths: Iterable[Path]) -> None:
    """Removes files from the home and from the store; a file that is not there is none to remove.

    Raises
    ------
    InputError
        The store is set, and obstore is not installed.
    StoreError
        The store does not answer, or refuses.
    """
    bucket = _bucket()
    for path in paths:
        if bucket:
            with _told():
                bucket.remove(path)
        path.unlink(missing_ok=True)


class _Bucket:
    """A bucket, or a part of one, and the home that holds a copy of what was read."""

    def __init__(self, home: Path, store: Any) -> None:
        self._home, self._log, self._store = home, home / "store.log", store
        self._fetching, self._reading = Lock(), Lock()
        self._tags: dict[str, str] = {}  # what the log says up to byte `_read`
        self._read = 0

    def put(self, path: Path, content: Path, first: bool) -> None:
        from obstore.exceptions import AlreadyExistsError

        key = self._key(path)
        try:
            put = self._store.put(key, content, mode="create" if first else "overwrite")
        except AlreadyExistsError:
            content.write_bytes(self._store.get(key).bytes())
            put = self._store.head(key)
        self._note({key: put["e_tag"]})

    def keep(self, files: Iterable[Path]) -> None:
        known = self._known()
        new = [file for file in files if self._key(file) not in known]
        self._each(lambda file: self.put(file, file, False), new)

    def fetch(self, path: Path) -> None:
        with self._fetching:
            known = self._known()  # before the listing: what is noted after it is not missing from it
            there = self._listed(self._key(path))
            new = [key for key, tag in there.items() if known.get(key) != tag or not (self._home / key).exists()]
            self._each(self._bring, new)
            self._note({key: there[key] for key in new})
            gone = [key for key in known if key not in there and self._is_within(key, path)]
            for key in gone:
                (self._home / key).unlink(missing_ok=True)
            self._note(dict.fromkeys(gone, ""))

    def remove(self, path: Path) -> None:
        key = self._key(path)
        with suppress(FileNotFoundError):
            self._store.delete(key)
        self._note({key: ""})

    def _bring(self, key: str) -> None:
        """Beside its name first, and not where `write_with` has its part: the same file may be put meanwhile."""
        path = self._home / key
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{os.getpid()}-{get_ident()}.fetched.{path.name}")
        with suppress(FileNotFoundError), part.open("wb") as file:  # removed since it was listed
            for block in self._store.get(key):
                file.write(block)
            os.fsync(file.fileno())
            part.replace(path)
        part.unlink(missing_ok=True)

    def _listed(self, key: str) -> dict[str, str]:
        """Keys below this one, or itself where it names a file, with their tags."""
        if "." in key:
            try:
                found = [self._store.head(key)]
            except FileNotFoundError:
                return {}
        else:
            found = self._store.list(key).collect()
        return {one["path"]: one["e_tag"] for one in found}

    def _known(self) -> dict[str, str]:
        """Of each object that the home has or had: the tag that it had here, none where it was removed."""
        if not self._log.exists():
            return {}
        with self._reading, self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
            whole = new[: new.rfind(b"\n") + 1]  # another process may be at its last line
            self._read += len(whole)
            for line in whole.decode().splitlines():
                key, _, tag = line.rpartition("\t")
                self._tags[key] = tag
            return {key: tag for key, tag in self._tags.items() if tag}

    def _note(self, tags: Mapping[str, str]) -> None:
        if tags:
            text = "".join(f"{key}\t{tag}\n" for key, tag in tags.items())
            with self._log.open("a", encoding="utf-8") as log:
                log.write(text)

    def _key(self, path: Path) -> str:
        return path.absolute().relative_to(self._home.absolute()).as_posix()

    def _is_within(self, key: str, path: Path) -> bool:
        return (self._home.absolute() / key).is_relative_to(path.absolute())

    def _each(self, call: Callable[[Any], None], items: list[Any]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(call, items))


@contextmanager
def _told() -> Iterator[None]:
    """Faults of the bucket in words."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        seen = str(error).partition("\n")[0]
        move = "look whether it is there, and whether the access keys in the environment may read and write it"
        raise StoreError("store", [f"{settings().store} cannot be used: {seen}; {move}"]) from error


def _bucket() -> _Bucket | None:
    """The store that is set; None where the home is the store."""
    url = settings().store
    return _connected(settings().home, url, settings().store_endpoint, os.getpid()) if url else None


@lru_cache(maxsize=4)
def _connected(home: Path, url: str, endpoint: str | None, process: int) -> _Bucket:
    """One for each process: threads of a forked one are gone."""
    home.mkdir(parents=True, exist_ok=True)
    return _Bucket(home, _opened(url, endpoint))


def _opened(url: str, endpoint: str | None) -> Any:
    """The bucket; access keys and region come from the environment, by the names that all tools of S3 know."""
    try:
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise InputError("no-obstore", ["the setting `store` needs obstore: pip install 'c2m[cluster]'"]) from None
    if endpoint:
        plain = endpoint.startswith("http://")
        return from_url(url, retry_config=_PATIENCE, endpoint=endpoint, client_options={"allow_http": plain})
    return from_url(url, retry_config=_PATIENCE)
