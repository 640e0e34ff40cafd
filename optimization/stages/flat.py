"""Every stage of a lot as a lot of its own, with the links over which pieces pass from one stage to the next.

A stage before the last has no lateness and costs nothing where it is not made. What pooled pairs share (setup, minimum
lot) stands with their team. All that knows lots and factories alone applies to the flat instance; no plan is lost.

In: an Instance with stages or pools. Out: `Flat`, frames in pieces, minutes and days.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from optimization.contract.instances import Instance
from optimization.contract.keys import located
from optimization.contract.plan import PAIR, lanes_of
from optimization.contract.staging import JOINT
from optimization.stages.transfers import Transfers
from optimization.stages.windows import WorkingDays, narrowed
from optimization.statement.reduction import Pairs, reduce

_PART = ["order", "stage"]
_SHARED = ["setup_cost", "setup_minutes", "min_lot"]


@dataclass(frozen=True)
class Flat:
    """The flat instance, in which `lot_id` names one stage of a lot.

    parts  lot_id, order (the lot), stage, last (whether it is the last stage), next (lot_id of the next stage)
    ready  lot_id, factory_id, day, quantity
    teams  lot_id, factory_id, team; pooled, frozen, setup_cost, setup_minutes, min_lot, which are equal in a team
    """

    whole: Instance
    instance: Instance
    reduced: Pairs
    parts: pd.DataFrame
    ready: pd.DataFrame
    teams: pd.DataFrame
    transfers: Transfers

    @cached_property
    def links(self) -> pd.DataFrame:
        """Every way by which pieces can pass on: from a pair that can carry work, or from where they lie ready.

        As many as pairs of one stage times those of the next: not asked for where the instance is large.
        """
        pairs = self.reduced.pairs[PAIR]
        sources = pd.concat([pairs, self.ready[PAIR]]).drop_duplicates().rename(columns={"factory_id": "from_factory"})
        sources = sources.merge(self.parts[~self.parts["last"]][["lot_id", "order", "next"]], on="lot_id")
        sinks = pairs.rename(columns={"lot_id": "next", "factory_id": "to_factory"})
        ends = sources.merge(sinks, on="next")
        lanes = lanes_of(self.whole, ends.rename(columns={"lot_id": "flat", "order": "lot_id"}))
        links = lanes.drop(columns="lot_id").rename(columns={"flat": "lot_id"})
        return links[["lot_id", "next", "from_factory", "to_factory", "cost", "days"]]


def flat_of(instance: Instance) -> Flat:
    """The flat instance of one with stages or pools."""
    parts = _parts(instance)
    arcs, incumbent, ready = (_renamed(table) for table in (instance.arcs, instance.incumbent, instance.ready))
    teams = _teams(instance, arcs, incumbent, parts)
    transfers = Transfers(instance)
    orders = _orders(instance, ready, parts)
    days = _days(arcs, teams, orders, incumbent, parts, instance)
    arcs = _narrowed(
        _alone(arcs, teams),
        narrowed(days, parts, transfers, ready, WorkingDays(instance, transfers)),
        instance.horizon_days,
    )
    nothing = {name: getattr(instance, name).iloc[:0] for name in JOINT}
    flat = replace(instance, orders=orders, arcs=arcs, incumbent=incumbent, **nothing)
    reduced = reduce(flat)
    return Flat(instance, flat, reduced, parts, ready, _kept(teams, reduced), transfers)


def _parts(instance: Instance) -> pd.DataFrame:
    """One row for each stage of each lot."""
    last = instance.stages.groupby("lot_id")["stage"].max()
    counts = last.reindex(instance.orders["lot_id"], fill_value=1)
    order = counts.index.repeat(counts.to_numpy())
    parts = pd.DataFrame({"order": order})
    parts["stage"] = parts.groupby("order").cumcount() + 1
    parts["last"] = parts["stage"].to_numpy() == counts.reindex(order).to_numpy()
    parts["lot_id"] = _names(parts["order"], parts["stage"])
    parts["next"] = _names(parts["order"], parts["stage"] + 1)
    return parts


def _names(order: "pd.Series[str]", stage: "pd.Series[int]") -> "pd.Series[str]":
    """A name that no lot has: the contract's ids contain no stroke."""
    return order.astype("str") + "/" + stage.astype("str")


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """A table of lots and stages as one of flat lots."""
    stage = table.get("stage", pd.Series(1, table.index))
    flat = table.assign(lot_id=_names(table["lot_id"], stage))
    return flat.drop(columns="stage", errors="ignore").sort_values(PAIR, ignore_index=True)


