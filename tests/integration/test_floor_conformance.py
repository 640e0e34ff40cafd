"""The conformance kit: the simulated factories and the reference gateway pass; each broken rule is named."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty

import docs_kit
import pytest
from floor_world import begin, factory_rows, write_world
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.errors import InputError
from c2m.floor import broker, conformance, credentials
from c2m.floor.child import free_port
from c2m.floor.conformance import RuleFinding
from c2m.floor.processes import service
from c2m.settings import settings
from c2m.wire.messages import PLATFORM, compose

GATEWAY = Path(__file__).parents[2] / "examples" / "gateway.py"
PAGE = GATEWAY.parents[1] / "docs" / "asyncapi.yaml"

# What a careless integrator writes, and the rule that it breaks.
MISTAKES = {
    "answers an offer by `accepted`": (
        'said["accepted"] = not job["ended"] and (is_ranked_anew(asked, job["order"]) or accepts(asked))',
        'said["accepted"] = None',
    ),
    "by the same message": ('if asked["id"] not in STATE["answers"]:', "if True:"),
    "does not begin before it is told": (
        'job["order"] = asked if said["accepted"] else job["order"]',
        'job |= {"order": asked, "state": "Running"}',
    ),
    "begins, or says that it may": ('job["state"] = "AllowedToStart"', "pass"),
    "answers a new quantity by its revision": ('max(job["revision"], asked["revision"])', "1"),
    "confirms the cancel of what it does not know": ('job |= {"state": "Aborted", "ended": True}', "pass"),
    "refuses an offer that comes after its cancel": ('not job["ended"] and (', "("),
    "refuses what arrives after accept_by": ("> datetime.now(UTC)", "is not None"),
    "every message keeps the schema": ('"state")}', '"state")} | {"note": "hello"}'),
    "speaks for itself alone": ('f"c2m/factory/{FACTORY}"', '"c2m/factory/F2"'),
    "`sequence` grows": ('job["sequence"] + 1', "1"),
    "retained status": ('True, "version": 2})), 1, retain=True)', 'True, "version": 2})), 1)'),
    "needs a craft which it does not have": ('CRAFTS.issuperset(order.get("crafts", []))', "True"),
    "answers another rank by its revision": ('max(job["revision"], asked["revision"])', "1"),
    "answers another rank after accept_by": (
        '(is_ranked_anew(asked, job["order"]) or accepts(asked))',
        'accepts(asked); job["state"] = job["state"] if said["accepted"] else "Aborted"',
    ),
}


@pytest.fixture
def key(home: Path) -> str:
    return credentials.issue("F1")


@pytest.fixture
def place(key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a gateway is told: factory, host, port, key."""
    if broker.mosquitto_path() is None:
        pytest.skip("the mosquitto broker is not installed")
    with broker.start(engine="mosquitto") as running:
        monkeypatch.setenv("C2M_MQTT_PORT", str(running.port))
        monkeypatch.setenv("C2M_MQTT_VERSION", "3.1.1")
        settings.cache_clear()
        yield ["F1", "127.0.0.1", str(running.port), key]


def judged(stack: ExitStack, place: list[str], folder: Path, program: str) -> list[RuleFinding]:
    """The findings on a gateway of this program."""
    folder.mkdir()
    (folder / "gateway.py").write_text(program)
    (folder / "asyncapi.yaml").write_text(PAGE.read_text())
    command = [sys.executable, "gateway.py", *place]
    gateway = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    stack.callback(lambda: (gateway.kill(), gateway.wait()))
    with suppress(Empty), conformance.over_mqtt("F1") as (_, heard):
        heard.get(timeout=10)  # its status: it listens; one of the mistakes is to say none
    return conformance.judge(f"mqtt://127.0.0.1:{place[2]}", "F1", "shirt", 2.0, 0)


