"""Figures of a home: each against the ledger and the files that it was taken from."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import c2m.floor.collect
import c2m.floor.relay  # noqa: F401 - both register their counters
from c2m import clock
from c2m.ledger import store
from c2m.ledger.conversation import inbox
from c2m.settings import settings
from c2m.upkeep.metrics import FIGURES, HomeCollector


def scraped() -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(HomeCollector())
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_home_without_a_ledger_has_figures_that_say_so(home: Path) -> None:
    found = scraped()
    assert found["c2m_readable", "ledger"] == 0
    assert found["c2m_readable", "disk"] == 1
    assert ("c2m_dead_letters",) not in found


def test_figures_are_those_of_ledger_marts_processes_and_disk(home: Path) -> None:
    store.migrate()
    with store.session() as session:
        for number in range(3):
            inbox.dead_letter(session, "F1", "c2m/v1/F1/scans", b"%d" % number, "no scan", clock.now())
    day = clock.business_date(clock.now()) - timedelta(days=2)
    settings().published.mkdir(parents=True)
    text = json.dumps({"build_id": "b", "business_date": day.isoformat(), "marts": {}})
    (settings().published / "current.json").write_text(text)
    rows = [{"process": "relay", "pid": None, "state": "ended", "since": "", "restarts": 4, "reason": "x"}]
    (home / "processes.json").write_text(json.dumps(rows))
    (home / "landing").mkdir()
    (home / "landing" / "a.parquet").write_bytes(bytes(5000))
    found = scraped()
    assert found["c2m_dead_letters",] == 3
    assert found["c2m_outbox_age_seconds",] == 0
    assert (found["c2m_process_running", "relay"], found["c2m_process_restarts", "relay"]) == (0, 4)
    assert found["c2m_disk_used_bytes", "landing"] == 5000
    assert found["c2m_days_behind",] == 2
    assert found["c2m_last_good_day_timestamp_seconds",] == clock.cut_off(day).timestamp()
    assert {name for name, *_ in found} <= set(FIGURES)


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_dashboard_and_alert_rules_ask_for_figures_that_there_are(file: str) -> None:
    text = (Path(__file__).parents[2] / "deploy" / "prometheus" / file).read_text()
    known = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    counters = {family.name + "_total" for family in REGISTRY.collect() if family.type == "counter"}
    asked = set(re.findall(r"\bc2m_[a-z_]+\b", text))
    assert asked
    assert asked <= set(FIGURES) | known | counters
