"""Back up: all state of this home in one file, while the day runs."""

from pathlib import Path

from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from c2m.steps import step
from c2m.upkeep import backup
from flows.parameters import Now


class BackUp(Now):
    """Where to."""

    file: Path = Field(description="File on the worker's machine, such as /backups/c2m.tar.gz. It holds the keys")


@flow(name="backup", flow_run_name="backup {parameters.moment}")
def back_up(parameters: BackUp) -> State[None]:
    """Writes the file, whole or not at all."""
    with step("backup"):
        count = backup.save(parameters.file).files
    return Completed(
        message=f"{parameters.file}: {count:,} files, {parameters.file.stat().st_size / 1e6:,.1f} MB. "
        "Restore: c2m restore FILE --home DIR"
    )
