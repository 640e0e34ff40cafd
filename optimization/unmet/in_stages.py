"""Why pieces of a plan with stages or pools stay unmet, in words.

In: the instance, the allocation, whether the plan is proven. Out: what report.json says of unmet lots.
"""

from typing import Any

import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.plan import unmet_pieces
from optimization.stages.flat import Flat, flat_of

_NONE, _WINDOW, _DEARER, _STOPPED = "no-capable-factory", "window-too-short", "dearer", "search-stopped"


def unmet(instance: Instance, allocation: pd.DataFrame, proven: bool) -> list[dict[str, Any]]:
    """Why lots are not made whole.

    Parameters
    ----------
    instance
        What is planned.
    allocation
        lot_id, stage, factory_id, quantity (pieces).
    proven
        Whether no plan does notably better.

    Returns
    -------
    list of dict
        order_id, quantity (pieces), code, reason.
    """
    left = unmet_pieces(instance, allocation)
    short = left[left > 0]
    if short.empty:
        return []
    flat = flat_of(instance)
    found = []
    for lot_id, pieces in short.items():
        code, reason = _cause(flat, str(lot_id), proven)
        found.append({"order_id": lot_id, "quantity": int(pieces), "code": code, "reason": reason})
    return found


def _cause(flat: Flat, lot_id: str, proven: bool) -> tuple[str, str]:
    """The first stage at which the lot cannot be made, else what it costs."""
    stages = flat.parts[flat.parts["order"] == lot_id]
    for part, stage in zip(stages["lot_id"], stages["stage"], strict=True):
        if part not in set(flat.instance.arcs["lot_id"]):
            return _NONE, f"no factory is listed for stage {stage}"
        if part not in set(flat.reduced.pairs["lot_id"]):
            return _WINDOW, f"no factory can make stage {stage} between its first pieces and the latest day"
    if proven:
        return _DEARER, "its setups, transfers, overtime, lateness or others' work cost more than to leave these pieces"
    return _STOPPED, "the search stopped before it found room that pays for it"
