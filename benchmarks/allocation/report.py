"""The page of the allocation benchmark: results of benchmarks/allocation/suite.py as tables and pictures in docs/.

    .venv/bin/python -m benchmarks.allocation.report     exit code 1 where a proven bound is above a plan

Of each planned run the newest version's result counts; a section without a result is left out. What lies between the
two marks of docs/benchmarks.md is written, the rest stays.
"""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.allocation import plots
from benchmarks.allocation.suite import (
    ACCEPTED,
    BARE,
    CONTESTED,
    FROZEN,
    GROWTH,
    HARDNESS,
    RE_PLANS,
    ROOT,
    planned,
    results_folder,
)
from c2m.files import write_atomically

PAGE = ROOT / "docs" / "benchmarks.md"
MARKS = "<!-- allocation: written by benchmarks/allocation/report.py -->", "<!-- allocation: end -->"
NAMES = {"c2m": "c2m allocate", "highs": "MIP in HiGHS", "cpsat": "MIP in CP-SAT", "greedy": "greedy rule"}
OPTIMUM = 1e-6  # relative, to the published value
AGREE = 1e-6  # relative; by so much may one's proven bound exceed another's plan

Cells = Iterator[dict[str, str]]


def results() -> pd.DataFrame:
    """The newest result of every planned run, beside the best bound and plan of its case."""
    rows = []
    for run in planned():
        files = (results_folder() / run.case).glob(f"{run.solver}-*-{run.limit_s:g}s.json")
        if newest := max(files, key=lambda file: file.stat().st_mtime, default=None):
            rows.append(json.loads(newest.read_text(encoding="utf-8")))
    if not rows:
        raise SystemExit(f"no result in {results_folder()}; run benchmarks/allocation/suite.py first")
    return _compared(pd.DataFrame(rows))


def _compared(table: pd.DataFrame) -> pd.DataFrame:
    sound = table[table["verified"]]
    best = sound.groupby("case").agg(best_bound=("bound", "max"), best_plan=("objective", "min"))
    rule = sound[sound["solver"] == "greedy"].set_index("case")["objective"].rename("rule")
    table = table.join(best, on="case").join(rule, on="case")
    table["best_plan"] = table[["best_plan", "published"]].min(axis=1)
    table["above_bound"] = ((table["objective"] - table["best_bound"]) / table["objective"]).clip(lower=0)
    table["recovered"] = (table["rule"] - table["objective"]) / (table["rule"] - table["best_bound"])
    return table


def contradictions(table: pd.DataFrame) -> list[str]:
    """Cases where a bound is above a verified plan or the published value: one of the two is wrong."""
    wrong = table[table["best_bound"] > table["best_plan"] * (1 + AGREE)].drop_duplicates("case")
    return [f"{row.case}: bound {row.best_bound} above the plan {row.best_plan}" for row in wrong.itertuples()]


