"""One store for machines that share no disk: what one of them writes, the others read; nothing is lost or doubled."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from s3_kit import s3
from warehouse_world import build

from c2m import clock, objects
from c2m.feeds.ingest import ingest
from c2m.feeds.world import World
from c2m.settings import settings
from c2m.simulation.world.world import BUSINESS_DATE, write_world
from c2m.warehouse import published

At = Callable[[str], Path]


@pytest.fixture
def at(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[At]:
    """Goes to a machine, by its name: to a home of its own, empty at first. All share one bucket."""

    def go(name: str) -> Path:
        monkeypatch.setenv("C2M_HOME", str(home / name))
        settings.cache_clear()
        settings().home.mkdir(exist_ok=True)
        return settings().home

    with s3(monkeypatch):
        yield go


def text(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.glob("[!.]*")) if file.is_file()}


def put(name: str, content: str, first: bool = False) -> None:
    objects.write(settings().landing / "scans" / name, lambda part: part.write_text(content), first)


def test_what_one_machine_writes_changes_or_removes_the_others_see(at: At) -> None:
    one = at("one")
    put("a.parquet", "a")
    put("b.parquet", "b")
    put("_mine.parquet", "of this home alone")
    other = at("two")
    objects.fetch(settings().landing)
    assert text(other / "landing/scans") == {"a.parquet": "a", "b.parquet": "b"}
    put("a.parquet", "a, later")
    objects.remove([settings().landing / "scans" / "b.parquet", settings().landing / "scans" / "never.parquet"])
    put("c.parquet", "c")
    at("one")
    objects.fetch(settings().landing / "scans")
    assert text(one / "landing/scans") == {
        "_mine.parquet": "of this home alone",
        "a.parquet": "a, later",
        "c.parquet": "c",
    }


def test_the_first_file_of_a_name_stays_where_it_must(at: At) -> None:
    at("one")
    put("batch.parquet", "received at nine", first=True)
    two = at("two")
    put("batch.parquet", "received at ten", first=True)
    assert text(two / "landing/scans") == {"batch.parquet": "received at nine"}


def test_a_machine_that_died_before_the_file_had_its_name_has_lost_nothing(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = at("one")
    with monkeypatch.context() as m:
        m.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            put("a.parquet", "a")
    assert text(home / "landing/scans") == {}
    objects.fetch(settings().landing)
    assert text(home / "landing/scans") == {"a.parquet": "a"}


def test_a_bucket_that_does_not_answer_is_said_and_nothing_has_its_name(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = at("one")
    monkeypatch.setenv("C2M_STORE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(objects, "_PATIENCE", {"max_retries": 0})
    settings.cache_clear()
    with pytest.raises(OSError, match="cannot be used"):  # what a collector tries again after
        put("a.parquet", "a")
    assert text(home / "landing/scans") == {}


@pytest.mark.long
def test_a_day_that_three_machines_share_has_the_marts_of_one(at: At) -> None:
    """The kept day, its files brought in on one machine, its marts built on the second, read on the third."""
    from golden.test_kept_day import KEPT, digest

    world = at("one") / "world"
    write_world(world, 7, "small")
    clock.set_now(clock.cut_off(BUSINESS_DATE) - timedelta(minutes=1))
    outcomes = ingest(World.load(world))
    second = at("two")
    found = published.inputs(BUSINESS_DATE)  # with which every build begins (flows/warehouse.py)
    build(BUSINESS_DATE)
    published.publish(BUSINESS_DATE, found)
    assert not (second / "world").exists()
    third = at("three")
    marts = {name: digest(published.read(name)) for name in sorted(published.manifest()["marts"])}
    assert not (third / "landing").exists()
    assert marts == json.loads(KEPT.read_text())["marts"]
    assert ingest(World.load(world)).equals(outcomes)  # the same files on another machine change nothing
