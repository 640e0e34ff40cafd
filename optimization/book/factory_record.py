"""What a factory's record means for a plan: what it may get, what it is offered, what its failures cost.

In: lots (L rows), factories (F rows), their scores per category (docs/operations.md tells the bands) and what they have
shown in each craft (the mart factory_capabilities). Matrices are (L, F); money is the plan's currency, per piece.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from c2m.domain.operations import shares_of
from c2m.settings import AssumedRates

SMALL_ORDER_PIECES = 150  # as small_order_pieces in dbt_project.yml
_ROUND_OFF = 1e-9  # two marts hold the factory's own figure, as sums that threads add in any order
_LEAST_YIELD = 0.01  # crafts' differences from the factory's own figure add up, and a yield of nothing divides nothing


def scored(lots: pd.DataFrame, factories: pd.DataFrame, scores: pd.DataFrame, column: str) -> Floats:
    """(L, F) a column of the scores in the lot's category; NaN where the factory is not scored in it."""
    found = scores.pivot(index="category", columns="factory_id", values=column).astype(float)
    return found.reindex(index=lots["category"], columns=factories["factory_id"]).to_numpy()


def craft_difference(
    lots: pd.DataFrame, factories: pd.DataFrame, capabilities: pd.DataFrame, column: str, power: int = 1
) -> Floats:
    """(L, F) by how much a figure in the lot's crafts, by their standard minutes, is above the factory's own.

    Exactly 0 where the lot's operations name no craft, or the factory has shown nothing in it. `power` -1 compares one
    over the figure: minutes add up, speeds do not.
    """
    found = np.zeros((len(lots), len(factories)))
    if column not in capabilities or "operations" not in lots:
        return found
    shown = capabilities[capabilities["kind"] == "craft"].pivot(index="name", columns="factory_id", values=column)
    shown = shown.reindex(columns=factories["factory_id"]).astype(float)
    apart = shown**power - factories[column].to_numpy(dtype=float) ** power
    apart = apart.where(apart.abs() > _ROUND_OFF, 0.0)  # so is what nobody knows
    for operations, rows in lots.groupby("operations").indices.items():
        shares = shares_of(str(operations))
        crafts = apart.reindex(list(shares), fill_value=0.0)
        found[rows] = np.array(list(shares.values())) @ crafts.to_numpy()
    return found


def yields(lots: pd.DataFrame, factories: pd.DataFrame, capabilities: pd.DataFrame, scores: pd.DataFrame) -> Floats:
    """(L, F) good pieces per piece begun, of the category and the crafts; NaN where the category is not scored."""
    own = scored(lots, factories, scores, "yield_rate")
    return np.clip(own + craft_difference(lots, factories, capabilities, "yield_rate"), _LEAST_YIELD, 1.0)


def failures(
    lots: pd.DataFrame,
    factories: pd.DataFrame,
    capabilities: pd.DataFrame,
    scores: pd.DataFrame,
    rates: AssumedRates,
) -> Floats:
    """(L, F) expected cost per piece of defects, inspection, lateness, refusals and slow answers.

    (1 / yield - 1) x material + inspection share x cost of inspecting, yield and on time by the lot's crafts
    + late cost a day x ((1 - on time) x late_days + (1 - acceptance) x refused_days + answer hours / 24)
    """
    late_cost_per_day = _column(lots["unit_value"]) * rates.late_share_per_day
    good = yields(lots, factories, capabilities, scores)
    on_time = scored(lots, factories, scores, "on_time_rate")
    on_time = np.clip(on_time + craft_difference(lots, factories, capabilities, "on_time_rate"), 0.0, 1.0)
    defects = _column(lots["unit_cost_basis"]) * _defects_share(lots, factories, scores, good, rates)
    late_days = _late_days(lots, factories, scores, on_time, rates)
    return np.nan_to_num(defects + late_cost_per_day * late_days, nan=0.0)


