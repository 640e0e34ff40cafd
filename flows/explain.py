"""Explain: why the plan is as it is, for one lot, one factory, or a lot at a factory, as a page."""

from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from c2m.settings import settings
from c2m.steps import step
from flows import plan_page, reports
from flows.parameters import Now
from optimization.explanation import answer


class Explain(Now):
    """What to explain; nothing of it: the whole plan."""

    lot: str | None = Field(None, description="Last column of the plan's page: why it is made where it is")
    factory: str | None = Field(None, description="What its days are worth; with a lot: why it is not made there")
    plan_id: str | None = Field(None, description="Default: the newest plan")


@flow(name="explain", flow_run_name="explain {parameters.moment}")
def explain(parameters: Explain) -> State[None]:
    """Asks the plan, solving what-if questions where needed, and shows the answer in words and tables."""
    standing = plan_page.standing_of(parameters.plan_id) if parameters.plan_id else plan_page.newest()
    if standing is None:
        return Completed(message="There is no plan yet.")
    folder = settings().home / standing.folder
    with step("explain"):
        found = answer.explain(folder / "instance", folder / "plan", parameters.lot, parameters.factory)
    reports.page("explain", f"Plan of {standing.title}: {found.title}", found.text)
    return Completed(message=found.title)
