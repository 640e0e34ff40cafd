"""The rules by which the order robot warns: plain functions over tables, each giving rows of ALERT.

Hours are working hours. An alert's kind and subject say what it is about: by them it is the same alert for as long as
it lasts. `outlook` has a row per live job order, as `models.finish.outlook` makes it. Where one cause explains
another, only the first is told: see `all_of`.
"""

from typing import Any

import numpy as np
import pandas as pd

from c2m.domain import alert_words, promises
from c2m.domain.alert_words import WORDS
from c2m.settings import RobotPolicy

ALERT = ["kind", "subject", "factory_id", "severity", "cause", "move", "job_order_ids", "order_ids"]
SPIKE = "spike"  # kind of the alerts of flows/surprise.py
PLATFORM = "platform"  # kind of the alerts of `c2m up` on itself, and what stands there for a factory
WARNING, URGENT = 2, 3
SEVERITY = {WARNING: "warning", URGENT: "urgent"}
NEAR_DAYS = 2  # the due day and the working day before it
# Told whatever else is.
UNEXPLAINED = {"late", "surplus", "scans", "refused", "waits", "undecided", "twin", "feed", "drift", "batch"}
URGENT_TIMES = 3  # of a limit, from which on an alert is urgent


def all_of(*found: pd.DataFrame) -> pd.DataFrame:
    """Alerts (ALERT) in the order of their causes; one whose factory or job orders an earlier kind names is left out.

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
        A row per job order, of `models.finish.outlook`.
    policy
        Hours from which it is told.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    rows = _with_work(factories[factories["offline_hours"] >= policy.offline_hours], outlook)
    return _alerts("offline", rows, "factory_id", _by_size(rows["offline_hours"], policy.offline_hours))


def silent(outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Running job orders of which nothing was scanned for too long, though work is left.

    Parameters
    ----------
    outlook
        A row per job order, of `models.finish.outlook`: silent_hours are working hours.
    policy
        `silent_hours`: the working hours from which it is told.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    rows = _in_work(outlook[outlook["silent_hours"] >= policy.silent_hours])
    return _alerts("silent", rows, "job_order_id", _by_size(rows["silent_hours"], policy.silent_hours))


def _in_work(outlook: pd.DataFrame) -> pd.DataFrame:
    """Job orders that are running and have work left."""
    return outlook[outlook["running"] & (outlook["work_left"] > 0)]


def stalled(lines: pd.DataFrame, outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Lines that stand still while the job order that they made last goes on elsewhere.

    Parameters
    ----------
    lines
        factory_id, line_id, job_order_id (the last one scanned there), silent_hours (working hours).
    outlook
        A row per job order, of `models.finish.outlook`.
    policy
        Hours from which it is told.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    still = lines[(lines["line_id"] != "") & (lines["silent_hours"] >= policy.silent_hours)]
    rows = still.merge(_in_work(outlook)[["job_order_id", "order_id", "lines", "done_share"]], on="job_order_id")
    rows = rows.assign(subject=rows["factory_id"] + "/" + rows["line_id"])
    return _alerts("stalled", rows, "subject", _by_size(rows["silent_hours"], policy.silent_hours))


def yield_drop(inspected: pd.DataFrame, outlook: pd.DataFrame, policy: RobotPolicy) -> pd.DataFrame:
    """Factories whose yield fell: Fisher's exact test of the last days against their own days before.

    Parameters
    ----------
    inspected
        factory_id, recent_good, recent_defects, past_good, past_defects (pieces).
    outlook
        A row per job order, of `models.finish.outlook`.
    policy
        The least fall (a share of pieces) and the chance below which it is no accident.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.
    """
    rows = _compared(inspected).assign(days=policy.yield_days)
    fell = (rows["chance"] < policy.yield_chance) & (rows["fall"] >= policy.yield_fall)
    rows = _with_work(rows[fell], outlook)
    return _alerts("yield", rows, "factory_id", _by_size(rows["fall"], policy.yield_fall))


def _compared(inspected: pd.DataFrame) -> pd.DataFrame:
    """With `recent` pieces, yield `now`, its `level` before, its `fall`, and the `chance` of so many defects."""
    recent = inspected["recent_good"] + inspected["recent_defects"]
    past = inspected["past_good"] + inspected["past_defects"]
    now, level = inspected["recent_good"] / recent, inspected["past_good"] / past
    chance = _chance_of_so_many(inspected["recent_defects"], recent, inspected["past_defects"], past)
    return inspected.assign(recent=recent, now=now, level=level, fall=level - now, chance=chance)


def _chance_of_so_many(defects: pd.Series, pieces: pd.Series, past_defects: pd.Series, past: pd.Series) -> Any:
    """Chance of that many defects or more among `pieces`, were they spread evenly over past and recent pieces."""
    from scipy.stats import hypergeom

    return hypergeom.sf(defects - 1, pieces + past, defects + past_defects, pieces)


def late(outlook: pd.DataFrame, standing: set[str], policy: RobotPolicy, moves: dict[str, str]) -> pd.DataFrame:
    """Job orders that will finish past the day by which they must end to arrive on their due day.

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
    proposed = [moves.get(name, "") for name in rows["job_order_id"]]
    rows = rows.assign(lost=1 - rows["lost_chance"] < policy.hold_chance, proposed=proposed)
    return _alerts("late", rows, "job_order_id", np.where(rows["lost"], URGENT, WARNING))


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
    return _alerts("surplus", rows, "subject", WARNING)