def _defects_share(
    lots: pd.DataFrame, factories: pd.DataFrame, scores: pd.DataFrame, good: Floats, rates: AssumedRates
) -> Floats:
    """(L, F) material of spoiled pieces and inspection, as a share of a piece's cost."""
    spoiled = 1 / good - 1
    inspected = scored(lots, factories, scores, "inspection_share")
    return spoiled * (1 - rates.making_share) + inspected * rates.inspection_share


def _late_days(
    lots: pd.DataFrame, factories: pd.DataFrame, scores: pd.DataFrame, on_time: Floats, rates: AssumedRates
) -> Floats:
    """(L, F) days late to expect: of lateness, refusals and slow answers."""
    return (
        (1 - on_time) * rates.late_days
        + (1 - _acceptance(lots, factories, scores)) * rates.refused_days
        + scored(lots, factories, scores, "answer_hours") / 24
    )


def order_caps(lots: pd.DataFrame, factories: pd.DataFrame, scores: pd.DataFrame) -> Floats:
    """(L, F) pieces of a lot that the factory's band allows; inf where it sets no limit."""
    return np.nan_to_num(scored(lots, factories, scores, "order_cap_pieces"), nan=np.inf)


def exposures(factories: pd.DataFrame, scores: pd.DataFrame) -> Floats:
    """The share of its free minutes that a factory is offered: that of its best band.

    Its minutes are one pool; what a weaker category may get is bounded by that category's order cap and cost.

    Parameters
    ----------
    factories
        The mart of this name.
    scores
        The mart factory_scores.

    Returns
    -------
    numpy.ndarray
        (F,) shares; 1 where a factory has no score.
    """
    best = scores.groupby("factory_id")["exposure_share"].max().astype(float)
    return np.asarray(best.reindex(factories["factory_id"]).fillna(1.0), dtype=np.float64)


def exposed(capacity: pd.DataFrame, exposure: "pd.Series[float]", frozen: pd.DataFrame) -> pd.DataFrame:
    """The capacity that is offered: all that frozen work needs, and of the rest the exposure's share.

    `exposure` by factory_id; `frozen` has factory_id, minutes, release_day. Where frozen work that begins late would
    not fit into a share of the last days, the factory's days stay whole: what was agreed comes before what is allowed.
    """
    horizon = int(capacity["day"].max())
    names = pd.Index(exposure.index)
    room, need = np.zeros((len(names), horizon + 1)), np.zeros((len(names), horizon + 1))
    np.add.at(
        room,
        (names.get_indexer(capacity["factory_id"]), capacity["day"]),
        capacity["minutes"] + capacity["overtime_minutes"],
    )
    begins = frozen["release_day"].clip(1, horizon).astype(np.int64)
    np.add.at(need, (names.get_indexer(frozen["factory_id"]), begins), frozen["minutes"])
    room_left, need_left = (np.cumsum(table[:, ::-1], axis=1)[:, ::-1] for table in (room, need))
    agreed = np.minimum(need_left[:, 0] / np.maximum(room_left[:, 0], 1e-9), 1)
    share = agreed + exposure.to_numpy() * (1 - agreed)
    share[(need_left > share[:, None] * room_left + 1e-6).any(axis=1)] = 1.0
    factor = share[names.get_indexer(capacity["factory_id"])]
    return capacity.assign(minutes=capacity["minutes"] * factor, overtime_minutes=capacity["overtime_minutes"] * factor)


def _acceptance(lots: pd.DataFrame, factories: pd.DataFrame, scores: pd.DataFrame) -> Floats:
    """(L, F) the rate that fits the lot: a repeat's, else a small order's, else that of all."""
    rate, small, repeat = (
        scored(lots, factories, scores, f"{kind}acceptance_rate") for kind in ("", "small_", "repeat_")
    )
    is_small = _column(lots["quantity"]) <= SMALL_ORDER_PIECES
    return np.where(lots["parent_order_id"].notna().to_numpy()[:, None], repeat, np.where(is_small, small, rate))


def _column(values: "pd.Series[float]") -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]
