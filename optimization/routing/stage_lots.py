"""Lots that are made in stages, each stage as a lot of its own while arcs are looked for, then as the contract has it.

In: open lots of the ledger and their job orders. Flat ids are lot/stage, which no id of the contract is. Pieces, days.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.operations import crafts_of, minutes_of, operations_of, written
from c2m.settings import AssumedRates
from optimization.contract.instances import Instance
from optimization.contract.plan import MOVE, Plan, lanes_of
from optimization.routing.distances import distances_km, transit_days

_PLACE = ["lot_id", "stage", "factory_id"]
_NAMED = 64  # letters of a name, by the contract
NO_STAGES = pd.DataFrame(
    columns=[*_PLACE, "stages", "next_factory_id", "made", "shipped", "arrived", "lost"]
)  # of_stages, where no lot has any


@dataclass(frozen=True)
class StagedBook:
    """The lots of a day that are made in stages. ready: lot_id, stage, factory_id, day, quantity."""

    lots: pd.DataFrame
    ready: pd.DataFrame

    def flat(self, table: pd.DataFrame) -> pd.DataFrame:
        """Job orders or refusals, whose lot_id names the stage where the lot is made in stages."""
        if "stage" not in table:
            return table
        staged = table["lot_id"].isin(self.lots["lot_id"])
        return table.assign(lot_id=table["lot_id"].where(~staged, _flat_id(table["lot_id"], table["stage"])))

    def stages_of(self, lots: pd.DataFrame, live: pd.DataFrame) -> pd.DataFrame:
        """All lots, those that are made in stages once for each stage, with what it needs and still has to make.

        Each stage is made whole at one factory: max_factories is 1.
        """
        if self.lots.empty:
            return lots
        flat = pd.DataFrame([self._stage_of(lot, n) for lot, n in _each_stage(self.lots)], columns=lots.columns)
        held = live[live["remaining"] > 0].groupby("lot_id")["remaining"].sum()
        flat["committed"] = flat["lot_id"].map(held).fillna(0).astype(np.int64)
        flat["remaining"] = flat["remaining"].clip(lower=flat["committed"])
        ordinary = lots[~lots["lot_id"].isin(self.lots["lot_id"])]
        return pd.concat([ordinary, flat], ignore_index=True) if len(ordinary) else flat

    def _stage_of(self, lot: dict[str, Any], stage: int) -> dict[str, Any]:
        """A stage of a lot as a lot of its own: what has not passed it yet, and what it needs."""
        own = operations_of(lot["operations"], stage, lot["stages"])
        needs = {"crafts": ";".join(crafts_of(own)), "sam_minutes": minutes_of(own), "max_factories": 1}
        needs["operations"] = written(own)
        here = (self.ready["lot_id"] == lot["lot_id"]) & (self.ready["stage"] >= stage)
        left = lot["remaining"] - int(self.ready.loc[here, "quantity"].sum())
        return lot | needs | {"lot_id": f"{lot['lot_id']}/{stage}", "remaining": left}

    def _stages(self, lot_ids: "pd.Series[str]") -> pd.DataFrame:
        """lot_id, stage, name of those of the lots that are made in stages, named by their operations."""
        open_ = self.lots[self.lots["lot_id"].isin(lot_ids)]
        return pd.DataFrame(
            [(lot["lot_id"], n, _named(lot, n)) for lot, n in _each_stage(open_)], columns=["lot_id", "stage", "name"]
        )

    def as_contract(
        self, tables: dict[str, pd.DataFrame], factories: pd.DataFrame, rates: AssumedRates
    ) -> dict[str, pd.DataFrame]:
        """The tables of flat lots as those of an instance; unchanged where no lot is made in stages."""
        if self.lots.empty:
            return tables
        orders = _split(tables["orders"])
        last = orders["lot_id"].map(self.lots.set_index("lot_id")["stages"]).fillna(1)
        orders = orders[orders["stage"] == last].drop(columns="stage")
        parts = {name: _split(tables[name]) for name in ("arcs", "incumbent")}
        parts = {name: table[table["lot_id"].isin(orders["lot_id"])] for name, table in parts.items()}
        ready = self.ready[self.ready["lot_id"].isin(orders["lot_id"]) & (self.ready["quantity"] > 0)]
        parts["incumbent"] = _that_can_come(parts["incumbent"], ready)
        transfers = _transfers(self.lots, parts["arcs"], ready, factories, rates)
        stages = self._stages(orders["lot_id"])
        return tables | parts | {"orders": orders, "stages": stages, "transfers": transfers, "ready": ready}


def staged_book(lots: pd.DataFrame, of_stages: pd.DataFrame, factories: pd.DataFrame) -> StagedBook:
    """Those of the lots that are made in stages, with what lies between the stages.

    Parameters
    ----------
    lots
        Open lots (`ledger.orders.open_lots`).
    of_stages
        `ledger.job_orders.of_stages`.
    factories
        The mart of this name.

    Returns
    -------
    StagedBook
        Of no lot where none has stages.
    """
    staged = _in_stages(lots)
    jobs = of_stages[of_stages["lot_id"].isin(staged["lot_id"])]
    return StagedBook(staged, _within(_ready(jobs, factories), staged))


def _in_stages(lots: pd.DataFrame) -> pd.DataFrame:
    several = lots["stages"] > 1 if "stages" in lots else np.zeros(len(lots), dtype=bool)
    return lots[several].sort_values("lot_id", ignore_index=True)


def _each_stage(lots: pd.DataFrame) -> Iterator[tuple[dict[str, Any], int]]:
    """Every lot with each of its stages."""
    for lot in lots.to_dict("records"):
        for stage in range(1, lot["stages"] + 1):
            yield {str(name): value for name, value in lot.items()}, stage


def _named(lot: dict[str, Any], stage: int) -> str:
    """The operations of a stage as its name."""
    own = operations_of(lot["operations"], stage, lot["stages"])
    return "-".join(one.name for one in own if one.sam_minutes > 0)[:_NAMED]


def _flat_id(lot_id: "pd.Series[str]", stage: "pd.Series[int]") -> "pd.Series[str]":
    return lot_id.astype(str) + "/" + stage.astype(str)


def _split(table: pd.DataFrame) -> pd.DataFrame:
    """A table of flat lots by lot and stage."""
    stage = table["lot_id"].astype(str).str.extract(r"/(\d+)$")[0].fillna("1").astype(int)
    return table.assign(lot_id=table["lot_id"].astype(str).str.replace(r"/\d+$", "", regex=True), stage=stage)


def _ready(jobs: pd.DataFrame, factories: pd.DataFrame) -> pd.DataFrame:
    """Pieces that have finished a stage and not the next: made and still there, on the way, received and not made."""
    before = jobs[jobs["stage"] < jobs["stages"]]
    there = before.assign(quantity=_over(before, "made", "shipped"), day=1)
    later = jobs[jobs["stage"] > 1].assign(stage=jobs["stage"] - 1).groupby(_PLACE)[["arrived", "made"]].sum()
    by_receiver = before.groupby(["lot_id", "stage", "next_factory_id"])
    sent = by_receiver.agg(shipped=("shipped", "sum"), lost=("lost", "sum"), sender=("factory_id", "first"))
    came = sent.rename_axis(_PLACE).join(later, how="outer").fillna({"shipped": 0, "lost": 0, "arrived": 0, "made": 0})
    came = came.reset_index()
    came["sent"] = came["shipped"] - came["lost"]  # what is lost is made again, from the first stage on
    under_way = came.assign(quantity=_over(came, "sent", "arrived"), day=_days(came, factories))
    lying = came.assign(quantity=_over(came, "arrived", "made"), day=1)
    return _summed([there, under_way, lying])


def _over(rows: pd.DataFrame, more: str, less: str) -> "pd.Series[int]":
    """By how much one column is more than another."""
    return (rows[more] - rows[less]).clip(lower=0)


def _summed(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Pieces by place and day."""
    rows = pd.concat([part[[*_PLACE, "day", "quantity"]] for part in parts], ignore_index=True)
    rows = rows[rows["quantity"] > 0].astype({"day": "int64", "quantity": "int64"})
    return rows.groupby([*_PLACE, "day"])["quantity"].sum().reset_index()


