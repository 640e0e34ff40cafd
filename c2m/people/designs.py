"""Designs as people see them: what each has become, what its newest study says, what its first days of sale say."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from c2m.domain.designs import design_of
from c2m.errors import InputError
from c2m.feeds.landing import read_landed
from c2m.warehouse.published import is_published, manifest, read

KEY = ["merchant_id", "design_id"]
_MART = ["design_name", "category", "state", "first_sold_on"]
_STUDY = ["lacking", "able", "stages", "price", "season_days", "repeat_days", "mean", "q10", "q50", "q90",
          "best_quantity", "best_profit", "sold_out", "once_quantity", "once_profit", "test_pieces", "test_profit",
          "currency", "business_date"]  # fmt: skip
_READING = ["days", "expected", "sold", "times", "times_low", "times_high", "ahead", "ahead_low", "ahead_high", "held",
            "reorder", "chance", "decision"]  # fmt: skip


def newest(name: str, **equal: object) -> pd.DataFrame:
    """Of each design the rows of a landed table that were made last."""
    rows = read_landed(name, **equal)
    return rows[rows["known_at"] == rows.groupby(KEY)["known_at"].transform("max")]


def mart(**equal: object) -> pd.DataFrame:
    """Rows of the mart of designs; none in builds that do not have it."""
    if "designs" not in manifest()["marts"]:
        return pd.DataFrame(columns=[*KEY, *_MART])
    rows = read("designs")
    return rows[(rows[list(equal)] == pd.Series(equal)).all(axis=1)]


def listed(**equal: object) -> pd.DataFrame:
    """A row per design: the mart, its study, its reading; what is not known yet is missing.

    Parameters
    ----------
    **equal
        merchant_id and design_id, where only these are asked for.

    Returns
    -------
    pd.DataFrame
        What sells first, then what may be made.
    """
    known = mart(**equal)
    if known.empty:
        return known
    studies = newest("design_studies", **equal)[[*KEY, *_STUDY]]
    readings = newest("design_readings", **equal)[[*KEY, *_READING]]
    rows = known[[*KEY, *_MART]].merge(studies, "left", KEY).merge(readings, "left", KEY)
    return rows.sort_values(["chance", "best_profit", "design_id"], ascending=[False, False, True], ignore_index=True)


def in_short() -> list[dict[str, str]]:
    """A line per design; none before the first build."""
    return [_in_short(row) for row in listed().to_dict("records")] if is_published() else []


def _in_short(row: dict[Hashable, Any]) -> dict[str, str]:
    lacking = row["lacking"] if isinstance(row["lacking"], str) else ""
    line = {"design": row["design_id"], "category": row["category"], "stands": row["state"]}
    line |= {"season pieces": "", "first": "", "earns": "", "says": lacking}
    if not pd.isna(row["q50"]):
        line["season pieces"] = f"{row['q50']:,.0f} ({row['q10']:,.0f} to {row['q90']:,.0f})"
        line["first"], line["earns"] = f"{row['best_quantity']:,.0f}", f"{row['best_profit']:,.0f} {row['currency']}"
    if isinstance(row["decision"], str):
        chance = min(max(row["chance"], 0.01), 0.99)  # nothing is certain
        line["says"] = f"{row['decision']}, {row['reorder']:,.0f} pieces (chance that they pay {chance:.0%})"
    return line


def one(design_id: str, **equal: object) -> dict[str, Any] | None:
    """A design whole: `about`, `costs`, `attributes`, `steps`; None where there is none of that code.

    Raises
    ------
    InputError
        Several merchants have a design of that code.
    """
    found = listed(design_id=design_id, **equal)
    if found.empty:
        return None
    if len(found) > 1:
        whose = ", ".join(found["merchant_id"])
        raise InputError("several-designs", [f"{design_id} is a design of {whose}: say whose, with --merchant"])
    key = {name: found[name].iloc[0] for name in KEY}
    return {
        "about": found.iloc[0],
        "costs": newest("design_costs", **key).sort_values(["quantity", "lead_days"]),
        "attributes": _dearest_first(newest("design_attributes", **key)),
        "design": design_of({str(name): value for name, value in mart(**key).iloc[0].items()}),
    }


def _dearest_first(rows: pd.DataFrame) -> pd.DataFrame:
    spent = (rows["making_cost"] + rows["material_cost"]).sort_values(ascending=False, kind="stable")
    return rows.loc[spent.index]
