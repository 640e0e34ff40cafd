"""Readmit: corrected rows of a quarantine export come back in, through the mapping that they came by."""

from pathlib import Path

from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from c2m.feeds import ingest
from c2m.steps import step
from flows import reports
from flows.parameters import Now


class Readmit(Now):
    """Which rows."""

    file: Path = Field(description="Export of `c2m quarantine FEED --out FILE`, corrected")


@flow(name="readmit", flow_run_name="readmit {parameters.moment}")
def readmit(parameters: Readmit) -> State[None]:
    """Takes the rows back; what is still wrong stays in quarantine with its reason."""
    with step("readmit"):
        outcomes = ingest.readmit(parameters.file)
    reports.feeds(outcomes)
    return Completed(message=f"{int(outcomes['readmitted'].sum()):,} rows of {parameters.file.name} came back.")
