"""How the platform stands: status, doctor, alerts, promises."""

import json
from dataclasses import asdict

from c2m.cli import show
from c2m.cli.root import Json, command
from c2m.errors import C2MError

_SHOWN = ["severity", "kind", "subject", "cause", "move", "opened_at"]  # of an alert
_WORDS = {True: "well", False: "NOT WELL", None: "not judged"}


@command()
def status(as_json: Json = False) -> None:
    """Where the platform stands: rows, orders, job orders, plan, forecast."""
    show.status(as_json)


@command()
def doctor(as_json: Json = False) -> None:
    """Check all that must be true of a running platform. With exit code 2 it says what is wrong, and what to do."""
    from c2m.doctor import examine

    found = examine()
    rows = [{"check": one.check, "is": _WORDS[one.ok], "seen": one.seen} for one in found]
    print(json.dumps([asdict(one) for one in found])) if as_json else show.table("C2M doctor", rows)
    if faults := [str(one) for one in found if one.ok is False]:
        raise C2MError("not-well", faults)


@command("alerts")
def open_alerts(as_json: Json = False) -> None:
    """Open alerts of the order robot, the most serious first."""
    from c2m.domain.alert_rules import SEVERITY
    from c2m.ledger import alerts
    from c2m.ledger.store import session

    with session() as transaction:
        standing = alerts.standing(transaction)
    standing["severity"] = standing["severity"].map(SEVERITY)
    show.rows("Open alerts", standing if as_json else standing[_SHOWN], as_json)


@command("promises")
def kept_promises(as_json: Json = False) -> None:
    """How many promised dates were kept, beside what was stated: in all, by kind, distance, size, month, factory.

    Also which open orders have no date yet, and when their merchants hear of one.
    """
    from c2m import clock
    from c2m.domain.promises import how_kept
    from c2m.people import book
    from c2m.warehouse.published import read

    found, undated = how_kept(read("promises"), clock.business_date(clock.now())), book.undated()
    if as_json:
        print(json.dumps(found | {"undated": undated}, default=str))
        return
    by = found.pop("by")
    show.figures("Promises", found, as_json)
    for name, cells in by.items():
        show.table(f"By {name}", [{name: key, **cell} for key, cell in cells.items()])
    if undated:
        show.table("Orders without a date yet", undated)
