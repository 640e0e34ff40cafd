"""What each attribute of a design costs, and what its value brings: growth, level of demand, complaints.

In: the design, what a piece costs, marts demand_weekly, style_attributes and voices, the day's trends. Out: a row per
attribute (`COLUMNS`), and one of '' for what no attribute asks for. Cost is exact where routing and bill name the
attribute. What a value brings is measured between styles, and has an interval: it is no promise for one style.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from c2m.domain.designs import Design
from c2m.settings import TrendPolicy
from models.trend.attributes import EVERYWHERE, Styles, difference

COLUMNS = [
    "attribute", "value", "minutes", "making_cost", "material_cost", "growth", "growth_low", "growth_high", "is_sure",
    "level", "level_low", "level_high", "voices", "complaints", "complaints_low", "complaints_high",
]  # fmt: skip
_COMPLAINTS = ("bad", "small", "large")
_INTERVAL = 0.9


@dataclass(frozen=True, eq=False)
class Piece:
    """What a piece of a design costs, in the plan's currency."""

    making: float  # all its minutes
    material: "pd.Series[float]"  # of a unit, by material_id
    untold: float = 0.0  # of a piece: material that no bill tells


@dataclass(frozen=True, eq=False)
class StyleFacts:
    """What is known of a merchant's styles. The frames are rows of marts and of landing/trends."""

    weekly: pd.DataFrame  # mart demand_weekly
    held: pd.DataFrame  # mart style_attributes
    voices: pd.DataFrame  # mart voices
    trends: pd.DataFrame  # the day's trends

    def of(self, merchant_id: str) -> "StyleFacts":
        """Of one merchant."""
        return StyleFacts(*(rows[rows["merchant_id"] == merchant_id] for rows in vars(self).values()))


def table(design: Design, piece: Piece, market: StyleFacts, policy: TrendPolicy) -> pd.DataFrame:
    """The attributes of a design, by name.

    Parameters
    ----------
    design
        With its steps and parts.
    piece
        What it costs.
    market
        What is known of styles.
    policy
        From how many styles on a value is spoken of.

    Returns
    -------
    pd.DataFrame
        COLUMNS; money of a piece, growth and level as ratios, complaints as a share of reviews.
    """
    own, minutes = market.of(design.merchant_id), design.minutes_by_attribute
    named = {*minutes, *(part.attribute for part in design.parts), *design.attributes, "category"}
    values = {"category": design.category, **design.attributes}
    rows = []
    for attribute in sorted(named):
        value = values.get(attribute, "")
        spent = minutes.get(attribute, 0.0)
        cost = {
            "minutes": spent,
            "making_cost": piece.making * spent / design.sam_minutes,
            "material_cost": _material(design, attribute, piece),
        }
        rows.append({"attribute": attribute, "value": value, **cost, **brings(attribute, value, own, policy)})
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _material(design: Design, attribute: str, piece: Piece) -> float:
    told = sum(
        float(piece.material[part.material_id]) * part.quantity for part in design.parts if part.attribute == attribute
    )
    return told if attribute else told + piece.untold


def brings(attribute: str, value: str, market: StyleFacts, policy: TrendPolicy) -> dict[str, object]:
    """What a merchant's styles with a value do beside those without it; what is not known is left out."""
    held = market.held[market.held["attribute"] == attribute]
    return {
        **_growth(attribute, value, market.trends),
        **_level(held, value, market.weekly, policy),
        **_complaints(attribute, held.loc[held["value"] == value, "style_id"], market.voices),
    }


def _growth(attribute: str, value: str, trends: pd.DataFrame) -> dict[str, object]:
    mine = (trends["attribute"] == attribute) & (trends["value"] == value) & (trends["channel"] == EVERYWHERE)
    names = ("growth", "growth_low", "growth_high", "is_sure")
    return {name: trends.loc[mine, name].iloc[0] for name in names} if mine.any() else {}


def _level(held: pd.DataFrame, value: str, weekly: pd.DataFrame, policy: TrendPolicy) -> dict[str, object]:
    """Pieces that styles with the value sold over those that the others did, in the weeks that trends compare."""
    weeks = weekly[(weekly["dimension"] == "channel") & (weekly["weeks_ago"] <= policy.weeks)]
    pieces = held["style_id"].map(weeks.groupby("style_id")["pieces_asked"].sum()).to_numpy(dtype=float)
    enough = pieces >= policy.least_pieces
    inside = held["value"].eq(value).to_numpy(dtype=bool)[enough]
    if min(inside.sum(), (~inside).sum()) < policy.least_styles:
        return {}
    sold = pieces[enough] + 0.5
    found = difference(Styles(np.log(sold), 1 / sold), inside)
    return dict(zip(("level", "level_low", "level_high"), map(found.at, (0, -1, 1)), strict=True))


def _complaints(part: str, style_ids: "pd.Series[str]", voices: pd.DataFrame) -> dict[str, object]:
    """Share of the reviews of styles that complain of the part of a garment that has the attribute's name."""
    own = voices[voices["style_id"].isin(style_ids)]
    heard = int(own.drop_duplicates("style_id")["voices"].sum())
    if not heard or not voices["part"].eq(part).any():
        return {}
    said = int(own.loc[(own["part"] == part) & own["polarity"].isin(_COMPLAINTS), "said"].sum())
    low, high = stats.binomtest(min(said, heard), heard).proportion_ci(_INTERVAL, "wilson")
    return {"voices": heard, "complaints": said / heard, "complaints_low": low, "complaints_high": high}
