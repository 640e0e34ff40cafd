"""The floor as it stands and as it will go on: a row per live job order, with its predicted finish.

Inputs are the published marts, as of a moment, and the ledger's live job orders. What a factory has to do is what its
job orders lack; what it will earn, as a share of what it declares, is learned from its past days
(`models.finish.prediction`); who gets how much of it first stands in `models.finish.backlog`.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from c2m.domain.arrays import Floats
from c2m.settings import settings
from c2m.wire.messages import SHIP, TIMED
from models.finish import backlog, prediction
from models.finish.calendar import Calendar
from models.finish.floor import FloorState

PAST_DAYS, DAYS_AHEAD = 60, 120  # working days
_RECENT_DAYS = 5  # days whose scans tell how running job orders share a factory
_RUNNING = ("Running", "Interrupted")


def outlook(floor: FloorState, live: pd.DataFrame) -> pd.DataFrame:
    """When each accepted live job order will be finished, and with what chance too late.

    Parameters
    ----------
    floor
        What is known at this moment.
    live
        Live job orders (`ledger.job_orders.live`).

    Returns
    -------
    pd.DataFrame
        A row per accepted live job order, in the order in which its factory takes them up. Added to the ledger's
        columns: running, work_left and day_work (standard minutes; of the job order, of its factory), pace (standard
        minutes that a paid minute of its factory earns in its category as declared), level (the part of it that its
        factory earns), pieces_left, done_share, lines, silent_hours, q10, q50, q90 (dates of the finish, NaT beyond the
        calendar), ends_by (the day by which work must end so that its pieces are there on due_on), due_days (working
        days up to the end of that day), late_chance (of a finish past it), last_on (last acceptable date of arrival),
        lost_chance (of missing it), short (standard minutes that will lack at the end of ends_by, expected).
    """
    rows, calendar = _in_order(_with_progress(live, floor)), floor.calendar
    line = calendar.line(rows["factory_id"])
    places, rest = calendar.ahead(DAYS_AHEAD)
    paid, places = (np.take_along_axis(calendar.minutes, places, axis=1) * rest)[line], places[line]
    process, now = _learned(floor)
    process, now = process.take(line), now.take(line)
    day_minutes = now.level * _mean_paid(calendar)[line]
    rows = rows.assign(level=now.level, day_work=day_minutes * rows["pace"])
    rows["share"] = _shares(rows, floor)
    queue = rows[["share"]].assign(line=line, left=rows["work_left"] / rows["pace"])
    queue["begin"] = _until(places < calendar.places(rows["start_on"])[:, None], paid) * now.level
    work = _work(rows, queue, floor, backlog.of_changes(queue, day_minutes, process.change))
    way = pd.to_timedelta(rows["transit_days"], "D")
    due, last = (places <= calendar.places(rows[name] - way)[:, None] for name in ("due_on", "last_on"))
    days = np.column_stack([due.sum(axis=1), last.sum(axis=1)])
    last_day = backlog.last_day(queue, day_minutes, process.change)
    found = prediction.finish(process, now, work, paid, days, last_day)
    lacking = (work - _until(due, paid) * now.level) * rows["pace"]
    return rows.assign(
        **_quantiles(found.days, calendar.dates(places)),
        ends_by=rows["due_on"] - way,
        due_days=days[:, 0],
        late_chance=found.late[:, 0],
        lost_chance=found.late[:, 1],
        short=np.clip(lacking, 0.0, rows["work_left"]),
    )


def _quantiles(days: Floats, dates: NDArray[np.datetime64]) -> "dict[str, pd.Series[pd.Timestamp]]":
    """Dates of the finish, from the working days (job orders, quantiles) until it."""
    return {name: _dates(quantile, dates) for name, quantile in zip(("q10", "q50", "q90"), days.T, strict=True)}


def _with_progress(live: pd.DataFrame, floor: FloorState) -> pd.DataFrame:
    """Live job orders of known factories with what their scans say."""
    kinds = {"quantity": int, **{f"sam_{name}_minutes": float for name in TIMED}}  # an empty ledger knows none
    rows = live[live["state"] != "Released"].astype(kinds)
    rows = rows[floor.calendar.line(rows["factory_id"]) >= 0].reset_index(drop=True)
    rows = rows.assign(**_left(rows, floor), pace=_pace(rows, floor))
    return rows.assign(**_heard(rows, floor), **_days(rows))


def _left(rows: pd.DataFrame, floor: FloorState) -> dict[str, Any]:
    """What is left of each job order: work (standard minutes, what will be spoilt included), share, pieces."""
    factory = floor.factories.iloc[floor.calendar.line(rows["factory_id"])].reset_index(drop=True)
    quantity = rows["quantity"].to_numpy()
    made = _by_operation(rows, floor.progress, "good_pieces")
    stands = np.maximum(made - _lost_later(rows, floor.progress), 0.0)
    lacking = np.maximum(quantity[:, None] - stands, 0.0)[:, :-1]
    minutes = rows[[f"sam_{name}_minutes" for name in TIMED]].to_numpy(dtype=float)
    whole = quantity * minutes.sum(axis=1)
    todo = (lacking * minutes).sum(axis=1)
    done = np.where(whole > 0, 1 - todo / np.maximum(whole, 1e-9), 1.0)
    return {
        "work_left": todo / factory["yield_rate"],
        "done_share": done.clip(0, 1),
        "pieces_left": (rows["quantity"] - made[:, -1]).clip(lower=0).astype(int),
        "lines": factory["lines"],
    }


def _heard(rows: pd.DataFrame, floor: FloorState) -> dict[str, Any]:
    """Whether each job order runs, and the working hours since its last scan, or since the ledger last heard of it."""
    scans = floor.work.groupby("job_order_id").agg(last=("last_scan_at", "max")).reindex(rows["job_order_id"])
    told = pd.to_datetime(rows["at"], utc=True).dt.tz_localize(None)
    last = scans["last"].reset_index(drop=True).fillna(told)
    return {
        "running": rows["state"].isin(_RUNNING) | scans["last"].notna().to_numpy(),
        "silent_hours": floor.calendar.hours_since(floor.calendar.line(rows["factory_id"]), last),
    }


def _days(rows: pd.DataFrame) -> dict[str, Any]:
    """Start and due day as moments, and the last day on which the goods are still taken.

    A stage that passes its pieces on has as many days left as the last one of its lot.
    """
    due, late = pd.to_datetime(rows["due_on"]), pd.Timedelta(settings().plan.max_late_days, "D")
    of_lot = due.groupby(rows["lot_id"]).transform("max").where(rows["passes_on"].eq(True), due)
    left = np.maximum(pd.to_datetime(rows["order_due_on"]), of_lot) - of_lot + late
    return {"due_on": due, "start_on": pd.to_datetime(rows["start_on"]), "last_on": due + left}


def _by_operation(rows: pd.DataFrame, progress: pd.DataFrame, column: str) -> Floats:
    """(job orders, operations): pieces in TIMED, then shipped ones."""
    pieces = progress.groupby(["job_order_id", "operation"])[column].sum().unstack(fill_value=0)
    pieces = pieces.reindex(index=rows["job_order_id"], columns=[*TIMED, SHIP]).fillna(0)
    return pieces.to_numpy(dtype=float)


def _lost_later(rows: pd.DataFrame, progress: pd.DataFrame) -> Floats:
    """(job orders, operations): good pieces of an operation that a later one lost, to be made again."""
    lost = _by_operation(rows, progress, "defects")
    return np.cumsum(lost[:, ::-1], axis=1)[:, ::-1] - lost


def _pace(rows: pd.DataFrame, floor: FloorState) -> Floats:
    """Declared efficiency of each job order's factory in its category; where it declares none, in all its own."""
    declared = floor.capabilities[floor.capabilities["kind"] == "category"]
    of_category = declared.set_index(["factory_id", "name"])["efficiency"]
    pace = of_category.reindex(pd.MultiIndex.from_frame(rows[["factory_id", "category"]]))
    of_factory = declared.groupby("factory_id")["efficiency"].mean().reindex(rows["factory_id"])
    return np.where(pace.isna(), of_factory.fillna(1.0), pace)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Begun ones first, then by start and due day."""
    by = ["factory_id", "running", "start_on", "due_on", "job_order_id"]
    return rows.sort_values(by, ascending=[True, False, True, True, True], ignore_index=True)


def _learned(floor: FloorState) -> tuple[prediction.Process, prediction.LineState]:
    """How factories move, and where they stand, out of their last working days: earned over planned minutes."""
    calendar, rows = floor.calendar, floor.evidence
    days = calendar.back(PAST_DAYS)
    grid = np.full(calendar.minutes.shape, np.nan)
    line, place = calendar.line(rows["factory_id"]), calendar.places(rows["day"])
    inside = (line >= 0) & (place >= 0) & (place < calendar.today)
    grid[line[inside], place[inside]] = (rows["earned_minutes"] / rows["planned_minutes"]).to_numpy()[inside]
    efficiency = np.where(days < 0, np.nan, np.take_along_axis(grid, np.maximum(days, 0), axis=1))
    past = prediction.Past(efficiency, np.zeros(efficiency.shape, dtype=bool))
    process = prediction.own(prediction.learn(past), past)
    return process, prediction.standing(process, past)[0]


def _mean_paid(calendar: Calendar) -> Floats:
    """Paid minutes of each factory on a mean working day ahead."""
    ahead = calendar.minutes[:, calendar.today :]
    mean: Floats = ahead.sum(axis=1) / np.maximum((ahead > 0).sum(axis=1), 1)
    return mean


def _until(days: NDArray[np.bool_], paid: Floats) -> Floats:
    """Paid minutes on some of the days ahead."""
    minutes: Floats = (paid * days).sum(axis=1)
    return minutes


def _shares(rows: pd.DataFrame, floor: FloorState) -> Floats:
    """Share of its factory that a begun job order has: of what the last days earned, shrunk to equal shares."""
    earned = _recently_earned(floor).reindex(rows["job_order_id"]).fillna(0.0).reset_index(drop=True)
    equal = rows["day_work"] / rows.groupby("factory_id")["running"].transform("sum").clip(lower=1)
    weight = (earned.where(rows["running"], 0.0) + equal).where(rows["running"] & (rows["work_left"] > 0), 0.0)
    total = weight.groupby(rows["factory_id"]).transform("sum")
    return np.where(weight > 0, weight / total.clip(lower=1e-9), 0.0)


def _recently_earned(floor: FloorState) -> "pd.Series[float]":
    """By job order the standard minutes of its factory's last working days."""
    first = floor.calendar.dates(np.maximum(floor.calendar.back(_RECENT_DAYS)[:, 0], 0))
    days = floor.work.merge(pd.DataFrame({"factory_id": floor.calendar.factory_ids, "first": first}))
    return days[days["day"] >= days["first"]].groupby("job_order_id")["earned_minutes"].sum()


def _work(rows: pd.DataFrame, queue: pd.DataFrame, floor: FloorState, changes: Floats) -> Floats:
    """What its factory earns until a job order is finished, in paid minutes at the declared pace, as `queue`.

    One that waits costs a change of style, at least the set-up that the factory declares.
    """
    setup = floor.factories["setup_minutes"].to_numpy()[floor.calendar.line(rows["factory_id"])]
    costs = np.maximum(np.where(rows["running"], 0.0, setup * rows["level"]), changes)
    open_ = (rows["work_left"] > 0).to_numpy()
    work = np.zeros(len(rows))
    work[open_] = backlog.work_until_finish(queue.assign(left=queue["left"] + costs)[open_])
    return work


def _dates(days: Floats, dates: NDArray[np.datetime64]) -> "pd.Series[pd.Timestamp]":
    """The date of the working day on which `days` end; NaT where they never do."""
    ends = np.isfinite(days)
    place = np.clip(np.ceil(np.where(ends, days, 1)).astype(np.intp) - 1, 0, dates.shape[1] - 1)
    found = pd.Series(dates[np.arange(len(days)), place].astype("datetime64[s]"))
    return found.where(ends)
