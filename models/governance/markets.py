"""The market model in MLflow: registered as `c2m-market`, its champion forecasts, a challenger passes the gate.

Cost, for the gate, is pinball loss over the usual change of a series. The champion and a model that is chosen as it
would have been then are judged on the last origins that have a whole horizon behind them, neither having seen them.
"""

import hashlib
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from c2m.settings import MarketPolicy, settings
from models.governance import plain, promotion_gate
from models.market import market_model
from models.market.market_model import MarketModel
from models.panel.matrices import Panel

NAME = "c2m-market"
_FILE = "market.json"
Panels = Mapping[str, Panel]


def champion() -> tuple[str, MarketModel, date] | None:
    """Version, model and the business date whose data it learned from; None where no version is champion."""
    found = plain.champion(NAME, _FILE, MarketModel.load)
    return found and (*found[:2], date.fromisoformat(found[2]["business_date"]))


def fit(panels: Panels, day: date, policy: MarketPolicy) -> tuple[str, MarketModel] | None:
    """The champion of a day; trained where there is none or it is old, and then judged beside it.

    Parameters
    ----------
    panels
        Of `models.market.series.panels`.
    day
        Business date.
    policy
        Horizon, age at which to train again.

    Returns
    -------
    tuple or None
        Version and model that forecast; None where history is too short to choose one.
    """
    held = champion()
    if held and (day - held[2]).days < policy.retrain_after_days:
        return held[:2]
    found = market_model.trained(panels, policy.horizon_weeks, settings().forecast)
    if not found.chosen:
        return held[:2] if held else None
    version = _register(found, panels, day)
    if held is None:
        plain.crown(NAME, version)
        return version, found
    verdict = judged(held[1], panels, policy)
    plain.settle(NAME, version, verdict)
    return (version, found) if verdict.promoted else held[:2]


def judged(champion: MarketModel, panels: Panels, policy: MarketPolicy) -> promotion_gate.Promotion:
    """The gate's verdict on choosing anew, beside the champion."""
    limits, folds = settings().promotion, settings().promotion.folds
    rules = settings().forecast
    then = market_model.trained(panels, policy.horizon_weeks, rules, policy.horizon_weeks + folds - 1)
    both = {promotion_gate.CHAMPION: champion, promotion_gate.CHALLENGER: then}
    told = {name: market_model.costs(one, panels, policy.horizon_weeks, rules, folds) for name, one in both.items()}
    if any(table.empty for table in told.values()):
        return promotion_gate.judge(pd.DataFrame(), limits)
    keys = ["series_id", "origin", "segment"]
    one, other = (table.rename(columns={"cost": name}) for name, table in told.items())
    return promotion_gate.judge(one.merge(other, on=keys), limits)


def _register(found: MarketModel, panels: Panels, day: date) -> str:
    table = pd.DataFrame(
        [
            {"measure": measure, "group": group, "member": name, "share": chosen.shares.get(name, 0.0), "error": error}
            for measure, of in found.chosen.items()
            for group, chosen in of.items()
            for name, error in chosen.errors.items()
        ]
    )
    ours = table[table["member"] == "blend"]
    said = {
        "params": {"horizon_weeks": found.about["horizon_weeks"], **found.about["series"]},
        "metrics": dict(zip(ours["measure"] + "_" + ours["group"] + "_error", ours["error"], strict=True)),
        "tags": {"business_date": day.isoformat(), "fingerprint": fingerprint(panels)},
    }
    return plain.register(NAME, f"market {day}", _FILE, found.save, said, table)


def fingerprint(panels: Panels) -> str:
    """Of all that a model is chosen on."""
    told = hashlib.sha256()
    for measure, panel in sorted(panels.items()):
        told.update(f"{measure} {list(panel.ids)} {panel.ds[0]}".encode())
        told.update(np.ascontiguousarray(panel.y).tobytes())
    return told.hexdigest()[:16]
