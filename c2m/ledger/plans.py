"""Plans and the decisions on them: proposed, then released or rejected, later superseded."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from c2m.errors import InputError
from c2m.ids import derive_id
from c2m.ledger import audit
from c2m.ledger.conversation import dispatch
from c2m.ledger.conversation.dispatch import Dispatched
from c2m.ledger.purchasing import purchases
from c2m.ledger.states import Decided, PlanState
from c2m.ledger.store import frame, insert_missing, rows, serialise
from c2m.ledger.tables import LATEST, Decision, Plan, PlanAllocation, PlanHold

POLICY = "policy"  # who releases a plan that is within the limits of the release policy
REPLANNING = "a run that replaces it"  # who rejects a plan that a form asks to be made anew
ALLOCATION = ["lot_id", "factory_id", "quantity", "start_on", "finish_on"]
OPTIONAL = {"stage": 1, "next_factory_id": None, "transit_days": 0, "place": None, "price": None, "currency": None}


def derive_plan_id(business_date: date, round: int, attempt: int, instance_sha256: str, limits: str) -> str:
    """The id of a plan: follows from what it is made from, hence is known before it is solved.

    Parameters
    ----------
    business_date
        Of the plan.
    round
        Of the day, from 1.
    attempt
        How many plans of the day and round were rejected before.
    instance_sha256
        Of the instance.
    limits
        Those of the search, in any one spelling.

    Returns
    -------
    str
        A UUID.
    """
    return derive_id(business_date.isoformat(), round, attempt, instance_sha256, limits)


@dataclass(frozen=True, eq=False)
class ProposedPlan:
    """A solved and verified plan. allocation: ALLOCATION; quantity in good pieces still to be shipped.

    OPTIONAL columns: the stage, where its pieces go and the days of that way, the place of a pair in its factory's
    order of work (1 first), the factory's price per piece.
    """

    business_date: date
    round: int  # of the day, from 1
    objective: float | Decimal  # cost in the currency of the plan
    bound: float | Decimal  # what no plan can cost less than, in the same currency
    gap: float  # (objective - bound) / objective
    status: str  # optimal or feasible, as in report.json
    instance_sha256: str
    model_version: str | None  # of the demand model whose forecast it serves; None: it serves none
    folder: str  # of the plan, relative to C2M_HOME
    allocation: pd.DataFrame
    unmet_pieces: int
    at: datetime
    attempt: int = 0  # plans of the day and round that were rejected before
    limits: str = ""  # of the search, in any one spelling
    purchases: pd.DataFrame | None = None  # purchases.LINE: what is to be bought for it

    @property
    def plan_id(self) -> str:
        """See `derive_plan_id`."""
        return derive_plan_id(self.business_date, self.round, self.attempt, self.instance_sha256, self.limits)


@dataclass(frozen=True)
class Standing:
    """A plan as it stands, and what was decided of it: a plan is released or rejected once, or neither."""

    plan_id: str
    business_date: date
    round: int  # of the day, from 1
    state: PlanState
    instance_sha256: str
    folder: str  # of the plan, relative to C2M_HOME
    at: datetime  # when it was proposed
    decision: Decision | None

    @property
    def title(self) -> str:
        """Day and round."""
        return f"{self.business_date} round {self.round}"

    @property
    def sentence(self) -> str:
        """How it stands, as a sentence."""
        return f"{self.words[0].upper()}{self.words[1:]}."

    @property
    def was_released(self) -> bool:
        """Whether its job orders went out, by policy or by a person; also after a later plan has taken its place."""
        return self.decision is not None and self.decision.decision == "released"

    @property
    def words(self) -> str:
        """How it stands: by whom it was decided, when and why."""
        if self.decision is None:
            waits = self.state == "proposed"
            return "waits for a person" if waits else "superseded by a later plan before anybody decided on it"
        made, held = self.decision, len(self.decision.without_lots)
        who = "the release policy" if made.actor == POLICY else made.actor
        told = f"{made.decision} by {who} on {made.at:%Y-%m-%d %H:%M} UTC: {made.reason}"
        told += f"; {held} lot{'s' if held > 1 else ''} held back ({', '.join(made.without_lots)})" if held else ""
        return f"{told}; since superseded by a later plan" if self.state == "superseded" else told


def propose(session: Session, plan: ProposedPlan, replaced: str | None = None, why: str = "") -> str:
    """Records a plan and supersedes what was proposed before it; the same plan again changes nothing.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan
        Its figures and its allocation with dates and prices.
    replaced
        A plan that waits, rejected in the same transaction; None: none.
    why
        The reason of that rejection.

    Returns
    -------
    str
        The plan_id.

    Raises
    ------
    InputError
        The allocation names a lot and factory twice or without pieces, or the plan to be replaced does not wait.
    """
    serialise(session, "plans")
    if session.get(Plan, plan.plan_id):
        return plan.plan_id
    if replaced:
        reject(session, replaced, REPLANNING, why, plan.at)
    before = or_(
        Plan.business_date < plan.business_date,
        and_(Plan.business_date == plan.business_date, Plan.round <= plan.round),
    )
    session.execute(update(Plan).where(Plan.state == "proposed", before).values(state="superseded"))
    session.add(_row(plan))
    session.flush()
    pairs = [row | {"plan_id": plan.plan_id, "withheld": False} for row in _pairs(plan.allocation)]
    insert_missing(session, PlanAllocation, pairs)
    if plan.purchases is not None:
        purchases.propose(session, plan.plan_id, plan.purchases, plan.at)
    return plan.plan_id


def of_round(session: Session, business_date: date, round: int) -> str | None:
    """The newest plan of a day and round that was not rejected.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        Of the plans.
    round
        Of the day, from 1.

    Returns
    -------
    str or None
        Its plan_id; None where there is none.
    """
    chosen = select(Plan.plan_id).where(
        Plan.business_date == business_date, Plan.round == round, Plan.state != "rejected"
    )
    return session.scalar(chosen.order_by(Plan.at.desc(), Plan.plan_id).limit(1))


def attempt(session: Session, business_date: date, round: int) -> int:
    """How many plans of a day and round were rejected.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        Of the plans.
    round
        Of the day, from 1.

    Returns
    -------
    int
        0 where none was.
    """
    chosen = select(func.count()).where(Plan.business_date == business_date, Plan.round == round)
    return session.scalar(chosen.where(Plan.state == "rejected")) or 0


def standing(session: Session, plan_id: str) -> Standing:
    """How a plan stands and why.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    Standing
        With the decision, where there is one.

    Raises
    ------
    InputError
        The ledger does not have the plan.
    """
    plan = _get(session, plan_id)
    decision = session.scalar(select(Decision).where(Decision.plan_id == plan_id))
    return Standing(
        plan.plan_id,
        plan.business_date,
        plan.round,
        plan.state,
        plan.instance_sha256,
        plan.folder,
        plan.at,
        decision,
    )


def waiting(session: Session) -> Standing | None:
    """The plan that waits for a decision; None where there is none."""
    newest = select(Plan.plan_id).where(Plan.state == "proposed").order_by(Plan.business_date.desc(), Plan.round.desc())
    plan_id = session.scalar(newest.limit(1))
    return standing(session, plan_id) if plan_id else None


def in_force(session: Session) -> Standing | None:
    """The plan that was released last and has not been superseded; None where there is none."""
    newest = select(Plan.plan_id).where(Plan.state == "released").order_by(Plan.business_date.desc(), Plan.round.desc())
    plan_id = session.scalar(newest.limit(1))
    return standing(session, plan_id) if plan_id else None


def newest_of_day(session: Session, business_date: date) -> Standing | None:
    """The plan that a day stands by: of its last round the newest, one that was not rejected before one that was.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        The day.

    Returns
    -------
    Standing or None
        None where the day has no plan.
    """
    chosen = select(Plan.plan_id).where(Plan.business_date == business_date)
    plan_id = session.scalar(chosen.order_by(Plan.round.desc(), *LATEST).limit(1))
    return standing(session, plan_id) if plan_id else None


def hold(session: Session, plan_id: str, actor: str, reason: str, at: datetime) -> None:
    """Notes that somebody has looked at a plan and lets it wait; the same note again changes nothing.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        A proposed plan.
    actor
        Who decides: a person's name, or `policy`.
    reason
        Kept with the decision.
    at
        UTC; noted with it.

    Raises
    ------
    InputError
        The plan is unknown, or does not wait.
    """
    if (plan := _get(session, plan_id)).state != "proposed":
        raise _not_open(plan)
    facts = {"plan_id": plan_id, "actor": actor, "reason": reason, "at": at}
    insert_missing(session, PlanHold, [{"hold_id": derive_id(plan_id, actor, reason), **facts}])


def holds(session: Session, plan_id: str) -> pd.DataFrame:
    """Who let a plan wait and why, the first first.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    pd.DataFrame
        actor, reason, at (UTC).
    """
    columns = (PlanHold.actor, PlanHold.reason, PlanHold.at)
    return frame(session, select(*columns).where(PlanHold.plan_id == plan_id).order_by(PlanHold.at, PlanHold.hold_id))


def in_folder(session: Session, folder: str) -> Standing | None:
    """How the plan of a folder stands.

    Parameters
    ----------
    session
        Transaction of the ledger.
    folder
        Relative to C2M_HOME, as it was proposed.

    Returns
    -------
    Standing or None
        None where it was never proposed.
    """
    plan_id = session.scalar(select(Plan.plan_id).where(Plan.folder == folder))
    return standing(session, plan_id) if plan_id else None


def of_day(session: Session, business_date: date) -> pd.DataFrame:
    """Every plan of a day with what was decided.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        The day.

    Returns
    -------
    pd.DataFrame
        round, state, objective (in the plan's currency), decided_by, decided_at, reason, plan_id.
    """
    decided = (Decision.actor.label("decided_by"), Decision.at.label("decided_at"), Decision.reason)
    chosen = select(Plan.round, Plan.state, Plan.objective, *decided, Plan.plan_id)
    joined = chosen.outerjoin(Decision, Decision.plan_id == Plan.plan_id).where(Plan.business_date == business_date)
    return frame(session, joined.order_by(Plan.round, Plan.at, Decision.at, Plan.plan_id))


def first_released(session: Session, business_date: date) -> Standing | None:
    """The plan by which the day's first job orders went out.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        The day.

    Returns
    -------
    Standing or None
        None before that.
    """
    chosen = select(Plan.plan_id).join(Decision, Decision.plan_id == Plan.plan_id)
    of_day = chosen.where(Plan.business_date == business_date, Decision.decision == "released")
    plan_id = session.scalar(of_day.order_by(Plan.round, Decision.at).limit(1))
    return standing(session, plan_id) if plan_id else None


def rejected_alike(session: Session, plan_id: str) -> Decision | None:
    """A person's rejection of a plan of the same day that gives the same pieces to the same factories.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        The plan that is compared.

    Returns
    -------
    Decision or None
        The newest such rejection; None where there is none.

    Raises
    ------
    InputError
        The ledger does not have the plan.
    """
    plan, mine = _get(session, plan_id), _places(session, plan_id)
    rejections = select(Decision).join(Plan, Plan.plan_id == Decision.plan_id).where(Decision.decision == "rejected")
    of_day = rejections.where(Plan.business_date == plan.business_date, Decision.actor != REPLANNING)
    of_day = of_day.order_by(Decision.at.desc(), Decision.plan_id)
    return next((made for made in session.scalars(of_day) if _places(session, made.plan_id) == mine), None)


def _places(session: Session, plan_id: str) -> set[tuple[str, int, str, int]]:
    columns = (PlanAllocation.lot_id, PlanAllocation.stage, PlanAllocation.factory_id, PlanAllocation.quantity)
    return set(session.execute(select(*columns).where(PlanAllocation.plan_id == plan_id)).tuples())


def withheld(session: Session, plan_id: str) -> set[str]:
    """Lots of a released plan whose pieces did not go out, all of them or some.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        Which plan.

    Returns
    -------
    set of str
        Their ids.
    """
    chosen = select(PlanAllocation.lot_id).where(PlanAllocation.plan_id == plan_id, PlanAllocation.withheld)
    return set(session.scalars(chosen))


def next_round(session: Session, business_date: date) -> int | None:
    """The round of a day that is to be planned next.

    Parameters
    ----------
    session
        Transaction of the ledger.
    business_date
        The day.

    Returns
    -------
    int or None
        The round that still waits for a decision, else the one after the day's last, from 1; None before the day has a
        plan.
    """
    newest = select(Plan.round, Plan.state).where(Plan.business_date == business_date)
    last = session.execute(newest.order_by(Plan.round.desc(), *LATEST).limit(1)).tuples().one_or_none()
    if last is None:
        return None
    number, state = last
    return number if state == "proposed" else number + 1


def _row(plan: ProposedPlan) -> Plan:
    key = [name for name in ("lot_id", "stage") if name in plan.allocation]
    return Plan(
        plan_id=plan.plan_id,
        business_date=plan.business_date,
        round=plan.round,
        state="proposed",
        objective=plan.objective,
        bound=plan.bound,
        gap=plan.gap,
        status=plan.status,
        split_orders=int((plan.allocation.groupby(key).size() > 1).groupby("lot_id").any().sum()),
        unmet_pieces=plan.unmet_pieces,
        instance_sha256=plan.instance_sha256,
        model_version=plan.model_version,
        folder=plan.folder,
        at=plan.at,
    )


def _allocated_twice(allocation: pd.DataFrame) -> Iterator[str]:
    for row in allocation[allocation.duplicated(["lot_id", "stage", "factory_id"])].itertuples():
        yield f"lot {row.lot_id} at factory {row.factory_id}: allocated twice"


def _without_pieces(allocation: pd.DataFrame) -> Iterator[str]:
    for row in allocation[~(allocation["quantity"] > 0)].itertuples():
        yield f"lot {row.lot_id} at factory {row.factory_id}: {row.quantity} pieces, expected 1 or more"


def _pairs(allocation: pd.DataFrame) -> list[dict[str, object]]:
    described = allocation.assign(**{name: value for name, value in OPTIONAL.items() if name not in allocation})
    if faults := [*_allocated_twice(described), *_without_pieces(described)]:
        raise InputError("allocation-broken", faults)
    return rows(PlanAllocation, described, [*ALLOCATION, *OPTIONAL])


def release(
    session: Session, plan_id: str, actor: str, reason: str, without: Collection[str], at: datetime
) -> Dispatched:
    """Decides for the plan and dispatches it; nothing, if it was so before.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        A proposed plan.
    actor
        Who decides: a person's name, or `policy`.
    reason
        Kept with the decision.
    without
        Lots and purchase orders that are held back.
    at
        UTC; noted with what it changes.

    Returns
    -------
    Dispatched
        What goes out: job orders offered, changed and taken back.

    Raises
    ------
    InputError
        The plan is unknown, is not open, was released with others held back, or has no such lot or purchase order.
    """
    serialise(session, "plans")
    plan = _get(session, plan_id)
    if before := session.get(Decision, _decision_id(plan_id, "released")):
        if set(before.without_lots) != set(without):
            held = ", ".join(before.without_lots) or "no lot"
            seen = f"plan {plan_id} was released by {before.actor} without {held}; its job orders have gone out"
            raise InputError("plan-released", [f"{seen}: to change them, plan the day's next round"])
        return Dispatched()
    if plan.state != "proposed":
        raise _not_open(plan)
    chosen = select(PlanAllocation).where(PlanAllocation.plan_id == plan_id)
    by = (PlanAllocation.lot_id, PlanAllocation.stage, PlanAllocation.factory_id)
    pairs = session.scalars(chosen.order_by(*by)).all()
    if unknown := sorted(set(without) - {pair.lot_id for pair in pairs} - purchases.ids(session, plan_id)):
        raise InputError("unknown-lot", [f"lot {lot_id} is not in plan {plan_id}: name its lots" for lot_id in unknown])
    purchases.release(session, plan_id, without, at)
    session.execute(update(Plan).where(Plan.state == "released").values(state="superseded"))
    plan.state = "released"
    session.add(_decision(plan_id, "released", actor, reason, without, at))
    audit.acting(session, actor)
    return dispatch.dispatch(session, pairs, frozenset(without), at)


def reject(session: Session, plan_id: str, actor: str, reason: str, at: datetime) -> None:
    """Decides against the plan; nothing is dispatched. One that was rejected before stays so.

    Parameters
    ----------
    session
        Transaction of the ledger.
    plan_id
        A proposed plan.
    actor
        Who decides: a person's name, or `policy`.
    reason
        Kept with the decision.
    at
        UTC; noted with it.

    Raises
    ------
    InputError
        The plan is unknown, or is not open.
    """
    serialise(session, "plans")
    plan = _get(session, plan_id)
    if plan.state == "rejected":
        return
    if plan.state != "proposed":
        raise _not_open(plan)
    plan.state = "rejected"
    session.add(_decision(plan_id, "rejected", actor, reason, (), at))


def _get(session: Session, plan_id: str) -> Plan:
    plan = session.get(Plan, plan_id, with_for_update=True)
    if plan is None:
        raise InputError("unknown-plan", [f"plan {plan_id} is not in the ledger: see `c2m status` for the latest one"])
    return plan


def _not_open(plan: Plan) -> InputError:
    seen = f"plan {plan.plan_id} of {plan.business_date}, round {plan.round}, is {plan.state}"
    return InputError("plan-not-open", [f"{seen}, expected proposed: decide on the latest plan, see `c2m status`"])


def _decision_id(plan_id: str, decision: Decided) -> str:
    return derive_id(plan_id, decision)


def _decision(
    plan_id: str, decision: Decided, actor: str, reason: str, without: Collection[str], at: datetime
) -> Decision:
    return Decision(
        decision_id=_decision_id(plan_id, decision),
        plan_id=plan_id,
        decision=decision,
        actor=actor,
        reason=reason,
        without_lots=sorted(without),
        at=at,
    )
