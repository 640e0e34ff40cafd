"""Compaction of scans: killed after any step and run again, no scan is lost, none is twice, and few files remain."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner
from warehouse_world import land, moment

from c2m.cli import app
from c2m.errors import C2MError
from c2m.feeds import compact
from c2m.feeds.landing import folder
from c2m.settings import settings

# The steps after which the process dies: what compact calls, and which call of it.
STEPS = [("_content", 1), ("_content", 2), ("write", 1), ("sync", 3), ("unlink", 3)]
_KILLED = """
import os, sys
from pathlib import Path
from c2m import objects
from c2m.feeds import compact
name, last = sys.argv[1], int(sys.argv[2])
place = {"unlink": Path, "write": objects}.get(name, compact)
step, calls = getattr(place, name), 0
def dying(*args, **kwargs):
    global calls
    result = step(*args, **kwargs)
    calls += 1
    if calls == last:
        os.kill(os.getpid(), 9)
    return result
setattr(place, name, dying)
compact.compact()
"""


@pytest.fixture
def landed(home: Path) -> list[tuple[object, ...]]:
    """Twelve old files of two days and a young one."""
    draws = random.Random(1)
    for number in range(12):
        at = moment(f"2026-01-0{1 + number % 2} {number:02}:00")
        rows = [{"factory_id": f"F{draws.randrange(5)}", "scan_id": f"{number}-{n}", "quantity": n} for n in range(20)]
        land("scans", [row | {"at": at, "received_at": at} for row in rows])
    for file in folder("scans").iterdir():
        os.utime(file, (0, 0))
    land("scans", [{"factory_id": "F1", "scan_id": "young", "at": at, "received_at": at}])
    return scans()


def scans() -> list[tuple[object, ...]]:
    """What a reader of the folder finds, each row once."""
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT DISTINCT * FROM '{folder('scans')}/[!.]*.parquet' ORDER BY ALL").fetchall()


def files() -> list[str]:
    return sorted(file.name for file in folder("scans").glob("[!._]*"))


def test_old_files_become_one_a_day_and_stay_so(landed: list[tuple[object, ...]]) -> None:
    before = set(files())
    made = json.loads(CliRunner().invoke(app, ["compact", "--json"]).stdout)
    assert [(one["files"], one["scans"]) for one in made] == [(6, 120), (6, 120)]
    assert scans() == landed
    assert len(files()) == 3
    assert len(set(files()) & before) == 1  # the young one
    assert compact.compact() == []


def test_files_hold_about_as_many_scans_as_the_setting_says(
    landed: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2M_COMPACT_ROWS", "60")
    settings.cache_clear()
    assert [one.scans for one in compact.compact()] == [60, 60, 60, 60]
    assert scans() == landed


@pytest.mark.parametrize(("step", "call"), STEPS)
def test_killed_after_a_step_nothing_is_lost(landed: list[tuple[object, ...]], step: str, call: int) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, step, str(call)], check=False)
    assert killed.returncode == -9
    assert scans() == landed
    compact.compact()
    assert scans() == landed
    assert len(files()) == 3
    assert not list(folder("scans").glob(".*"))


def test_a_file_that_comes_again_after_its_compaction_goes(landed: list[tuple[object, ...]]) -> None:
    name = next(file for file in folder("scans").glob("[!._]*") if file.stat().st_mtime == 0)
    content = name.read_bytes()
    compact.compact()
    name.write_bytes(content)
    compact.compact()
    assert not name.exists()
    assert scans() == landed


def test_a_merge_that_differs_is_not_swapped_in(
    landed: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files()
    content = compact._content
    monkeypatch.setattr(
        compact, "_content", lambda connection, paths: (1, 1) if "compacted" in paths[0] else content(connection, paths)
    )
    with pytest.raises(C2MError, match="1 scans merged out of 120"):
        compact.compact()
    assert files() == before


def test_one_process_at_a_time(landed: list[tuple[object, ...]]) -> None:
    with compact._alone(folder("scans")), pytest.raises(C2MError, match="another process compacts"):
        compact.compact()
