"""A factory's gateway to begin with:  python gateway.py FACTORY HOST PORT KEY     (paho-mqtt, jsonschema, PyYAML)

It knows docs/asyncapi.yaml and nothing else of the platform: what breaks that schema it says so and leaves. It accepts
what comes in time and needs none but its CRAFTS, keeps the order of work by rank, and starts when it is told to; put
your own system behind `accepts` and `begin`. What it has answered lies in FACTORY.json, so that it gives the same
answer to the same message after a restart.
"""

import hashlib
import json
import sys
import uuid
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

FACTORY, HOST, PORT, KEY = sys.argv[1:5]
CRAFTS = {"print", "embroidery"}  # what yours has
HERE = Path(__file__).parent
PAGE = next(file for file in (HERE / "asyncapi.yaml", HERE / "../docs/asyncapi.yaml") if file.exists())
SCHEMAS = {"components": yaml.safe_load(PAGE.read_text(encoding="utf-8"))["components"]}
NAMES = {f"c2m.job-order.{kind}": f"{kind.title()}Message" for kind in ("store", "start", "cancel")}
FILE = Path(f"{FACTORY}.json")
RECENT = deque(maxlen=100)  # more than is said in five seconds: said again after a lost connection
STATE = json.loads(FILE.read_text()) if FILE.exists() else {"answers": {}, "jobs": {}}


def event(kind, data):
    facts = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": f"c2m/factory/{FACTORY}", "type": f"c2m.{kind}"}
    return facts | {"time": datetime.now(UTC).isoformat(), "datacontenttype": "application/json", "data": data}


def faults(message):
    """In words, what breaks the schema of the message's type, which the asyncapi page has in full."""
    if not isinstance(message, dict) or message.get("type") not in NAMES:
        return [f"expected a message of type {', '.join(NAMES)}"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{NAMES[message['type']]}", **SCHEMAS})
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(message)]


def accepts(order):
    in_time = datetime.fromisoformat(order["accept_by"]) > datetime.now(UTC)
    return in_time and CRAFTS.issuperset(order.get("crafts", []))


def begin(job_order_id):
    order = STATE["jobs"][job_order_id]["order"]
    number, style = order.get("order_code", order["order_id"]), order.get("style_code", order["style_id"])
    print("begin", job_order_id, number, style, "at its place by rank", order.get("rank"), order["due_on"])


def answer(kind, asked):
    known = {"state": "NotAllowedToStart", "sequence": 0, "revision": 0, "ended": False, "order": None}
    job = STATE["jobs"][asked["job_order_id"]] = known | STATE["jobs"].get(asked["job_order_id"], {})
    job |= {"revision": max(job["revision"], asked["revision"]), "sequence": job["sequence"] + 1}
    said = {}
    if kind == "store":
        said["accepted"] = not job["ended"] and (is_ranked_anew(asked, job["order"]) or accepts(asked))
        job["order"] = asked if said["accepted"] else job["order"]
    elif kind == "start" and job["order"] and job["state"] == "NotAllowedToStart":
        job["state"] = "AllowedToStart"
        begin(asked["job_order_id"])
    elif kind == "cancel":
        job |= {"state": "Aborted", "ended": True}
    facts = {name: job[name] for name in ("revision", "sequence", "state")}
    return event("job-response", {"job_order_id": asked["job_order_id"], **facts, **said})


def is_ranked_anew(asked, agreed):
    return agreed is not None and agreed | {name: asked.get(name) for name in ("rank", "revision")} == asked


def read(payload):
    try:
        return json.loads(payload)
    except ValueError:
        return None


def heard(client, _, message):
    asked = read(message.payload)
    if broken := faults(asked):
        print("breaks the schema:", *broken, file=sys.stderr, flush=True)
    else:
        if asked["id"] not in STATE["answers"]:
            STATE["answers"][asked["id"]] = answer(asked["type"].rsplit(".", 1)[1], asked["data"])
            FILE.write_text(json.dumps(STATE))
        RECENT.append(json.dumps(STATE["answers"][asked["id"]]))
        client.publish(RESPONSES, RECENT[-1], 1)
    client.ack(message.mid, message.qos)


# Whoever connects by the same client id takes the session over: one that follows from the key is nobody else's guess.
CLIENT_ID = f"{FACTORY}-{hashlib.sha256(KEY.encode()).hexdigest()[:16]}"
client = Client(CallbackAPIVersion.VERSION2, CLIENT_ID, clean_session=False, manual_ack=True)
client.username_pw_set(FACTORY, KEY)
RESPONSES = f"c2m/v1/{FACTORY}/job-responses"
status = f"c2m/v1/{FACTORY}/status"
client.will_set(status, json.dumps(event("status", {"online": False, "version": 2})), 1, retain=True)
client.on_connect = lambda *_: (
    client.subscribe(f"c2m/v1/{FACTORY}/job-orders", 1),
    client.publish(status, json.dumps(event("status", {"online": True, "version": 2})), 1, retain=True),
    [client.publish(RESPONSES, body, 1) for body in RECENT],
)
client.on_message = heard
client.connect(HOST, int(PORT))
client.loop_forever()
