"""`c2m up` looks at itself: what `c2m doctor` finds becomes a line in the terminal and an alert."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from threading import Event

import pandas as pd

from c2m import clock
from c2m.doctor import Finding, examine
from c2m.domain.alert_rules import ALERT, PLATFORM, URGENT
from c2m.floor import broker
from c2m.ledger import alerts
from c2m.ledger.store import session
from c2m.people import notify
from c2m.settings import settings


def keep_watch(stop: Event, say: Callable[[str], None]) -> None:
    """Looks every `watch_every_s` until `stop`. What is not well in two looks, one after the other, is said once."""
    suspected: set[str] = set()
    told: set[str] = set()
    while not stop.wait(settings().watch_every_s):
        broker.forget_expired()
        found = {one.check: one for one in grouped(examine(from_outside=False))}
        lasting = {check: one for check, one in found.items() if check in suspected | told}
        for check in lasting.keys() - told:
            say(f"{_wall()}  NOT WELL  {lasting[check]}")
        for check in told - found.keys():
            say(f"{_wall()}  well again  {check}")
        suspected, told = set(found), set(lasting)
        warn(list(lasting.values()))


def grouped(found: list[Finding]) -> list[Finding]:
    """What is not well, one finding a check."""
    wrong = defaultdict[str, list[Finding]](list)
    for one in found:
        if one.ok is False:
            wrong[one.check].append(one)
    return [_together(check, ones) for check, ones in wrong.items()]


def _together(check: str, faults: list[Finding]) -> Finding:
    return Finding(check, False, "; ".join(fault.seen for fault in faults), faults[0].move)


def warn(found: list[Finding]) -> None:
    """Alerts of the platform on itself: opened, closed, told as those of the floor are."""
    rows: list[tuple[object, ...]] = [
        (PLATFORM, one.check, PLATFORM, URGENT, one.seen, one.move or "c2m doctor", [], []) for one in found
    ]
    try:
        with session() as s:
            alerts.record(s, pd.DataFrame(rows, columns=ALERT), clock.now(), PLATFORM)
        notify.deliver(clock.now())
    except Exception as error:  # the next look tries again
        notify.log.warning("alerts were not kept: %s", error)


def _wall() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S}"
