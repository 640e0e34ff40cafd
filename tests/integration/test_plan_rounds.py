"""The flow `plan` run again on a day of which some rounds are decided and another waits for a person."""

from typing import Any

import pytest
from ledger_kit import DAY, plan_of, record, release

from c2m.errors import InputError
from c2m.ledger import plans
from c2m.ledger.store import session
from flows import plan as flow
from flows.parameters import Plan


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans that a run has shown; making a new one is an error."""
    seen: list[str] = []
    monkeypatch.setattr(flow, "new_plan", lambda *_: pytest.fail("a new plan"))
    monkeypatch.setattr(flow, "decide_and_show", lambda plan_id, _: seen.append(plan_id) is None)
    return seen


def ask(number: int | None, **fields: Any) -> bool:
    return bool(flow.plan.fn(Plan(business_date=DAY, round=number, **fields)))


def propose(number: int) -> str:
    with session() as s:
        return plans.propose(s, plan_of([("L1", "F1", 900)], number))


def test_a_day_whose_second_round_waits_can_be_run_again(sqlite_ledger: str, shown: list[str]) -> None:
    """As after a crash between the proposal of the second round and its release."""
    record()
    release(("L1", "F1", 1000))
    second = propose(2)
    assert ask(1)
    assert ask(2)
    assert len(shown) == 2
    assert shown[1] == second


def test_a_new_plan_of_another_round_is_refused_while_one_waits(sqlite_ledger: str, shown: list[str]) -> None:
    record()
    propose(1)
    with pytest.raises(InputError, match="round 1 of the day waits for a decision"):
        ask(2)
    assert shown == []


def test_a_run_that_replaced_a_plan_can_be_repeated_once_later_rounds_are_decided(
    sqlite_ledger: str, shown: list[str]
) -> None:
    record()
    release(("L1", "F1", 1000))
    with pytest.raises(InputError, match="replace has no effect on it"):
        ask(1, replace=True)
    release(("L1", "F1", 900), round=2)
    with session() as s:
        plans.reject(s, propose(3), plans.REPLANNING, "replaced", plan_of([]).at)
    assert ask(1, replace=True)
    assert ask(2, replace=True)
