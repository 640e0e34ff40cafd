"""Dispatch: the relay service sends what was released; this flow waits for the factories' answers and reports them."""

import time

import pandas as pd
from prefect import flow

from c2m import clock
from c2m.ledger import changelog, job_orders, promises
from c2m.ledger.store import session
from c2m.people import book
from c2m.steps import step
from flows import reports
from flows.parameters import Dispatch

_POLL_S = 0.1
UNSETTLED = ("Released", "NotAllowedToStart")  # not answered, or accepted and not yet told to start


def unanswered() -> pd.DataFrame:
    """Job orders that wait for an answer of their factory."""
    with session() as s:
        live = job_orders.live(s)
    # What waits for the pieces of the stage before is settled: it begins when they are there.
    waits_for_pieces = live.accepted.eq(True) & (live.stage > 1) & (live.arrived < live.quantity)
    return live[live.state.isin(UNSETTLED) & ~waits_for_pieces]


def await_answers(patience_s: float) -> pd.DataFrame:
    """Job orders that are still without an answer after `patience_s` wall seconds."""
    deadline = time.monotonic() + patience_s
    while True:
        waiting = unanswered()
        if waiting.empty or time.monotonic() > deadline:
            return waiting
        time.sleep(_POLL_S)


@flow(name="dispatch", flow_run_name="dispatch {parameters.moment}")
def dispatch(parameters: Dispatch) -> None:
    """Job orders to the factories, and their answers."""
    with step("dispatch"):
        waiting = await_answers(parameters.patience_s)
        with session() as s:
            promises.make(s, clock.now())
        changelog.export()
    with session() as s:
        rows = job_orders.overview(s)
    note = f"**{len(waiting)} job orders are unanswered**; they are sent again until accept_by." if len(waiting) else ""
    reports.job_orders("dispatch", "What was dispatched", book.named(rows), note)
