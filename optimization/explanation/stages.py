"""Why each stage of a lot is made where it is: a piece there against every other factory that can make the stage.

A piece costs its unit cost, its part of the setup, and its way from the stage before and to the next one; the lot's
other stages stay where they are. Overtime and lateness are not in it: where they decide, the words say so. Money of
the instance, days 1..H.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from optimization.contract.instances import Instance, rows
from optimization.contract.plan import MOVE, Plan, lanes_of
from optimization.contract.wording import counted
from optimization.explanation.form import Names

_PAIR = ["lot_id", "stage", "factory_id"]
_MOST = 12  # lots, the largest first


def why_here(
    instance: Instance, plan: Plan, names: Mapping[str, str] | None = None, lots: Iterable[str] | None = None
) -> list[str]:
    """A line of Markdown for each of the largest lots in stages, with its stages in their order.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.
    names
        What people call a lot, by lot_id; None: by its id.
    lots
        Those that are asked about; None: all.

    Returns
    -------
    list of str
        Nothing where no lot that is made has stages.
    """
    last = instance.stages.groupby("lot_id")["stage"].max()
    made = plan.allocation[plan.allocation["lot_id"].map(last).fillna(1) > 1] if instance.staged else instance.stages
    made = made if lots is None else made[made["lot_id"].isin(set(lots))]
    if made.empty:
        return []
    offers = offers_of(instance, plan, made)
    begins = plan.schedule[plan.schedule["run_minutes"] > 0].groupby(_PAIR)["day"].min().to_dict()
    called_lot = Names(names or {})
    called = {(row.lot_id, row.stage): row.name for row in rows(instance.stages)}
    largest = made.groupby("lot_id")["quantity"].max().nlargest(_MOST)
    lines = [
        "Lots in stages: why each is made there (a piece with its setup and its ways; lots' other stages kept).",
        "",
    ]
    for lot_id, pieces in largest.items():
        words = _stage_words(offers, str(lot_id), called, begins)
        lines.append(f"* {called_lot.lot(str(lot_id))}, {counted(int(pieces), 'piece')}: {'; '.join(words)}.")
    return [*lines, ""]


def _stage_words(
    offers: pd.DataFrame, lot_id: str, called: Mapping[tuple[str, int], str], begins: Mapping[Any, int]
) -> Iterator[str]:
    """Where each stage of a lot is made, from which day, and why there."""
    own = offers[(offers["lot_id"] == lot_id) & (offers["factory_id"] == offers["there"])]
    for row in rows(own.sort_values(["stage", "factory_id"])):
        stage = called[row.lot_id, row.stage] or f"stage {row.stage}"
        begin = begins.get((row.lot_id, row.stage, row.factory_id), "-")
        yield f"{stage} at {row.factory_id} from day {begin}{_reason(offers, row)}"


def offers_of(instance: Instance, plan: Plan, made: pd.DataFrame) -> pd.DataFrame:
    """What a piece of each used pair costs at every factory that can make its stage.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.
    made
        Rows of the plan's allocation: lot_id, stage, factory_id, quantity (pieces).

    Returns
    -------
    pd.DataFrame
        lot_id, stage, factory_id (where it is made), there (where it could be), piece_cost, before (factories that its
        pieces come from), days (of the longest way from there).
    """
    arcs = instance.arcs[[*_PAIR, "unit_cost", "setup_cost"]].rename(columns={"factory_id": "there"})
    pairs = made[[*_PAIR, "quantity"]].merge(arcs, on=_PAIR[:2])
    to_here, from_here = _ways(instance, plan, pairs, "to_factory"), _ways(instance, plan, pairs, "from_factory")
    own = pairs["unit_cost"] + pairs["setup_cost"] / pairs["quantity"]
    found = pairs.assign(piece_cost=own + to_here["cost"] + from_here["cost"], days=to_here["days"])
    return found.assign(before=to_here["others"]).dropna(subset=["piece_cost"])


def _ways(instance: Instance, plan: Plan, pairs: pd.DataFrame, here: str) -> pd.DataFrame:
    """cost of a piece, days and others at the other ends of a pair's moves, were it there; no cost without a lane."""
    other, later = ("from_factory", 1) if here == "to_factory" else ("to_factory", 0)
    moves = pd.DataFrame(columns=[*MOVE, "quantity"]) if plan.moves is None else plan.moves
    sums = moves.groupby(MOVE)["quantity"].sum().reset_index().rename(columns={here: "factory_id", "quantity": "moved"})
    moved = sums.assign(stage=sums["stage"] + later)
    ways = pairs.reset_index().merge(moved, on=_PAIR).rename(columns={"there": here})
    lanes = lanes_of(instance, ways)
    lanes["way_cost"] = lanes["cost"] * lanes["moved"] / lanes["quantity"]
    told = lanes.groupby("index").agg(cost=("way_cost", "sum"), days=("days", "max"), count=("days", "size"))
    asked = ways.groupby("index")[other].agg([_listed, "size"]).reindex(pairs.index)
    told = told.reindex(pairs.index).join(asked)
    cost = told["cost"].where(told["count"] == told["size"]).where(told["size"].notna(), 0.0)
    return pd.DataFrame(
        {"cost": cost, "days": told["days"].fillna(0).astype(int), "others": told["_listed"].fillna("")}
    )


def _listed(names: "pd.Series[str]") -> str:
    return " and ".join(sorted(set(names)))


def _reason(offers: pd.DataFrame, row: Any) -> str:
    """What it waits for, and what the next best factory would cost."""
    from_where = "its own pieces are made" if row.before == row.factory_id else f"pieces of {row.before} have come"
    way = f", {counted(row.days, 'day')} on the way" if row.days else ""
    waits = f" (once {from_where}{way})" if row.before else ""
    pair = (offers["lot_id"] == row.lot_id) & (offers["stage"] == row.stage) & (offers["factory_id"] == row.factory_id)
    others = offers[pair & (offers["there"] != row.factory_id)]
    if others.empty:
        return f"{waits}, which alone can make it"
    best = others.loc[others["piece_cost"].idxmin()]
    more = float(best["piece_cost"]) - row.piece_cost
    if more >= 0:
        return f"{waits}, {more:,.2f} a piece cheaper than {best['there']}"
    return f"{waits}, though {best['there']} costs {-more:,.2f} a piece less without overtime and lateness"
