"""What the replays of a world tell: questions written down before, claims, parts, rates; each figure with its interval.

In: sums of outcomes by policy, seed and week. Out: rows for the page, of which none says more than its interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from c2m import PROJECT
from c2m.proof.interval import Difference, difference
from c2m.proof.kept import load
from c2m.proof.outcomes import OUTCOMES, Outcome, Rates, measured
from c2m.proof.policy import OURS, Policy
from c2m.settings import ReplenishmentPolicy

FOLDER = PROJECT / "worlds" / "proof"
LEAST_SEEDS = 4  # an interval of fewer is far too narrow: nothing is claimed
_OF_SHELF = ("served_share", "stock_days", "lost_margin_share", "overstock_share", "contribution_share")
LEAST_WEEKS = 4  # in less, intervals are of seeds alone
_LEADS = 2  # lead times that the days should hold
BY_NAME = {outcome.name: outcome for outcome in OUTCOMES}
# Low and high of each rate: what the tornado tries.
TRIED = {
    "salvage_share": (0.1, 0.6),
    "holding_share_per_day": (0.0002, 0.002),
    "overhead_factor": (0.5, 2.0),
    "margin_factor": (0.7, 1.3),
    "late_days": (2, 14),
    "cover_days": (0, 56),
}


@dataclass(frozen=True)
class Comparison:
    """One outcome of two policies."""

    outcome: Outcome
    arm: str
    base: str
    found: Difference
    few_days: bool = False  # one of the two has hardly received anything within the days, and the outcome counts that

    @property
    def verdict(self) -> str:
        """better, worse or different where the interval leaves out zero; else not shown."""
        if not np.isfinite(self.found.value):
            return "no figure"
        if self.found.seeds < LEAST_SEEDS:
            return "too few seeds"
        if self.few_days:
            return "too few days"
        if not self.found.shown:
            return "not shown"
        if self.outcome.better == "neither":
            return "different"
        return "better" if (self.found.value < 0) == (self.outcome.better == "less") else "worse"

    @property
    def relative(self) -> tuple[float, float, float] | None:
        """Difference, low and high as shares of the base; None of a base of zero."""
        base = abs(self.found.base)
        return (self.found.value / base, self.found.low / base, self.found.high / base) if base > 1e-12 else None


@dataclass(frozen=True)
class Report:
    """All that a world's replays tell."""

    kept: Path
    first: date
    last: date
    policies: list[Policy]
    rates: Rates = field(default_factory=Rates)
    only: str | None = None  # the one outcome that is wanted
    _rows: dict[tuple[str, str, str], Comparison | None] = field(default_factory=dict)  # what was found before

    @property
    def weeks(self) -> int:
        """Weeks that were planned, a started one counted."""
        return ((self.last - self.first).days + 7) // 7

    @property
    def few_days_for(self) -> list[Policy]:
        """Policies of which hardly anything that they order is on the shelf within the days: it comes too late."""
        days, usual = (self.last - self.first).days + 1, ReplenishmentPolicy().lead_time_days
        leads = [policy.settings().get("replenishment", {}).get("lead_time_days", usual) for policy in self.policies]
        return [policy for policy, lead in zip(self.policies, leads, strict=True) if lead * _LEADS > days]

    @cached_property
    def sums(self) -> pd.DataFrame:
        """policy, seed, outcome, week, above, below; of the seeds that every policy has, since arms are paired."""
        found = [
            measured(load(folder), self.first, self.weeks, self.rates, self.only).assign(
                policy=policy.name, seed=int(folder.name)
            )
            for policy in self.policies
            for folder in sorted((self.kept / policy.name).iterdir())
            if (folder / "done.json").exists()
        ]
        sums = pd.concat(found, ignore_index=True)
        of_all = sums.groupby("seed")["policy"].nunique() == sums["policy"].nunique()
        return sums[sums["seed"].map(of_all)].reset_index(drop=True)

    def row(self, outcome: str, arm: str, base: str) -> Comparison | None:
        """An outcome of two policies.

        Parameters
        ----------
        outcome
            Its name.
        arm
            The policy that is judged.
        base
            The policy that it is compared with.

        Returns
        -------
        Comparison or None
            None where one of the two was not replayed.
        """
        if (outcome, arm, base) not in self._rows:
            self._rows[outcome, arm, base] = self._row(outcome, arm, base)
        return self._rows[outcome, arm, base]

    def _row(self, outcome: str, arm: str, base: str) -> Comparison | None:
        of = self.sums[self.sums["outcome"] == outcome]
        one, other = (of[of["policy"] == name] for name in (arm, base))
        if one.empty or other.empty:
            return None
        few_days = outcome in _OF_SHELF and bool({arm, base} & {policy.name for policy in self.few_days_for})
        return Comparison(BY_NAME[outcome], arm, base, difference(one, other), few_days)

    def alone(self, outcome: str) -> Comparison | None:
        """An outcome of the platform beside zero: its own interval."""
        one = self.sums[(self.sums["outcome"] == outcome) & (self.sums["policy"] == OURS)]
        return None if one.empty else Comparison(BY_NAME[outcome], OURS, "", difference(one, one.assign(above=0.0)))

    def rows(self, base: str, arm: str = OURS) -> list[Comparison]:
        """All outcomes of two policies.

        Parameters
        ----------
        base
            The policy that the other is compared with.
        arm
            The policy that is judged.

        Returns
        -------
        list of Comparison
            Those outcomes for which both were replayed.
        """
        return [row for outcome in OUTCOMES if (row := self.row(outcome.name, arm, base))]

    @property
    def rivals(self) -> list[Policy]:
        """Other ways of working."""
        return [policy for policy in self.policies if policy.name != OURS and policy not in self.parts]

    @property
    def parts(self) -> list[Policy]:
        """The platform without a part of it, or with one more."""
        return [policy for policy in self.policies if policy.name.startswith(("without_", "with_"))]

    @staticmethod
    def of_part(part: Policy) -> tuple[str, str]:
        """Arm and base that show what a part brings: with it, without it."""
        return (OURS, part.name) if part.name.startswith("without_") else (part.name, OURS)

    def questions(self) -> Iterator[dict[str, Any]]:
        """Those written down before, or later, with their answer; no row where a policy was not replayed."""
        for asked in _read("questions.yaml"):
            row = None if "cannot" in asked else self.row(asked["outcome"], asked["arm"], asked["base"])
            yield {"later": False, "cannot": "", **asked, "row": row}

    def claims(self) -> Iterator[dict[str, Any]]:
        """Each claim, what was found and the verdict: shown, not shown, cannot be shown."""
        for claim in _read("claims.yaml"):
            yield {**claim, **self._judged(claim)}

    def _judged(self, claim: dict[str, Any]) -> dict[str, Any]:
        if "cannot" in claim:
            return {"verdict": "cannot be shown with public data", "row": None}
        row = self.row(claim["outcome"], OURS, claim["base"]) if "base" in claim else self.alone(claim["outcome"])
        if row is None:
            return {"verdict": "not replayed", "row": None}
        unclear = row.verdict if row.verdict in ("no figure", "too few seeds", "too few days") else "not shown"
        return {"row": row, "verdict": "shown" if unclear == "not shown" and _holds(claim, row) else unclear}

    def tornado(self, outcome: str, base: str) -> Iterator[dict[str, Any]]:
        """The difference to a base at the low and the high end of each rate, and whether a conclusion turns.

        Parameters
        ----------
        outcome
            Its name.
        base
            The policy that the platform is compared with.

        Yields
        ------
        dict
            rate, ends (low and high value), rows (one for each end), turns (whether the verdict changes); nothing for a
            rate that changes nothing.
        """
        usual = self.row(outcome, OURS, base)
        two = [policy for policy in self.policies if policy.name in (OURS, base)]
        for name, ends in TRIED.items():
            rates = [Rates(**{**vars(self.rates), name: end}) for end in ends]
            rows = [
                Report(self.kept, self.first, self.last, two, rate, outcome).row(outcome, OURS, base) for rate in rates
            ]
            if usual and all(rows) and any(row and row.found.value != usual.found.value for row in rows):
                turns = any(row and row.verdict != usual.verdict for row in rows)
                yield {"rate": name, "ends": ends, "rows": rows, "turns": turns}

    def outcomes(self) -> pd.DataFrame:
        """A row per base and outcome: values of both, difference, low, high, verdict; for programs."""
        rows = [row for policy in self.policies if policy.name != OURS for row in self.rows(policy.name)]
        return pd.DataFrame([
            {"base": row.base, "outcome": row.outcome.name, "unit": row.outcome.unit, "platform": row.found.arm,
             "base_value": row.found.base, "difference": row.found.value, "low": row.found.low, "high": row.found.high,
             "seeds": row.found.seeds, "weeks": row.found.weeks, "verdict": row.verdict}
            for row in rows
        ])  # fmt: skip


def _holds(claim: dict[str, Any], row: Comparison) -> bool:
    """Whether the whole interval is at least as good as claimed."""
    if "limit" in claim:
        return bool(row.found.high <= claim["limit"])
    wanted, found = claim["change"], row.relative
    if found is None:
        return False
    return bool(found[2] <= wanted if wanted < 0 else found[1] >= wanted)


def _read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found
