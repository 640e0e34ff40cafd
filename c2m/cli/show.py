"""What commands print: tables for people, JSON for programs."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def table(title: str, records: list[dict[str, Any]]) -> None:
    """Rows as a table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from c2m.markdown import cell
    from c2m.terminal import harmless

    page = Table(title=title, title_justify="left")
    for column in records[0] if records else []:
        numeric = isinstance(records[0][column], int | float)
        page.add_column(str(column), justify="right" if numeric else "left", overflow="fold")
    for row in records:
        page.add_row(*(f"{v:,.3f}" if isinstance(v, float) else harmless(cell(v)) for v in row.values()))
    Console(markup=False, emoji=False).print(page)


def rows(title: str, frame: "pd.DataFrame", as_json: bool) -> None:
    """A frame, row by row; what is missing is empty, and null in JSON."""
    filled = frame.astype(object).where(frame.notna(), None)
    records = [{str(name): value for name, value in row.items()} for row in filled.to_dict("records")]
    if as_json:
        print(json.dumps(records, default=str))
    else:
        table(title, records)


def figures(title: str, values: dict[str, Any], as_json: bool) -> None:
    """Figures by name, one below the other."""
    if as_json:
        print(json.dumps(values, default=str))
    else:
        table(title, [{"figure": name, "value": value} for name, value in values.items()])


def status(as_json: bool) -> None:
    """Where the platform stands."""
    from c2m.overview import overview

    seen = overview()
    if as_json:
        print(json.dumps(seen, default=str))
        return
    table(f"Rows up to {seen['business_date']}", [{"feed": feed, **counts} for feed, counts in seen["rows"].items()])
    for name in ("orders", "job_orders", "plan", "forecast"):
        figures(name.replace("_", " ").capitalize(), seen[name], as_json=False)
    messages = {f"messages {state}": number for state, number in seen["outbox"].items()}
    figures("Floor", {**messages, "dead letters": seen["dead_letters"]}, as_json=False)
