"""Packed files (gzip, zip): their bytes, within a limit. Of a damaged archive what can be had, and the damage.

Out: bytes, or a stream of them. A file that unpacks to more than `ingest_unpacked_mb` or, beyond 64 MB, to more than
250 times its own size is refused: no export packs like that (a year of equal lines packs to a hundredth), a bomb does.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from c2m.settings import settings

GZIP, ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"
_HARMLESS, _MOST_RATIO = 64 << 20, 250  # bytes; unpacked by packed
_STEP = 1 << 20
LONGEST_LINE_MB = 16


class BombError(Exception):
    """The file unpacks to more than is taken in."""


def packing(path: Path) -> bytes:
    """GZIP, ZIP or b'' by the file's first bytes."""
    with path.open("rb") as file:
        start = file.read(4)
    return ZIP if start == _EMPTY_ZIP else next((kind for kind in (GZIP, ZIP) if start.startswith(kind)), b"")


class _Limit:
    """Counts what comes out of a file and refuses what is too much."""

    def __init__(self, packed_bytes: int) -> None:
        self.most = settings().ingest_unpacked_mb * 1_000_000
        self.most_by_ratio = max(_HARMLESS, _MOST_RATIO * packed_bytes)
        self.bytes = 0

    def count(self, part: bytes) -> bytes:
        self.bytes += len(part)
        if self.bytes > min(self.most, self.most_by_ratio):
            most = f"{self.most // 1_000_000:,} MB (setting ingest_unpacked_mb) and {_MOST_RATIO} times its own size"
            told = f"it unpacks to more than {self.bytes // 1_000_000:,} MB; expected at most {most}"
            raise BombError(f"{told}: give it in parts, or unpacked")
        return part


def check(path: Path) -> None:
    """Reads a gzip file to its end: raises on damage (a false checksum too) and on a bomb."""
    limit = _Limit(path.stat().st_size)
    with gzip.open(path) as stream:
        while limit.count(stream.read(_STEP)):
            pass


def is_packed_twice(path: Path) -> bool:
    """Whether what gzip packed is an archive, or a file that should be unpacked by now is one."""
    kind = packing(path)
    with gzip.open(path) if kind == GZIP else path.open("rb") as stream, suppress(OSError, EOFError, zlib.error):
        return stream.read(4).startswith((GZIP, ZIP) if kind == GZIP else ZIP)
    return False


def has_endless_line(path: Path) -> bool:
    """Whether so many bytes follow each other without the end of a line: DuckDB drops a line of 32 MB silently."""
    stretch = 0
    with (
        gzip.open(path) if packing(path) == GZIP else path.open("rb") as stream,
        suppress(OSError, EOFError, zlib.error),
    ):
        while part := stream.read(_STEP):
            stretch = 0 if b"\n" in part or b"\r" in part else stretch + len(part)
            if stretch > LONGEST_LINE_MB << 20:
                return True
    return False


def unpack(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The bytes, unpacked where gzip packed them, and what is wrong with the archive."""
    if not content.startswith(GZIP):
        return content, ()
    limit, parts = _Limit(len(content)), bytearray()
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            while part := limit.count(stream.read(_STEP)):
                parts += part
        return bytes(parts), ()
    except (EOFError, OSError, zlib.error) as error:
        limit.bytes = 0
        return b"".join(map(limit.count, _salvaged(content))), (f"the archive is damaged: {error}",)


def _salvaged(content: bytes) -> Iterator[bytes]:
    """All that can be unpacked before the damage; a false checksum damages nothing that came before it."""
    while content.startswith(GZIP):
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        for start in range(0, len(content), 4096):
            before, chunk = unpacker.copy(), content[start : start + 4096]
            try:
                yield unpacker.decompress(chunk)
            except zlib.error:
                spoilt = yield from _byte_by_byte(before, chunk)
                rest = content[start + spoilt :]
                content = rest[max(rest.find(GZIP, 0, 10), 0) :]  # the checksum's last bytes, then another archive
                break
            if unpacker.eof:
                content = unpacker.unused_data + content[start + 4096 :]
                break
        else:
            return


def _byte_by_byte(unpacker: "zlib._Decompress", chunk: bytes) -> Generator[bytes, None, int]:
    for at in range(len(chunk)):
        try:
            yield unpacker.decompress(chunk[at : at + 1])
        except zlib.error:
            return at + 1
    return len(chunk)


def members(path: Path, wanted: str | None) -> tuple[list[str], str]:
    """Names of the files of a zip that are meant, by name or glob (none: undecided), and why it is not clear which."""
    with zipfile.ZipFile(path) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir() and not _is_hidden(one.filename)]
    chosen = [name for name in sorted(names) if wanted in (None, name) or fnmatchcase(name, str(wanted))]
    if len(chosen) == 1 or (chosen and wanted):
        return chosen, ""
    if not names:
        return [], "the zip is empty; give it with the file that it is to hold"
    told = f"the zip holds {len(names)} files ({', '.join(sorted(names)[:8])})"
    return [], f"{told}; name those that are meant in the mapping, as read: {{member: ...}}, or all of a kind: '*.csv'"


def _is_hidden(name: str) -> bool:
    """What systems put beside files: .DS_Store, ._orders.csv, Thumbs.db."""
    file = name.rpartition("/")[2]
    return "__MACOSX/" in name or file.startswith(".") or file in ("Thumbs.db", "desktop.ini")


def check_zip(path: Path) -> None:
    """Unpacks every file of a zip, to nowhere: raises on damage and on a bomb."""
    limit = _Limit(path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            with archive.open(one) as stream:
                while limit.count(stream.read(_STEP)):
                    pass


def extract(path: Path, name: str, out: BinaryIO) -> None:
    """Writes one file of a zip, within the limit."""
    limit = _Limit(path.stat().st_size)
    with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
        while part := limit.count(stream.read(_STEP)):
            out.write(part)
