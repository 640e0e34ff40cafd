"""The planning instance: lots, the factories that could make them, capacity, commitments. Contract of `c2m allocate`.

A folder of tables, CSV or Parquet. `order_id` names a lot; in memory its column is `lot_id`. A pair is one lot at one
factory; days are integers 1..H; money is in one currency. * = optional column.

instance.json  (optional) horizon_days H (else the largest capacity day), day_1 (date), currency
orders         order_id; quantity (good pieces); release_day; due_day; max_late_days; max_factories;
               late_cost (per piece and day); unmet_cost (per piece); priority* (1 first; not in the cost)
arcs           order_id, factory_id; unit_cost (per piece); minutes_per_piece (yield included);
               setup_cost, setup_minutes (once per pair); min_lot, max_lot (pieces); transit_days;
               release_day* (material there, else the order's); max_minutes_per_day* (else no limit)
capacity       factory_id, day; minutes; overtime_minutes; overtime_cost (per minute). A missing row is zero
factories      (optional) factory_id; engagement_cost*; target_minutes*; shortfall_cost* (per minute below the target)
incumbent      (optional) order_id, factory_id; quantity (remaining pieces); change_cost (per piece taken away);
               frozen (the pair keeps at least this quantity); setup_done*

A lot may be made in stages, one after the other, and lots may share a setup (optimization/contract/staging.py):

stages         (optional) order_id, stage (1..S in the order of work); name*. No row: stage 1 alone
arcs, incumbent gain stage* (absent: 1), which belongs to their key. Of an arc without release_day, stages after the
               first are released on day 1
transfers      (optional) from_factory, to_factory; cost (per piece), days; order_id* (replaces the general row)
ready          (optional) order_id, stage (< S), factory_id, day* (1); quantity (pieces that have finished this stage)
pools          (optional) order_id; pool_id. Lots of a pool share one setup at a factory and stage

Every fault of an instance is found in one pass and raised as one InputError.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from c2m.domain.arrays import Ints
from c2m.errors import InputError
from c2m.files import read_json, write_atomically
from optimization.contract.edge import inside, outside
from optimization.contract.faults import name_rows
from optimization.contract.staging import JOINT, PAIR_KEY, check_staging

LARGEST = 1e15  # above it a float no longer holds a cost times a quantity to the cent
MOST_DAYS = 10_000  # 27 years: a day beyond is a typing error, and the search keeps a cell for each
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_REQUIRED: Any = object()
_DTYPES = {"id": "str", "whole": "int64", "number": "float64", "flag": "bool"}


@dataclass(frozen=True)
class _Column:
    """One column: what it holds, the least it may be, and what stands in for an empty cell where it is optional."""

    name: str
    kind: str  # id | whole | number | flag
    least: float = 0
    default: Any = _REQUIRED

    @property
    def expected(self) -> str:
        """The column's domain in words."""
        words = {"id": "1 to 64 of A-Z a-z 0-9 _ -", "flag": "true or false", "whole": "a whole number"}
        if self.kind == "number":
            return f"a number from {self.least:g} to {LARGEST:g}"
        text = words[self.kind]
        return f"{text} >= {self.least:g}" if self.kind == "whole" and np.isfinite(self.least) else text


