"""Track: scans become progress, progress closes lots and orders, silence and lateness are named."""

from datetime import date, timedelta

import pandas as pd
from prefect import State, flow, task

from c2m import clock
from c2m.floor import corrections
from c2m.ledger import job_orders, promises
from c2m.ledger.conversation import leave
from c2m.ledger.states import LIVE
from c2m.ledger.store import session
from c2m.markdown import plain
from c2m.people import book, video
from c2m.steps import step
from c2m.warehouse.published import read
from flows import plan_page, reports, waiting_runs, warehouse
from flows.parameters import Track

PROGRESS = "+job_order_progress +goods +hand_overs +promises +scan_corrections +stock_position +line_daily"


@task(retries=1, retry_delay_seconds=5)
def apply_progress(day: date) -> pd.DataFrame:
    """Expires what nobody answered, books what was shipped up to the marts' cut-off; returns all job orders."""
    with session() as s:
        job_orders.expire(s, clock.now())
        columns = [*job_orders.KEY, *job_orders.ARRIVED]
        arrived = [read("goods")[columns], job_orders.lost_between(s, read("hand_overs"))]
        arrivals = pd.concat([rows for rows in arrived if len(rows)] or arrived[:1], ignore_index=True)
        job_orders.apply_progress(s, read("job_order_progress"), clock.cut_off(day), arrivals)
        leave.give(s, clock.now())
        promises.make(s, clock.now())
        corrections.refuse(s, read("scan_corrections"), clock.now())
        return job_orders.overview(s)


@flow(name="track", flow_run_name="track {parameters.moment}")
def track(parameters: Track) -> State[None] | None:
    """Progress of every job order, closed orders, and what is late."""
    if over := warehouse.nothing_yet():
        return over
    with warehouse.held():
        if parameters.rebuild:
            with step("progress marts"):
                warehouse.build(parameters.day, PROGRESS)
        with step("track"):
            rows = apply_progress(parameters.day)
    live = rows[rows.state.isin(LIVE)]
    late = live[job_orders.is_overdue(live, parameters.day)]
    words = "**{} live job orders are past the day by which their work had to end to arrive on their due day.**"
    note = words.format(len(late)) if len(late) else "No live job order is late."
    if video.is_set():
        rows = with_video(rows, parameters.day)
    plan_page.renew()
    waiting_runs.settle()
    reports.job_orders("progress", "Progress of job orders", book.named(rows), note)
    reports.goods(read("goods"), read("stock_position"))
    reports.promises(read("promises"), parameters.day)
    return None


def with_video(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """Job orders with a link to where the last day before `day` saw their last scan."""
    until = clock.cut_off(day)
    seen = video.latest(until - timedelta(days=1), until).dropna(subset="video")
    found = zip(seen["line_id"].fillna("last scan"), seen["last"], seen["video"], strict=True)
    seen = seen.assign(video=[f"[{plain(f'{line} {last:%Y-%m-%d %H:%M}')}]({url})" for line, last, url in found])
    key = ["job_order_id", "factory_id"]
    return rows.merge(seen[[*key, "video"]], "left", on=key).fillna({"video": ""})
