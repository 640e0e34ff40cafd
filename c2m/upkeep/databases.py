"""The databases of a home that lie on PostgreSQL: each dumped as of one moment, and loaded into an empty one.

By PostgreSQL's own pg_dump and pg_restore: the tables belong to three programs, with types, indexes and extensions of
their own, and rows alone could be read back only by the very versions that wrote them. pg_dump reads in one transaction
(repeatable read) and keeps no writer waiting.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from c2m.errors import InputError
from c2m.settings import settings

_POSTGRESQL = "postgresql"
SETTINGS = {"ledger": "ledger_url", "prefect": "prefect_database_url", "mlflow": "mlflow_uri"}  # the ledger first


@dataclass(frozen=True)
class Database:
    """One that a setting names. name: of its dump in a backup."""

    name: str
    url: str

    @property
    def setting(self) -> str:
        """The name by which a person sets it."""
        return f"C2M_{SETTINGS[self.name].upper()}"

    @property
    def on_postgresql(self) -> bool:
        """Whether it can be dumped here."""
        return self.url.startswith(_POSTGRESQL)

    def dump(self, file: Path) -> None:
        """Writes all of it, as of one moment."""
        # Without --enable-row-security it refuses tables with policies, which show all rows where no tenant is set.
        whole = ("--format=custom", "--no-owner", "--no-privileges", "--enable-row-security")
        self._run("pg_dump", *whole, f"--file={file}")

    def refuse_full(self) -> None:
        """Only an empty database is loaded into: nothing of another home is mixed in.

        Raises
        ------
        InputError
            It has tables, or does not answer.
        """
        where = make_url(self.url).render_as_string()
        try:
            tables = inspect(create_engine(self.driven("psycopg"))).get_table_names()
        except SQLAlchemyError as error:
            raise InputError("cannot-restore", [f"{self.setting} names {where}: {_line(str(error))}"]) from None
        if tables:
            seen = f"{self.setting} names {where}, which has {len(tables)} tables: expected an empty database"
            raise InputError("cannot-restore", [seen])

    def load(self, file: Path) -> None:
        """Fills it from a dump, whole or not at all."""
        self._run("pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(file))

    def driven(self, driver: str) -> str:
        """The address for one of SQLAlchemy's drivers."""
        return make_url(self.url).set(drivername=f"{_POSTGRESQL}+{driver}").render_as_string(hide_password=False)

    def _run(self, tool: str, *arguments: str) -> None:
        program = shutil.which(tool)
        if program is None:
            wanted = "install the PostgreSQL client, of the server's version or newer (Debian: postgresql-client)"
            raise InputError("no-postgresql-client", [f"{tool} is not found: {wanted}"])
        url = make_url(self.url)
        address = url.set(drivername=_POSTGRESQL, password=None).render_as_string()
        password = {"PGPASSWORD": str(url.password)} if url.password else {}  # not where `ps` would show it
        command = [program, f"--dbname={address}", "--no-password", *arguments]
        done = subprocess.run(command, env=os.environ | password, capture_output=True, text=True)
        if done.returncode:
            raise InputError("database-tool-failed", [f"{self.setting}: {tool} says: {_line(done.stderr)}"])


def named() -> list[Database]:
    """What the settings name in place of the databases in the home, the ledger first."""
    told = {name: getattr(settings(), setting) for name, setting in SETTINGS.items()}
    shown = {name: url.get_secret_value() if isinstance(url, SecretStr) else url for name, url in told.items()}
    return [Database(name, url) for name, url in shown.items() if url]


def on_postgresql() -> dict[str, Database]:
    """Those that are dumped and loaded, by name."""
    return {one.name: one for one in named() if one.on_postgresql}


def _line(text: str) -> str:
    return " ".join(text.split())
