"""Sparkplug's births, aliases, gaps and counters, message by message; the wire is the one of tests/sparkplug_kit.py."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkplug_kit import ALIASES, MAPPING, body, mapping, metric, text
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.floor.sparkplug import mapping as mapped
from c2m.floor.sparkplug import payload
from c2m.floor.sparkplug.adapter import Adapter, topics
from c2m.floor.sparkplug.mapping import load
from c2m.floor.sparkplug.session import MetricValue
from c2m.floor.sparkplug.tally import MOST_PIECES, Tally
from c2m.wire.messages import Envelope, Scan, ScansMessage, StatusMessage, parse

T0 = 1_790_000_000_000
NODE, DEVICE = "spBv1.0/F1/{}/Gateway 1", "spBv1.0/F1/{}/Gateway 1/Line 1"


class Site:
    """An adapter that hears what a test says at given seconds; what it wants to say to the platform."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.again()

    def again(self) -> None:
        """A new process over the same files."""
        self.adapter = Adapter(load(mapping(self.folder)), self.folder / "state.json")

    def hear(self, topic: str, second: float, seq: int | None, *metrics: bytes) -> None:
        at_ms = T0 + int(second * 1000)
        self.adapter.hear(topic, body(seq, at_ms, *metrics), datetime.fromtimestamp(at_ms / 1000, UTC))

    def birth(self, second: float, good: int = 0, order: str = "J1", bd_seq: int = 7) -> None:
        self.hear(NODE.format("NBIRTH"), second, 0, metric("bdSeq", bd_seq))
        values = {"Order/Id": order, "Order/Sku": "K1", "Sewn/Good": good, "Sewn/Rejected": 0}
        self.hear(DEVICE.format("DBIRTH"), second, 1, *(metric(n, v, alias=ALIASES[n]) for n, v in values.items()))

    def data(self, second: float, seq: int, **values: int | str) -> None:
        names = {"good": 3, "rejected": 4, "order": 1, "sku": 2}
        self.hear(DEVICE.format("DDATA"), second, seq, *(metric(None, v, alias=names[n]) for n, v in values.items()))

    def in_step(self) -> bool:
        return self.adapter._sessions["Gateway 1"].in_step

    def messages(self) -> list[Envelope]:
        self.adapter.write_down()
        found = [parse(letter.body) for letter in self.adapter.unsaid()]
        assert not [message for message in found if isinstance(message, str)]
        return found  # type: ignore[return-value]

    def scans(self) -> list[Scan]:
        return [scan for message in self.messages() if isinstance(message, ScansMessage) for scan in message.data]

    def made(self) -> list[tuple[str, int, int]]:
        return [(scan.job_order_id, scan.quantity, scan.defects) for scan in self.scans()]


