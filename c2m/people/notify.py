"""Who is told of alerts: mail and chat through Apprise, once each, and not in quiet hours.

A target is one URL of `robot.urls`. URLs carry passwords and tokens: they are never logged, and a target is known by
its service and a digest. Told is what was noted; where a process dies between the two, a target hears it twice.
"""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import SecretStr

from c2m.domain.alert_rules import SEVERITY, URGENT
from c2m.ledger import alerts
from c2m.ledger.store import session
from c2m.settings import RobotPolicy, settings

_ORDERS = 5  # named in a line

log = logging.getLogger(__name__)
for name in ("apprise", "urllib3"):  # both would write out URLs: of what they cannot read, of what they call
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def deliver(now: datetime) -> dict[str, bool]:
    """Tells every target what it has not heard yet; by target whether it is up to date. Never raises for a target."""
    policy = settings().robot
    return {target(url): _try(url, now, policy) for url in policy.urls}


def target(url: SecretStr) -> str:
    """A name for a URL that gives nothing of it away but its service."""
    text = url.get_secret_value()
    service = text.split("://")[0] if "://" in text else "unknown"
    return f"{service[:20]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def tell(listener: str, send: Callable[[pd.DataFrame], bool], now: datetime, only_urgent: bool = False) -> bool:
    """Hands a listener the alerts that it has not heard, and notes those if it took them.

    Parameters
    ----------
    listener
        Its name in the ledger.
    send
        Takes the alerts, with the columns of the ledger's; false: not now.
    now
        UTC.
    only_urgent
        Leave out what is a warning or is over.

    Returns
    -------
    bool
        Whether it took them, or there was nothing to tell.
    """
    news = _news(listener, only_urgent)
    if news.empty:
        return True
    if not send(news):
        return False
    with session() as s:
        alerts.note(s, listener, news, now)
    return True


def _news(listener: str, only_urgent: bool) -> pd.DataFrame:
    with session() as s:
        news = alerts.untold(s, listener)
    return news[news["closed_at"].isna() & (news["severity"] >= URGENT)] if only_urgent else news


def is_quiet(now: datetime, policy: RobotPolicy) -> bool:
    """Whether the platform's zone is in quiet hours; they may go past midnight."""
    if policy.quiet_from is None or policy.quiet_until is None:
        return False
    clock = now.astimezone(ZoneInfo(settings().timezone)).time()
    return _is_between(clock, policy.quiet_from, policy.quiet_until)


def _is_between(clock: time, begin: time, end: time) -> bool:
    """Whether the clock is within the hours, which may go past midnight."""
    return begin <= clock < end if begin <= end else clock >= begin or clock < end


def message(news: pd.DataFrame, most: int) -> tuple[str, str]:
    """Title and text of alerts, the gravest first; of more than `most` the rest is counted."""
    over = news["closed_at"].notna()
    urgent = int((news.loc[~over, "severity"] >= URGENT).sum())
    title = f"C2M floor: {int((~over).sum())} new or worse ({urgent} urgent), {int(over.sum())} over"
    lines = [_line(row) for row in news.assign(over=over).head(most).itertuples()]
    if len(news) > most:
        lines.append(f"{len(news) - most} more: c2m alerts")
    return title, "\n\n".join(lines)


def _line(row: Any) -> str:
    about = f"{row.kind} {row.subject}"
    if row.over:
        return f"OVER: {about}"
    return f"{SEVERITY[row.severity].upper()}: {about}: {row.cause}. {row.move}. Orders: {_first(row.order_ids)}"


def _first(order_ids: list[str]) -> str:
    return ", ".join(order_ids[:_ORDERS]) + (" ..." if len(order_ids) > _ORDERS else "")


def _try(url: SecretStr, now: datetime, policy: RobotPolicy) -> bool:
    quiet = is_quiet(now, policy)
    if quiet and not policy.urgent_passes:
        return True
    try:
        done = tell(target(url), lambda news: _send(url, *message(news, policy.most_told)), now, only_urgent=quiet)
    except Exception as error:  # whatever a service's library raises: the day goes on
        log.warning("%s: %s", target(url), type(error).__name__)
        return False
    if not done:
        log.warning("%s was not reached, or its URL is none that Apprise knows; the next run tries again", target(url))
    return done


def _send(url: SecretStr, title: str, text: str) -> bool:
    import apprise

    service = apprise.Apprise()
    return bool(service.add(url.get_secret_value()) and service.notify(text, title, apprise.NotifyType.WARNING))
