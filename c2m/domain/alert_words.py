"""What the order robot's alerts say: of each kind its cause, and the move that a person can make.

In: a row of the rule's table (c2m/domain/alert_rules.py); hours are working hours. Out: a sentence. The functions are
named by the alert's kind.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd


def when(day: Any) -> str:
    """A predicted day in words."""
    return "beyond the calendar" if pd.isna(day) else f"{day:%d %b}"


def offline_cause(row: Any) -> str:
    owed = f"{len(row.job_order_ids)} job orders, {row.pieces_left:,} pieces left"
    return f"{row.factory_id} is offline for {row.offline_hours:.1f} working hours with {owed}"


def offline_move(row: Any) -> str:
    return f"Call {row.factory_id}; {row.pieces_waiting:,} pieces are not begun and can be planned elsewhere"


def silent_cause(row: Any) -> str:
    made = f"{row.done_share:.0%} of {row.quantity:,} pieces are made"
    return f"no scan at {row.factory_id} for {row.silent_hours:.1f} working hours; {made}, due {row.due_on:%d %b}"


def silent_move(row: Any) -> str:
    return f"Call {row.factory_id}: does the line stand still, or do its scans not come through?"


def stalled_cause(row: Any) -> str:
    still = f"line {row.line_id} of {row.factory_id} has not scanned for {row.silent_hours:.1f} working hours"
    return f"{still}; its job order is at {row.done_share:.0%}"


def stalled_move(row: Any) -> str:
    return f"Call {row.factory_id}: one of {row.lines} lines earns nothing"


def yield_cause(row: Any) -> str:
    return f"{row.factory_id} yields {row.now:.1%} instead of {row.level:.1%}: {_defects(row)}"


def _defects(row: Any) -> str:
    odds = f"by chance once in {1 / max(row.chance, 1e-9):,.0f}"
    return f"{row.recent_defects:,} defects among {row.recent:,} pieces in {row.days} days, {odds}"


def yield_move(row: Any) -> str:
    more = row.pieces_left * (1 / max(row.now, 0.01) - 1)
    return f"Have the last bundles inspected; at this yield {more:,.0f} pieces more must be cut"


def late_cause(row: Any) -> str:
    return f"{row.late_chance:.0%} sure to miss {_must_end(row)}: {_finish(row)}; {_pace(row)}{_lost(row)}"


def _must_end(row: Any) -> str:
    """The day by which work must end, and what it must end for where there is a way."""
    way = f", to be there on {row.due_on:%d %b}" if row.ends_by < row.due_on else ""
    return f"{row.ends_by:%d %b}{way}"


def _finish(row: Any) -> str:
    return f"finish {when(row.q50)} ({when(row.q10)} to {when(row.q90)})"


def _pace(row: Any) -> str:
    return f"{row.work_left:,.0f} standard minutes are left, {row.factory_id} earns {row.day_work:,.0f} a day"


def _lost(row: Any) -> str:
    return f"; the last date, {row.last_on:%d %b}, cannot be held either" if row.lost else ""


def late_move(row: Any) -> str:
    return str(row.proposed)


def surplus_cause(row: Any) -> str:
    if row.job_order_id:
        return f"{row.factory_id} says that it shipped {row.pieces:,} pieces more of order {row.order_id} than agreed"
    return f"{row.pieces:,} pieces of order {row.order_id} were shipped that {row.merchant_id} no longer orders"


def surplus_move(row: Any) -> str:
    if row.job_order_id:
        return "Ask whether the scan is right; a wrong one is taken back by `corrects` or c2m scans set-aside"
    return "Agree with the merchant to take the pieces, or have them sent back; they are in no stock until then"


def refused_cause(row: Any) -> str:
    said = f": {row.reason}" if row.reason else ""
    return f"order {row.order_id} was {_asked(row)}; {row.factory_id} goes on with {row.quantity:,}{said}"


def _asked(row: Any) -> str:
    return "cancelled" if row.asked_pieces == 0 else f"cut to {row.asked_pieces:,.0f} pieces"


def refused_move(row: Any) -> str:
    return f"Call {row.factory_id}, and agree with {row.merchant_id} what becomes of the pieces"


def waits_cause(row: Any) -> str:
    return f"{row.quantity:,} pieces of order {row.called} of {row.merchant_id} are not planned: {row.waits}"


def waits_move(row: Any) -> str:
    return f"Tell {row.merchant_id}; the rest of the day's orders is planned without them"


def undecided_cause(row: Any) -> str:
    return f"the plan of {row.title} has waited for a decision for {row.hours:.1f} hours; nothing of it goes out"


def undecided_move(_row: Any) -> str:
    return "Decide in the run release on Prefect's page, or by c2m release"


def twin_cause(row: Any) -> str:
    return f"{row.factory_id} has the {row.same_place_by} of {row.same_place_as}: it is held back and gets no new work"


def twin_move(row: Any) -> str:
    return f"Pause the row of the two that is old; or name {row.factory_id} in other_places, if they are two places"


def scans_cause(row: Any) -> str:
    return f"{row.factory_id} sent {row.conflicting_scans:,} scans with other content under an id that was known"


def scans_move(row: Any) -> str:
    return f"Ask {row.factory_id} which are right: the first counts; another value takes a scan with `corrects`"


def feed_cause(row: Any) -> str:
    usual = f"has come by {row.expected_at:%H:%M} on each of the last four {row.expected_at:%A}s"
    return f"{row.feed} of {row.who} {usual}, not on {row.expected_at:%d %b}; the last came {row.last_at:%d %b %H:%M}"


def feed_move(row: Any) -> str:
    return f"Ask {row.who} for the file; until it comes, forecasts and plans know nothing later of {row.feed}"


def batch_cause(row: Any) -> str:
    return (
        f"a bad batch of {row.style_id} from {row.factory_id}: {row.complaints:,.0f} complaints and returns of "
        f"{row.sold:,} pieces sold, {row.expected:,.1f} expected; {row.odds:,.0f} times likelier than chance"
    )


def batch_move(row: Any) -> str:
    return f"Have what is left of it inspected before it is sold; ask {row.factory_id} what changed in its making"


def beyond(checks: pd.DataFrame) -> str:
    """The checks of a drift that are beyond their limits."""
    rows = checks.itertuples()
    return "; ".join(f"{row.check} of {row.of} is {row.value:.2f}, limit {row.limit:.2f}" for row in rows)


def drift_cause(row: Any) -> str:
    return f"the champion model drifts: {row.beyond}"


def drift_move(_row: Any) -> str:
    return "The deployment train makes a challenger; promote judges it beside the champion"


def spike_cause(row: Any) -> str:
    """What is seen of a spike, as a sentence. row: one of landing/spikes."""
    rate = f"{row.last_hour_pieces:,.0f} pieces in the last hour, {row.usual_pieces:,.0f} a day are usual"
    sure = f"usual demand makes so many once in {1 / max(row.chance, 1e-30):.0e} looks"
    return f"{row.merchant_id}/{row.style_id} is in livestream mode since {row.begun_at:%d %b %H:%M}: {rate}; {sure}"


def spike_move(row: Any) -> str:
    """How many pieces a spike still asks for, and how many are ordered for now. row: one of landing/spikes."""
    spread = f"{row.middle:,.0f} pieces to cover ({row.low:,.0f} to {row.high:,.0f} in 8 of 10 cases)"
    return f"{spread}; {row.sure_pieces:,.0f} are ordered for now, more as it becomes sure: see the page of spikes"


Say = Callable[[Any], str]
WORDS: dict[str, tuple[Say, Say]] = {
    "offline": (offline_cause, offline_move),
    "silent": (silent_cause, silent_move),
    "stalled": (stalled_cause, stalled_move),
    "yield": (yield_cause, yield_move),
    "late": (late_cause, late_move),
    "surplus": (surplus_cause, surplus_move),
    "refused": (refused_cause, refused_move),
    "waits": (waits_cause, waits_move),
    "undecided": (undecided_cause, undecided_move),
    "twin": (twin_cause, twin_move),
    "scans": (scans_cause, scans_move),
    "feed": (feed_cause, feed_move),
    "drift": (drift_cause, drift_move),
    "spike": (spike_cause, spike_move),
    "batch": (batch_cause, batch_move),
}
