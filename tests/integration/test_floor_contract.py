"""The documents for integrators: what the command prints, true to the models, and enough for who knows no more."""

import copy
import json
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from floor_world import MORNING, begin, factory_rows, landed_scans, release, write_world
from ledger_kit import job

from c2m.floor import broker, credentials
from c2m.floor.processes import FloorProcesses, floor
from c2m.ledger import audit, store
from c2m.settings import settings
from c2m.wire import interfaces
from c2m.wire.messages import ID_PATTERN, parse, parse_topic

DOCS = Path(__file__).parents[2] / "docs"
TOOLS = ("mosquitto_sub", "mosquitto_pub", "curl")


@pytest.mark.parametrize("name", ["asyncapi", "openapi"])
def test_the_page_is_what_the_command_prints(name: str) -> None:
    made = getattr(interfaces, name)()
    assert (DOCS / f"{name}.yaml").read_text(encoding="utf-8") == interfaces.as_yaml(made), f"run c2m contract {name}"


def test_every_example_is_a_message_on_its_topic() -> None:
    document = interfaces.asyncapi()
    seen = []
    for channel in document["channels"].values():
        place = parse_topic(channel["address"].format(factoryId="F1"))
        assert place is not None
        for name in channel["messages"]:
            payload = document["components"]["messages"][name]["examples"][0]["payload"]
            message = parse(json.dumps(payload).encode())
            assert type(message).__name__ == name
            seen.append(name)
    assert len(seen) == len(document["components"]["messages"]) == 6
    assert ID_PATTERN in str(document["channels"])


def test_every_reference_leads_somewhere() -> None:
    for document in (interfaces.asyncapi(), interfaces.openapi()):
        references = set(re.findall(r"'\$ref': '#/([^']+)'", str(document)))
        assert len(references) > 10
        for reference in references:
            place: Any = document
            for part in reference.split("/"):
                assert part in place, reference
                place = place[part]


@pytest.fixture
def running(key: str) -> Iterator[FloorProcesses]:
    begin()
    write_world(factory_rows(("mqtt", "mqtt")), settings().home / "factories.json")
    with floor(None) as found:
        settings.cache_clear()
        yield found


@pytest.fixture
def key(home: Path) -> str:
    return credentials.issue("F1")


class Gateway:
    """A factory's gateway of command-line tools, written from the two pages alone."""

    def __init__(self, running: FloorProcesses, factory_id: str, key: str, over_http: bool) -> None:
        self.mqtt = ["-h", "127.0.0.1", "-p", str(running.mqtt_port), "-q", "1", "-u", factory_id, "-P", key]
        self.http, self.bearer = running.http_port, f"authorization: Bearer {key}"
        self.factory_id, self.over_http, self.sequence = factory_id, over_http, 0
        self.asyncapi, self.openapi = (
            yaml.safe_load((DOCS / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("asyncapi", "openapi")
        )

    def hear(self, count: int = 1) -> list[dict[str, Any]]:
        address = self.asyncapi["channels"]["job-orders"]["address"].replace("{factoryId}", self.factory_id)
        command = ["mosquitto_sub", *self.mqtt, "-i", self.factory_id, "-c", "-t", address, "-C", str(count)]
        heard = subprocess.run([*command, "-W", "30"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return [json.loads(line) for line in heard.splitlines()]

    def say(self, message: str, data: Any) -> None:
        example = self.asyncapi["components"]["messages"][message]["examples"][0]["payload"]
        source = f"c2m/factory/{self.factory_id}"
        body = json.dumps({**copy.deepcopy(example), "id": str(uuid.uuid4()), "source": source, "data": data})
        kind = {"ResponseMessage": "job-responses", "ScansMessage": "scans"}[message]
        if self.over_http:
            (path,) = (path for path in self.openapi["paths"] if path.endswith(f"/{kind}"))
            url = f"http://127.0.0.1:{self.http}{path.replace('{factory_id}', self.factory_id)}"
            kind_of_content = f"content-type: {self.asyncapi['defaultContentType']}"
            headers = ["-H", kind_of_content, "-H", self.bearer]
            subprocess.run(["curl", "-sSf", *headers, "--data-binary", body, url], check=True)
        else:
            address = self.asyncapi["channels"][kind]["address"].replace("{factoryId}", self.factory_id)
            subprocess.run(["mosquitto_pub", *self.mqtt, "-t", address, "-m", body], check=True)

    def respond(self, order: dict[str, Any], state: str, **more: object) -> None:
        self.sequence += 1
        facts = {"job_order_id": order["job_order_id"], "revision": order["revision"], "sequence": self.sequence}
        self.say("ResponseMessage", {**facts, "state": state, **more})


@pytest.mark.mosquitto
@pytest.mark.skipif(broker.mosquitto_path() is None, reason="the mosquitto broker is not installed")
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"one of {', '.join(TOOLS)} is not installed")
@pytest.mark.parametrize("over_http", [False, True], ids=["mosquitto_pub", "curl"])
def test_a_client_that_knows_only_the_pages_takes_a_job_order_to_its_end(
    running: FloorProcesses, key: str, over_http: bool
) -> None:
    gateway = Gateway(running, "F1", key, over_http)
    release([("F1", 100)])
    (offer,) = gateway.hear()
    order = offer["data"]
    gateway.respond(order, "NotAllowedToStart", accepted=True)
    while (leave := gateway.hear()[0])["type"] != "c2m.job-order.start":  # an offer may come again
        assert leave["id"] == offer["id"]
    gateway.respond(order, "AllowedToStart")
    gateway.respond(order, "Running")
    scans = [
        {"scan_id": f"s-{sku}-{operation}", "job_order_id": order["job_order_id"], "sku_id": sku, "quantity": quantity,
         "operation": operation, "at": MORNING.isoformat()}
        for sku, quantity in order["quantity_by_sku"].items()
        for operation in ("inspect", "ship")
    ]  # fmt: skip
    gateway.say("ScansMessage", scans)
    gateway.respond(order, "Ended")
    deadline = time.monotonic() + 20
    while job("F1").state != "Ended":
        assert time.monotonic() < deadline, job("F1")
        time.sleep(0.05)
    assert landed_scans().query("operation == 'ship'")["quantity"].sum() == 100
    with store.session() as session:
        assert audit.verify(session).faults == []