def _days(came: pd.DataFrame, factories: pd.DataFrame) -> "pd.Series[int]":
    """The day on which what is on the way arrives at the latest."""
    at = factories.set_index("factory_id")
    days = [
        transit_days(_as_destinations(at.loc[[receiver]]), at.loc[[sender]])[0, 0]
        if sender in at.index and receiver in at.index
        else 1
        for sender, receiver in zip(came["sender"], came["factory_id"], strict=True)
    ]
    return pd.Series(days, came.index, dtype="int64").clip(lower=1)


def _within(ready: pd.DataFrame, lots: pd.DataFrame) -> pd.DataFrame:
    """Of ready pieces no more than the lot still asks for, those of later stages first."""
    asked = ready["lot_id"].map(lots.set_index("lot_id")["remaining"])
    ordered = ready.assign(asked=asked).sort_values(["lot_id", "stage", "day"], ascending=[True, False, True])
    before = ordered.groupby("lot_id")["quantity"].cumsum() - ordered["quantity"]
    ordered["quantity"] = np.minimum(ordered["quantity"], (ordered["asked"] - before).clip(lower=0)).astype("int64")
    return ordered[ordered["quantity"] > 0].drop(columns="asked").sort_index()


def _that_can_come(incumbent: pd.DataFrame, ready: pd.DataFrame) -> pd.DataFrame:
    """Incumbents of which a later stage stays only as far as the stage before has, or makes, its pieces.

    What waits for a stage that nobody makes any more may move with it: else the frozen work would not fit.
    """
    rows = incumbent.sort_values(["lot_id", "stage"]).reset_index(drop=True)
    lying = ready.groupby(["lot_id", "stage"])["quantity"].sum()
    coming: dict[tuple[str, int], int] = {}
    frozen = []
    for row in rows[["lot_id", "stage", "quantity", "frozen"]].to_dict("records"):
        before = (row["lot_id"], row["stage"] - 1)
        there = row["stage"] == 1 or row["quantity"] <= coming.get(before, 0) + int(lying.get(before, 0))
        frozen.append(row["frozen"] and there)
        key = (row["lot_id"], row["stage"])
        coming[key] = coming.get(key, 0) + (row["quantity"] if frozen[-1] else 0)
    return rows.assign(frozen=np.array(frozen, dtype=bool))


