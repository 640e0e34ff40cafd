"""Safety stock of materials: the quantile of their own need over the days that an order protects, less its mean.

A material's need is a sum over styles, each with a forecast distribution of its window; styles count as independent.
A gamma distribution with that mean and variance stands for the sum: never negative, and skewed as rare demand is.
"""

import numpy as np
import pandas as pd
from scipy.stats import gamma

from c2m.domain.arrays import Floats

_WIDTH = 3.2897  # standard deviations between the 5 % and the 95 % quantile of a normal distribution


def safety_stock(mean: Floats, variance: Floats, level: float) -> Floats:
    """What must lie beyond the mean so that the need is met with probability `level`.

    Parameters
    ----------
    mean
        (N,) of the need over the protected days, in units of each material.
    variance
        (N,) of the same, units squared; 0: nothing is uncertain.
    level
        Between 0 and 1.

    Returns
    -------
    numpy.ndarray
        (N,) units, never below 0.
    """
    spread = (variance > 0) & (mean > 0)
    scale = np.divide(variance, mean, out=np.ones_like(mean), where=spread)
    shape = np.divide(mean, scale, out=np.ones_like(mean), where=spread)
    wanted = gamma.ppf(level, shape, scale=scale)
    return np.where(spread, np.maximum(wanted - mean, 0.0), 0.0)


def material_spread(windows: pd.DataFrame, skus: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """What materials take a day, by the forecast windows of the styles that they go into.

    Parameters
    ----------
    windows
        merchant_id, style_id, window_days, mean, q05, q95: pieces of the window.
    skus
        merchant_id, style_id, colour, size_share.
    recipes
        merchant_id, style_id, colour, material_id, quantity: units per piece.

    Returns
    -------
    pd.DataFrame
        material_id; mean and variance of its need a day, in units.
    """
    rows = _units(skus, recipes).merge(windows, on=["merchant_id", "style_id"])
    deviation = (rows["q95"] - rows["q05"]).clip(lower=0) / _WIDTH
    daily = rows[["material_id"]].assign(
        mean=rows["quantity"] * rows["mean"] / rows["window_days"],
        variance=(rows["quantity"] * deviation) ** 2 / rows["window_days"],
    )
    return daily.groupby("material_id", as_index=False)[["mean", "variance"]].sum()


def _units(skus: pd.DataFrame, recipes: pd.DataFrame) -> pd.DataFrame:
    """merchant_id, style_id, material_id, quantity a piece of the style takes, whatever its colour."""
    by_colour = recipes.merge(_shares(skus), on=["merchant_id", "style_id", "colour"], how="left")
    by_colour["quantity"] *= by_colour["share"].mask(by_colour["colour"] == "", 1.0).fillna(0.0)
    return by_colour.groupby(["merchant_id", "style_id", "material_id"])[["quantity"]].sum().reset_index()


def _shares(skus: pd.DataFrame) -> pd.DataFrame:
    """Of a style's demand, by colour."""
    shares = skus.groupby(["merchant_id", "style_id", "colour"])["size_share"].sum()
    return shares.rename("share").reset_index()
