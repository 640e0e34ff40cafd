"""Alerts of the order robot."""

from c2m.cli import show
from c2m.cli.root import Json, command


@command("alerts")
def open_alerts(as_json: Json = False) -> None:
    """Alerts of the order robot that stand, the gravest first."""
    from c2m.alerts import SEVERITY
    from c2m.ledger import alerts
    from c2m.ledger.store import session

    with session() as transaction:
        standing = alerts.standing(transaction)
    standing["severity"] = standing["severity"].map(SEVERITY)
    shown = ["severity", "kind", "subject", "cause", "move", "opened_at"]
    show.rows("Open alerts", standing if as_json else standing[shown], as_json)
