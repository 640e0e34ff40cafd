"""A day on which a person decides: rejected, planned again, released in part, replaced, released whole, run again.

On a real Prefect server, by the commands and flows that a person uses. Every page and file is that of its own plan.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from day_kit import ENDS, assert_plans_verify, command, environment, ledger, run_days

from c2m.orchestrator import orchestrator
from c2m.settings import PlanPolicy

BY_HAND = {"C2M_RELEASE__AUTOMATIC": "false", "C2M_PLAN__ROUNDS": "2"}  # a third one would wait for a person too
FORMS = """
import json, sys
from c2m.errors import C2MError
from flows.parameters import Plan
from flows.plan import plan
for form in sys.stdin:
    try:
        print("::", plan(Plan(**json.loads(form))), flush=True)
    except C2MError as error:
        print("::", error.reason, *error.faults, flush=True)
"""  # one process for all forms: the flow's imports take longer than a small plan


class Day:
    """A home, and what its user does and sees."""

    def __init__(self, world: Path, home: Path, url: str) -> None:
        self.world, self.home, self.url = world, home, url
        self._forms = subprocess.Popen(
            [sys.executable, "-c", FORMS],
            env=environment(home, url, **BY_HAND),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """No more forms."""
        self._forms.communicate(timeout=60)

    def run(self) -> dict[str, Any]:
        """`c2m run`; what it says at its end."""
        done = run_days(self.world, self.home, self.url, **BY_HAND)
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen

    def form(self, **fields: object) -> str:
        """The flow `plan` with these fields of its form; what it returned, or the words with which it refused."""
        assert self._forms.stdin and self._forms.stdout
        self._forms.stdin.write(json.dumps(fields) + "\n")
        self._forms.stdin.flush()
        for line in self._forms.stdout:
            if line.startswith(":: "):
                return line[3:].strip()
        raise AssertionError("the process of the forms has ended")

    def decide(self, plan_id: str, reason: str, actor: str, *more: str) -> subprocess.CompletedProcess[str]:
        """`c2m release`."""
        told = command("release", plan_id, "--reason", reason, "--actor", actor, *more)
        return subprocess.run(told, env=environment(self.home, self.url, **BY_HAND), capture_output=True, text=True)

    def page(self) -> str:
        """The plan's page as the server shows it."""
        asked = {"artifacts": {"key": {"any_": ["plan"]}}}
        found = orchestrator(self.url).ask("/artifacts/latest/filter", asked)
        return str(found[0]["data"])

    def plans(self) -> pd.DataFrame:
        """The ledger's plans by plan_id."""
        return ledger(self.home)["plans"].set_index("plan_id")

    def newest(self) -> str:
        """The plan that `c2m status` shows."""
        told = subprocess.run(
            command("status", "--json"), env=environment(self.home, self.url), capture_output=True, check=True
        )
        return str(json.loads(told.stdout)["plan"]["plan_id"])

    def folder(self, plan_id: str) -> Path:
        """Where a plan lies."""
        return self.home / str(self.plans().loc[plan_id, "folder"])

    def files(self, plan_id: str) -> dict[str, str]:
        """The digest of each of a plan's files; but for the page, on which the plans of the day are listed."""
        folder = self.folder(plan_id)
        files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "page.md")
        return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def assert_page_is_of(day: Day, plan_id: str, *words: str) -> None:
    """The page on the server and the one in the plan's folder are the plan's own, and say these words."""
    page, folder = day.page(), day.folder(plan_id)
    assert (folder / "page.md").read_text() in page
    assert f"/{folder.relative_to(day.home)}/" in page
    assert (folder / "explanation.md").read_text() in page
    assert [word for word in words if word not in page] == []


@pytest.fixture
def day(world: Path, tmp_path: Path, prefect_url: str) -> Iterator[Day]:
    made = Day(world, tmp_path / "home", prefect_url)
    yield made
    made.close()


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_every_page_and_file_of_a_day_is_that_of_its_own_plan(day: Day) -> None:
    assert day.run()["plan"]["state"] == "proposed"
    first = day.newest()
    assert_page_is_of(day, first, "Waits for a person", f"c2m release {first} --reason '...'")
    of_first = day.files(first)

    # Rejected, and planned again.
    assert (
        "--without has an effect only without --reject"
        in day.decide(first, "x", "ann", "--reject", "--without", "L").stderr
    )
    assert "rejected by ann" in day.decide(first, "too many late lots", "ann", "--reject").stdout
    assert_page_is_of(day, first, "**Rejected by ann on ", "too many late lots")
    assert day.form(business_date="2026-04-13") == "False"
    second = day.newest()
    assert day.folder(second) != day.folder(first)
    assert_page_is_of(
        day, second, "Waits for a person", f"c2m release {second} --reason '...'", "ann has rejected the same"
    )
    assert day.files(first) == of_first

    # Limits that a waiting plan was not made with are refused, and taken with `replace`.
    assert "plan-waits" in day.form(business_date="2026-04-13", gap=0.05)
    assert day.newest() == second
    assert day.form(business_date="2026-04-13", gap=0.05, replace=True) == "False"
    third = day.newest()
    assert_page_is_of(day, third, "Waits for a person", "replaced by plan " + third)
    assert day.form(business_date="2026-04-13", gap=0.05, replace=True) == "False"
    assert day.newest() == third
    made = [json.loads((day.folder(one) / "limits.json").read_text())["gap"] for one in (second, third)]
    assert made == [PlanPolicy().gap, 0.05]

    # Released in part: the run goes on from there, and the rest is planned again.
    lot = ledger(day.home)["plan_allocations"].query("plan_id == @third")["lot_id"].iloc[0]
    assert "released by ann" in day.decide(third, "all but one", "ann", "--without", lot).stdout
    assert_page_is_of(day, third, "**Released by ann on ", f"; 1 lot held back ({lot})")
    assert "was released by ann without" in day.decide(third, "all of it", "bob").stderr
    seen = day.run()
    assert sum(seen["job_orders"].values()) > 10
    assert "Released" not in seen["job_orders"]
    of_third = day.files(third)
    assert "plan-decided" in day.form(business_date="2026-04-13", round=1, gap=0.5)
    if day.newest() == third:  # no factory refused, hence no second round by itself
        assert day.form(business_date="2026-04-13", round=None) == "False"
    fourth = day.newest()
    assert day.plans().loc[fourth, ["round", "state"]].tolist() == [2, "proposed"]
    assert lot in set(ledger(day.home)["plan_allocations"].query("plan_id == @fourth")["lot_id"])
    assert_page_is_of(day, fourth, "Waits for a person", "counts as the day's own")

    # Released whole, and run again: all is answered, and nothing happens twice.
    assert day.decide(fourth, "the rest", "bob").returncode == 0
    assert_page_is_of(day, fourth, "**Released by bob on ", "the rest")
    seen = day.run()
    assert set(seen["job_orders"]) <= ENDS
    before = ledger(day.home)
    day.run()
    after = ledger(day.home)
    assert all(before[name].equals(after[name]) for name in ("plans", "decisions", "plan_allocations", "job_orders"))
    assert (day.files(first), day.files(third)) == (of_first, of_third)
    assert (day.plans()["state"] != "proposed").all()
    assert_plans_verify(day.home)
