"""A factory's gateway to begin with:  python gateway.py FACTORY HOST PORT [KEY]          (needs paho-mqtt alone)

It knows docs/asyncapi.yaml and nothing else of the platform. It accepts what comes in time and starts when it is told
to; put your own system behind `accepts` and `begin`. What it has answered lies in FACTORY.json, so that it gives the
same answer to the same message after a restart.
"""

import json
import sys
import uuid
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

FACTORY, HOST, PORT, KEY = [*sys.argv[1:], None][:4]
FILE = Path(f"{FACTORY}.json")
RECENT = deque(maxlen=100)  # more than is said in five seconds: said again after a lost connection
STATE = json.loads(FILE.read_text()) if FILE.exists() else {"answers": {}, "jobs": {}}


def event(kind, data):
    facts = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": f"c2m/factory/{FACTORY}", "type": f"c2m.{kind}"}
    return facts | {"time": datetime.now(UTC).isoformat(), "datacontenttype": "application/json", "data": data}


def accepts(order):
    return datetime.fromisoformat(order["accept_by"]) > datetime.now(UTC)


def begin(job_order_id):
    print("begin", job_order_id)


def answer(kind, asked):
    known = {"state": "NotAllowedToStart", "sequence": 0, "revision": 0, "ended": False}
    job = STATE["jobs"].setdefault(asked["job_order_id"], known)
    job |= {"revision": max(job["revision"], asked["revision"]), "sequence": job["sequence"] + 1}
    said = {}
    if kind == "store":
        said["accepted"] = not job["ended"] and accepts(asked)
    elif kind == "start" and job["state"] == "NotAllowedToStart":
        job["state"] = "AllowedToStart"
        begin(asked["job_order_id"])
    elif kind == "cancel":
        job |= {"state": "Aborted", "ended": True}
    facts = {name: job[name] for name in ("revision", "sequence", "state")}
    return event("job-response", {"job_order_id": asked["job_order_id"], **facts, **said})


def heard(client, _, message):
    asked = json.loads(message.payload)
    if asked["id"] not in STATE["answers"]:
        STATE["answers"][asked["id"]] = answer(asked["type"].rsplit(".", 1)[1], asked["data"])
        FILE.write_text(json.dumps(STATE))
    RECENT.append(json.dumps(STATE["answers"][asked["id"]]))
    client.publish(RESPONSES, RECENT[-1], 1)
    client.ack(message.mid, message.qos)


client = Client(CallbackAPIVersion.VERSION2, FACTORY, clean_session=False, manual_ack=True)
client.username_pw_set(FACTORY, KEY)
RESPONSES = f"c2m/v1/{FACTORY}/job-responses"
status = f"c2m/v1/{FACTORY}/status"
client.will_set(status, json.dumps(event("status", {"online": False})), 1, retain=True)
client.on_connect = lambda *_: (
    client.subscribe(f"c2m/v1/{FACTORY}/job-orders", 1),
    client.publish(status, json.dumps(event("status", {"online": True})), 1, retain=True),
    [client.publish(RESPONSES, body, 1) for body in RECENT],
)
client.on_message = heard
client.connect(HOST, int(PORT))
client.loop_forever()