@pytest.fixture
def site(home: Path, tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_counters_grow_by_becomes_scans_of_the_line_and_its_job_order(site: Site) -> None:
    site.birth(0, good=500)
    site.data(1, 2, good=503)
    site.data(2, 3, good=504, rejected=2)
    first, second, third = site.scans()
    assert (first.quantity, second.quantity, third.quantity, third.defects) == (3, 1, 0, 2)
    assert (first.job_order_id, first.sku_id, first.operation, first.line_id) == ("J1", "K1", "sew", "L1")
    assert first.at == datetime.fromtimestamp(T0 / 1000 + 1, UTC)
    assert {message.source for message in site.messages()} == {"c2m/factory/F1"}


def test_a_gap_stops_the_reading_until_births_which_make_up_for_it(site: Site) -> None:
    site.birth(0)
    site.data(1, 2, good=3)
    site.data(3, 4, good=9)
    assert (site.made(), site.in_step()) == ([("J1", 3, 0)], False)
    site.data(4, 5, good=10)
    site.birth(5, good=12)
    site.data(6, 2, good=13)
    assert site.made() == [("J1", 3, 0), ("J1", 9, 0), ("J1", 1, 0)]
    assert site.in_step()


def test_the_sequence_goes_round_after_255(site: Site) -> None:
    site.birth(0)
    for number in range(2, 600):
        site.data(number, number % 256, good=number)
    assert site.in_step()
    assert sum(scan.quantity for scan in site.scans()) == 599


@pytest.mark.parametrize("device", ["Line 1", "Line 2"])
def test_what_no_birth_has_told_puts_a_node_out_of_step(site: Site, device: str) -> None:
    site.birth(0)
    unknown = metric(None, 1, alias=99 if device == "Line 1" else 3)
    site.hear(f"spBv1.0/F1/DDATA/Gateway 1/{device}", 1, 2, unknown)
    assert not site.in_step()


def test_data_before_any_birth_and_bytes_that_are_no_payload_count_nothing(site: Site) -> None:
    site.data(0, 1, good=5)
    site.adapter.hear(DEVICE.format("DDATA"), b"\xff\xff\xff", datetime.now(UTC))
    assert (site.made(), site.in_step()) == ([], False)


def test_a_counter_that_was_reset_counts_from_zero_and_for_the_new_job_order(site: Site) -> None:
    site.birth(0, good=500)
    site.data(1, 2, order="J2", good=4)
    site.data(2, 3, good=6)
    assert site.made() == [("J2", 4, 0), ("J2", 2, 0)]


def test_pieces_up_to_a_change_of_job_order_belong_to_the_one_before(site: Site) -> None:
    site.birth(0, good=500)
    site.data(1, 2, order="J2", good=503)
    site.data(2, 3, good=504)
    site.birth(3, good=506, order="J3")
    assert site.made() == [("J1", 3, 0), ("J2", 1, 0), ("J2", 2, 0)]


def test_pieces_for_nobody_of_ours_are_not_counted_later_either(site: Site) -> None:
    site.birth(0, good=500, order="")
    site.data(1, 2, good=510)
    site.data(2, 3, order="another's / 7")
    site.data(3, 4, good=520)
    site.data(4, 5, order="J1")
    site.data(5, 6, good=521)
    assert site.made() == [("J1", 1, 0)]


def test_repetitions_and_what_is_old_change_nothing_whatever_their_sequence(site: Site) -> None:
    site.birth(0)
    for _ in range(2):
        site.data(1, 2, good=3)
        site.data(2, 3, good=7)
        site.birth(2.5, good=7)
    assert site.made() == [("J1", 3, 0), ("J1", 4, 0)]
    ids = [scan.scan_id for scan in site.scans()]
    other = Site(site.folder / "..")
    other.adapter = Adapter(load(mapping(site.folder)), site.folder / "another.json")
    other.birth(0)
    other.data(1, 2, good=3)
    other.data(2, 3, good=7)
    assert [scan.scan_id for scan in other.scans()] == ids


def test_a_restart_says_what_was_not_acknowledged_again_in_the_same_words_and_counts_on(site: Site) -> None:
    site.birth(0)
    site.data(1, 2, good=3)
    site.adapter.write_down()
    said = [letter.body for letter in site.adapter.unsaid()]
    site.again()
    assert [letter.body for letter in site.adapter.unsaid()] == said
    site.data(1, 2, good=3)  # not acknowledged, so it comes again; the alias means nothing yet
    site.birth(2, good=8)
    assert site.made() == [("J1", 3, 0), ("J1", 5, 0)]


def test_a_will_of_an_earlier_connection_kills_nobody_and_factories_say_how_they_are(site: Site) -> None:
    site.birth(0, bd_seq=7)
    site.hear(NODE.format("NDEATH"), 1, None, metric("bdSeq", 6))
    site.data(2, 2, good=1)
    site.hear(NODE.format("NDEATH"), 3, None, metric("bdSeq", 7))
    site.hear(NODE.format("NDEATH"), 3, None, metric("bdSeq", 7))
    site.birth(4, good=2, bd_seq=8)
    told = [m.data.online if isinstance(m, StatusMessage) else "scans" for m in site.messages()]
    assert told == ["scans", True]  # of one commit the newest status holds, and it comes behind the scans
    site.hear(NODE.format("NDEATH"), 5, None, metric("bdSeq", 8))
    assert [m.data.online for m in site.messages() if isinstance(m, StatusMessage)] == [True, False]


def test_a_device_that_died_is_read_again_after_its_birth(site: Site) -> None:
    site.birth(0)
    site.hear(DEVICE.format("DDEATH"), 1, 2)
    site.data(2, 3, good=5)
    assert (site.made(), site.in_step()) == ([], False)


@pytest.mark.parametrize("bad", [-1, 2.5, True, "many", None, MOST_PIECES + 1, float("nan"), float("inf")])
def test_values_that_are_no_count_are_left_out(site: Site, bad: int | float | str | None) -> None:
    site.birth(0)
    site.hear(DEVICE.format("DDATA"), 1, 2, metric("Sewn/Good", bad))
    assert (site.made(), site.in_step()) == ([], True)


def test_text_that_is_no_text_says_nothing(site: Site) -> None:
    site.birth(0)
    for seq, name in enumerate((b"Sewn/Good", b"Order/Id", b"\xff"), 2):
        site.hear(DEVICE.format("DBIRTH"), 1, seq, text(1, name) + text(15, b"\xff"))
    assert (site.made(), site.in_step()) == ([], True)


def test_historical_values_and_clocks_that_run_ahead_are_left_out(site: Site) -> None:
    site.birth(0)
    site.hear(DEVICE.format("DDATA"), 10, 2, metric("Sewn/Good", 5, T0 + 5000, historical=True))
    site.hear(DEVICE.format("DDATA"), 11, 3, metric("Sewn/Good", 6, T0 + 4_000_000))
    site.hear(DEVICE.format("DDATA"), 12, 4, metric("Sewn/Good", 7))
    assert site.made() == [("J1", 7, 0)]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=30), st.lists(st.integers(0, 29), max_size=40))
