"""Video links: the right camera, the right time, nothing that a template or an identifier could smuggle in."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.floor.collect import Arrival, commit
from c2m.ledger import store
from c2m.people import video
from c2m.settings import settings
from c2m.wire.messages import Scan, compose, factory_source, topic
from flows.track import with_video

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEMPLATE = "https://nvr.example/{factory_id}/{line_id}?from={start}&to={end}"


@pytest.fixture(autouse=True)
def ledger(home: Path) -> None:
    store.migrate()


def use(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"C2M_CAMERA_{name}", value)
    settings.cache_clear()


def scans(*seen: tuple[float, str | None, str], factory_id: str = "F1", bundle_id: str | None = None) -> None:
    """Lands scans of J1 at so many seconds after noon, on a line, in an operation."""
    rows = [
        Scan(scan_id=f"{factory_id}-{second:g}-{operation}", job_order_id="J1", sku_id="A", operation=operation,
             quantity=1, line_id=line_id, bundle_id=bundle_id, at=NOON + timedelta(seconds=second))
        for second, line_id, operation in seen
    ]  # fmt: skip
    body = compose(rows, factory_source(factory_id), NOON).body()
    assert commit([Arrival(topic(factory_id, "scans"), body, lambda _: None)], NOON + timedelta(hours=3)) == [""]


def test_a_window_ends_where_a_line_pauses_and_has_a_margin(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, URL=TEMPLATE)
    scans((0, "L1", "sew"), (400, "L1", "sew"), (900, "L1", "sew"), (1501, "L1", "sew"), (900, "L2", "sew"))
    scans((0, "L1", "sew"), (905, "L1", "pack"))  # one comes twice
    found = video.windows("J1")
    first, second, *_ = found.itertuples()
    shown = [
        (row.line_id, row.operation, row.scans, (row.last - row.first).total_seconds()) for row in found.itertuples()
    ]
    assert shown == [
        ("L1", "sew", 3, 900), ("L2", "sew", 1, 0), ("L1", "pack", 1, 0), ("L1", "sew", 1, 0),
    ]  # fmt: skip
    address = urlsplit(first.video)
    assert (address.scheme, address.netloc, address.path) == ("https", "nvr.example", "/F1/L1")
    assert parse_qs(address.query) == {"from": ["2026-03-02T11:59:30Z"], "to": ["2026-03-02T12:15:30Z"]}
    assert ":" not in address.query
    assert second.video.startswith("https://nvr.example/F1/L2?")


def test_a_factory_may_have_cameras_of_its_own_and_lines_no_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {
        "F2": "http://10.0.0.7:8080/play?cam={line_id}&t={start_s}-{end_s}",
        "F3": "https://wall.example/{factory_id}",
    }
    use(monkeypatch, URL=TEMPLATE, URLS=json.dumps(own), MARGIN_S="0")
    noon_s = int(NOON.timestamp())
    assert (
        video.link("F2", "L 1&x=|", NOON, NOON) == f"http://10.0.0.7:8080/play?cam=L%201%26x%3D%7C&t={noon_s}-{noon_s}"
    )
    assert video.link("F1", None, NOON, NOON) is None
    assert video.link("F3", None, NOON, NOON) == "https://wall.example/F3"
    use(monkeypatch, URL="")
    monkeypatch.delenv("C2M_CAMERA_URL")
    settings.cache_clear()
    assert video.link("F1", "L1", NOON, NOON) is None
    assert video.is_set()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("https://nvr.example/{factory}", "{factory} is unknown"),
        ("https://nvr.example/{line_id.__class__}", "unknown"),
        ("https://nvr.example/{line_id!r}", "unknown or formatted"),
        ("https://nvr.example/{start:%H}", "unknown or formatted"),
        ("https://nvr.example/{}", "unknown"),
        ("https://nvr.example/{line_id", "C2M_CAMERA_URL: "),
        ("javascript:alert(1)//{line_id}", "no address"),
        ("ftp://nvr.example/{line_id}", "no address"),
        ("https://{factory_id}.example/", "neither placeholders"),
        ("https://me:secret@nvr.example/", "neither placeholders"),
        ("nvr.example/{line_id}", "no address"),
    ],
)
def test_a_template_is_refused_when_settings_are_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, template: str, words: str
) -> None:
    use(monkeypatch, URL=template)
    with pytest.raises(InputError) as refused:
        settings()
    assert words in str(refused.value)
    told = CliRunner().invoke(app, ["video", "J1"])
    assert (told.exit_code, "Traceback" in told.output, "C2M_CAMERA_URL" in told.output) == (2, False, True)


def test_other_settings_are_refused_in_words_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_HTTP_PORT", "many")
    monkeypatch.setenv("C2M_CAMERA_URLS", "{")
    settings.cache_clear()
    told = CliRunner().invoke(app, ["video", "J1"])
    assert (told.exit_code, "camera_urls" in told.output) == (2, True)
    monkeypatch.delenv("C2M_CAMERA_URLS")
    monkeypatch.setenv("C2M_PLAN__GAP", "-1")
    settings.cache_clear()
    told = CliRunner().invoke(app, ["video", "J1"])
    assert all(words in told.output for words in ("C2M_HTTP_PORT: ", "C2M_PLAN__GAP: "))


def test_the_command_shows_a_bundle_or_a_line_and_says_where_there_are_no_cameras(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "C2M_CAMERA_URL" in CliRunner().invoke(app, ["video", "J1"]).output
    use(monkeypatch, URL=TEMPLATE)

    def shown(*options: str) -> list[str]:
        told = CliRunner().invoke(app, ["video", "J1", *options, "--json"])
        assert told.exit_code == 0, told.output
        return [row["line_id"] for row in json.loads(told.stdout)]

    assert shown() == []
    scans((0, "L1", "sew"), bundle_id="B1")
    scans((10, "L2", "sew"), bundle_id="B2")
    assert shown() == ["L1", "L2"]
    assert shown("--bundle", "B2") == ["L2"]
    assert shown("--line", "L1") == ["L1"]


def test_progress_shows_where_the_last_scan_of_the_day_before_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, URL=TEMPLATE)
    scans((0, "L1", "sew"), (60, "L2", "sew"))
    scans((70, "L9", "sew"), factory_id="F2")  # another factory's word on this job order
    rows = pd.DataFrame({"job_order_id": ["J1", "J2"], "factory_id": ["F1", "F1"], "state": ["Running", "Running"]})
    linked = with_video(rows, (NOON + timedelta(days=1)).date())
    assert linked["job_order_id"].tolist() == ["J1", "J2"]
    assert linked["video"][0].startswith(
        "[L2 2026-03-02 12:01](https://nvr.example/F1/L2?from=2026-03-02T12%3A00%3A30Z"
    )
    assert linked["video"][1] == ""
    assert with_video(rows, NOON.date())["video"].tolist() == ["", ""]  # not known on that day yet
