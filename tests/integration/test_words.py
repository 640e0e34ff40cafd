"""A broken home in words: what was seen, what to do, exit code 2, and no traceback."""

import errno
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import in_words
from c2m.ledger import store
from c2m.settings import settings


@pytest.mark.parametrize(
    ("file", "content", "arguments", "words"),
    [
        ("c2m.yaml", b"plan: [1\n", ["status"], "c2m.yaml cannot be read"),
        ("c2m.yaml", b"\xff\xfe", ["status"], "c2m.yaml cannot be read"),
        ("clock", b"tomorrow", ["status"], "is no clock"),
        ("clock", b'{"at": "2026-01-01"}', ["status"], "is no clock"),
        ("credentials.json", b"{", ["factory", "list"], "nobody is let in"),
        ("ledger.db", b"no database at all, and long enough to be looked at" * 50, ["alerts"], "cannot be used"),
    ],
)
def test_a_broken_file_is_named_with_what_to_do(
    home: Path, file: str, content: bytes, arguments: list[str], words: str
) -> None:
    if file != "ledger.db":
        store.migrate()
    store.engine.cache_clear()
    (home / file).write_bytes(content)
    settings.cache_clear()
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, words in done.stderr) == (2, True), done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("number", "move"), [(errno.ENOSPC, "make room"), (errno.EROFS, "set C2M_HOME"), (errno.EACCES, "set C2M_HOME")]
)
def test_errors_of_the_machine_say_what_to_do(number: int, move: str) -> None:
    told = in_words(OSError(number, "seen", "/srv/c2m/ledger.db"))
    assert told
    assert f"/srv/c2m/ledger.db: {'the disk is full' if number == errno.ENOSPC else ''}" in told.faults[0]
    assert move in told.faults[0]


def test_a_full_disk_ends_a_command_in_words() -> None:
    with pytest.raises(OSError) as full, Path("/dev/full").open("w") as device:
        device.write("x")
    told = in_words(full.value)
    assert told
    assert "the disk is full" in told.faults[0]


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    assert in_words(KeyError("x")) is None
    assert in_words(FileNotFoundError(errno.ENOENT, "gone", "f")) is None


def test_a_home_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("C2M_HOME", str(tmp_path / "file" / "home"))
    settings.cache_clear()
    store.engine.cache_clear()
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 2, done.output
    assert "cannot be made" in done.stderr and "Traceback" not in done.output


def test_what_duckdb_tells_of_the_machine_is_said_too() -> None:
    told = in_words(duckdb.IOException("IO Error: Could not write file x: No space left on device"))
    assert told
    assert "the disk is full: make room" in told.faults[0]
    assert in_words(duckdb.IOException('IO Error: No files found that match the pattern "x"')) is None
