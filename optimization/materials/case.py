"""A case of supplier choice: what is needed by period, what is there, who sells it at which terms.

Money is one currency; quantities are units of each material; a period is `7 / periods_per_week` days, numbered 1..H.
What is ordered in period p - lead_periods arrives at the start of p and serves the needs of p; period 0 is that of the
choice.

Rules (optimization/materials/statement.py states them for the solver, checking.py judges by them on its own)
1. An order is a whole number of packs of one offer. It is placed in period 0, or review_periods, twice those, ...
   later, and arrives lead_periods after that (in period 1 if that is sooner).
2. Its quantity decides the price of all its units: that of the last break that it reaches. The first break is the
   smallest purchase.
3. In any week an offer delivers at most its capacity, a supplier at most its own over all materials; what is under way
   counts.
4. Cost = price x quantity + order_cost per order + hold_cost x what lies at the end of each period + thin_cost x what
   lacks of the safety stock + short_cost x what lacks of the needs, per unit and period.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from c2m.errors import InputError
from optimization.contract.instances import rows

OFFER = ["supplier_id", "material_id"]
COLUMNS = {
    "materials": ["material_id", "stock", "safety", "hold_cost", "thin_cost", "short_cost"],
    "needs": ["material_id", "period", "quantity"],
    "arrivals": [*OFFER, "period", "quantity"],
    "offers": [*OFFER, "lead_periods", "pack", "order_cost", "capacity"],
    "breaks": [*OFFER, "from_quantity", "price"],
    "suppliers": ["supplier_id", "capacity"],
}
KEYS = {
    "materials": ["material_id"],
    "needs": ["material_id", "period"],
    "arrivals": [*OFFER, "period"],
    "offers": OFFER,
    "breaks": [*OFFER, "from_quantity"],
    "suppliers": ["supplier_id"],
}


@dataclass(frozen=True, eq=False)
class Case:
    """The tables of a case, see COLUMNS. A capacity of inf is no limit; `horizon` and weeks are in periods."""

    materials: pd.DataFrame
    needs: pd.DataFrame
    arrivals: pd.DataFrame
    offers: pd.DataFrame
    breaks: pd.DataFrame
    suppliers: pd.DataFrame
    horizon: int
    periods_per_week: int = 1
    review_periods: int = 1  # orders are placed in period 0 and every so many periods

    def by_material(self) -> Iterator["Case"]:
        """A case for each material; suppliers' own capacities, which alone join them, stay whole in each."""
        split = {
            name: dict(list(getattr(self, name).groupby("material_id"))) for name in COLUMNS if name != "suppliers"
        }
        for material_id in self.materials["material_id"]:
            mine = {name: groups.get(material_id, getattr(self, name).iloc[:0]) for name, groups in split.items()}
            sellers = self.suppliers[self.suppliers["supplier_id"].isin(mine["offers"]["supplier_id"])]
            yield replace(self, **mine, suppliers=sellers)

    def of(self, materials: "pd.Series[str] | list[str]") -> "Case":
        """The case of some materials."""
        kept = {}
        for name in COLUMNS:
            table = getattr(self, name)
            kept[name] = table[table["material_id"].isin(materials)] if name != "suppliers" else table
        return replace(self, **kept)


def refuse_faults(case: Case) -> None:
    """Raises InputError with all faults of a case at once.

    Parameters
    ----------
    case
        To be looked at.

    Raises
    ------
    InputError
        Names each table, row and value that is not what it must be.
    """
    _refuse([fault for name in COLUMNS for fault in _faults(name, getattr(case, name))])
    _refuse([*_unsellable(case), *_strangers(case), *_outside(case)])


def _refuse(faults: list[str]) -> None:
    if faults:
        raise InputError("materials-case", faults)


def _strangers(case: Case) -> Iterator[str]:
    for name in ("needs", "arrivals", "offers"):
        unknown = set(getattr(case, name)["material_id"]) - set(case.materials["material_id"])
        yield from (f"{name}: material {one} is not in materials" for one in sorted(unknown))


def _outside(case: Case) -> Iterator[str]:
    for name in ("needs", "arrivals"):
        periods = getattr(case, name)["period"]
        for outside in periods[~periods.between(1, case.horizon)]:
            yield f"{name}: period {outside} is not within 1..{case.horizon}"


def _faults(name: str, table: pd.DataFrame) -> Iterator[str]:
    if lacking := [column for column in COLUMNS[name] if column not in table]:
        yield f"{name}: column {', '.join(lacking)} is missing"
        return
    for row in rows(table[table.duplicated(KEYS[name])][KEYS[name]]):
        yield f"{name}: {' '.join(map(str, row))} stands there twice"
    for column in COLUMNS[name]:
        if not column.endswith("_id"):
            yield from _bad_numbers(name, column, table)


def _bad_numbers(name: str, column: str, table: pd.DataFrame) -> Iterator[str]:
    values = table[column].to_numpy(dtype=float)
    low = values <= 0 if column in ("pack", "price") else values < 0
    bad = np.isnan(values) | low | (np.isinf(values) & (column != "capacity"))
    for row in rows(table[bad]):
        wanted = "above 0" if column in ("pack", "price") else "0 or more"
        yield f"{name}: {row[0]}: {column} is {getattr(row, column)}, expected a number {wanted}"


def _unsellable(case: Case) -> Iterator[str]:
    """Offers of which not one pack, or not the smallest purchase, can be delivered in a week."""
    least = case.breaks.groupby(OFFER, as_index=False)["from_quantity"].min()
    terms = case.offers.merge(least, on=OFFER, how="left")
    own = terms["supplier_id"].map(case.suppliers.set_index("supplier_id")["capacity"])
    room = np.fmin(terms["capacity"], own)  # a supplier without a limit of its own has none there
    for row in rows(terms[terms["from_quantity"].isna()]):
        yield f"offers: supplier {row.supplier_id}, material {row.material_id}: breaks have no price of it"
    for row in rows(terms.assign(room=room)[np.maximum(terms["pack"], terms["from_quantity"]) > room]):
        seen = f"offers: supplier {row.supplier_id}, material {row.material_id}: sells packs of {row.pack:g} and"
        yield f"{seen} {row.from_quantity:g} at least, and can deliver {row.room:g} a week: correct one of the two"
