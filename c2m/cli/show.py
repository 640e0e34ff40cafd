"""What commands print: tables for people, JSON for programs."""

import json
import re
from typing import TYPE_CHECKING, Any

from c2m.people.json_rows import records

if TYPE_CHECKING:
    import pandas as pd

_WIDEST, _FEW_COLUMNS = 10_000, 3  # characters; a table of so few columns is folded instead
_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?")


def table(title: str, records: list[dict[str, Any]]) -> None:
    """Rows as a table on the terminal; one below the other, figure by figure, where the table would be too wide."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    page = Table(title=title, title_justify="left")
    for column in records[0] if records else []:
        page.add_column(str(column), justify="right" if _numeric(records[0][column]) else "left", overflow="fold")
    for row in records:
        page.add_row(*map(_shown, row.values()))
    console = Console(markup=False, emoji=False)
    wide = Measurement.get(console, console.options.update(max_width=_WIDEST), page).maximum > console.width
    if wide and len(records[0]) > _FEW_COLUMNS:
        lines = (line for row in records for line in _in_lines(row, console.width))
        console.print("\n".join([title, *lines]), soft_wrap=True)
    else:
        console.print(page)


def _in_lines(row: dict[str, Any], width: int) -> list[str]:
    """Figure after figure, on as few lines as hold them; a figure that alone is wider than the terminal stays whole.

    What has no value is left out.
    """
    lines = [""]
    for name, value in row.items():
        if value == "":
            continue
        figure = f"{name} {_shown(value)}"
        line = f"{lines[-1]}, {figure}" if lines[-1] else f"  {figure}"
        if len(line) < width or not lines[-1]:
            lines[-1] = line
        else:
            lines[-1] += ","
            lines.append(f"    {figure}")
    return lines


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))


def _shown(value: Any) -> str:
    from c2m.markdown import cell
    from c2m.terminal import harmless

    return f"{value:,.3f}" if isinstance(value, float) else harmless(cell(value))


def rows(title: str, frame: "pd.DataFrame", as_json: bool) -> None:
    """A frame, row by row; what is missing is empty, and null in JSON."""
    if as_json:
        print(json.dumps(records(frame), default=str))
    else:
        table(title, records(frame))


def figures(title: str, values: dict[str, Any], as_json: bool) -> None:
    """Figures by name, one below the other."""
    if as_json:
        print(json.dumps(values, default=str))
    else:
        table(title, [{"figure": name, "value": value} for name, value in values.items()])


def status(as_json: bool) -> None:
    """Where the platform stands."""
    from c2m.people.overview import in_words, overview
    from c2m.upkeep.keeper import processes

    seen = overview() | {"processes": processes()}
    if as_json:
        print(json.dumps(seen, default=str))
        return
    table(f"Rows up to {seen['business_date']}", [{"feed": feed, **counts} for feed, counts in seen["rows"].items()])
    plan = in_words(seen["plan"]) if seen["plan"] else {}
    for name, values in {"Orders": seen["orders"], "Job orders": seen["job_orders"], "Plan": plan}.items():
        figures(name, values, as_json=False)
    figures("Forecast", seen["forecast"], as_json=False)
    messages = {f"messages {state}": number for state, number in seen["outbox"].items()}
    figures("Floor", {**messages, "dead letters": seen["dead_letters"]}, as_json=False)
    table("Processes of c2m up", seen["processes"]) if seen["processes"] else print("c2m up does not run on this home")
    first("Lots that several factories share", _without_ids(seen["shared_lots"]), "c2m status --json")
    joint = (seen["plan"] or {}).get("joint", {})
    first("Lots in stages", joint.get("stages", []), "c2m status --json")
    first("Lots that share a setup", _with_money(joint.get("pools", [])), "c2m status --json")
    first("Purchase orders", seen["purchases"], "c2m materials")
    first("Designs", seen["designs"], "c2m designs")
    first("Orders that are open: why, and what to do", _without_ids(seen["open_orders"]), "c2m status --json")


def _without_ids(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as people read them: an order has its number."""
    return [{name: value for name, value in row.items() if name != "order_id"} for row in records]


def _with_money(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose fractions are amounts of money, with two decimals."""
    return [
        {name: f"{value:,.2f}" if isinstance(value, float) else value for name, value in row.items()} for row in records
    ]


def first(title: str, records: list[dict[str, Any]], whole: str, most: int = 20) -> None:
    """The first of many rows, and the command that tells the whole; nothing where there is none."""
    if records:
        table(title, records[:most])
    if len(records) > most:
        print(f"{len(records) - most} more: {whole}")
