"""What factories have shown in single crafts, beside what they have shown in all.

In: the marts factory_capabilities and factories. Figures are shares; what is behind them is counted in busy days,
pieces and job orders, each by the craft's share of it.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

FIGURES = ["efficiency_factor", "yield_rate", "on_time_rate"]
_SEEN = ["busy_days", "pieces", "job_orders"]
COLUMNS = ["factory_id", "craft", *FIGURES, *(f"own_{name}" for name in FIGURES), *_SEEN]
_SHOWN = 0.005  # a difference that a percentage without decimals shows


def apart(capabilities: pd.DataFrame, factories: pd.DataFrame) -> pd.DataFrame:
    """The crafts in which a factory has shown something else than in all.

    Parameters
    ----------
    capabilities
        The mart factory_capabilities.
    factories
        The mart of this name.

    Returns
    -------
    pd.DataFrame
        COLUMNS, by factory and craft; none where all figures would be shown as the factory's own.
    """
    own = factories[["factory_id", *FIGURES]].rename(columns={name: f"own_{name}" for name in FIGURES})
    crafts = capabilities[capabilities["kind"] == "craft"].rename(columns={"name": "craft"})
    rows = crafts.merge(own, on="factory_id").reindex(columns=COLUMNS)  # marts of an older version have no figures
    differs = pd.concat([(rows[name] - rows[f"own_{name}"]).abs() >= _SHOWN for name in FIGURES], axis=1).any(axis=1)
    return rows.loc[differs, COLUMNS].sort_values(["factory_id", "craft"], ignore_index=True)


def told(row: Mapping[Any, Any]) -> str:
    """A row of `apart` in words: `link: 112 % of the planned efficiency (84 % in all), ...`.

    >>> shown = {"efficiency_factor": 1.12, "yield_rate": 0.98, "on_time_rate": 0.9}
    >>> whole = {"own_efficiency_factor": 0.84, "own_yield_rate": 0.97, "own_on_time_rate": 0.9}
    >>> for words in told({"craft": "link", **shown, **whole, "busy_days": 12, "job_orders": 5}).split(", "):
    ...     print(words)
    link: 112 % of the planned efficiency (84 % in all)
    98 % good pieces (97 % in all)
    90 % on time (90 % in all); 12 busy days
    5 job orders
    """
    words = ("of the planned efficiency", "good pieces", "on time")
    figures = (
        f"{float(row[name]):.0%} {what} ({float(row[f'own_{name}']):.0%} in all)".replace("%", " %")
        for name, what in zip(FIGURES, words, strict=True)
    )
    seen = f"{float(row['busy_days']):.0f} busy days, {float(row['job_orders']):.0f} job orders"
    return f"{row['craft']}: {', '.join(figures)}; {seen}"
