"""Puts what a proof found into the docs.

    .venv/bin/python -m benchmarks.proof.publish FOLDER [--name demo]

FOLDER is the one that `c2m replay` wrote. Its findings go into benchmarks/results/proof/NAME.json, and docs/proof.md is
written anew from the files there, so that no figure of it is typed.
"""

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from textwrap import fill
from typing import Any

from c2m import PROJECT
from c2m.files import read_json, write_atomically
from c2m.proof.page import interval, number
from c2m.proof.policy import OURS, load
from c2m.proof.report import LEAST_SEEDS, LEAST_WEEKS, Comparison, Report

RESULTS = PROJECT / "benchmarks" / "results" / "proof"
PAGE = PROJECT / "docs" / "proof.md"
TOP = """# Proof of effect: what was found

[Prove it on your own history](how-to/prove-it.md) says how. Here is what it found, each figure with its 95 % interval
over seeds of the simulated factories and, from four weeks on, over weeks. An interval that contains zero shows nothing.
This page is written by `python -m benchmarks.proof.publish`, from files in `benchmarks/results/proof`.
"""
COVER = """
## Do the intervals hold what they say?

`python -m benchmarks.proof.intervals`: the platform, {replays} times on {days} days of a small world, each time with
other luck of the factories. {draws} times, twenty replays are drawn for one arm and twenty others for the other. Both
arms are the same policy, so the interval of their difference should contain zero in about 95 of 100 draws (wanted: 90
to 99 %). A lead time that is planted 20 % shorter is found in {planted:.1%} of as many draws (wanted: 90 %).
"""


def found(folder: Path) -> dict[str, Any]:
    """What the replays of a folder tell, as the docs show it."""
    asked = read_json(folder / "asked.json")
    policies = load(sorted((Path(one.name) for one in (folder / "kept").iterdir()), key=_place))
    first, last = date.fromisoformat(asked["first"]), date.fromisoformat(asked["last"])
    report = Report(folder / "kept", first, last, policies)
    done = [read_json(file) for file in folder.glob("kept/*/*/done.json")]
    return {
        **{name: asked[name] for name in ("first", "last")},
        "weeks": report.weeks,
        "seeds": int(report.sums["seed"].nunique()),
        "replays": len(done),
        "few days for": [one.title for one in report.few_days_for],
        "processor_minutes": round(sum(one["seconds"] for one in done) / 60, 1),
        "claims": [_claim(claim) for claim in report.claims()],
        "questions": [_question(asked) for asked in report.questions() if asked["row"] or asked["cannot"]],
        "against": {one.title: [_row(row) for row in report.rows(one.name)] for one in report.rivals},
        "parts": [_part(report, part.title, *report.of_part(part)) for part in report.parts],
        "turning": list(_turning(report)),
        "figures": [
            {"policy": one.title, "figure": name, "value": figure.value, "source": figure.source}
            for one in policies
            for name, figure in one.figures.items()
        ],
    }


def _place(policy: Path) -> tuple[bool, bool, bool, str]:
    """Rivals first, make to stock at the top; then the platform; then parts."""
    name = policy.name
    return name.startswith("with"), name == OURS, not name.startswith("make_to_stock"), name


def _row(row: Comparison) -> dict[str, str]:
    return {
        "outcome": row.outcome.title + ("" if row.outcome.unit.startswith("share") else f", {row.outcome.unit}"),
        "platform": number(row.found.arm, row.outcome),
        "instead of": number(row.found.base, row.outcome),
        "difference [95 %]": interval(row.found, row.outcome),
        "verdict": row.verdict,
    }


def _claim(claim: dict[str, Any]) -> dict[str, str]:
    row, told = claim["row"], ""
    if row and "limit" in claim:
        low, high = (number(end, row.outcome) for end in (row.found.low, row.found.high))
        told = f"{number(row.found.arm, row.outcome)} [{low} to {high}]"
    elif row and row.relative:
        value, low, high = (100 * part for part in row.relative)
        told = f"{value:+.0f} % [{low:+.0f} to {high:+.0f}]"
    note = claim.get("cannot") or claim.get("note", "")
    return {"claim": claim["claim"], "found [95 %]": told, "verdict": claim["verdict"], "note": note}


def _question(asked: dict[str, Any]) -> dict[str, str]:
    row = asked["row"]
    if asked["cannot"]:
        answer = "cannot be shown"
    else:
        answer = {"better": "yes", "worse": "no, the contrary"}.get(row.verdict, row.verdict)
    told = interval(row.found, row.outcome) if row else asked["cannot"]
    return {"question": asked["question"], "difference [95 %]": told, "answer": answer}


