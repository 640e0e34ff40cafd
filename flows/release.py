"""Release: a plan that is over its limits waits here for a person, with a form on Prefect's page.

The run is suspended until the form is sent, and then starts again from the top: earlier answers come back at once, and
carrying one out again changes nothing. An answer that cannot be carried out is asked for again, with the reason.
"""

from itertools import count
from typing import Literal, get_args

from prefect import State, flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from c2m import clock
from c2m.errors import C2MError, InputError
from c2m.ledger import changelog, plans
from c2m.ledger.plans import Standing
from c2m.ledger.store import session
from c2m.markdown import plain
from c2m.steps import step
from flows import plan_page, waiting_runs
from flows.parameters import Release
from flows.plan import take

Choice = Literal["release all", "release without these lots", "take a scenario", "hold", "reject"]
RELEASE, WITHOUT, TAKE, HOLD, REJECT = get_args(Choice)


class Decision(RunInput):
    """What a person decides on a plan."""

    decision: Choice = Field(
        title="Decision",
        description="Hold: it goes on waiting, with your reason. Reject: nothing goes out; plan anew by the flow plan.",
    )
    reason: str = Field(title="Reason", min_length=3, description="Kept with the decision, and shown with the plan")
    name: str = Field(title="Your name", min_length=2, max_length=200)
    lots: list[str] = Field(
        default_factory=list, title="Lots to hold back", description="As the last column of the plan's page has them"
    )
    scenario: str = Field("", title="Scenario to take", description="By its name in the newest run of what-if")


@flow(name="release", flow_run_name="release {parameters.title}")
def release(parameters: Release) -> State[None]:
    """Asks a person for a decision on the plan that waits, carries it out, and lets the day go on."""
    standing = plan_page.standing_of(parameters.plan_id)
    if standing is None:
        return Completed(message="No plan waits for a decision.")
    waiting_runs.keep(Release(plan_id=standing.plan_id))
    fault = ""
    for number in count(1):
        if standing.state != "proposed":
            break
        answer = asked(standing, number, fault)
        try:
            standing = carried_out(standing, answer)
            fault = ""
        except C2MError as error:
            fault = "; ".join(error.faults)
    with step("release"):
        changelog.export()
    plan_page.publish(standing.plan_id)
    waiting_runs.settle()
    return Completed(message=standing.sentence)


def asked(standing: Standing, number: int, fault: str) -> Decision:
    """A person's answer, the number-th; `fault` says why the one before was not carried out."""
    described = "\n".join([*([f"**Not done: {plain(fault)}.**\n"] if fault else []), *plan_page.in_short(standing)])
    return suspend_flow_run(
        wait_for_input=Decision.with_initial_data(description=described), key=f"{standing.plan_id}-{number}"
    )


def carried_out(standing: Standing, answer: Decision) -> Standing:
    """Does what was decided; the plan that stands then.

    Raises
    ------
    C2MError
        Why it cannot be done.
    """
    by, lots = (answer.name.strip(), answer.reason.strip()), [lot.strip() for lot in answer.lots if lot.strip()]
    refuse_what_does_not_fit(answer, lots)
    if answer.decision == TAKE:
        plan_id = take(standing, answer.scenario, *by)
    else:
        plan_id = standing.plan_id
        with session() as s:
            if answer.decision == HOLD:
                plans.hold(s, plan_id, *by, clock.now())
            elif answer.decision == REJECT:
                plans.reject(s, plan_id, *by, clock.now())
            else:
                plans.release(s, plan_id, *by, lots, clock.now())
    with session() as s:
        return plans.standing(s, plan_id)


def refuse_what_does_not_fit(answer: Decision, lots: list[str]) -> None:
    """Fields that the decision does not take, or lacks."""
    faults = []
    if bool(lots) != (answer.decision == WITHOUT):
        named = f"{len(lots)} were named" if lots else "none was named"
        faults.append(f"lots to hold back belong to {WITHOUT!r}; {answer.decision!r} was chosen, and {named}")
    if bool(answer.scenario) != (answer.decision == TAKE):
        named = f"{answer.scenario} was named" if answer.scenario else "none was named"
        faults.append(f"a scenario belongs to {TAKE!r}; {answer.decision!r} was chosen, and {named}")
    if faults:
        raise InputError("decision-incomplete", faults)