def _as_destinations(factories: pd.DataFrame) -> pd.DataFrame:
    return factories.rename(columns={axis: f"destination_{axis}" for axis in ("latitude", "longitude")})


def _transfers(
    lots: pd.DataFrame, arcs: pd.DataFrame, ready: pd.DataFrame, factories: pd.DataFrame, rates: AssumedRates
) -> pd.DataFrame:
    """Between all factories that may have a hand in a lot: freight by distance, days by road and handling."""
    at = pd.Index(factories["factory_id"])
    to = _as_destinations(factories)
    km, days = distances_km(to, factories).T, transit_days(to, factories).T  # (from, to)
    places = pd.concat([arcs[_PLACE[::2]], ready[_PLACE[::2]]]).drop_duplicates()
    pairs = places.merge(places, on="lot_id", suffixes=("_from", "_to"))
    pairs = pairs[pairs["factory_id_from"] != pairs["factory_id_to"]].merge(lots[["lot_id", "unit_cost_basis"]])
    row, column = (at.get_indexer(pairs[f"factory_id_{end}"]) for end in ("from", "to"))
    return pd.DataFrame(
        {
            "lot_id": pairs["lot_id"],
            "from_factory": pairs["factory_id_from"],
            "to_factory": pairs["factory_id_to"],
            "cost": rates.freight_share_per_km * km[row, column] * pairs["unit_cost_basis"].astype(float),
            "days": days[row, column],
        }
    )


def minutes_of_stages(arcs: pd.DataFrame, lots: pd.DataFrame) -> "pd.Series[float]":
    """Standard minutes of a piece at the stage of each arc.

    Parameters
    ----------
    arcs
        lot_id, stage.
    lots
        lot_id, operations, stages, sam_minutes.

    Returns
    -------
    pd.Series
        Minutes by row of the arcs.
    """
    own = {
        (lot["lot_id"], stage): minutes_of(operations_of(lot["operations"], stage, lot["stages"]))
        for lot, stage in _each_stage(lots[lots["stages"] > 1])
    }
    whole = lots.set_index("lot_id")["sam_minutes"]
    keys = zip(arcs["lot_id"], arcs["stage"], strict=True)
    return pd.Series([own.get(key, whole[key[0]]) for key in keys], arcs.index, dtype=float)


def next_factories(instance: Instance, plan: Plan) -> pd.DataFrame:
    """lot_id, stage, factory_id, next_factory_id, days: where the pieces of a stage go, and how long they take.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan; of several factories that a pair's pieces go to, the one with most of them counts.

    Returns
    -------
    pd.DataFrame
        A row for each pair that passes pieces on; none without stages.
    """
    moves = plan.moves
    if moves is None:
        return pd.DataFrame(columns=[*_PLACE, "next_factory_id", "days"])
    sums = moves.groupby(MOVE)["quantity"].sum().reset_index()
    most = sums.sort_values(by=[*MOVE[:3], "quantity"], kind="stable").drop_duplicates(MOVE[:3], keep="last")
    lanes = lanes_of(instance, most[MOVE])
    return lanes.rename(columns={"from_factory": "factory_id", "to_factory": "next_factory_id"}).drop(columns="cost")


def with_next_factories(allocation: pd.DataFrame, instance: Instance, plan: Plan) -> pd.DataFrame:
    """The allocation with the factory that a stage's pieces go to.

    Parameters
    ----------
    allocation
        lot_id, stage, factory_id: a row per pair.
    instance
        What was planned.
    plan
        Its plan.

    Returns
    -------
    pd.DataFrame
        With next_factory_id; unchanged where no lot has stages.
    """
    if not instance.staged:
        return allocation
    return allocation.merge(next_factories(instance, plan).drop(columns="days"), on=_PLACE, how="left")


def legs(instance: Instance, plan: Plan) -> pd.DataFrame:
    """The arcs of an instance, in which transit_days of an earlier stage are those to the factory of the next one.

    Parameters
    ----------
    instance
        What was planned.
    plan
        Its plan.

    Returns
    -------
    pd.DataFrame
        As `instance.arcs`, and equal to it where no lot has stages.
    """
    if not instance.staged:
        return instance.arcs
    last = instance.stages.groupby("lot_id")["stage"].max().reindex(instance.arcs["lot_id"], fill_value=1).to_numpy()
    found = instance.arcs.merge(next_factories(instance, plan), on=_PLACE, how="left")
    days = found["transit_days"].where(found["stage"] == last, found["days"].fillna(0)).astype("int64")
    return found.assign(transit_days=days).drop(columns="days")
