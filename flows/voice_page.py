"""The page of what shoppers say: per style and aspect with its interval, and the batches that stand out."""

import pandas as pd
from matplotlib.figure import Figure

from c2m.markdown import table
from flows import reports

_MOST, _DRAWN, _LEAST_SAID = 60, 15, 3
_LEAST_VOICES = 10  # three of three reviews say little


def publish(voices: pd.DataFrame, batches: pd.DataFrame) -> None:
    """Complaints first, those of most voices on top."""
    enough = (voices["said"] >= _LEAST_SAID) & (voices["voices"] >= _LEAST_VOICES)
    told = voices[enough & (voices["polarity"] != "true")]
    bad = told[told["polarity"].isin(["bad", "small", "large"])].sort_values("share_low", ascending=False)
    good = told[told["polarity"] == "good"].sort_values("share_low", ascending=False)
    picture = reports.picture(lambda figure: _draw(figure, bad.head(_DRAWN))) if len(bad) else ""
    reports.page(
        "voices",
        "What shoppers say",
        f"Share of the reviews heard of a style that say so ({_LEAST_VOICES} reviews or more), with the 90 % interval "
        "of the sample. The model of aspects errs as well: how often, by aspect, is in benchmarks/voice and with its "
        "version in MLflow.",
        "",
        picture,
        "## Complaints",
        table(in_words(bad.head(_MOST))) if len(bad) else "No style has enough reviews that complain of the same.",
        "## Praise",
        table(in_words(good.head(_MOST))) if len(good) else "No style has enough reviews that praise the same.",
        "## Batches",
        "Traced first in, first out. The odds tell how much likelier the complaints are of a bad batch than of one "
        "like the style's others; at 20 it is called bad, which happens to at most one good batch in twenty.",
        "",
        table(batches.sort_values("odds", ascending=False).head(_MOST)) if len(batches) else "None is sold yet.",
    )


def in_words(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the mart as they are read: 14 % (10 to 19) of 212."""
    return pd.DataFrame(
        {
            "style": rows["style_id"],
            "says": [_said(row) for row in rows.itertuples()],
            "voices": [
                f"{row.share:.0%} ({row.share_low:.0%} to {row.share_high:.0%}) of {row.voices:,}"
                for row in rows.itertuples()
            ],
            "stars": rows["rating"].map("{:.1f}".format),
            "stars of the others": rows["rating_of_others"].map("{:.1f}".format, na_action="ignore").fillna("-"),
        }
    )


def _said(row: object) -> str:
    where = f" at the {row.part}" if row.part else ""  # type: ignore[attr-defined]
    kind = f"{row.aspect}: {row.polarity}"  # type: ignore[attr-defined]
    return kind.replace("size: ", "runs ") + where


def _draw(figure: Figure, rows: pd.DataFrame) -> None:
    axes = figure.subplots()
    shown = rows[::-1]
    low, high = shown["share"] - shown["share_low"], shown["share_high"] - shown["share"]
    labels = [f"{row.style_id} {_said(row)}" for row in shown.itertuples()]
    axes.errorbar(100 * shown["share"], labels, xerr=[100 * low, 100 * high], fmt="o", capsize=3)
    axes.set_xlabel("% of the style's reviews, 90 % interval")
    axes.grid(axis="x", alpha=0.3)