_ANY = -np.inf
_LEAST_MINUTES = 1e-6  # of a piece: below it a whole lot is less than the tolerance of a day
_KEYS = {
    "orders": ["order_id"],
    "arcs": PAIR_KEY,
    "capacity": ["factory_id", "day"],
    "factories": ["factory_id"],
    "incumbent": PAIR_KEY,
    "stages": ["order_id", "stage"],
    "transfers": ["from_factory", "to_factory", "order_id"],
    "ready": [*PAIR_KEY, "day"],
    "pools": ["order_id"],
}
_COLUMNS = {
    "orders": [
        _Column("order_id", "id"),
        _Column("quantity", "whole", 1),
        _Column("release_day", "whole", _ANY),
        _Column("due_day", "whole", _ANY),
        _Column("max_late_days", "whole"),
        _Column("max_factories", "whole", 1),
        _Column("late_cost", "number"),
        _Column("unmet_cost", "number"),
        _Column("priority", "whole", _ANY, 1),
    ],
    "arcs": [
        _Column("order_id", "id"),
        _Column("stage", "whole", 1, 1),
        _Column("factory_id", "id"),
        _Column("unit_cost", "number"),
        _Column("minutes_per_piece", "number", _LEAST_MINUTES),
        _Column("setup_cost", "number"),
        _Column("setup_minutes", "number"),
        _Column("min_lot", "whole"),
        _Column("max_lot", "whole"),
        _Column("transit_days", "whole"),
        _Column("release_day", "whole", _ANY, None),
        _Column("max_minutes_per_day", "number", 0, np.inf),
    ],
    "capacity": [
        _Column("factory_id", "id"),
        _Column("day", "whole", 1),
        _Column("minutes", "number"),
        _Column("overtime_minutes", "number"),
        _Column("overtime_cost", "number"),
    ],
    "factories": [
        _Column("factory_id", "id"),
        _Column("engagement_cost", "number", 0, 0.0),
        _Column("target_minutes", "number", 0, 0.0),
        _Column("shortfall_cost", "number", 0, 0.0),
    ],
    "incumbent": [
        _Column("order_id", "id"),
        _Column("stage", "whole", 1, 1),
        _Column("factory_id", "id"),
        _Column("quantity", "whole"),
        _Column("change_cost", "number"),
        _Column("frozen", "flag"),
        _Column("setup_done", "flag", 0, False),
    ],
    "stages": [
        _Column("order_id", "id"),
        _Column("stage", "whole", 1),
        _Column("name", "id", default=""),
    ],
    "transfers": [
        _Column("from_factory", "id"),
        _Column("to_factory", "id"),
        _Column("order_id", "id", default=""),
        _Column("cost", "number"),
        _Column("days", "whole"),
    ],
    "ready": [
        _Column("order_id", "id"),
        _Column("stage", "whole", 1),
        _Column("factory_id", "id"),
        _Column("day", "whole", _ANY, 1),
        _Column("quantity", "whole"),
    ],
    "pools": [
        _Column("order_id", "id"),
        _Column("pool_id", "id"),
    ],
}
_OPTIONAL = {"factories", "incumbent", *JOINT}


_EMPTY = {
    name: inside(pd.DataFrame({column.name: pd.Series(dtype=_DTYPES[column.kind]) for column in columns}))
    for name, columns in _COLUMNS.items()
}


def _empty(name: str) -> pd.DataFrame:
    """A table of the contract without a row."""
    return _EMPTY[name].copy()


