"""Locks of a home: one occupant, one writer at a time, and nothing left behind by a process that is killed."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c2m.errors import InputError
from c2m.home import home_id, occupant, occupied, turn
from c2m.settings import settings


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs code that says `here` and then waits; killed at the end."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline()
        yield other
        other.kill()


def test_a_home_has_one_occupant_and_is_free_when_that_is_killed(home: Path) -> None:
    code = "from c2m.home import occupied\nwith occupied('c2m up'): print('here', flush=True); input()"
    assert occupant() is None
    with process(code) as other:
        assert occupant() == f"c2m up (process {other.pid})"
        with pytest.raises(InputError, match=f"process {other.pid}"), occupied("c2m run"):
            pass
    assert occupant() is None
    with occupied("c2m run"):
        pass


def test_whoever_comes_second_waits_for_his_turn_even_where_the_first_is_killed(home: Path) -> None:
    code = "from c2m.home import turn\nwith turn('warehouse'): print('here', flush=True); input()"
    asks = "from c2m.home import turn\nprint('asks', flush=True)\nwith turn('warehouse'): print('here', flush=True)"
    with process(code) as first, process(asks) as second:
        assert second.stdout
        assert not select.select([second.stdout], [], [], 1)[0]
        first.kill()
        assert second.stdout.readline() == b"here\n"
    with turn("warehouse"):
        pass


def test_two_homes_never_have_the_same_id(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = home_id()
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("C2M_HOME", "home")  # the same folder by another name
    settings.cache_clear()
    assert home_id() == ours
    monkeypatch.setenv("C2M_HOME", "home/copy")
    settings.cache_clear()
    assert home_id() != ours


@pytest.mark.parametrize("command", [["factory", "add", "F1"], ["status"], ["alerts"]])
def test_a_home_is_its_owners_alone_and_so_is_each_file_in_it(tmp_path: Path, command: list[str]) -> None:
    """Whatever the shell's umask says; a copy of the home keeps the modes of its files."""
    home = tmp_path / "new"
    begin = ["sh", "-c", 'umask 000; exec "$@"', "sh", sys.executable, "-m", "c2m.cli", *command]
    subprocess.run(begin, env=os.environ | {"C2M_HOME": str(home)}, check=False, capture_output=True)
    there = [home, *home.rglob("*")]
    assert len(there) > 1
    assert [path for path in there if path.stat().st_mode & 0o077] == []


def test_a_home_that_lies_open_is_closed(home: Path) -> None:
    home.chmod(0o755)
    with occupied("c2m run"):
        assert home.stat().st_mode & 0o777 == 0o700
