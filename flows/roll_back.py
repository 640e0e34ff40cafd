"""Roll back: an earlier version of the model is champion again, and stays it until a challenger is better."""

from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from flows import reports
from flows.parameters import Now
from models.governance import registry


class RollBack(Now):
    """To which version."""

    version: str = Field(pattern=r"^[0-9]+$", description="Of the registered model c2m-demand")


@flow(name="roll-back", flow_run_name="roll-back to version {parameters.version}")
def roll_back(parameters: RollBack) -> State[None]:
    """Moves the alias; the next forecast is by that version."""
    before = registry.version_of(registry.CHAMPION)
    registry.promote(parameters.version)
    reports.model(parameters.version)
    return Completed(message=f"Version {parameters.version} is champion; before it was version {before}.")
