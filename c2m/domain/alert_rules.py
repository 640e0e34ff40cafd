"""The rules by which the order robot warns: plain functions over tables, each giving rows of ALERT.

Hours are working hours. An alert's kind and subject say what it is about: by them it is the same alert for as long as
it lasts. `outlook` has a row per live job order, as `models.finish.outlook` makes it. Where one cause explains
another, only the first is told: see `all_of`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain import promises
from c2m.settings import RobotPolicy

ALERT = ["kind", "subject", "factory_id", "severity", "cause", "move", "job_order_ids", "order_ids"]
PLATFORM = "platform"  # kind of the alerts of `c2m up` on itself, and what stands there for a factory
WARNING, URGENT = 2, 3
SEVERITY = {WARNING: "warning", URGENT: "urgent"}
NEAR_DAYS = 2  # the due day and the working day before it
UNEXPLAINED = {
    "late",
    "surplus",
    "scans",
    "refused",
    "waits",
    "undecided",
    "twin",
    "feed",
    "drift",
}  # told whatever else is
URGENT_TIMES = 3  # of a limit, from which on an alert is urgent

Say = Callable[[Any], str]


def all_of(*found: pd.DataFrame) -> pd.DataFrame:
    """Alerts in the order of their causes; one whose factory or job orders an earlier kind names already is left out.

    A factory that is offline sends no scans, and a job order without scans stands still on every line. What will be
    late is told whatever else is.
    """
    told, kept = set[str](), []
    for alerts in found:
        explained = [
            kind not in UNEXPLAINED and (factory in told or bool(told & set(ids)))
            for kind, factory, ids in zip(alerts["kind"], alerts["factory_id"], alerts["job_order_ids"], strict=True)
        ]
        kept.append(alerts[~np.array(explained, dtype=bool)])
        told |= {one for ids in kept[-1]["job_order_ids"] for one in ids}
        told |= set(kept[-1].loc[kept[-1]["kind"] == "offline", "factory_id"])
    return pd.concat(kept, ignore_index=True)


def offline(factories: pd.DataFrame, outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Factories that owe pieces and are offline for too long.

    Parameters
    ----------
    factories
        factory_id, offline_hours (working hours; NaN: online).
    outlook
        A row per job order.
    policy
        Hours from which it is told.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    rows = _with_work(factories[factories["offline_hours"] >= policy.offline_hours], outlook)

    def cause(row: Any) -> str:
        owed = f"{len(row.job_order_ids)} job orders, {row.pieces_left:,} pieces left"
        return f"{row.factory_id} is offline for {row.offline_hours:.1f} working hours with {owed}"

    def move(row: Any) -> str:
        return f"Call {row.factory_id}; {row.pieces_waiting:,} pieces are not begun and can be planned elsewhere"

    return _alerts("offline", rows, "factory_id", _by_size(rows["offline_hours"], policy.offline_hours), cause, move)


def silent(outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Running job orders of which nothing was scanned for too long, `silent_hours`, though work is left."""
    rows = outlook[outlook["running"] & (outlook["work_left"] > 0) & (outlook["silent_hours"] >= policy.silent_hours)]

    def cause(row: Any) -> str:
        made = f"{row.done_share:.0%} of {row.quantity:,} pieces are made"
        return f"no scan at {row.factory_id} for {row.silent_hours:.1f} working hours; {made}, due {row.due_on:%d %b}"

    def move(row: Any) -> str:
        return f"Call {row.factory_id}: does the line stand still, or do its scans not come through?"

    return _alerts("silent", rows, "job_order_id", _by_size(rows["silent_hours"], policy.silent_hours), cause, move)


