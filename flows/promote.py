"""Promote: the challenger is judged against the champion; only one that saves money takes its place."""

from prefect import flow

from c2m.steps import step
from flows import reports
from flows.parameters import Promote
from models.governance import registry
from models.governance.promotion import decide


@flow(name="promote", flow_run_name="promote {parameters.day}")
def promote(parameters: Promote) -> None:
    """Verdict as a page here, as tags and description in MLflow; the alias moves when the challenger passes."""
    number = parameters.challenger or registry.version_of(registry.CHALLENGER)
    with step("promote"):
        verdict = decide(parameters.day, parameters.again, parameters.challenger)
    if verdict and number:
        reports.promotion(number, verdict)
