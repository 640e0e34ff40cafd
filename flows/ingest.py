"""Ingest: every feed file of the world is landed or quarantined, then the batches are judged as a whole."""

import pandas as pd
from prefect import flow, task

import c2m.feeds.ingest
from c2m import clock
from c2m.feeds.landing import land_frame
from c2m.feeds.world import World
from c2m.simulation import warehouses
from c2m.steps import step
from expectations.gate import Verdict, check_feeds
from flows import reports
from flows.parameters import Day, Ingest
from models.governance import voices
from models.voice import hearing


@task(retries=2, retry_delay_seconds=5)
def land(world: World) -> pd.DataFrame:
    """Lands what has not landed yet; a retry goes on where the last try stopped."""
    landed = [c2m.feeds.ingest.ingest(world), *warehouses.bring_in(clock.now())]
    return pd.concat(landed, ignore_index=True)


@task
def judge(day: Day) -> Verdict:
    """Great Expectations on whole batches; its findings are in the Data Docs."""
    return check_feeds(day.day)


@task
def hear(day: Day) -> None:
    """What reviews say, by the champion of the models of aspects, of those that it has not heard yet."""
    version, model = voices.champion()
    said = hearing.hear(model, version, clock.cut_off(day.day))
    if len(said):
        land_frame("review_aspects", said)


@flow(name="ingest", flow_run_name="ingest {parameters.day}")
def ingest(parameters: Ingest) -> None:
    """Feed files in: landed, quarantined with reasons, judged."""
    with step("ingest"):
        outcomes = land(World.load(parameters.folder))
    reports.feeds(outcomes)
    with step("gate"):
        verdict = judge(parameters)
    reports.verdict("feeds", verdict)
    verdict.require()
    with step("reviews"):
        hear(parameters)
