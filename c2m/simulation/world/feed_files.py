"""Feed files of a generated world: CSV, the columns of the feed contract in their order, gzip without time stamp so
that the same rows are the same bytes. Dirty records go in as they are, behind the first part."""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import yaml

from c2m.feeds.contracts import FEEDS
from c2m.files import write_atomically, write_with

_GZIP_FROM_ROWS = 20_000
_TIMES = {"DATE": pa.date32(), "TIMESTAMP": pa.timestamp("s")}


def write_feed(folder: Path, feed: str, parts: Iterable[pd.DataFrame], dirty: bytes = b"") -> None:
    """Writes one file of `feed`. `parts` follow each other; where the first is big the file is gzipped."""
    rest = iter(parts)
    first = next(rest)
    zipped = len(first) >= _GZIP_FROM_ROWS
    path, other = (folder / f"{feed}.csv{end}" for end in ((".gz", "") if zipped else ("", ".gz")))

    def write(part: Path) -> None:
        with part.open("wb") as raw:
            file = gzip.GzipFile("", "wb", 4, raw, mtime=0) if zipped else raw
            file.write(as_csv(feed, first, header=True) + dirty)
            for frame in rest:
                file.write(as_csv(feed, frame))
            if file is not raw:
                file.close()

    write_with(path, write)
    other.unlink(missing_ok=True)  # of a world of another size: the feed would be read twice


def as_csv(feed: str, frame: pd.DataFrame, header: bool = False) -> bytes:
    """`frame` in the columns of the contract; dates ISO, moments UTC to the second, null empty, '' quoted."""
    columns = FEEDS[feed].columns
    table = pa.Table.from_pandas(frame.reindex(columns=[c.name for c in columns]), preserve_index=False)
    for i, column in enumerate(columns):
        if column.type in _TIMES:
            values = table[i] if column.name in frame else pa.nulls(len(table))
            table = table.set_column(i, column.name, values.cast(_TIMES[column.type]))
    buffer = io.BytesIO()
    pa.csv.write_csv(table, cast(IO[bytes], buffer), pa.csv.WriteOptions(include_header=header))
    return buffer.getvalue()


def write_settings(folder: Path, settings: dict[str, object]) -> None:
    """world.yaml: what the folder's feeds need to be read and run."""
    write_atomically(folder / "world.yaml", yaml.safe_dump(settings, sort_keys=False).encode())
