"""In which order simulated factories of each kind work, what they cannot read, and what a crash changes: nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from floor_world import DAY, MORNING, factory_rows, order, write_world
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from c2m.settings import SimulationPolicy
from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.manner import Manner, manner_of, version_of
from c2m.simulation.factories.profile import Profile, read
from c2m.simulation.factories.state import State
from c2m.wire.messages import PLATFORM, Cancel, JobOrder, JobResponse, Start, compose, parse

END = MORNING + timedelta(days=60)


class Bench:
    """A factory of one manner that talks, and may be killed between any two messages."""

    def __init__(self, folder: Path, profile: Profile, manner: Manner, version: int = 2) -> None:
        self.folder, self.profile, self.manner, self.version = folder, profile, manner, version
        self.restart()

    def restart(self) -> None:
        self.state = State(self.folder)
        self.factory = SimulatedFactory(self.profile, 1, self.state, "session", self.manner, self.version)

    def say(self, data: JobOrder | Start | Cancel, now: datetime = MORNING) -> JobResponse:
        message = parse(compose(data, PLATFORM, now).body())
        with self.state.transaction():
            self.factory.advance(now)
            self.factory.receive(message, now)
        return self.said()[-1]

    def offer(
        self, name: str, quantity: int = 600, start: bool = True, now: datetime = MORNING, **more: object
    ) -> bool:
        accepted = self.say(
            order(quantity, job_order_id=name, accept_by=now + timedelta(hours=12), **more), now
        ).accepted
        if accepted and start:
            self.say(Start(job_order_id=name, revision=1), now)
        return bool(accepted)

    def advance(self, now: datetime = END) -> None:
        with self.state.transaction():
            self.factory.advance(now)

    def said(self) -> list[JobResponse]:
        return [m.data for letter in self.state.letters([]) if isinstance((m := parse(letter.body)).data, JobResponse)]

    def ended(self) -> list[str]:
        return [said.job_order_id for said in self.said() if said.state == "Ended"]


Make = Callable[..., Bench]


@pytest.fixture
def make(home: Path) -> Iterator[Make]:
    profile = read(write_world(factory_rows(["mqtt"]), home / "factories.json"))["F1"]
    profile = replace(profile, crafts=frozenset({"print"}))
    made: list[Bench] = []

    def bench(manner: Manner, version: int = 2) -> Bench:
        made.append(Bench(home / f"sim-{len(made)}", profile, manner, version))
        return made[-1]

    yield bench


def offer_three(bench: Bench) -> None:
    bench.offer("J1", 600, rank=3_000_000)
    bench.offer("J2", 900, rank=1_000_000)
    bench.offer("J3", 1200, rank=2_000_000)
    bench.advance()


@pytest.mark.parametrize(
    ("manner", "ended"),
    [("rank", ["J2", "J3", "J1"]), ("arrival", ["J1", "J2", "J3"]), ("size", ["J3", "J2", "J1"])],
)
def test_each_kind_has_its_order_of_work(make: Make, manner: Manner, ended: list[str]) -> None:
    bench = make(manner)
    offer_three(bench)
    assert bench.ended() == ended


def begun(make: Make, manner: Manner, version: int = 2) -> tuple[Bench, datetime]:
    """2,400 pieces on their second day, and the time."""
    bench, now = make(manner, version), datetime.combine(DAY + timedelta(days=2), MORNING.timetz())
    bench.offer("J1", 2_400)
    bench.offer("J2", 600)
    bench.advance(now)
    return bench, now


def less(bench: Bench, pieces: dict[str, int], now: datetime, revision: int = 2) -> JobResponse:
    asked = {"quantity_by_sku": pieces, "accept_by": now + timedelta(hours=12), "revision": revision}
    return bench.say(order(sum(pieces.values()), **asked), now)


def shipped(bench: Bench, job_order_id: str = "J1") -> Counter[str]:
    """Pieces by SKU; no scan is told twice."""
    messages = [parse(letter.body).data for letter in bench.state.letters([])]
    scans = [scan for data in messages if isinstance(data, list) for scan in data if scan.job_order_id == job_order_id]
    assert len({scan.scan_id for scan in scans}) == len(scans)
    pieces: Counter[str] = Counter()
    for scan in scans:
        pieces[scan.sku_id] += scan.quantity if scan.operation == "ship" else 0
    return +pieces


@pytest.mark.parametrize("manner", ["rank", "arrival"])
def test_what_is_not_begun_is_cut_and_the_rest_is_made_to_the_piece(make: Make, manner: Manner) -> None:
    whole, _ = begun(make, manner)
    whole.advance()
    bench, now = begun(make, manner)
    said = less(bench, {"A": 1_200, "B": 301}, now)
    assert (said.state, said.accepted, said.made) == ("Running", True, 1_501)
    bench.restart()
    assert less(bench, {"A": 1_200, "B": 100}, now + timedelta(hours=1), 3).made == 1_300
    bench.advance()
    assert shipped(bench) == {"A": 1_200, "B": 100}
    assert shipped(bench, "J2") == shipped(whole, "J2") == {"A": 300, "B": 300}
    ended, ended_whole = ([said.job_order_id for said in one.said() if said.state == "Ended"] for one in (bench, whole))
    assert ended == ended_whole == ["J1", "J2"]


@pytest.mark.parametrize("manner", ["rank", "arrival"])
def test_a_cancel_of_begun_work_leaves_what_is_begun(make: Make, manner: Manner) -> None:
    bench, now = begun(make, manner)
    said = bench.say(Cancel(job_order_id="J1", revision=1), now)
    assert (said.state, said.accepted) == ("Running", True)
    assert said.made is not None and 0 < said.made < 1_200
    bench.restart()
    bench.advance()
    assert shipped(bench) == {"A": said.made}


@pytest.mark.parametrize(("manner", "version"), [("size", 2), ("rank", 1)])
def test_who_never_stops_and_who_cannot_say_what_is_made_go_on(make: Make, manner: Manner, version: int) -> None:
    bench, now = begun(make, manner, version)
    for said in (bench.say(Cancel(job_order_id="J1", revision=1), now), less(bench, {"A": 1_200, "B": 9}, now)):
        assert (said.state, said.accepted, said.reason, said.made) == ("Running", False, "production has begun", None)
    bench.advance()
    assert shipped(bench).total() == 2_400


def test_a_cut_that_comes_too_late_or_leaves_nothing_to_stop_is_refused(make: Make) -> None:
    bench, now = begun(make, "rank")
    late = order(1_300, revision=2, quantity_by_sku={"A": 1_200, "B": 100}, accept_by=now - timedelta(minutes=1))
    assert bench.say(late, now).reason.startswith("came after")
    assert not less(bench, {"A": 1_201, "B": 300}, now, 3).accepted, "more of one SKU is no cut"
    bench.advance()
    assert bench.say(Cancel(job_order_id="J1", revision=3), END).reason == "production has begun"


def test_without_ranks_what_is_due_first_comes_first(make: Make) -> None:
    bench = make("rank", version=1)
    for name, days in (("J1", 12), ("J2", 9), ("J3", 10)):
        bench.offer(name, 600, due_on=DAY + timedelta(days=days))
    bench.advance()
    assert bench.ended() == ["J2", "J3", "J1"]


def test_another_rank_moves_what_has_not_begun_and_nothing_else(make: Make) -> None:
    bench = make("rank")
    for number in (1, 2, 3):
        bench.offer(f"J{number}", 900, rank=number * 1_000_000)
    noon = datetime.combine(DAY + timedelta(days=1), MORNING.timetz())
    bench.advance(noon)
    agreed = order(900, job_order_id="J3", accept_by=MORNING + timedelta(hours=12), rank=3_000_000)
    told = agreed.model_copy(update={"revision": 2, "rank": 0})  # before all, long after accept_by
    said = bench.say(told, noon)
    assert (said.revision, said.state, said.accepted) == (2, "AllowedToStart", None)
    begun = order(900, job_order_id="J1", revision=2, accept_by=MORNING + timedelta(hours=12), rank=9_000_000)
    assert (bench.say(begun, noon).state, bench.said()[-1].accepted) == ("Running", False)
    bench.advance()
    assert bench.ended() == ["J1", "J3", "J2"]


def test_those_with_an_order_of_their_own_take_a_rank_and_do_not_heed_it(make: Make) -> None:
    for manner in ("arrival", "size"):
        bench = make(manner)
        bench.offer("J1", 900, rank=1_000_000)
        bench.offer("J2", 600, rank=2_000_000)
        told = order(600, job_order_id="J2", accept_by=MORNING + timedelta(hours=12), rank=0, revision=2)
        assert bench.say(told).accepted is not False
        bench.advance()
        assert bench.ended() == ["J1", "J2"]


def test_what_needs_a_craft_that_it_has_not_is_refused(make: Make) -> None:
    bench = make("rank")
    assert bench.offer("J1", crafts=("print",)) is True
    assert bench.offer("J2", crafts=("embroidery", "print")) is False
    assert bench.said()[-1].reason == "has no embroidery"


def test_a_factory_of_version_1_cannot_read_later_fields_and_says_no_version(make: Make) -> None:
    bench = make("arrival", version=1)
    message = parse(compose(order(600, rank=1, crafts=()), PLATFORM, MORNING).body())
    assert bench.factory.refusal(message) == "unknown fields rank, crafts, expected version 1"
    assert bench.factory.refusal(parse(compose(order(600), PLATFORM, MORNING).body())) == ""
    assert parse(bench.factory.farewell(MORNING)).data.version is None
    assert parse(make("arrival").factory.farewell(MORNING)).data.version == 2


def test_kinds_and_versions_come_in_the_shares_of_the_settings_and_follow_from_the_seed(home: Path) -> None:
    profile = read(write_world(factory_rows(["mqtt"]), home / "factories.json"))["F1"]
    many = [replace(profile, factory_id=f"F{number}") for number in range(2000)]
    policy = SimulationPolicy()
    kinds = Counter(manner_of(one, 7, policy) for one in many)
    assert {kind: round(count / 2000, 1) for kind, count in kinds.items()} == {"rank": 0.7, "arrival": 0.2, "size": 0.1}
    assert 0.07 < sum(version_of(one, 7, policy) == 1 for one in many) / 2000 < 0.13
    assert [manner_of(one, 7, policy) for one in many] == [manner_of(one, 7, policy) for one in many]
    assert {manner_of(one, 7, SimulationPolicy(rank_share=1, arrival_share=0)) for one in many} == {"rank"}


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, str, int, int]]:
    """(hours passed, job order, what it is, value): offers, starts, ranks and cancels in any order."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(0, 30),
                st.sampled_from(["J1", "J2", "J3", "J4"]),
                st.integers(0, 3),
                st.integers(1, 8),
            ),
            max_size=14,
        )
    )