def stalled(lines: pd.DataFrame, outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Lines that stand still while the job order that they made last goes on elsewhere.

    Parameters
    ----------
    lines
        factory_id, line_id, job_order_id (the last one scanned there), silent_hours (working hours).
    outlook
        A row per job order.
    policy
        Hours from which it is told.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    open_ = outlook[outlook["running"] & (outlook["work_left"] > 0)]
    rows = lines[(lines["line_id"] != "") & (lines["silent_hours"] >= policy.silent_hours)]
    rows = rows.merge(open_[["job_order_id", "order_id", "lines", "done_share"]], on="job_order_id")
    rows = rows.assign(subject=rows["factory_id"] + "/" + rows["line_id"])

    def cause(row: Any) -> str:
        still = f"line {row.line_id} of {row.factory_id} has not scanned for {row.silent_hours:.1f} working hours"
        return f"{still}; its job order is at {row.done_share:.0%}"

    def move(row: Any) -> str:
        return f"Call {row.factory_id}: one of {row.lines} lines earns nothing"

    return _alerts("stalled", rows, "subject", _by_size(rows["silent_hours"], policy.silent_hours), cause, move)


def yield_drop(inspected: pd.DataFrame, outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Factories whose yield fell: Fisher's exact test of the last days against their own days before.

    Parameters
    ----------
    inspected
        factory_id, recent_good, recent_defects, past_good, past_defects (pieces).
    outlook
        A row per job order.
    policy
        The least fall (a share of pieces) and the chance below which it is no accident.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    recent = inspected["recent_good"] + inspected["recent_defects"]
    past = inspected["past_good"] + inspected["past_defects"]
    rows = inspected.assign(recent=recent, now=inspected["recent_good"] / recent, level=inspected["past_good"] / past)
    rows["chance"] = _chance_of_so_many(rows["recent_defects"], recent, rows["past_defects"], past)
    rows["fall"] = rows["level"] - rows["now"]
    rows = _with_work(rows[(rows["chance"] < policy.yield_chance) & (rows["fall"] >= policy.yield_fall)], outlook)

    def cause(row: Any) -> str:
        seen = f"{row.recent_defects:,} defects among {row.recent:,} pieces in {policy.yield_days} days"
        odds = f"by chance once in {1 / max(row.chance, 1e-9):,.0f}"
        return f"{row.factory_id} yields {row.now:.1%} instead of {row.level:.1%}: {seen}, {odds}"

    def move(row: Any) -> str:
        more = row.pieces_left * (1 / max(row.now, 0.01) - 1)
        return f"Have the last bundles inspected; at this yield {more:,.0f} pieces more must be cut"

    return _alerts("yield", rows, "factory_id", _by_size(rows["fall"], policy.yield_fall), cause, move)


def _chance_of_so_many(defects: pd.Series, pieces: pd.Series, past_defects: pd.Series, past: pd.Series) -> Any:
    """Chance of that many defects or more among `pieces`, were they spread evenly over past and recent pieces."""
    from scipy.stats import hypergeom

    return hypergeom.sf(defects - 1, pieces + past, defects + past_defects, pieces)


def late(outlook: pd.DataFrame, standing: set[str], policy: RobotPolicy, moves: dict[str, str]) -> pd.DataFrame:
    """Job orders that will finish past their due day.

    Where the last acceptable date cannot be held either, it is urgent: somebody must plan anew.

    Parameters
    ----------
    outlook
        A row per job order, by `models.finish.outlook`: chances, dates, standard minutes.
    standing
        Job orders alerted already: they stay until their chance is below the relief.
    policy
        Chances and days from which it is told.
    moves
        What to do about a job order, by its id.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    raised = is_late(outlook["late_chance"], outlook["due_days"], policy)
    kept = outlook["job_order_id"].isin(standing) & (outlook["late_chance"] >= policy.relief_chance)
    rows = outlook[(raised | kept) & (outlook["work_left"] > 0)]
    rows = rows.assign(lost=1 - rows["lost_chance"] < policy.hold_chance)

    def cause(row: Any) -> str:
        finish = f"finish {when(row.q50)} ({when(row.q10)} to {when(row.q90)})"
        work = f"{row.work_left:,.0f} standard minutes are left, {row.factory_id} earns {row.day_work:,.0f} a day"
        lost = f"; the last date, {row.last_on:%d %b}, cannot be held either" if row.lost else ""
        return f"{row.late_chance:.0%} sure to miss {row.due_on:%d %b}: {finish}; {work}{lost}"

    def move(row: Any) -> str:
        return moves.get(row.job_order_id, "")

    return _alerts("late", rows, "job_order_id", np.where(rows["lost"], URGENT, WARNING), cause, move)


def broken_promises(due: pd.DataFrame) -> pd.DataFrame:
    """Promised dates are kept more or less often than stated. due: the recent ones that are past, rows of that mart."""
    found = promises.kept(due)
    if found.holds:
        return pd.DataFrame(columns=ALERT)
    interval = f"95 % interval {found.low:.1%} to {found.high:.1%}"
    seen = f"{found.kept:.1%} of {found.judged:,} promised dates were kept ({interval}), {found.stated:.1%} were stated"
    move = (
        "Dates of later plans are corrected by what was kept; the page of promises tells which factories and distances"
    )
    broken = due.loc[due["state"] == "broken", "order_id"].tolist()
    severity = URGENT if found.kept < found.stated else WARNING
    row: tuple[object, ...] = ("promises", "all", "", severity, seen, move, [], broken)
    return pd.DataFrame([row], columns=ALERT)


def surplus(pieces: pd.DataFrame) -> pd.DataFrame:
    """Pieces shipped that count nowhere. pieces: order_id, lot_id, merchant_id, job_order_id, factory_id, pieces.

    Without a job order they are those that the merchant no longer orders.
    """
    rows = pieces.assign(subject=pieces["job_order_id"].where(pieces["job_order_id"] != "", pieces["lot_id"]))
    rows["job_order_ids"] = [[one] if one else [] for one in rows["job_order_id"]]
    rows["order_ids"] = [[one] for one in rows["order_id"]]

    def cause(row: Any) -> str:
        if row.job_order_id:
            return (
                f"{row.factory_id} says that it shipped {row.pieces:,} pieces more of order {row.order_id} than agreed"
            )
        return f"{row.pieces:,} pieces of order {row.order_id} were shipped that {row.merchant_id} no longer orders"

    def move(row: Any) -> str:
        if row.job_order_id:
            return "Ask whether the scan is right; a wrong one is taken back by `corrects` or c2m scans set-aside"
        return "Agree with the merchant to take the pieces, or have them sent back; they are in no stock until then"

    return _alerts("surplus", rows, "subject", WARNING, cause, move)


def refused_cuts(jobs: pd.DataFrame) -> pd.DataFrame:
    """Work that a merchant no longer wants and a factory goes on with. jobs: `ledger.job_orders.refused_cuts`."""

    def cause(row: Any) -> str:
        asked = "cancelled" if row.asked_pieces == 0 else f"cut to {row.asked_pieces:,.0f} pieces"
        said = f": {row.reason}" if row.reason else ""
        return f"order {row.order_id} was {asked}; {row.factory_id} goes on with {row.quantity:,}{said}"

    def move(row: Any) -> str:
        return f"Call {row.factory_id}, and agree with {row.merchant_id} what becomes of the pieces"

    return _alerts("refused", jobs, "job_order_id", WARNING, cause, move)


def waits(lots: pd.DataFrame) -> pd.DataFrame:
    """Lots that cannot be planned now. lots: `ledger.orders.waiting`."""
    rows = lots.assign(factory_id="", job_order_ids=pd.Series([[] for _ in lots.index], lots.index, dtype=object))
    rows["order_ids"] = pd.Series([[one] for one in lots["order_id"]], lots.index, dtype=object)

    def cause(row: Any) -> str:
        return f"{row.quantity:,} pieces of order {row.called} of {row.merchant_id} are not planned: {row.waits}"

    def move(row: Any) -> str:
        return f"Tell {row.merchant_id}; the rest of the day's orders is planned without them"

    return _alerts("waits", rows, "lot_id", WARNING, cause, move)


def undecided(plan: pd.DataFrame, most_hours: float) -> pd.DataFrame:
    """The plan that waits for a person; urgent once it has waited for too long.

    Parameters
    ----------
    plan
        title, hours (how long it has waited); no row: none waits.
    most_hours
        From which on it is urgent.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    rows = plan.assign(factory_id="")
    rows["job_order_ids"] = rows["order_ids"] = pd.Series([[] for _ in rows.index], rows.index, dtype=object)

    def cause(row: Any) -> str:
        return f"the plan of {row.title} has waited for a decision for {row.hours:.1f} hours; nothing of it goes out"

    def move(_row: Any) -> str:
        return "Decide in the run release on Prefect's page, or by c2m release"

    severity = np.where(rows["hours"] >= most_hours, URGENT, WARNING)
    return _alerts("undecided", rows, "title", severity, cause, move)


def twins(factories: pd.DataFrame) -> pd.DataFrame:
    """Factories that look like another one's row. factories: factory_id, same_place_as (None: no), same_place_by."""
    rows = _without_work(factories[factories["same_place_as"].notna()])

    def cause(row: Any) -> str:
        return (
            f"{row.factory_id} has the {row.same_place_by} of {row.same_place_as}: it is held back and gets no new work"
        )

    def move(row: Any) -> str:
        return f"Pause the row of the two that is old; or name {row.factory_id} in other_places, if they are two places"

    return _alerts("twin", rows, "factory_id", WARNING, cause, move)


def scans(quality: pd.DataFrame) -> pd.DataFrame:
    """Factories that sent other content under a known scan_id. quality: factory_id, conflicting_scans."""
    rows = _without_work(quality[quality["conflicting_scans"] > 0])

    def cause(row: Any) -> str:
        return f"{row.factory_id} sent {row.conflicting_scans:,} scans with other content under an id that was known"

    def move(row: Any) -> str:
        return f"Ask {row.factory_id} which are right: the first counts; another value takes a scan with `corrects`"

    return _alerts("scans", rows, "factory_id", WARNING, cause, move)


def late_feeds(missing: pd.DataFrame) -> pd.DataFrame:
    """Feeds that have not come as they do. missing: `feeds.outcomes.missing`."""
    rows = _without_work(missing.assign(factory_id="", who=missing["tenant"].fillna(missing["mapping"])))
    rows["subject"] = rows["feed"] + "/" + rows["who"]

    def cause(row: Any) -> str:
        usual = f"has come by {row.expected_at:%H:%M} on each of the last four {row.expected_at:%A}s"
        return (
            f"{row.feed} of {row.who} {usual}, not on {row.expected_at:%d %b}; the last came {row.last_at:%d %b %H:%M}"
        )

    def move(row: Any) -> str:
        return f"Ask {row.who} for the file; until it comes, forecasts and plans know nothing later of {row.feed}"

    return _alerts("feed", rows, "subject", WARNING, cause, move)


def drift(checks: pd.DataFrame) -> pd.DataFrame:
    """The champion, where the checks of the last day that was watched speak for a new model.

    Parameters
    ----------
    checks
        check, of, value, limit, alert (this one is beyond its limit), alarm (all of them together speak for it).

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT: one at most.
    """
    beyond = checks[checks["alert"].astype(bool) & checks["alarm"].astype(bool)]
    said = "; ".join(
        f"{row.check} of {row.of} is {row.value:.2f}, limit {row.limit:.2f}" for row in beyond.itertuples()
    )
    rows = _without_work(pd.DataFrame({"subject": ["champion"], "factory_id": "", "said": said})[: len(beyond)])

    def cause(row: Any) -> str:
        return f"the champion model drifts: {row.said}"

    def move(_row: Any) -> str:
        return "The deployment train makes a challenger; promote judges it beside the champion"

    return _alerts("drift", rows, "subject", WARNING, cause, move)


def _without_work(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of an alert that is about no job order and no order."""
    nothing: pd.Series[Any] = pd.Series([[] for _ in rows.index], rows.index, dtype=object)
    return rows.assign(job_order_ids=nothing, order_ids=nothing)


def is_late(chance: pd.Series, days_left: pd.Series, policy: RobotPolicy) -> "pd.Series[bool]":
    """Whether a chance of being late is worth a warning, `days_left` working days before the end of the due day.

    Far from it much may still turn, and only what is nearly certain is told; near it what is more likely than not.
    """
    return chance >= np.where(days_left <= NEAR_DAYS, policy.near_chance, policy.late_chance)


def when(day: Any) -> str:
    """A predicted day in words."""
    return "beyond the calendar" if pd.isna(day) else f"{day:%d %b}"


def _with_work(rows: pd.DataFrame, outlook: pd.DataFrame) -> pd.DataFrame:
    """Rows by factory that have job orders: those, their orders, pieces left and pieces not begun."""
    owed = outlook.assign(pieces_waiting=outlook["pieces_left"].where(~outlook["running"], 0))
    work = owed.groupby("factory_id").agg(
        job_order_ids=("job_order_id", list),
        order_ids=("order_id", lambda ids: sorted(set(ids))),
        pieces_left=("pieces_left", "sum"),
        pieces_waiting=("pieces_waiting", "sum"),
    )
    return rows.merge(work, left_on="factory_id", right_index=True)


def _by_size(seen: pd.Series, limit: float) -> Any:
    return np.where(seen >= URGENT_TIMES * limit, URGENT, WARNING)


def _alerts(kind: str, rows: pd.DataFrame, subject: str, severity: Any, cause: Say, move: Say) -> pd.DataFrame:
    """The columns of ALERT; where rows have no lists of job orders and orders, they are about one of each."""
    said = [(cause(row), move(row)) for row in rows.itertuples()]
    found = rows if "job_order_ids" in rows else _about_one(rows)
    found = found.assign(kind=kind, subject=rows[subject], severity=severity)
    found[["cause", "move"]] = pd.DataFrame(said, columns=["cause", "move"], index=rows.index)
    return found[ALERT]


def _about_one(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows.copy()
    for column in ("job_order_id", "order_id"):
        found[f"{column}s"] = [[one] for one in rows[column]]
    return found