def test_the_reference_gateway_passes_and_has_few_lines(place: list[str], tmp_path: Path) -> None:
    program = GATEWAY.read_text()
    code = [line for line in program.split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 85
    with ExitStack() as stack:
        found = judged(stack, place, tmp_path / "right", program)
    assert [finding.rule for finding in found if finding.kept is not True] == [], found


def test_a_gateway_of_version_1_passes_and_is_asked_nothing_of_version_2(place: list[str], tmp_path: Path) -> None:
    program = GATEWAY.read_text().replace(', "version": 2}', "}")
    with ExitStack() as stack:
        found = judged(stack, place, tmp_path / "first", program)
    assert [finding.rule for finding in found if finding.kept is False] == [], found
    assert [finding.seen for finding in found if finding.kept is None] == ["it understands version 1"] * 3
    (told,) = (tmp_path / "first").glob("F1.json")
    offers = [job["order"] for job in json.loads(told.read_text())["jobs"].values() if job["order"]]
    assert offers
    assert not {"rank", "items", "crafts", "price"} & set().union(*offers)


def test_the_reference_gateway_says_what_breaks_the_schema_and_goes_on(place: list[str], tmp_path: Path) -> None:
    (tmp_path / "gateway.py").write_text(GATEWAY.read_text())
    (tmp_path / "asyncapi.yaml").write_text(PAGE.read_text())
    command = [sys.executable, "gateway.py", *place]
    gateway = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        with conformance.over_mqtt("F1") as (send, heard):
            heard.get(timeout=20)  # its status: it listens
            judge = conformance.Judge("F1", send, heard, patience_s=5.0)
            offer = json.loads(compose(judge._order("a"), PLATFORM, clock.now()).body())
            for change in ({"rank": "first"}, {"colour": "blue"}, {"quantity": 0}):
                send(json.dumps(offer | {"id": str(change), "data": offer["data"] | change}).encode())
            send(b"no JSON")
            send(json.dumps(offer).encode())
            assert judge._next("a") is not None
            assert judge._hear(lambda _: True, 1.0) is None  # the sound one alone was answered
    finally:
        gateway.kill()
        said = gateway.communicate()[1]
    assert re.findall(r"breaks the schema: (\S+)", said) == ["$.data.rank:", "$.data:", "$.data.quantity:", "expected"]


@pytest.mark.parametrize("rule", MISTAKES)
def test_each_broken_rule_is_named(place: list[str], tmp_path: Path, rule: str) -> None:
    right, wrong = MISTAKES[rule]
    program = GATEWAY.read_text()
    assert right in program
    with ExitStack() as stack:
        found = judged(stack, place, tmp_path / "wrong", program.replace(right, wrong, 1))
    assert any(rule in finding.rule for finding in found if finding.kept is False), found


@pytest.mark.parametrize("transport", ["mqtt", "http"])
def test_the_simulated_factories_pass_by_the_command(
    place: list[str], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    own, theirs = free_port(), free_port()
    monkeypatch.setenv("C2M_HTTP_PORT", str(own))
    monkeypatch.setenv("C2M_HTTP_FACTORY_URL", f"http://127.0.0.1:{theirs}/{{factory_id}}")
    settings.cache_clear()
    file = write_world(factory_rows((transport,)), settings().home / "factories.json")
    module = ["c2m.simulation.factories", "--factories", str(file), "--state", str(settings().home / "sim")]
    with service("factories", [*module, "--http-port", str(theirs)], {}):
        url = f"mqtt://127.0.0.1:{place[2]}" if transport == "mqtt" else f"http://127.0.0.1:{theirs}/F1"
        words = docs_kit.of("README.md", "conformance URL", url=url, factory="F1")
        more = ["--json", *(["--port", str(own)] if transport == "http" else [])]
        told = CliRunner().invoke(app, [*words, *more])
    assert told.stdout, (told.output, told.exception)
    found = json.loads(told.stdout)
    assert (told.exit_code, [each["rule"] for each in found if each["kept"] is False]) == (0, []), told.output
    assert len(found) == 16
    assert [each["seen"] for each in found if each["kept"] is None and transport == "mqtt"] == []


def test_a_gateway_that_is_not_there_is_said_so(place: list[str]) -> None:
    url = f"mqtt://127.0.0.1:{place[2]}"
    told = CliRunner().invoke(app, ["conformance", url, "--factory", "F9", "--patience", "0.5"])
    assert told.exit_code == 2
    assert re.search(r"answers an offer .*no answer", told.output)


@pytest.mark.parametrize("url", ["factory.example", "http://127.0.0.1:9/"])
def test_a_gateway_that_is_not_there_is_told_in_words(home: Path, url: str) -> None:
    with pytest.raises(InputError, match=r"cannot be reached|begins with neither"):
        conformance.judge(url, "F1", "shirt", 1, free_port())
