"""MLflow's own database in a home, which is there whole or not at all.

MLflow makes its tables one by one and cannot go on where that was broken off ("table ... already exists").
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from c2m.files import locked, sync
from c2m.settings import settings


def make_database() -> None:
    """Makes the database of a home that keeps MLflow in a file of its own, and again one that was not made to its end.

    Importing MLflow takes seconds; where the database is whole it is not imported.
    """
    folder = settings().home / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    if settings().mlflow_uri:
        return
    with locked(folder):
        if not _is_whole(folder / "mlflow.db"):
            _make(folder / "mlflow.db")


def _is_whole(path: Path) -> bool:
    """Whether MLflow came to writing the version of its tables."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute("SELECT 1 FROM alembic_version").fetchone() is not None
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return False
            raise


def _make(path: Path) -> None:
    from mlflow.store.db.utils import _initialize_tables
    from sqlalchemy import create_engine

    part = path.with_name("mlflow.db.part")
    part.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{part.absolute()}")
    _initialize_tables(engine)
    engine.dispose()
    part.replace(path)
    sync(path.parent)