def tell(bench: Bench, story: list[tuple[int, str, int, int]], killed: bool) -> list[bytes]:
    now, asked = MORNING, dict[str, JobOrder]()
    for hours, name, what, value in story:
        now += timedelta(hours=hours)
        before = asked.get(name)
        data: JobOrder | Start | Cancel
        if before is None:
            data = asked[name] = order(
                value * 200, job_order_id=name, rank=value * 10, accept_by=now + timedelta(hours=12),
                due_on=date(2026, 4, 1),
            )  # fmt: skip
        elif what == 0:
            data = Cancel(job_order_id=name, revision=before.revision)
        elif what == 1:
            data = Start(job_order_id=name, revision=before.revision)
        else:
            data = asked[name] = before.model_copy(update={"revision": before.revision + 1, "rank": value * 10 - 5})
        bench.say(data, now)
        if killed:
            bench.restart()
    bench.advance()
    return [letter.body for letter in bench.state.letters([])]


@pytest.mark.parametrize("manner", ["rank", "arrival", "size"])
@given(story=stories())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_factory_that_is_killed_after_each_message_says_the_same(
    make: Make, manner: Manner, story: list[tuple[int, str, int, int]]
) -> None:
    whole, killed = make(manner), make(manner)
    assert tell(whole, story, False) == tell(killed, story, True)
    for bench in (whole, killed):
        minutes = Counter[tuple[date, int]]()
        for job in bench.state.jobs("F1"):
            if job.told:
                for segment in job.segments:
                    for minute in range(int(segment.offset) + 1, int(segment.offset + segment.minutes)):
                        minutes[segment.day, minute] += 1
        assert max(minutes.values(), default=0) <= 1  # nobody works at two job orders at once