def test_however_readings_are_repeated_each_piece_counts_once(steps: list[tuple[int, bool]], again: list[int]) -> None:
    """Oracle: the pieces as the line made them. Resets are told at once, else a total cannot show them."""
    line = mapped.Site.model_validate(yaml.safe_load(MAPPING)).edge_nodes[0].lines[0]
    tally = Tally(line, ("F1",), {"Order/Id": (T0, "J1"), "Order/Sku": (T0, "K1"), "Sewn/Good": (T0, 0)})
    shown, readings, made = 0, [], 0
    for number, (pieces, reset) in enumerate(steps, 1):
        if reset and pieces < shown:
            shown = 0
        shown, made = shown + pieces, made + pieces
        readings.append(MetricValue("Sewn/Good", T0 + number, shown))
    found = [scan for reading in readings for scan in tally.take([reading], T0 * 2)]
    repeated = [readings[index] for index in again if index < len(readings)]
    found += [scan for reading in repeated for scan in tally.take([reading], T0 * 2)]
    assert sum(scan.quantity for scan in found) == made
    assert len({scan.scan_id for scan in found}) == len(found)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["heard", "lost", "twice", "killed", "restarted"])), max_size=25
    )
)
@settings(deadline=None, max_examples=30)
def test_lost_and_repeated_messages_and_kills_anywhere_leave_each_piece_counted_once(
    steps: list[tuple[int, str]],
) -> None:
    """Oracle: the pieces as the line made them. Killed: before anything was written down; restarted: after, unsaid."""
    with tempfile.TemporaryDirectory() as folder:
        site, good, seq, said = Site(Path(folder)), 0, 1, {}

        def told() -> None:
            said.update({scan.scan_id: scan.quantity for scan in site.scans()})

        site.birth(0)
        told()
        for second, (pieces, fate) in enumerate(steps, 1):
            good, seq = good + pieces, (seq + 1) % 256
            for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
                site.data(second, seq, good=good)
            if fate == "killed":
                site.again()
                site.data(second, seq, good=good)  # with QoS 1 it comes again
            else:
                told()
            if fate == "restarted":
                site.again()
                told()
            if not site.in_step():
                site.birth(second + 0.5, good=good)
                seq = 1
        site.birth(len(steps) + 1, good=good)
        told()
        assert sum(said.values()) == good


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"]),
            st.integers(0, 3),
            st.lists(
                st.tuples(
                    st.sampled_from([None, "bdSeq", "Sewn/Good", "Order/Id", "x"]),
                    st.none() | st.booleans() | st.text(max_size=3) | st.integers(-(2**63), 2**64) | st.floats(),
                    st.none() | st.integers(0, 2**64 - 1),
                    st.none() | st.integers(0, 5),
                ),
                max_size=4,
            ),
            st.binary(max_size=6),
        ),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=60)
def test_nothing_that_is_said_ends_the_adapter(said: list[tuple[str, int, list[tuple], bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        site.birth(0)
        for kind, seq, metrics, noise in said:
            topic = (NODE if kind[0] == "N" else DEVICE).format(kind)
            wire = body(seq, T0, *(metric(*each) for each in metrics)) + noise
            site.adapter.hear(topic, wire, datetime.fromtimestamp(T0 / 1000 + 1, UTC))
        site.messages()
        site.again()


def test_the_command_to_be_born_again_is_what_the_standard_says() -> None:
    at_ms = T0
    wire = body(None, at_ms, metric("Node Control/Rebirth", True, at_ms))
    assert payload.rebirth(datetime.fromtimestamp(at_ms / 1000, UTC)) == wire


def test_a_site_hears_its_edge_nodes_alone(tmp_path: Path) -> None:
    assert set(topics(load(mapping(tmp_path)))) == {
        *(f"spBv1.0/F1/{kind}/Gateway 1" for kind in ("NBIRTH", "NDATA", "NDEATH")),
        *(f"spBv1.0/F1/{kind}/Gateway 1/+" for kind in ("DBIRTH", "DDATA", "DDEATH")),
    }


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("operation: sew", "operation: s w", "edge_nodes.0.lines.0.counters.0.operation"),
        ("group: F1", "group: F1/+", "group"),
        ("factory_id: F1", "factory_id: F 1", "edge_nodes.0.factory_id"),
        ("good: Sewn/Good, defects: Sewn/Rejected", "", "neither good nor defects"),
        ("Sewn/Rejected", "Sewn/Good", "counted 2 times"),
        ("Sewn/Rejected", "Order/Id", "is a counter and names"),
        ("line_id: L1", "line: L1", "Extra inputs"),
        ("group:", "group: [", "not YAML"),
    ],
)
def test_a_mapping_is_refused_by_name(tmp_path: Path, before: str, after: str, words: str) -> None:
    file = tmp_path / "site.yaml"
    assert before in MAPPING
    file.write_text(MAPPING.replace(before, after))
    with pytest.raises(InputError, match=words):
        load(file)


def test_the_example_is_a_mapping_and_what_is_none_is_named_by_the_command(home: Path, tmp_path: Path) -> None:
    site = load(Path(__file__).parents[2] / "examples" / "sparkplug.yaml")
    assert [line.line_id for node in site.edge_nodes for line in node.lines] == ["L1", "L2"]
    told = CliRunner().invoke(app, ["sparkplug", str(tmp_path / "none.yaml")])
    assert (told.exit_code, "No such file" in told.output) == (2, True)
