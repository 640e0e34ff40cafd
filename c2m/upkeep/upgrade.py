"""A home that an older version wrote becomes one of this version: first a backup, then the ledger's migrations.

What else lies in a home follows from the landing zone, which tells its format, and the ledger; dbt's warehouse is made
anew where its code has changed. Backups lie in C2M_HOME/backups.
"""

from datetime import UTC, datetime
from pathlib import Path

from c2m.feeds import landing
from c2m.ledger import store
from c2m.settings import settings
from c2m.upkeep import backup


def upgrade() -> Path | None:
    """Migrates, where this is due; the backup that was made before, None where there was nothing to save.

    Raises
    ------
    InputError
        Ledger or landing zone is newer than this code, or the backup cannot be made: nothing was changed.
    """
    store.refuse_newer()
    landing.refuse_newer()
    held, newest = store.versions()
    if held == newest:
        return None
    file = None
    if held:
        file = settings().home / "backups" / f"before-{newest}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz"
        backup.save(file)
    store.migrate()
    landing.ensure_landing()  # feeds that the older version did not know
    return file


def saved() -> list[Path]:
    """The backups of upgrades, the newest first."""
    return sorted((settings().home / "backups").glob("before-*.tar.gz"), key=lambda file: -file.stat().st_mtime)
