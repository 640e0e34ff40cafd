"""The tables of docs/data-scientist.md about panels of every kind, from what benchmarks/forecast/kinds.py found.

    .venv/bin/python -m benchmarks.forecast.pages

What lies between the two marks of the page is written, the rest stays. A set that was not run has no row.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.forecast.kinds import SETS, file_of
from c2m.files import write_atomically

PAGE = Path(__file__).parents[2] / "docs" / "data-scientist.md"
MARKS = "<!-- kinds: written by benchmarks/forecast/pages.py -->", "<!-- kinds: end -->"
RIVALS = {"seasonal naive": "naive", "AutoETS": "ETS", "AutoTheta": "Theta"}
OURS = "c2m"


def results() -> list[pd.DataFrame]:
    """Of each set that was run, a row per method."""
    files = map(file_of, SETS)
    return [pd.read_csv(file).set_index("method") for file in files if file.exists()]


def losses(found: pd.DataFrame) -> dict[str, str]:
    """MASE / pinball of ours and of rivals; of the other ones the best, with the first word of its name."""
    told = found.apply(lambda row: f"{row['MASE']:.3f} / {row['pinball']:.3f}", axis=1)
    best = str(found["pinball"].drop([OURS, *RIVALS]).idxmin())
    ours = found.loc[OURS]
    cells = {"set, ahead": ahead(ours), "n": str(ours["series"])}
    cells |= told[[OURS, *RIVALS]].rename(RIVALS).to_dict()
    return {**cells, "best other": f"{told[best]} {best.replace(',', '').split()[0]}"}


def ahead(ours: "pd.Series[Any]") -> str:
    """The set, and how far ahead: births, 12 months."""
    return str(ours["set"]).replace(", ", f", {ours['ahead']} ")


def coverage(found: pd.DataFrame) -> dict[str, str]:
    """Shares in our ranges, without and with the cells that lie on an end."""
    ours = found.loc[OURS]
    shares = {f"{share} %": f"{ours[f'inside {share}']:.2f} to {ours[f'coverage {share}']:.2f}" for share in (80, 50)}
    return {"set, ahead": ahead(ours), "n, origins": f"{ours['series']}, {ours['origins']}", **shares}


def page() -> str:
    """Both tables."""
    found = results()
    tables = [pd.DataFrame([of(each) for each in found]) for of in (losses, coverage)]
    beside, held = (markdown(table) for table in tables)
    return f"{beside}\n\nOf our ranges hold, their ends left out and counted:\n\n{held}"


def markdown(table: pd.DataFrame) -> str:
    """As a table of the page; figures to the right."""
    rows = [table.columns, ["---", *["---:"] * (table.shape[1] - 1)], *table.to_numpy()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    write_atomically(PAGE, f"{before}{MARKS[0]}\n\n{page()}\n\n{MARKS[1]}{after}".encode())


if __name__ == "__main__":
    main()
