"""A world: a folder of feed files, and an optional world.yaml that says how they are to be understood.

    name: amazon_india
    timezone: Asia/Kolkata
    currency: INR
    business_date: 2022-06-01
    settings: {plan: {horizon_days: 14}}
    sources:                               # foreign files, each through a mapping
      - mapping: amazon_india_apparel/sales_lines.yaml     # below the project's mappings/, or below this folder
        root: ${shared_data}/amazon_india_apparel          # ${shared_data} is a setting; default: this folder
        merchants: [amazon_in]                             # who it may speak for; default: anybody
    merchants: [acme]                      # who the native files may speak for; default: anybody

Native files need no mention: <feed>.csv, <feed>.jsonl, <feed>.parquet, packed with gzip or not, or any number of them
in a folder named after the feed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from c2m import PROJECT
from c2m.errors import InputError
from c2m.feeds.contracts import FEEDS
from c2m.feeds.mapping import Mapping, load, native
from c2m.feeds.records import kind_of
from c2m.settings import settings

_MAPPINGS = PROJECT / "mappings"


class _SourceSpec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mapping: str
    root: str = "."
    merchants: list[str] | None = None


class _WorldFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    timezone: str | None = None
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    business_date: date | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    sources: list[_SourceSpec] = Field(default_factory=list)
    merchants: list[str] | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"{name!r} is no IANA zone such as Asia/Dhaka")
        return name


@dataclass(frozen=True)
class Source:
    """One file and the mapping that it is read with. `name` is its path as outcomes tell it."""

    mapping: Mapping
    file: Path
    name: str
    joined: dict[str, tuple[Path, ...]] = field(default_factory=dict)  # by the name of the join

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and those that are joined to it."""
        return self.file, *(path for paths in self.joined.values() for path in paths)

    def problem(self) -> str | None:
        """Why it cannot be opened at all; None for a file, or for what is not there (a link to nowhere)."""
        try:
            str(self.file).encode()
        except UnicodeEncodeError:
            return "its name is not UTF-8; rename it"
        for file in self.files:
            if file.exists() and not file.is_file():
                kind = "a folder" if file.is_dir() else "a pipe or a device"
                return f"{file.name} is {kind}, not a file; take it away, or give the file in its place"
        return None


@dataclass(frozen=True)
class World:
    """A checked world."""

    folder: Path
    name: str  # what people call it: that of world.yaml, else that of the folder
    overrides: dict[str, Any]  # of settings: timezone, currency, business_date and what `settings:` says
    foreign: tuple[tuple[Mapping, Path], ...]  # mapping, folder in which its files lie
    merchants: tuple[str, ...] | None = None  # who the native files may speak for

    @classmethod
    def load(cls, folder: Path) -> "World":
        """Reads world.yaml, where there is one, and its mappings; all faults at once.

        Raises
        ------
        InputError
            The folder, world.yaml or a mapping cannot be read or breaks its form; all faults at once.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError("world-missing", [f"{folder}: no such folder; `c2m demo-world {folder}` writes one"])
        file = _read(folder / "world.yaml")
        foreign, faults = [], []
        for spec in file.sources:
            try:
                mapping = _mapping(folder, spec.mapping).bound(spec.merchants)
                foreign.append((mapping, _root(folder, spec.root)))
            except InputError as error:
                faults += error.faults
        if faults:
            raise InputError("world", faults)
        named = file.model_dump(mode="json", include={"timezone", "currency", "business_date"}, exclude_none=True)
        native_of = None if file.merchants is None else tuple(file.merchants)
        return cls(folder, file.name or folder.resolve().name, named | file.settings, tuple(foreign), native_of)

    def sources(self) -> list[Source]:
        """Every file of the world, what others refer to first."""
        found = [*self._foreign(), *self._native()]
        order = list(FEEDS)
        return sorted(found, key=lambda source: (order.index(source.mapping.feed.name), source.name))

    def lacking(self) -> list[str]:
        """Sources of world.yaml that no file answers to, as faults."""
        return [
            f"{mapping.name}: no file {mapping.files} in {root}; put it there, or take the source out of world.yaml"
            for mapping, root in self.foreign
            if not any(root.glob(mapping.files))
        ]

    def unclaimed(self) -> list[str]:
        """Data files beside the feeds that belong to none: a misspelt feed is found here."""
        claimed = {source.file for source in self.sources()}
        return sorted(
            _told(Path(file.name)) for file in self.folder.iterdir() if _is_data(file) and file not in claimed
        )

    def _foreign(self) -> Iterator[Source]:
        for mapping, root in self.foreign:
            joins = mapping.shape.join if mapping.shape else []
            joined = {join.name: tuple(sorted(root.glob(join.files))) for join in joins}
            yield from (
                Source(mapping, file, _told(file.relative_to(root)), joined) for file in root.glob(mapping.files)
            )

    def _native(self) -> Iterator[Source]:
        for feed in FEEDS:
            files = [*self.folder.glob(f"{feed}.*"), *self.folder.glob(f"{feed}/**/*")]
            mapping = native(feed).bound(self.merchants)
            for file in filter(_is_data, files):
                yield Source(mapping, file, _told(file.relative_to(self.folder)))


def _told(path: Path) -> str:
    """A path as text, whatever bytes its name has."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_data(path: Path) -> bool:
    return kind_of(path) is not None and not path.name.startswith((".", "_"))


def _read(path: Path) -> _WorldFile:
    try:
        return _WorldFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("world", [f"{path}: not YAML: {error}"]) from error
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise InputError("world", faults) from error


def _mapping(folder: Path, name: str) -> Mapping:
    places = (_MAPPINGS / name, folder / name)
    for place in places:
        if place.is_file():
            return load(place, name)
    raise InputError("mapping-missing", [f"{name}: no such mapping; looked for {' and '.join(map(str, places))}"])


def _root(folder: Path, root: str) -> Path:
    """An absolute path, or one below the world's folder."""
    return folder / root.replace("${shared_data}", str(settings().shared_data.absolute()))