@dataclass(frozen=True)
class Instance:
    """A valid instance: every column of the contract present and typed, rows sorted by key.

    Its tables (orders, arcs, capacity, factories, incumbent, stages, transfers, ready, pools) have the columns and
    units that the top of this module gives. An arc's release_day is filled in from its order; no limit a day is `inf`.
    Where no lot has more than one stage, arcs and incumbent have no column `stage`.
    """

    orders: pd.DataFrame
    arcs: pd.DataFrame
    capacity: pd.DataFrame
    factories: pd.DataFrame
    incumbent: pd.DataFrame
    horizon_days: int
    day_1: date | None = None
    currency: str | None = None
    stages: pd.DataFrame = field(default_factory=partial(_empty, "stages"))
    transfers: pd.DataFrame = field(default_factory=partial(_empty, "transfers"))
    ready: pd.DataFrame = field(default_factory=partial(_empty, "ready"))
    pools: pd.DataFrame = field(default_factory=partial(_empty, "pools"))

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, pd.DataFrame],
        horizon_days: int | None = None,
        day_1: date | None = None,
        currency: str | None = None,
    ) -> "Instance":
        """An instance from tables, checked and typed.

        Parameters
        ----------
        tables
            orders, arcs, capacity and, if there are any, factories, incumbent, stages, transfers, ready and pools: the
            columns of this module's page.
        horizon_days
            Working days that the plan may use; None: the largest day of the capacity.
        day_1
            Date of day 1, which only words and dates need.
        currency
            Of all money in it, which only words need.

        Returns
        -------
        Instance
            Rows sorted by key. `order_id` is called `lot_id` in its tables.

        Raises
        ------
        InputError
            With every fault of every table at once.
        """
        given = {name: outside(table) for name, table in tables.items()}
        return _checked(given, {"horizon_days": horizon_days, "day_1": day_1, "currency": currency}, [])

    def order(self, lot_id: str) -> Any:
        """The lot's row of orders."""
        return self.orders[self.orders["lot_id"] == lot_id].iloc[0]

    @property
    def frozen(self) -> pd.DataFrame:
        """The rows of `incumbent` whose pieces stay where they are."""
        return self.incumbent[self.incumbent["frozen"].to_numpy(bool)]

    @property
    def staged(self) -> bool:
        """Whether a lot has more than one stage."""
        return "stage" in self.arcs

    @property
    def joint(self) -> bool:
        """Whether lots have stages or share setups: what the programs of one stage do not state."""
        return self.staged or len(self.pools) > 0

    def refuse_joint(self, what: str) -> None:
        """Refuses stages and pools on behalf of something, `what`, that does not cover them.

        Raises
        ------
        InputError
            The instance has stages or pools.
        """
        if self.joint:
            seen = "stages" if self.staged else "pools"
            raise InputError("joint-not-covered", [f"{what} does not cover {seen} yet; the instance has {seen}"])

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the content: equal however the rows were ordered and whatever the file format."""
        digest = hashlib.sha256()
        for name, content in _files(self).items():
            digest.update(name.encode() + b"\0" + content)
        return digest.hexdigest()


def read(folder: Path) -> Instance:
    """The instance in a folder.

    Raises
    ------
    InputError
        With every fault, unreadable files included.
    """
    faults: list[str] = []
    if not folder.is_dir():
        raise InputError("instance-missing", [f"{folder}: no such folder; expected one with orders, arcs and capacity"])
    tables = {name: table for name in _COLUMNS if (table := _read_table(folder, name, faults)) is not None}
    return _checked(tables, _read_header(folder / "instance.json", faults), faults)


def write(instance: Instance, folder: Path) -> None:
    """Writes an instance as CSV; the same instance gives the same bytes.

    Parameters
    ----------
    instance
        What is written.
    folder
        Where the files go; what joins factories (stages, transfers, ready, pools) is not left behind in it.
    """
    files = _files(instance)
    for absent in {f"{name}.csv" for name in JOINT} - files.keys():
        (folder / absent).unlink(missing_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)


def whole_lots(instance: Instance) -> Instance:
    """The instance of its lots that are made in one stage and share no setup, with what they commit of it."""
    staged = instance.stages.loc[instance.stages["stage"] > 1, "lot_id"]
    left_out = {*staged, *instance.pools["lot_id"]}
    kept = {name: getattr(instance, name) for name in ("orders", "arcs", "incumbent")}
    kept = {name: table[~table["lot_id"].isin(left_out)].reset_index(drop=True) for name, table in kept.items()}
    kept = {name: table.drop(columns="stage", errors="ignore") for name, table in kept.items()}
    return replace(instance, **kept, **{name: getattr(instance, name).iloc[:0] for name in JOINT})


def rows(table: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples (their field types are known to the column, not to the type checker)."""
    return iter(table.itertuples(index=False))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries by column."""
    return [{str(name): cell for name, cell in row.items()} for row in table.to_dict("records")]


def window(pairs: Any, horizon_days: int, exempt: Any) -> tuple[Ints, Ints]:
    """The first and the last day on which arcs may work.

    Parameters
    ----------
    pairs
        Columns by name of arcs, joined with their orders: days.
    horizon_days
        The last day of all.
    exempt
        (pairs,) flags: the late limit does not apply, as to frozen work.

    Returns
    -------
    tuple of numpy.ndarray
        (pairs,) first_day and (pairs,) last_day.
    """
    latest = np.minimum(pairs["due_day"] - pairs["transit_days"] + pairs["max_late_days"], horizon_days)
    return np.maximum(pairs["release_day"], 1), np.where(exempt, horizon_days, latest)


def open_minutes(capacity: pd.DataFrame) -> "pd.Series[float]":
    """Minutes that a factory can work on each day of its capacity (columns minutes, overtime_minutes), by its rows."""
    minutes: pd.Series[float] = capacity["minutes"] + capacity["overtime_minutes"]
    return minutes


def _files(instance: Instance) -> dict[str, bytes]:
    day_1 = instance.day_1.isoformat() if instance.day_1 else None
    header = {"horizon_days": instance.horizon_days, "day_1": day_1, "currency": instance.currency}
    files = {"instance.json": (json.dumps(header, indent=1, sort_keys=True) + "\n").encode()}
    for name in _COLUMNS:
        table = outside(getattr(instance, name))
        if name in JOINT and table.empty:
            continue
        text = table.replace({np.inf: np.nan}).to_csv(index=False, lineterminator="\n")
        files[f"{name}.csv"] = text.encode()
    return files


def _read_table(folder: Path, name: str, faults: list[str]) -> pd.DataFrame | None:
    files = [file for suffix in ("csv", "parquet") if (file := folder / f"{name}.{suffix}").is_file()]
    if len(files) > 1:
        faults.append(f"{name}: both {name}.csv and {name}.parquet are there; keep one")
    elif not files and name not in _OPTIONAL:
        faults.append(f"{name}: neither {name}.csv nor {name}.parquet is in {folder}")
    if len(files) != 1:
        return None
    try:
        return _read_csv(files[0]) if files[0].suffix == ".csv" else parquet.read_table(files[0]).to_pandas()
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError) as error:
        faults.append(f"{files[0].name}: cannot be read ({error}); expected UTF-8 CSV with a header, or Parquet")
        return None


def _read_csv(file: Path) -> pd.DataFrame:
    """All cells as text: what a number is, the column decides."""
    with file.open(encoding="utf-8-sig") as lines:
        names = lines.readline().strip().split(",")
    if len(set(names)) < len(names):
        raise ValueError("a column stands twice in the header")
    types = dict.fromkeys((name.strip('"') for name in names), pa.string())
    table = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_header(file: Path, faults: list[str]) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        header = read_json(file)
    except (ValueError, OSError) as error:
        faults.append(f"instance.json: cannot be read ({error}); expected a JSON object")
        return {}
    if not isinstance(header, dict):
        faults.append("instance.json: expected a JSON object with horizon_days, day_1, currency")
        return {}
    try:
        header["day_1"] = date.fromisoformat(header["day_1"]) if header.get("day_1") else None
    except (TypeError, ValueError):
        faults.append(f"instance.json: day_1 is {header['day_1']!r}, expected a date such as 2026-03-02")
    return header


def _checked(tables: dict[str, pd.DataFrame], header: dict[str, Any], faults: list[str]) -> Instance:
    whole_tables = {name for name in _COLUMNS if name in tables or name in _OPTIONAL}
    named = [name for name in _COLUMNS if name in tables or name not in _OPTIONAL]
    typed = {name: outside(_empty(name)) for name in _OPTIONAL}
    typed |= {name: _typed(name, tables.get(name), faults) for name in named}
    horizon_days = _horizon(header.get("horizon_days"), typed["capacity"], faults)
    if whole_tables == set(_COLUMNS):
        _check_references(typed, "factories" in tables, faults)
    if faults:
        raise InputError("instance-invalid", faults)
    arcs = typed["arcs"]
    order_release = arcs["order_id"].map(typed["orders"].set_index("order_id")["release_day"])
    order_release = order_release.where(arcs["stage"] == 1, 1)
    arcs["release_day"] = arcs["release_day"].fillna(order_release).astype("int64")
    if not (typed["stages"]["stage"] > 1).any():
        typed |= {name: typed[name].drop(columns="stage") for name in ("arcs", "incumbent")}
    ordered = {
        name: inside(table.sort_values([key for key in _KEYS[name] if key in table], ignore_index=True))
        for name, table in typed.items()
    }
    return Instance(**ordered, horizon_days=horizon_days, day_1=header.get("day_1"), currency=header.get("currency"))


def _typed(name: str, table: pd.DataFrame | None, faults: list[str]) -> pd.DataFrame:
    """The table's columns in their types; cells that break their column's domain become faults."""
    if table is None:
        table = pd.DataFrame(columns=[column.name for column in _COLUMNS[name]], dtype="object")
    table = table.reset_index(drop=True)
    typed = pd.DataFrame({column.name: _typed_column(name, column, table, faults) for column in _COLUMNS[name]})
    name_rows(faults, name, typed[_KEYS[name]], typed.duplicated(_KEYS[name]), "stands twice; keep one row per key")
    return typed


def _typed_column(name: str, column: _Column, table: pd.DataFrame, faults: list[str]) -> Any:
    """In numpy where it can be: instances are small and many, and a column is a dozen steps."""
    present, optional = column.name in table, column.default is not _REQUIRED
    if not present and optional:
        dtype = "float64" if column.default is None else _DTYPES[column.kind]
        return pd.Series(column.default, index=range(len(table)), dtype=dtype)
    if not present:
        faults.append(f"{name}: column {column.name} is missing; expected {column.expected}")
    cells = table[column.name] if present else pd.Series(np.nan, index=table.index, dtype="object")
    values, empty, wrong = _PARSERS[column.kind](column, cells)
    wrong = wrong & ~empty if optional else (wrong | empty) & present
    if wrong.any():
        name_rows(faults, name, cells.to_frame(), wrong, f"expected {column.expected}")
    if optional and column.default is not None and empty.any():
        values = pd.Series(values).mask(empty, column.default)
    if column.kind == "whole" and column.default is not None:
        return np.where(wrong | np.isnan(values), 1, values).astype(np.int64)
    return values.astype(bool) if column.kind == "flag" else values


def _stripped(cells: "pd.Series[Any]") -> tuple[Any, Any]:
    """Text, and where there is none."""
    text = cells.astype("str").str.strip()
    return text, (cells.isna() | (text == "")).to_numpy(bool)


def _parse_id(column: _Column, cells: "pd.Series[Any]") -> tuple[Any, Any, Any]:
    text, empty = _stripped(cells)
    return text, empty, ~text.str.fullmatch(_NAME.pattern).to_numpy(bool)


def _parse_flag(column: _Column, cells: "pd.Series[Any]") -> tuple[Any, Any, Any]:
    text, empty = _stripped(cells)
    values = text.str.lower().map(_FLAGS)
    unknown = values.isna().to_numpy(bool)
    return values.astype("object").where(~unknown, False), empty, unknown


def _parse_number(column: _Column, cells: "pd.Series[Any]") -> tuple[Any, Any, Any]:
    if cells.dtype in ("int64", "float64"):
        values = cells.to_numpy(np.float64)
        empty = np.isnan(values)
    else:
        text, empty = _stripped(cells)
        values = _read_exactly(text).to_numpy()
    unlimited = (values == np.inf) & (column.default == np.inf)
    return values, empty, ~(((values >= column.least) & (np.abs(values) <= LARGEST)) | unlimited)


def _read_exactly(text: "pd.Series[Any]") -> "pd.Series[float]":
    """pandas 2 is quick here and wrong by a bit now and then, so what it can read is read once more, exactly."""
    readable = pd.to_numeric(text, errors="coerce").notna()
    return text.where(readable, "nan").astype("float64")


def _parse_whole(column: _Column, cells: "pd.Series[Any]") -> tuple[Any, Any, Any]:
    values, empty, wrong = _parse_number(column, cells)
    return values, empty, wrong | (np.floor(values) != values)


_PARSERS: dict[str, Callable[[_Column, Any], tuple[Any, Any, Any]]] = {
    "id": _parse_id,
    "flag": _parse_flag,
    "number": _parse_number,
    "whole": _parse_whole,
}


def _horizon(given: int | None, capacity: pd.DataFrame, faults: list[str]) -> int:
    if given is None and capacity.empty:
        faults.append("instance: no capacity row and no horizon_days; expected at least one of them")
        return 1
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_DAYS):
        faults.append(f"instance.json: horizon_days is {given!r}, expected a whole number from 1 to {MOST_DAYS:,}")
        return 1
    days = min(int(capacity["day"].max()), MOST_DAYS) if given is None else given
    most = f"at most {MOST_DAYS:,} days are planned" if given is None else f"days end at {given}"
    name_rows(faults, "capacity", capacity[["factory_id", "day"]], capacity["day"] > days, most)
    return days


def _check_references(tables: dict[str, pd.DataFrame], factories_listed: bool, faults: list[str]) -> None:
    orders, arcs, incumbent = tables["orders"], tables["arcs"], tables["incumbent"]
    if arcs.empty:
        faults.append("arcs: no row; expected at least one factory for one order")
    for name, table in (("arcs", arcs), ("incumbent", incumbent)):
        unknown = ~table["order_id"].isin(orders["order_id"])
        name_rows(faults, name, table[["order_id"]], unknown, "is not in orders")
    if factories_listed:  # without that table a factory that has no capacity row is one with zero capacity
        known = pd.concat([tables["factories"]["factory_id"], tables["capacity"]["factory_id"]])
        unknown = ~arcs["factory_id"].isin(known)
        name_rows(faults, "arcs", arcs[["factory_id"]], unknown, "is neither in factories nor in capacity")
    lots = arcs[["min_lot", "max_lot"]]
    alone = ~arcs["order_id"].isin(tables["pools"]["order_id"])  # of a pool it is asked of the sum
    name_rows(faults, "arcs", lots, alone & (lots["min_lot"] > lots["max_lot"]), "expected min_lot <= max_lot")
    pairs = pd.MultiIndex.from_frame(arcs[PAIR_KEY])
    held = pd.MultiIndex.from_frame(incumbent[PAIR_KEY])
    stray = pd.Series(incumbent["frozen"].to_numpy(bool) & ~held.isin(pairs), dtype=bool)
    name_rows(faults, "incumbent", incumbent[["order_id", "factory_id"]], stray, "is frozen but has no arc")
    check_staging(tables, faults)