def refused_cuts(jobs: pd.DataFrame) -> pd.DataFrame:
    """Work that a merchant no longer wants and a factory goes on with. jobs: `ledger.job_orders.refused_cuts`."""
    return _alerts("refused", jobs, "job_order_id", WARNING)


def waits(lots: pd.DataFrame) -> pd.DataFrame:
    """Lots that cannot be planned now. lots: `ledger.orders.waiting`."""
    return _alerts("waits", lots.assign(factory_id="", job_order_id=""), "lot_id", WARNING)


def undecided(plan: pd.DataFrame, most_hours: float) -> pd.DataFrame:
    """The plan that waits for a person; urgent once it has waited for too long.

    Parameters
    ----------
    plan
        Columns title and hours (how long it has waited); no row: none waits.
    most_hours
        From which on it is urgent.

    Returns
    -------
    pd.DataFrame
        Alerts with the columns ALERT.

    Examples
    --------
    >>> alerts = undecided(pd.DataFrame({"title": ["2026-03-02 round 1"], "hours": [5.0]}), most_hours=4)
    >>> alerts[["kind", "subject", "severity"]].values.tolist()
    [['undecided', '2026-03-02 round 1', 3]]
    """
    severity = np.where(plan["hours"] >= most_hours, URGENT, WARNING)
    return _alerts("undecided", plan.assign(factory_id="", job_order_id="", order_id=""), "title", severity)


def twins(factories: pd.DataFrame) -> pd.DataFrame:
    """Factories that look like another one's row. factories: factory_id, same_place_as (None: no), same_place_by."""
    rows = factories[factories["same_place_as"].notna()]
    return _alerts("twin", rows.assign(job_order_id="", order_id=""), "factory_id", WARNING)


def bad_batches(batches: pd.DataFrame) -> pd.DataFrame:
    """Batches of which shoppers complain more than chance explains. batches: the mart of that name."""
    rows = batches[batches["is_bad"].astype(bool)]
    return _alerts("batch", rows.assign(order_id=""), "job_order_id", URGENT)


def scans(quality: pd.DataFrame) -> pd.DataFrame:
    """Factories that sent other content under a known scan_id. quality: factory_id, conflicting_scans."""
    rows = quality[quality["conflicting_scans"] > 0]
    return _alerts("scans", rows.assign(job_order_id="", order_id=""), "factory_id", WARNING)


def late_feeds(missing: pd.DataFrame) -> pd.DataFrame:
    """Feeds that have not come as they do. missing: `feeds.file_outcomes.missing`."""
    who = missing["tenant"].fillna(missing["mapping"])
    rows = missing.assign(who=who, subject=missing["feed"] + "/" + who, factory_id="", job_order_id="", order_id="")
    return _alerts("feed", rows, "subject", WARNING)


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
    row = {"subject": "champion", "beyond": alert_words.beyond(beyond), "factory_id": ""}
    champion = pd.DataFrame([row | {"job_order_id": "", "order_id": ""}])
    return _alerts("drift", champion[: len(beyond)], "subject", WARNING)


def spikes(standing: pd.DataFrame) -> pd.DataFrame:
    """Styles in livestream mode, as alerts (ALERT). standing: rows of landing/spikes; no row: none is."""
    if standing.empty:
        return pd.DataFrame(columns=ALERT)
    rows = standing.assign(
        subject=standing["merchant_id"] + "/" + standing["style_id"], factory_id="", job_order_id="", order_id=""
    )
    return _alerts(SPIKE, rows, "subject", URGENT)


def is_late(chance: pd.Series, days_left: pd.Series, policy: RobotPolicy) -> "pd.Series[bool]":
    """Whether a chance of being late is worth a warning, `days_left` working days before work must end.

    Far from it much may still turn, and only what is nearly certain is told; near it what is more likely than not.
    """
    return chance >= np.where(days_left <= NEAR_DAYS, policy.near_chance, policy.late_chance)


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


def _alerts(kind: str, rows: pd.DataFrame, subject: str, severity: Any) -> pd.DataFrame:
    """The columns of ALERT; where rows have no lists of job orders and orders, they are about one of each."""
    found = rows if "job_order_ids" in rows else _about_one(rows)
    return found.assign(kind=kind, subject=rows[subject], severity=severity, **_said(kind, rows))[ALERT]


def _said(kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Cause and move of each row."""
    cause, move = WORDS[kind]
    said = [(cause(row), move(row)) for row in rows.itertuples()]
    return pd.DataFrame(said, columns=["cause", "move"], index=rows.index)


def _about_one(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(job_order_ids=_one_each(rows["job_order_id"]), order_ids=_one_each(rows["order_id"]))


def _one_each(names: "pd.Series[str]") -> "pd.Series[Any]":
    """A list of each name; an empty one where it is empty."""
    return pd.Series([[name] if name else [] for name in names], names.index, dtype=object)