def _part(report: Report, title: str, arm: str, base: str) -> dict[str, str]:
    rows = (report.row(name, arm, base) for name in ("contribution_share", "served_share", "lead_time_days"))
    told = {row.outcome.title: f"{interval(row.found, row.outcome)} {row.verdict}" for row in rows if row}
    return {"part": title, **told}


def _turning(report: Report) -> Iterator[str]:
    """Rates that turn the conclusion on contribution against the first rival."""
    for bar in report.tornado("contribution_share", report.rivals[0].name) if report.rivals else ():
        if bar["turns"]:
            yield f"{bar['rate'].replace('_', ' ')} ({bar['ends'][0]} to {bar['ends'][1]})"


def page(results: Path) -> str:
    """The page of all findings."""
    worlds = sorted(results.glob("*.json"))
    parts = [TOP, *("\n".join(_of_world(file.stem, read_json(file))) for file in worlds if file.stem != "intervals")]
    if (covered := results / "intervals.json").exists():
        told = read_json(covered)
        parts.append(COVER.format(**told) + "\n" + _table(told["covers"]))
    return "\n".join(parts)


def _of_world(name: str, told: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}: {told['first']} to {told['last']}\n"
    yield _text(
        f"{told['weeks']} weeks, {told['seeds']} seeds, {told['replays']} replays, {told['processor_minutes']} minutes "
        "of processor time."
    )
    if told["seeds"] < LEAST_SEEDS or told["weeks"] < LEAST_WEEKS:
        yield _text("**A trial**: of less than four weeks, intervals hold the luck of factories alone, not of weeks.")
    if told["few days for"]:
        yield _text(
            f"**The days are few for {', '.join(told['few days for'])}**: what is ordered there comes when half of the "
            "days or more are over, so that service and stock compare mostly what lay on the shelves in the beginning. "
            "What comes after the last day counts as left over: overstock and contribution of large orders look far "
            "worse than they would in a year. Lead times, overhead and promises stand."
        )
    yield f"### What is claimed elsewhere\n\n{_items(told['claims'])}"
    yield f"### Questions that were written down before\n\n{_items(told['questions'])}"
    for title, rows in told["against"].items():
        yield f"### Against {title}\n\n{_table(rows)}"
    if told["parts"]:
        yield f"### What each part brings\n\n{_items(told['parts'])}"
    yield "### Where the platform is not better\n"
    yield from _not_better(told["against"])
    yield "\n### What was assumed\n"
    turning = "; ".join(told["turning"]) or "none of those that were tried"
    yield _text(
        "Factories, their costs and their luck are simulated. Shoppers who find nothing buy nothing. Rates that turn "
        f"the conclusion on contribution: {turning}."
    )
    yield _items(told["figures"])


def _not_better(against: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """A line per rival and verdict."""
    for title, rows in against.items():
        for verdict in ("worse", "not shown", "too few days"):
            names = [row["outcome"].partition(",")[0].lower() for row in rows if row["verdict"] == verdict]
            if names:
                yield _item(f"against {title}, {verdict}", ", ".join(names))


def _text(told: str) -> str:
    return fill(told, 118, break_long_words=False, break_on_hyphens=False) + "\n"


def _items(rows: list[dict[str, Any]]) -> str:
    """A point a row: the first cell, then the others by name where they say something."""
    points = []
    for row in rows:
        head, *rest = row.items()
        points.append(_item(head[1], "; ".join(f"{name}: {told}" for name, told in rest if told != "")))
    return "\n".join(points) + "\n"


def _item(head: str, told: str) -> str:
    return fill(f"* **{head}** - {told}", 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _table(rows: list[dict[str, Any]]) -> str:
    head = list(rows[0]) if rows else []
    cells = [head, ["---"] * len(head), *([str(row[name]) for name in head] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def main() -> None:
    """Writes findings and page."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, nargs="?", help="without it, the page is written anew")
    arguments.add_argument("--name", default="demo")
    asked = arguments.parse_args()
    if asked.folder:
        write_atomically(RESULTS / f"{asked.name}.json", (json.dumps(found(asked.folder), indent=1) + "\n").encode())
    write_atomically(PAGE, page(RESULTS).encode())


if __name__ == "__main__":
    main()
