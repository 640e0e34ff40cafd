"""Prune: what is older than it is kept for goes, and the scans of past days are merged."""

from prefect import flow

from c2m.steps import step
from c2m.upkeep import retention
from flows import reports, warehouse
from flows.parameters import Prune


@flow(name="prune", flow_run_name="prune {parameters.moment}")
def prune(parameters: Prune) -> None:
    """Removes what `retention` says is old, while nobody builds; a dry run only says what would go."""
    with warehouse.held(), step("prune"):
        found = retention.prune(parameters.dry_run)
    reports.pruned(retention.totals(found), parameters.dry_run)
