"""Operations of styles onto lots: what a lot needs, in how many stages it is made, and why a routing cannot be used.

In: lots, the mart `routings`, and the capabilities of factories. Minutes are standard, per piece.
"""

from collections.abc import Iterator

import pandas as pd

from c2m.domain.operations import Operation, crafts_of, written

_STYLE = ["merchant_id", "style_id"]


def with_operations(lots: pd.DataFrame, routings: pd.DataFrame, capabilities: pd.DataFrame) -> pd.DataFrame:
    """The lots with operations, stages, and in `waits` every fault of their style's routing.

    A lot is made in stages where its routing has several and no one factory has its category and all of its crafts.

    Parameters
    ----------
    lots
        Of `book.lots.make_lots`.
    routings
        The mart of this name: merchant_id, style_id, step, operation, craft, sam_minutes, stage.
    capabilities
        factory_id, kind, name: what factories are able to make.

    Returns
    -------
    pd.DataFrame
        The same rows; operations is None where the five minutes of apparel say it all.
    """
    of_style = {key: _steps(rows) for key, rows in routings.groupby(_STYLE)}
    skills = [set(zip(rows["kind"], rows["name"], strict=True)) for _, rows in capabilities.groupby("factory_id")]
    every_craft = set(capabilities.loc[capabilities["kind"] == "craft", "name"])
    facts = []
    for row in lots.itertuples():
        steps = of_style.get((row.merchant_id, row.style_id), [])
        whole = any(_needed(str(row.category), steps) <= able for able in skills)
        stages = 1 if whole or not steps else max(one.stage for one in steps)
        facts.append((written(steps) if steps else None, stages, "; ".join(_faults(row, steps, every_craft))))
    found = pd.DataFrame(facts, columns=["operations", "stages", "faults"], index=lots.index)
    waits = lots["waits"] if "waits" in lots else pd.Series("", lots.index)
    waits = waits.where((waits != "") | (found["faults"] == ""), found["faults"])
    own = found["operations"].astype(object)
    return lots.assign(operations=own.where(own.notna(), None), stages=found["stages"].astype(int), waits=waits)


def _steps(rows: pd.DataFrame) -> list[Operation]:
    """In the order of work."""
    ordered = rows.sort_values("step")
    facts = (ordered["operation"], _crafts(ordered), ordered["sam_minutes"], ordered["stage"])
    return [Operation(*one) for one in zip(*facts, strict=True)]


def _crafts(rows: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(craft) else str(craft) for craft in rows["craft"]]


def _needed(category: str, steps: list[Operation]) -> set[tuple[str, str]]:
    return {("category", category), *(("craft", craft) for craft in crafts_of(steps))}


def _faults(lot: object, steps: list[Operation], every_craft: set[str]) -> Iterator[str]:
    """What is wrong with the routing of a lot's style, in words."""
    style = f"style {getattr(lot, 'style_id')}"  # noqa: B009 - a named tuple, whose fields mypy does not know
    if not steps and not getattr(lot, "sam_minutes") > 0:  # noqa: B009
        yield f"{style} has no operations: send its routing, or its five minutes in the catalogue"
    yield from (f"the routing of {style} {fault}" for fault in (*_circles(steps), *_out_of_order(steps)))
    if lacking := [craft for craft in crafts_of(steps) if craft not in every_craft]:
        yield f"{style} needs {', '.join(lacking)}, a craft that no factory has: correct it, or add it to a factory"


def _circles(steps: list[Operation]) -> Iterator[str]:
    names = [one.name for one in steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"comes back to {name}, a circle: give each operation once, with a name of its own"


def _out_of_order(steps: list[Operation]) -> Iterator[str]:
    stages = [one.stage for one in steps]
    for one, before in zip(steps[1:], stages, strict=False):
        if one.stage < before:
            yield f"has {one.name} of stage {one.stage} after one of stage {before}: order the steps by stage"
    if stages and sorted(set(stages)) != list(range(1, max(stages) + 1)):
        yield f"has stages {sorted(set(stages))}: number them from 1 without a gap"
