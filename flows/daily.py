"""Daily: the whole business day, from feed files to answered job orders."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import flow
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run

from c2m import clock
from c2m.ledger import job_orders
from c2m.ledger.store import session
from c2m.settings import settings
from flows import day_page, designs, market, spike_page, waiting_runs, warehouse
from flows.dispatch import dispatch
from flows.forecast import forecast
from flows.ingest import ingest
from flows.parameters import Daily, Day, Dispatch, Ingest, Plan, PlanLimits, Robot, Track, Train
from flows.plan import plan
from flows.prices import propose
from flows.robot import robot
from flows.surprise import take_up
from flows.track import track
from flows.train import train
from flows.transform import transform


@flow(name="daily", flow_run_name="daily {parameters.day}")
def daily(parameters: Daily) -> None:
    """Runs each flow of the day; all of them are idempotent: a day that broke off is completed by running it again."""
    with steps_in_own_log():
        run_day(parameters)


def run_day(parameters: Daily) -> None:
    """The flows in their order; one that waits for a person suspends the run, which then begins here once more."""
    today = parameters.part(Daily)
    ingest(today.part(Ingest))
    with warehouse.held():
        transform(today.part(Day))
        track(Track(business_date=today.day, rebuild=False))
        robot(Robot(business_date=today.day, rebuild=False))
    train(today.part(Train))
    forecast(today.part(Day))
    market.foresee(today.day)
    take_up(today.part(Ingest))
    for number in range(1, settings().plan.rounds + 1):
        if not plan(Plan(**today.part(PlanLimits).model_dump(), round=number)):
            spike_page.publish(today.day)
            day_page.publish(today.day)
            waiting_runs.suspend_until_decided(today.day, today)
            return
        dispatch(today.part(Dispatch))
        with session() as s:
            if not job_orders.lacks_a_maker(s, since=clock.cut_off(today.day)):
                break
    propose(today.day)
    designs.take_up(today.day)
    spike_page.publish(today.day)
    day_page.publish(today.day)


class _AlsoOf(APILogHandler):
    """Keeps records with a run of Prefect, whichever flow within it they come from."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def emit(self, record: logging.LogRecord) -> None:
        own = copy.copy(record)
        own.flow_run_id = self.run_id
        super().emit(own)


@contextmanager
def steps_in_own_log() -> Iterator[None]:
    """The steps of all flows of the day stand in the Logs tab of the day's run; Prefect keeps them with each flow's."""
    log, handler = logging.getLogger("c2m.steps"), _AlsoOf(flow_run.id)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
