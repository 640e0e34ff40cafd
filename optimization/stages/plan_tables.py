"""A point of the program by days as the tables of a plan: allocation, schedule, moves.

What HiGHS leaves of its tolerance is taken out: each pair's minutes and each link's pieces sum to what they should.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats
from optimization.contract.plan import MOVE, PAIR, STAGED_PAIR
from optimization.contract.tolerances import DUST_MINUTES
from optimization.stages.flat import Flat
from optimization.statement.highs import Program

_SCHEDULE = ["setup_minutes", "run_minutes"]


@dataclass(frozen=True)
class Tables:
    """A plan's tables; without stages no column tells them apart and nothing moves."""

    allocation: pd.DataFrame  # lot_id, stage, factory_id, quantity (pieces)
    schedule: pd.DataFrame  # lot_id, stage, factory_id, day, setup_minutes, run_minutes
    moves: pd.DataFrame | None  # as in a `Plan`


def tables(flat: Flat, model: Any, program: Program, values: Floats) -> Tables:
    """The tables of a point whose integer columns are whole.

    Parameters
    ----------
    flat
        The reduced instance.
    model
        Of Pyomo.
    program
        The same as arrays.
    values
        (columns,) of the point.

    Returns
    -------
    Tables
        Of the plan.
    """
    made = _table(program, model.quantity, values, PAIR, "quantity")
    made = made[made["quantity"] > 0].assign(quantity=lambda table: np.rint(table["quantity"]).astype("int64"))
    return Tables(
        _staged(flat, made),
        _staged(flat, _schedule(flat, model, program, values, made)),
        _moves(flat, model, program, values) if flat.whole.staged else None,
    )


def _table(program: Program, variable: Any, values: Floats, key: list[str], name: str) -> pd.DataFrame:
    keys, columns = program.columns(variable)
    return pd.DataFrame(keys, columns=key).assign(**{name: values[columns]})


def _schedule(flat: Flat, model: Any, program: Program, values: Floats, made: pd.DataFrame) -> pd.DataFrame:
    key = [*PAIR, "day"]
    run = _table(program, model.run, values, key, "run_minutes").merge(made, on=PAIR)
    run = run.merge(flat.reduced.pairs[[*PAIR, "minutes_per_piece"]], on=PAIR)
    run["run_minutes"] = _summing(run, PAIR, "run_minutes", run["quantity"] * run["minutes_per_piece"])
    setting = _table(program, model.setting, values, key, "setup_minutes").merge(made[PAIR], on=PAIR)
    setting = setting.merge(flat.teams[[*PAIR, "team", "setup_minutes"]].rename(columns={"setup_minutes": "needed"}))
    setting["setup_minutes"] = _summing(setting, ["team"], "setup_minutes", setting["needed"])
    both = run[[*key, "run_minutes"]].merge(setting[[*key, "setup_minutes"]], on=key, how="outer")
    both = both.fillna(dict.fromkeys(_SCHEDULE, 0.0))
    return both.loc[both[_SCHEDULE].sum(axis=1) > DUST_MINUTES, [*key, *_SCHEDULE]]


def _summing(table: pd.DataFrame, group: list[str], name: str, needed: "pd.Series[float]") -> "pd.Series[float]":
    """A column scaled so that each group sums to what is needed."""
    kept = table[name].where(table[name] > DUST_MINUTES, 0.0)
    total = kept.groupby([table[key] for key in group]).transform("sum")
    return (kept * needed / total.where(total > 0, 1.0)).round(9)


def _moves(flat: Flat, model: Any, program: Program, values: Floats) -> pd.DataFrame:
    link = ["lot_id", "from_factory", "to_factory"]
    moved = _table(program, model.moved, values, [*link, "day"], "quantity")
    passed = _table(program, model.passed, values, link, "pieces")
    moved = moved.merge(passed, on=link)
    moved["quantity"] = _summing(moved, link, "quantity", moved["pieces"].round())
    moved = _original(flat, moved[moved["quantity"] > 0])
    return moved[[*MOVE, "day", "quantity"]].sort_values([*MOVE, "day"], ignore_index=True)


def _original(flat: Flat, table: pd.DataFrame) -> pd.DataFrame:
    """The table with its lots and stages."""
    parts = flat.parts[["lot_id", "order", "stage"]]
    return table.merge(parts, on="lot_id").drop(columns="lot_id").rename(columns={"order": "lot_id"})


def _staged(flat: Flat, table: pd.DataFrame) -> pd.DataFrame:
    """The table by lot and, where there are stages, by stage."""
    named = _original(flat, table)
    key = STAGED_PAIR if flat.whole.staged else PAIR
    key = [*key, "day"] if "day" in table else key
    rest = [name for name in table.columns if name not in key and name != "lot_id"]
    return named[[*key, *rest]].sort_values(key, ignore_index=True)