def _orders(instance: Instance, ready: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Of a stage no more is made than has not passed it; a stage before the last ends with the horizon, at no cost."""
    orders = parts.merge(instance.orders.rename(columns={"lot_id": "order"}), on="order")
    lying = ready.groupby("lot_id")["quantity"].sum().reindex(orders["lot_id"], fill_value=0).to_numpy()
    passed = pd.Series(lying)[::-1].groupby(orders["order"][::-1]).cumsum()[::-1]  # at this stage or later
    orders["quantity"] -= passed.to_numpy()
    before = ~orders["last"]
    orders = orders.assign(
        due_day=orders["due_day"].mask(before, instance.horizon_days),
        max_late_days=orders["max_late_days"].mask(before, 0),
        late_cost=orders["late_cost"].mask(before, 0.0),
        unmet_cost=orders["unmet_cost"].mask(before, 0.0),
    )
    return orders[instance.orders.columns].sort_values("lot_id", ignore_index=True)


def _teams(instance: Instance, arcs: pd.DataFrame, incumbent: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """What the pairs that share a setup have in common; a pair without a pool is a team of its own."""
    held = incumbent[[*PAIR, "frozen", "setup_done"]]
    teams = arcs[[*PAIR, *_SHARED]].merge(held, on=PAIR, how="left").merge(parts, on="lot_id")
    pool = teams["order"].map(instance.pools.set_index("lot_id")["pool_id"])
    teams["pooled"] = pool.notna()
    shared = _names(pool.astype("object").fillna(""), teams["stage"])
    teams["team"] = shared.where(teams["pooled"], teams["lot_id"]) + "/" + teams["factory_id"]
    teams["team"] = teams["team"].where(~teams["pooled"], "/" + teams["team"])
    flags = teams[["frozen", "setup_done"]].eq(True)
    flags = flags.groupby(teams["team"]).transform("any")
    done = flags["setup_done"]
    teams = teams.assign(
        frozen=flags["frozen"],
        setup_cost=teams["setup_cost"].mask(done, 0.0),
        setup_minutes=teams["setup_minutes"].mask(done, 0.0),
    )
    return teams[[*PAIR, "team", "pooled", "frozen", *_SHARED]]


def _alone(arcs: pd.DataFrame, teams: pd.DataFrame) -> pd.DataFrame:
    """The arcs without what is asked of a pool as a whole."""
    shared = located(arcs, teams[teams["pooled"]], PAIR) >= 0
    return arcs.assign(**{name: arcs[name].mask(shared, 0) for name in _SHARED})


def _days(
    arcs: pd.DataFrame,
    teams: pd.DataFrame,
    orders: pd.DataFrame,
    incumbent: pd.DataFrame,
    parts: pd.DataFrame,
    instance: Instance,
) -> pd.DataFrame:
    """Each arc's first and last day by its own order, and what narrows them further."""
    days = arcs[[*PAIR, "release_day", "transit_days"]].merge(orders[["lot_id", "due_day", "max_late_days"]])
    days = days.merge(parts[["lot_id", "stage", "last"]]).merge(teams[[*PAIR, "setup_minutes"]])
    days = days.merge(incumbent[[*PAIR, "frozen"]], on=PAIR, how="left")
    days["frozen"], days["prepared"] = days["frozen"].eq(True), days["setup_minutes"] > 0
    days["transit_days"] = days["transit_days"].where(days["last"], 0)
    late = days["due_day"] - days["transit_days"] + days["max_late_days"]
    horizon = instance.horizon_days
    return days.assign(
        first_day=days["release_day"].clip(lower=1),
        last_day=late.clip(upper=horizon).mask(days["frozen"], horizon),
    )


def _narrowed(arcs: pd.DataFrame, days: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """The arcs with windows in which their pieces can have arrived and can still pass on."""
    transit = days["transit_days"].where(days["last"], (horizon - days["last_day"]).clip(0, horizon))
    release = days["first_day"].clip(upper=horizon + 1)
    return arcs.assign(release_day=release, transit_days=transit)


def _kept(teams: pd.DataFrame, reduced: Pairs) -> pd.DataFrame:
    """The teams of pairs that can carry work."""
    return teams.merge(reduced.pairs[PAIR])
