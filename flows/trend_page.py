"""The page of what is coming: attributes that gain or lose, by channel, and how sure that is; demand by place."""

from datetime import date

import pandas as pd
from matplotlib.figure import Figure

from c2m import clock
from c2m.feeds.landing import land_frame
from c2m.markdown import table
from c2m.settings import settings
from c2m.warehouse.published import read
from flows import reports
from models.trend import attributes

_MOST, _UNSURE = 40, 15


def publish(day: date) -> None:
    """Finds the trends of a day, lands and shows them."""
    policy = settings().trend
    found = attributes.trends(read("demand_weekly"), read("style_attributes"), policy)
    land_frame("attribute_trends", found.assign(business_date=day, known_at=clock.cut_off(day).replace(tzinfo=None)))
    sure = found[found["is_sure"]]
    reports.page(
        "coming",
        f"What is coming, {day}",
        f"Demand of the last {policy.recent_weeks} weeks against the {policy.before_weeks} before them. Growth: of the "
        "styles with a value over that of the merchant's other styles; in a channel, over that of the same styles in "
        "the others; with its 90 % interval. The unit is the style: one that took off is no trend. Of what is called "
        f"sure at most {policy.false_share:.0%} is chance: {len(sure):,} of {len(found):,} values and channels.",
        "",
        reports.picture(lambda figure: _draw(figure, sure.head(_UNSURE))) if len(sure) else "",
        "## Sure",
        table(in_words(sure.head(_MOST))) if len(sure) else "Nothing moves more than chance would.",
        "## Not sure yet",
        table(in_words(found[~found["is_sure"]].head(_UNSURE))) if len(found) > len(sure) else "_none_",
    )


def in_words(rows: pd.DataFrame) -> pd.DataFrame:
    """Trends as they are read."""
    return pd.DataFrame(
        {
            "merchant": rows["merchant_id"],
            "attribute": rows["attribute"] + ": " + rows["value"],
            "channel": rows["channel"].replace({attributes.EVERYWHERE: "all"}),
            "growth": [
                f"{one.growth:.2f} ({one.growth_low:.2f} to {one.growth_high:.2f})" for one in rows.itertuples()
            ],
            "share": [f"{row.share_before:.0%} to {row.share_recent:.0%}" for row in rows.itertuples()],
            "styles": rows["styles"],
            "false, of all as sure as this": rows["chance"].map(_percent),
        }
    )


def _percent(chance: float) -> str:
    return f"{chance:.2%}" if chance >= 0.0001 else "under 0.01 %"


def _draw(figure: Figure, rows: pd.DataFrame) -> None:
    axes = figure.subplots()
    shown = rows[::-1]
    names = shown["merchant_id"] + " " + shown["attribute"] + ": " + shown["value"]
    labels = names + ", " + shown["channel"].replace({attributes.EVERYWHERE: "all"})
    reach = [shown["growth"] - shown["growth_low"], shown["growth_high"] - shown["growth"]]
    axes.errorbar(shown["growth"], labels, xerr=reach, fmt="o", capsize=3)
    axes.axvline(1, color="grey")
    axes.set(xscale="log", xlabel="growth over that of the merchant's other styles, 90 % interval")
