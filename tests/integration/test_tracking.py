"""MLflow's own database: whole or not there, whenever its making was broken off."""

import sqlite3
from contextlib import closing
from pathlib import Path

from c2m.upkeep.tracking import make_database
from models.governance import registry


def test_a_database_whose_making_was_broken_off_is_made_again_and_a_whole_one_is_kept(home: Path) -> None:
    (home / "mlflow").mkdir()
    path = home / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(path)) as half:
        half.execute("CREATE TABLE trace_info (request_id TEXT)")
    (home / "mlflow" / "mlflow.db.part").write_bytes(b"killed")
    made = registry.store().get_experiment_by_name(registry.EXPERIMENT)
    before = path.stat().st_ino
    make_database()
    assert path.stat().st_ino == before
    assert registry.store().get_experiment_by_name(registry.EXPERIMENT).experiment_id == made.experiment_id
    assert not (home / "mlflow" / "mlflow.db.part").exists()
