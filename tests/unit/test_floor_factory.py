"""The conversation of a simulated factory, by the rules of c2m/wire/messages.py."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from floor_world import DAY, MORNING, factory_rows, order, write_world

from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.profile import Profile, read
from c2m.simulation.factories.state import State
from c2m.wire.messages import PLATFORM, Cancel, Destination, JobOrder, JobResponse, Scan, Start, compose, parse

END = MORNING + timedelta(days=20)


class Bench:
    """A factory with its state, and what it said."""

    def __init__(self, folder: Path, profile: Profile) -> None:
        self.folder, self.profile = folder, profile
        self.restart()

    def restart(self) -> None:
        self.state = State(self.folder)
        self.factory = SimulatedFactory(self.profile, 1, self.state, "session")

    def say(self, data: JobOrder | Start | Cancel, now: datetime = MORNING) -> JobResponse:
        message = parse(compose(data, PLATFORM, MORNING).body())
        with self.state.transaction():
            self.factory.receive(message, now)
        return self.said()[-1]

    def advance(self, now: datetime) -> None:
        with self.state.transaction():
            self.factory.advance(now)

    def bodies(self) -> list[bytes]:
        return [letter.body for letter in self.state.letters([])]

    def said(self) -> list[JobResponse]:
        return [message.data for body in self.bodies() if isinstance((message := parse(body)).data, JobResponse)]

    def scans(self) -> list[Scan]:
        return [scan for body in self.bodies() if isinstance(data := parse(body).data, list) for scan in data]


@pytest.fixture
def bench(home: Path) -> Iterator[Bench]:
    profile = read(write_world(factory_rows(["mqtt"]), home / "factories.json"))["F1"]
    yield Bench(home / "sim", profile)


def word(said: JobResponse) -> tuple[str, bool | None, str]:
    return said.state, said.accepted, said.reason


def test_an_offer_is_accepted_waits_for_start_then_runs_to_its_end(bench: Bench) -> None:
    assert word(bench.say(order())) == ("NotAllowedToStart", True, "")
    bench.advance(END)
    assert bench.scans() == []
    assert word(bench.say(Start(job_order_id="J1", revision=1))) == ("AllowedToStart", None, "")
    bench.advance(END)
    said = bench.said()
    assert [response.state for response in said[-2:]] == ["Running", "Ended"]
    assert [response.sequence for response in said] == [1, 2, 3, 4]
    assert sum(scan.quantity for scan in bench.scans() if scan.operation == "ship") == 240


def test_scans_come_in_batches_of_a_hundred_before_the_end_is_told(bench: Bench) -> None:
    bench.say(order(2400))
    bench.say(Start(job_order_id="J1", revision=1))
    bench.advance(END)
    sizes = [len(data) if isinstance(data := parse(body).data, list) else data.state for body in bench.bodies()]
    assert sizes[:4] == ["NotAllowedToStart", "AllowedToStart", "Running", 100]
    assert sizes[-1] == "Ended"
    assert max(size for size in sizes if isinstance(size, int)) == 100


@pytest.mark.parametrize(
    ("change", "offer", "reason"),
    [
        ({}, order(accept_by=MORNING - timedelta(seconds=1)), "came after"),
        ({}, order(category="shoe"), "does not make shoe"),
        ({"small_order_willingness": 0.0}, order(99), "too small"),
        ({}, order(60_000), "no capacity in time"),
    ],
)
def test_refusals_name_their_reason(bench: Bench, change: dict[str, float], offer: JobOrder, reason: str) -> None:
    bench.profile = replace(bench.profile, **change)
    bench.restart()
    said = bench.say(offer)
    assert (said.state, said.accepted) == ("NotAllowedToStart", False)
    assert reason in said.reason


def test_a_queue_longer_than_the_window_is_refused(bench: Bench) -> None:
    answers = [bench.say(order(3000, job_order_id=f"J{i}")).accepted for i in range(6)]
    assert answers[0] is True
    assert answers[-1] is False


@pytest.mark.parametrize(
    ("to", "by"),
    [
        ({"destination": Destination(latitude=0.0, longitude=18.0)}, 6),  # 2,001 km: a day of handling, five of road
        ({"destination": Destination(latitude=None, longitude=None)}, 2),
        ({"stage": 1, "stages": 2, "next_factory_id": "F2"}, 4),  # 1,001 km
        ({"stage": 1, "stages": 2, "next_factory_id": "F1"}, 0),
    ],
)
def test_it_is_done_as_many_days_before_its_due_day_as_the_goods_are_under_way(
    bench: Bench, to: dict[str, Any], by: int
) -> None:
    """Regular shifts take two days for these pieces, and overtime as much again makes them in one."""
    days = {day: (minutes, minutes) for day, (minutes, _) in bench.profile.calendar.items()}
    here = replace(bench.profile, calendar=days, handling_days=1, latitude=0.0, longitude=0.0)
    peers = {"F1": here, "F2": replace(here, factory_id="F2", longitude=9.0)}
    for spare, in_overtime in ((2, False), (0, True)):
        state = State(bench.folder / str(spare))
        factory = SimulatedFactory(here, 1, state, "session", "rank", 2, peers)
        offer = order(900, start_on=DAY, due_on=DAY + timedelta(days=by + spare), **to)
        with state.transaction():
            factory.receive(parse(compose(offer, PLATFORM, MORNING).body()), MORNING)  # type: ignore[arg-type]
        (job,) = state.jobs("F1")
        assert ({segment.day for segment in job.segments} == {DAY}) == in_overtime


def test_what_was_refused_does_not_start(bench: Bench) -> None:
    bench.say(order(category="shoe"))
    assert word(bench.say(Start(job_order_id="J1", revision=1))) == ("NotAllowedToStart", False, "nothing was agreed")


def test_a_repeated_message_gets_the_same_answer_even_after_a_restart(bench: Bench) -> None:
    bench.say(order())
    bench.restart()
    bench.say(order(), now=END)
    first, second = bench.bodies()
    assert first == second


def test_a_cancel_is_confirmed_before_production_and_frees_the_capacity(bench: Bench) -> None:
    bench.say(order(5000))
    bench.say(Start(job_order_id="J1", revision=1))
    assert word(bench.say(Cancel(job_order_id="J1", revision=1))) == ("Aborted", None, "cancelled")
    bench.advance(END)
    assert bench.scans() == []
    assert bench.say(order(5000, job_order_id="J2")).accepted is True


def test_a_cancel_of_something_unknown_is_confirmed_and_its_late_store_refused(bench: Bench) -> None:
    assert word(bench.say(Cancel(job_order_id="J1", revision=1))) == ("Aborted", None, "cancelled")
    assert word(bench.say(order())) == ("Aborted", False, "cancelled before")


def test_an_amendment_before_production_holds(bench: Bench) -> None:
    bench.say(order(240))
    bench.say(Start(job_order_id="J1", revision=1))
    said = bench.say(order(300, revision=2))
    assert (said.state, said.accepted, said.revision, said.sequence) == ("AllowedToStart", True, 2, 3)
    bench.advance(END)
    assert sum(scan.quantity for scan in bench.scans() if scan.operation == "ship") == 300


def test_an_amendment_that_does_not_fit_leaves_the_agreement(bench: Bench) -> None:
    bench.say(order(240))
    bench.say(Start(job_order_id="J1", revision=1))
    said = bench.say(order(60_000, revision=2))
    assert (said.state, said.accepted) == ("AllowedToStart", False)
    bench.advance(END)
    assert sum(scan.quantity for scan in bench.scans() if scan.operation == "ship") == 240


def test_an_amendment_during_production_is_refused(bench: Bench) -> None:
    bench.say(order(240))
    bench.say(Start(job_order_id="J1", revision=1))
    bench.advance(END)
    assert word(bench.say(order(300, revision=2))) == ("Ended", False, "production has begun")


def test_an_older_revision_is_answered_with_what_holds(bench: Bench) -> None:
    bench.say(order(240, revision=2))
    said = bench.say(order(200, revision=1))
    assert (said.revision, said.state, said.accepted) == (2, "NotAllowedToStart", None)


def test_what_it_tells_does_not_depend_on_how_time_passes_or_on_restarts(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other", bench.profile)
    for one in (bench, other):
        for number in range(3):
            one.say(order(800, job_order_id=f"J{number}"))
            one.say(Start(job_order_id=f"J{number}", revision=1))
    bench.advance(END)
    for hours in range(0, 20 * 24, 7):
        other.advance(MORNING + timedelta(hours=hours))
        other.restart()
    other.advance(END)
    assert bench.scans() == other.scans()
    assert bench.said() == other.said()
