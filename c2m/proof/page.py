"""The page of a world: one HTML file that loads nothing, with drawings in it. Its rules stand in `c2m.proof.report`."""

from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from c2m.files import write_atomically
from c2m.proof.interval import Difference
from c2m.proof.outcomes import Outcome
from c2m.proof.policy import OURS, Policy
from c2m.proof.report import Comparison, Report

_WIDTH = 260  # of a drawing of an interval, in px
_MOST = 1.0  # relative difference at its ends


def write(kept: Path, out: Path, world: str, first: date, last: date, policies: list[Policy]) -> Path:
    """Writes OUT/outcomes.csv and OUT/proof.html; returns the page.

    Parameters
    ----------
    kept
        Folder of a folder per policy and seed.
    out
        Where the files go.
    world
        Its name.
    first
        First business day that was planned.
    last
        Last one.
    policies
        What was replayed.

    Returns
    -------
    Path
        The page.
    """
    report = Report(kept, first, last, policies)
    write_atomically(out / "outcomes.csv", _text(report).encode())
    page = out / "proof.html"
    write_atomically(page, _rendered(report, world).encode())
    return page


def _text(report: Report) -> str:
    """The outcomes for programs."""
    text: str = report.outcomes().to_csv(index=False, lineterminator="\n")
    return text


def _rendered(report: Report, world: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(number=number, interval=interval, drawn=drawn)
    titles = {policy.name: policy.title for policy in report.policies}
    given: dict[str, Any] = {"report": report, "world": world, "ours": OURS, "titles": titles, "width": _WIDTH}
    return environment.get_template("page.html").render(**given)


def number(value: float, outcome: Outcome) -> str:
    """A value in the outcome's unit."""
    if not isfinite(value):
        return ""
    if outcome.unit.startswith("share"):
        return f"{100 * value:,.1f} %"
    return _amount(value)


def _amount(value: float) -> str:
    """Two decimals of what is small."""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def interval(found: Difference, outcome: Outcome) -> str:
    """A difference and its interval, in points where the outcome is a share."""
    if not isfinite(found.value):
        return "no figure"
    if outcome.unit.startswith("share"):
        value, low, high = (100 * part for part in (found.value, found.low, found.high))
        return f"{value:+,.1f} points [{low:+,.1f} to {high:+,.1f}]"
    return f"{found.value:+,.2f} [{found.low:+,.2f} to {found.high:+,.2f}]"


def drawn(row: Comparison) -> dict[str, float] | None:
    """Places of a relative difference and the ends of its interval across a drawing; None where there is no base."""
    if row.relative is None or not all(map(isfinite, row.relative)):
        return None
    places = [(max(-_MOST, min(_MOST, part)) + _MOST) / (2 * _MOST) * _WIDTH for part in row.relative]
    return dict(zip(("value", "low", "high"), places, strict=True))