def _ours(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[(table["solver"] == "c2m") & table["case"].isin(names) & table["verified"]]


def _published(table: pd.DataFrame) -> Cells:
    ours = table[(table["solver"] == "c2m") & table["published"].notna()]
    for family, rows in ours.groupby("family", sort=False):
        above = (rows["objective"] - rows["published"]) / rows["published"]
        yield {
            "family": family,
            "at the published value": f"{int((above <= OPTIMUM).sum())} of {len(rows)}",
            "farthest above it": f"{above.max():.2%}",
            "limit, s": f"{rows['limit_s'].max():g}",
            "slowest case, s": f"{rows['seconds'].max():.1f}",
            "solving, all cases, s": f"{rows['solver_s'].sum():.1f}",
        }


def _side_by_side(table: pd.DataFrame) -> Cells:
    for row in table[table["case"].isin(CONTESTED)].itertuples():
        proves, recovers = row.solver != "greedy", row.solver != "greedy" and pd.notna(row.recovered)
        yield {
            "case": row.case,
            "solver": NAMES[row.solver],
            "cost": f"{row.objective:,.0f}" if row.verified else "no verified plan",
            "above the best bound": f"{row.above_bound:.2%}" if row.verified else "",
            "own proven gap": f"{row.gap:.2%}" if row.verified and proves else "",
            "waste recovered": f"{row.recovered:.0%}" if row.verified and recovers else "",
            "limit, s": f"{row.limit_s:g}",
            **_effort(row),
        }


def _effort(row: Any) -> dict[str, str]:
    return {"s": f"{row.seconds:.0f}", "MiB": f"{row.peak_mib:,.0f}"}


def _frozen(table: pd.DataFrame) -> Cells:
    for row in _ours(table, list(FROZEN)).itertuples():
        half = plots.gap_at(row.trace, row.limit_s / 2)
        yield {
            "case": "bare_200x50_s1" if row.case == BARE else row.case,
            "pairs": f"{row.arcs:,}",
            "gap": f"{row.gap:.2%}",
            "at half the limit": "" if half is None else f"{half:.2%}",
            "bound by": row.bound_by,
            "limit, s": f"{row.limit_s:g}",
            **_effort(row),
        }


def _growth(table: pd.DataFrame) -> Cells:
    for row in _growing(table).itertuples():
        yield {
            "lots": f"{row.orders:,}",
            "factories": f"{row.factories:,}",
            "pairs": f"{row.arcs:,}",
            "gap": f"{row.gap:.2%}",
            "limit, s": f"{row.limit_s:g}",
            **_effort(row),
        }


def _growing(table: pd.DataFrame) -> pd.DataFrame:
    return _ours(table, list(GROWTH)).sort_values("orders")


def _hardness(table: pd.DataFrame) -> Cells:
    for row in _ours(table, HARDNESS).itertuples():
        yield {
            "300 lots, 60 factories": row.case.partition(",")[2] or "nothing changed",
            "gap": f"{row.gap:.2%}",
            "cost of unmet pieces": f"{row.cost['unmet'] / row.objective:.1%}",
            **_effort(row),
        }


def _stability(table: pd.DataFrame) -> Cells:
    for row in _ours(table, RE_PLANS).itertuples():
        yield {
            "price of a change, median pieces": row.case.partition("price=")[2],
            "pieces moved": f"{row.moved_share:.1%}",
            "cost without that price": f"{row.objective - row.cost['change']:,.0f}",
            "gap": f"{row.gap:.2%}",
        }


def _accepted(table: pd.DataFrame) -> Cells:
    for row in _ours(table, list(ACCEPTED)).itertuples():
        yield {"case": row.case, "gap": f"{row.gap:.2%}", "limit, s": f"{row.limit_s:g}", **_effort(row)}


@dataclass(frozen=True)
class _Section:
    title: str
    words: str
    cells: Callable[[pd.DataFrame], Cells]
    picture: tuple[str, Callable[[pd.DataFrame, Path], None]] | None = None


SECTIONS = [
    _Section("Published cases", "Through the command, with the start of the interpreter.", _published),
    _Section(
        "Beside the rivals",
        """Same run, same limit, two threads each. The rivals solve the textbook's statement with a day index
(`benchmarks/allocation/textbook.py`) and get our reduction of the instance: pairs that can carry work, tight bounds.
Best bound:
the highest that one of them proved. Waste: what the greedy rule costs above that bound.""",
        _side_by_side,
        ("waste", plots.waste),
    ),
    _Section(
        "Gap over time",
        "The frozen generator: 14 days, 65 % load, 10 candidate factories per lot, release days, days off, setups.\n"
        "`bare` has no days off, no capped or delayed pairs, no setups and no release days.",
        _frozen,
        ("gap", lambda table, file: plots.gap_over_time(table[table["case"].isin(FROZEN)], file)),
    ),
    _Section(
        "Growth",
        "The frozen generator, ten lots to a factory.",
        _growth,
        ("growth", lambda table, file: plots.growth(_growing(table), file)),
    ),
    _Section("What makes it hard", "One knob of the generator at a time, 60 s.", _hardness),
    _Section(
        "Stability against cost",
        """A plan is in force; 10 % of the factories stop for three days, 5 % of the orders grow by half
(`benchmarks/allocation/replan.py`). What the new plan moves depends on what moving costs.""",
        _stability,
        ("stability", lambda table, file: plots.stability(_ours(table, RE_PLANS), file)),
    ),
    _Section("Frozen work", "The same day once factories have accepted 95 % of what is in force.", _accepted),
]


def page(table: pd.DataFrame, images: Path | None = None) -> str:
    """The sections that have a result; draws their pictures into a folder, where one is given."""
    parts = []
    for section in SECTIONS:
        if not (cells := list(section.cells(table))):
            continue
        parts += [f"### {section.title}", _filled(section.words), _markdown(cells)]
        if section.picture:
            name, draw = section.picture
            if images:
                draw(table, images / f"benchmark-{name}.svg")
            parts.append(f"![{section.title}](images/benchmark-{name}.svg)")
    versions = table.groupby("solver")["version"].agg(lambda found: ", ".join(sorted(set(found))))
    told = "; ".join(f"{NAMES[solver]} {text}" for solver, text in versions.items())
    return "\n\n".join([*parts, _filled(f"Library and code: {told}.")])


def _filled(words: str) -> str:
    """In lines that a person reads at a glance."""
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def _markdown(rows: list[dict[str, str]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Writes page and pictures."""
    table = results()
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not end:
        raise SystemExit(f"{PAGE}: expected the marks {MARKS[0]} and {MARKS[1]}, each on a line of its own")
    text = page(table, PAGE.parent / "images")
    write_atomically(PAGE, f"{before}{begin}\n\n{text}\n\n{end}{after}".encode())
    wrong = contradictions(table)
    print("\n".join(wrong), file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
