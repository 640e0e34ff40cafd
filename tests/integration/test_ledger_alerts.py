"""Alerts in the ledger, on both databases, and their delivery by Apprise to a web and a mail server of the test."""

import json
import logging
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from c2m.domain.alert_rules import URGENT, WARNING
from c2m.floor.child import LOOPBACK, free_port
from c2m.ledger import alerts
from c2m.ledger.store import session
from c2m.people import notify
from c2m.settings import settings

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def found(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Alerts of (kind, subject, severity)."""
    frame = pd.DataFrame(list(rows), columns=["kind", "subject", "severity"])
    lists = {"job_order_ids": [["J1", "J2"]] * len(rows), "order_ids": [["O1"]] * len(rows)}
    return frame.assign(factory_id="F1", cause="no scan", move="Call F1", **lists)


def record(at: datetime, *rows: tuple[str, str, int]) -> None:
    with session() as s:
        alerts.record(s, found(*rows), at)


def standing() -> list[tuple[str, int, datetime]]:
    with session() as s:
        rows = alerts.standing(s)
    return list(zip(rows["subject"], rows["severity"], rows["opened_at"], strict=True))


def news(target: str = "t") -> list[tuple[str, bool]]:
    """What a target has not heard: (subject, whether it is over)."""
    with session() as s:
        rows = alerts.untold(s, target)
    return list(zip(rows["subject"], rows["closed_at"].notna(), strict=True))


def hear(target: str = "t") -> None:
    with session() as s:
        alerts.note(s, target, alerts.untold(s, target), NOW)


def test_an_alert_lasts_gets_worse_and_ends(ledger: str) -> None:
    record(NOW, ("silent", "J1", WARNING), ("late", "J2", URGENT))
    record(NOW, ("silent", "J1", WARNING), ("late", "J2", URGENT))  # the same run again
    assert standing() == [("J2", URGENT, NOW), ("J1", WARNING, NOW)]
    assert news() == [("J2", False), ("J1", False)]
    hear()
    record(NOW + HOUR, ("silent", "J1", WARNING), ("late", "J2", WARNING))
    assert news() == []
    record(NOW + 2 * HOUR, ("silent", "J1", URGENT))
    assert news() == [("J1", False), ("J2", True)]
    assert news("another") == [("J1", False)]  # what it never heard of cannot be over for it
    hear()
    assert news() == []
    record(NOW + 3 * HOUR, ("silent", "J1", URGENT), ("late", "J2", WARNING))  # again: another alert
    assert standing()[1] == ("J2", WARNING, NOW + 3 * HOUR)
    assert news() == [("J2", False)]


def test_an_empty_floor_closes_all(ledger: str) -> None:
    record(NOW, ("silent", "J1", WARNING))
    with session() as s:
        alerts.record(s, found(), NOW + HOUR)
    assert standing() == []


class Web(ThreadingHTTPServer):
    """A web hook: what it was told, and how it answers."""

    def __init__(self, port: int) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 200
        super().__init__((LOOPBACK, port), Hook)


class Hook(BaseHTTPRequestHandler):
    """Takes JSON."""

    server: Web

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.told.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def port(sqlite_ledger: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, to which alerts go; the URL carries a password."""
    pytest.importorskip("apprise", reason="apprise is not installed")
    found_port = free_port()
    monkeypatch.setenv("C2M_ROBOT__URLS", json.dumps([f"json://user:hush-hush@{LOOPBACK}:{found_port}/hook"]))
    settings.cache_clear()
    return found_port


def quiet(monkeypatch: pytest.MonkeyPatch, urgent_passes: bool) -> None:
    changes = {"QUIET_FROM": "22:00", "QUIET_UNTIL": "07:00", "URGENT_PASSES": str(urgent_passes).lower()}
    for name, value in changes.items():
        monkeypatch.setenv(f"C2M_ROBOT__{name}", value)
    settings.cache_clear()


def test_each_alert_is_told_once_and_its_end_too(port: int) -> None:
    with serving(Web(port)) as web:
        record(NOW, ("late", "J1", URGENT), ("silent", "J2", WARNING))
        assert list(notify.deliver(NOW).values()) == [True]
        notify.deliver(NOW)
        record(NOW + HOUR, ("late", "J1", URGENT))
        notify.deliver(NOW + HOUR)
        notify.deliver(NOW + HOUR)
    assert [told["title"] for told in web.told] == [
        "C2M floor: 2 new or worse (1 urgent), 0 over",
        "C2M floor: 0 new or worse (0 urgent), 1 over",
    ]
    assert web.told[0]["message"].splitlines() == [
        "URGENT: late J1: no scan. Call F1. Orders: O1", "", "WARNING: silent J2: no scan. Call F1. Orders: O1",
    ]  # fmt: skip
    assert web.told[1]["message"] == "OVER: silent J2"


def test_who_could_not_be_reached_is_told_by_the_next_run(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    record(NOW, ("late", "J1", URGENT))
    assert list(notify.deliver(NOW).values()) == [False]  # nobody listens
    with serving(Web(port)) as web:
        web.status = 500
        assert list(notify.deliver(NOW).values()) == [False]
        web.status = 200
        assert list(notify.deliver(NOW + HOUR).values()) == [True]
        assert [told["title"] for told in web.told] == ["C2M floor: 1 new or worse (1 urgent), 0 over"]
    assert "was not reached" in caplog.text
    assert "hush-hush" not in caplog.text
    assert str(port) not in caplog.text


def test_a_url_that_is_none_stops_nobody_and_is_not_shown(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    urls = ["nonsense://token-1", "token-2", f"json://{LOOPBACK}:{port}/"]
    monkeypatch.setenv("C2M_ROBOT__URLS", json.dumps(urls))
    settings.cache_clear()
    record(NOW, ("late", "J1", URGENT))
    with serving(Web(port)) as web:
        assert list(notify.deliver(NOW).values()) == [False, False, True]
        assert len(web.told) == 1
    assert "nonsense-" in caplog.text
    assert "token" not in caplog.text


@pytest.mark.parametrize("urgent_passes", [True, False])
def test_quiet_hours_wait_for_the_morning(port: int, monkeypatch: pytest.MonkeyPatch, urgent_passes: bool) -> None:
    quiet(monkeypatch, urgent_passes)
    night, morning = NOW.replace(hour=23), NOW.replace(day=10, hour=7)
    record(night, ("late", "J1", URGENT), ("silent", "J2", WARNING))
    with serving(Web(port)) as web:
        notify.deliver(night)
        by_night = [told["message"].split(":")[0] for told in web.told]
        notify.deliver(morning)
    assert by_night == (["URGENT"] if urgent_passes else [])
    assert sum(told["message"].count("Call F1") for told in web.told) == 2


@pytest.mark.parametrize("hour,is_quiet", [(21, False), (22, True), (3, True), (6, True), (7, False), (12, False)])
def test_quiet_hours_are_those_of_the_platform(
    sqlite_ledger: str, monkeypatch: pytest.MonkeyPatch, hour: int, is_quiet: bool
) -> None:
    quiet(monkeypatch, True)
    monkeypatch.setenv("C2M_TIMEZONE", "Asia/Shanghai")
    settings.cache_clear()
    utc = datetime(2026, 3, 9, hour, tzinfo=UTC) - 8 * HOUR
    assert notify.is_quiet(utc, settings().robot) == is_quiet


def test_a_long_list_is_counted() -> None:
    many = found(*(("late", f"J{n}", WARNING) for n in range(30))).assign(closed_at=pd.NaT)
    title, text = notify.message(many, 20)
    assert title == "C2M floor: 30 new or worse (0 urgent), 0 over"
    assert text.splitlines()[-1] == "10 more: c2m alerts"
    assert text.count("WARNING") == 20


class Mail(socketserver.ThreadingTCPServer):
    """A mail server for one conversation at a time: keeps what it is sent."""

    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        self.told: list[str] = []
        super().__init__((LOOPBACK, port), Conversation)


class Conversation(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs (RFC 5321)."""

    server: Mail

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.told.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
            self.wfile.write(b"221 bye\r\n" if line == "QUIT" else b"250 ok\r\n")


def test_mail_goes_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"mailto://{LOOPBACK}:{port}/?from=robot@c2m.test&to=ops@c2m.test&mode=insecure"
    monkeypatch.setenv("C2M_ROBOT__URLS", json.dumps([url]))
    settings.cache_clear()
    record(NOW, ("late", "J1", URGENT))
    with serving(Mail(port)) as mail:
        assert list(notify.deliver(NOW).values()) == [True]
    assert "Subject: C2M floor: 1 new or worse (1 urgent), 0 over" in mail.told[0]
    assert "To: ops@c2m.test" in mail.told[0]


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://SEC0123456789@0123456789abcdef/",
        "feishu://0123456789abcdef0123456789abcdef/",
        "lark://0123456789abcdef/",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#floor",
        "wecombot://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa/",
    ],
)
def test_chats_that_the_manual_names_are_known(url: str) -> None:
    apprise = pytest.importorskip("apprise", reason="apprise is not installed")
    assert apprise.Apprise().add(url)
    assert not set(url.split("://")[1].split("/")) & set(notify.target(SecretStr(url)).split("-"))


def test_open_alerts_on_the_command_line(sqlite_ledger: str) -> None:
    from c2m.cli import app

    record(NOW, ("late", "J1", URGENT))
    (row,) = json.loads(CliRunner().invoke(app, ["alerts", "--json"]).stdout)
    assert (row["severity"], row["kind"], row["subject"], row["job_order_ids"]) == (
        "urgent",
        "late",
        "J1",
        ["J1", "J2"],
    )
    assert "Call F1" in CliRunner().invoke(app, ["alerts"]).stdout
