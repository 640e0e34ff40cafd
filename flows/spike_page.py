"""The page of spikes: which styles are in livestream mode, how sure that is, what is ordered, promised, and costs."""

from datetime import date
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from c2m.domain import alert_words
from c2m.feeds.landing import read_landed
from c2m.ledger import promises, quantities
from c2m.ledger.store import session
from c2m.markdown import plain, table
from c2m.settings import settings
from flows import reports
from models.surprise import mode
from models.surprise.detector import STYLE

_PIECES = {"pieces": "so far", "low": "to cover, 10 %", "middle": "50 %", "high": "90 %", "sure_pieces": "ordered for"}


def publish(day: date) -> None:
    """Shows the spikes of a day as they stood at its last look; nothing where there was none."""
    landed = read_landed("spikes", business_date=day)
    if landed.empty:
        return
    last = landed.sort_values("known_at", kind="stable").drop_duplicates([*STYLE, "begun_at"], keep="last")
    with session() as s:
        ordered = quantities.of_day(s, day).merge(last[STYLE])
        promised = promises.newest(s, sorted(set(ordered["order_id"])))
    course, policy = reports.picture(lambda figure: drawn(figure, landed)), settings().surprise
    lots = (
        ordered[["order_id", "lot_id", *STYLE, "colour", "lot_quantity", "cost", "currency"]]
        if len(ordered)
        else ordered
    )
    reports.page(
        "spikes",
        f"Spikes, {day}",
        *(in_words(row) for row in last.itertuples()),
        "",
        course,
        "Pieces that orders of the day have to cover, met with 10, 50 and 90 %; while a spike lasts it is ordered for "
        f"up to the {policy.sure_level:.0%} quantile, and more as more becomes sure; on its first day, when it can be "
        f"cut, up to the {policy.first_level:.0%} quantile.",
        "",
        table(last[[*STYLE, *_PIECES]].rename(columns=_PIECES).round(0)),
        "## What is ordered, promised, and costs",
        "",
        table(costs(lots).merge(promised, "left", "order_id")) if len(lots) else "Nothing is ordered yet.",
    )


def costs(lots: pd.DataFrame) -> pd.DataFrame:
    """With the cost of a lot: its pieces at what one costs to make and bring in."""
    return lots.assign(cost=(lots["lot_quantity"] * lots["cost"]).round(0))


def in_words(row: Any) -> str:
    """One spike in a line, with how sure it is."""
    if row.state == mode.OVER:
        return over_in_words(row)
    cause, move = alert_words.spike_cause(row), alert_words.spike_move(row)
    return f"* **{plain(cause)}.** {plain(move)}."


def over_in_words(row: Any) -> str:
    """One that has ended."""
    name, since = plain(f"{row.merchant_id}/{row.style_id}"), f"{row.begun_at:%d %b %H:%M}"
    return f"* {name}: over, {row.pieces:,.0f} pieces since {since}; the usual forecast orders again."


def drawn(figure: Figure, looks: pd.DataFrame) -> None:
    """Pieces to cover as each look of the day saw them."""
    axes = figure.subplots()
    for name, rows in looks.sort_values("known_at").groupby(STYLE):
        axes.plot(rows["known_at"], rows["middle"], marker="o", label="/".join(map(str, name)))
        axes.fill_between(rows["known_at"], rows["low"], rows["high"], alpha=0.2)
    axes.set(ylabel="pieces to cover", ylim=(0, None))
    axes.legend()
