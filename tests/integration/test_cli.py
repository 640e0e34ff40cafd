"""The command line as its users meet it: exit codes, words instead of tracebacks, JSON for programs."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import docs_kit
import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result
from workbooks import write_workbook

from c2m.cli import app
from c2m.ledger import store


def c2m(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Path:
    c2m("demo-world", tmp_path / "world", "--seed", 3)
    return tmp_path / "world"


def test_help_names_every_command() -> None:
    text = c2m("--help").output
    for name in ("run", "up", "ingest", "forecast", "allocate", "verify", "release", "dispatch", "status", "simulate"):
        assert name in text


def test_the_version_is_that_of_the_package() -> None:
    assert c2m("--version").output.strip() == f"c2m {version('c2m')}"


def test_a_missing_feed_stops_the_day_and_its_repair_completes_it(world: Path) -> None:
    calendar = world / "factory_calendar.csv"
    kept = calendar.rename(world / "kept")
    result = c2m("ingest", "--world", world, code=2)
    assert "factory_calendar" in result.output
    assert "Traceback" not in result.output
    kept.rename(calendar)
    rows = json.loads(c2m("ingest", "--world", world, "--json").output)
    assert {row["feed"] for row in rows} >= {"sales_lines", "factory_calendar"}
    assert all(row["rows_in"] == row["accepted"] + row["quarantined"] + row["left_out"] for row in rows)


def test_quarantined_rows_go_out_and_come_back_corrected(world: Path, tmp_path: Path) -> None:
    c2m("ingest", "--world", world)
    before = pd.DataFrame(json.loads(c2m("ingest", "--world", world, "--json").output)).set_index("feed")
    out = tmp_path / "broken.csv"
    c2m("quarantine", "catalogue", "--out", out)
    broken = pd.read_csv(out, dtype=str)
    assert len(broken) == before.loc["catalogue", "quarantined"] > 0
    c2m("ingest", "--readmit", out)  # nothing was corrected: nothing changes
    after = pd.DataFrame(json.loads(c2m("ingest", "--world", world, "--json").output)).set_index("feed")
    assert after.loc["catalogue", "quarantined"] == before.loc["catalogue", "quarantined"]


def test_a_world_that_is_not_there_is_an_error_in_words(home: Path, tmp_path: Path) -> None:
    result = c2m("ingest", "--world", tmp_path / "nowhere", code=2)
    assert "no such folder" in result.output


def test_processes_that_we_start_import_nothing_from_where_a_person_stands(home: Path, tmp_path: Path) -> None:
    for library in ("paho", "socks", "python_calamine"):
        (tmp_path / f"{library}.py").write_text("raise SystemExit('taken from the folder')")
    book = write_workbook(tmp_path / "lines.xlsx", {"lines": [["sku_id", "quantity"], ["A", 1]]})
    program = Path(sys.executable).with_name("c2m")
    done = subprocess.run([program, "map", book, "--feed", "sales_lines"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sku_id" in done.stdout


def test_bad_instances_are_refused_with_all_faults_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,quantity\nA,-1\n")
    result = c2m("allocate", tmp_path, "--out", tmp_path / "plan", code=2)
    for fault in ("arcs", "capacity", "due_day", "quantity=-1"):
        assert fault in result.output
    assert not (tmp_path / "plan").exists()


def test_an_instance_is_allocated_and_verified_and_a_broken_plan_is_not(tmp_path: Path) -> None:
    orders = (
        "order_id,quantity,release_day,due_day,max_late_days,max_factories,late_cost,unmet_cost\nA,100,1,2,0,2,0,50\n"
    )
    arcs = "order_id,factory_id,unit_cost,minutes_per_piece,setup_cost,setup_minutes,min_lot,max_lot,transit_days\n"
    (tmp_path / "orders.csv").write_text(orders)
    (tmp_path / "arcs.csv").write_text(arcs + "A,F,1,1,0,0,1,100,0\nA,G,2,1,0,0,1,100,0\n")
    (tmp_path / "capacity.csv").write_text(
        "factory_id,day,minutes,overtime_minutes,overtime_cost\nF,1,60,0,0\nG,1,60,0,0\n"
    )
    report = json.loads(c2m("allocate", tmp_path, "--out", tmp_path / "plan", "--json").stdout)
    assert report["objective"] == pytest.approx(60 * 1 + 40 * 2)
    assert json.loads(c2m("verify", tmp_path, tmp_path / "plan", "--json").output)["ok"]
    allocation = tmp_path / "plan" / "allocation.csv"
    allocation.write_text(allocation.read_text().replace("A,F,60", "A,F,61"))
    assert "false" in c2m("verify", tmp_path, tmp_path / "plan", "--json", code=1).output.lower()


def test_a_panel_is_forecast(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=70)
    rows = [(f"s{n}", day, float((n + day.day_of_week) % 5)) for n in range(4) for day in days]
    panel = pd.DataFrame(rows, columns=["series_id", "ds", "y"])
    panel.loc[panel.ds >= "2026-03-05", "y"] = None
    panel.to_csv(tmp_path / "panel.csv", index=False)
    c2m("forecast", tmp_path / "panel.csv", "--out", tmp_path / "forecast.csv")
    frame = pd.read_csv(tmp_path / "forecast.csv")
    assert len(frame) == panel["y"].isna().sum()
    assert (frame[["q05", "q50", "q95"]].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    given = {"panel": tmp_path / "panel.csv", "out": tmp_path / "week.csv", "model": "SeasonalNaive"}
    panel.dropna().to_csv(tmp_path / "panel.csv", index=False)
    c2m(*docs_kit.of("README.md", "forecast PANEL", **given, horizon=7))
    assert len(pd.read_csv(tmp_path / "week.csv")) == panel["y"].isna().sum()
    assert c2m("forecast", tmp_path / "none.csv", "--out", tmp_path / "x.csv", code=2)
    assert c2m("backtest", tmp_path / "none.csv", "--horizon", 7, code=2)


def test_a_link_to_the_order_room_is_made_listed_and_ended(home: Path) -> None:
    store.migrate()
    told = c2m(*docs_kit.of("README.md", "rooms link"))
    assert "no merchant m01 in the feed catalogue" in told.stderr
    link_id = told.stdout.partition("c2m rooms revoke ")[2].split()[0]
    (row,) = json.loads(c2m("rooms", "links", "--json").output)
    assert (row["link_id"], row["tenant"]) == (link_id, "m01")
    assert not row["revoked_at"]
    c2m("rooms", "revoke", link_id)
    (row,) = json.loads(c2m("rooms", "links", "--json").output)
    assert row["revoked_at"]


def test_a_key_for_a_factory_that_no_feed_names_is_issued_with_a_warning(home: Path) -> None:
    told = c2m("factory", "add", "F1")
    assert "no factory F1 in the feed factories" in told.stderr
    assert len(told.stdout.split()) == 1  # the key alone, for programs


def test_where_nothing_waits_to_be_sent_nobody_waits(home: Path) -> None:
    store.migrate()
    assert "Unanswered job orders" not in c2m("dispatch").output


def test_before_the_first_build_no_material_can_be_told(home: Path) -> None:
    store.migrate()
    assert "build the marts first" in c2m("materials", code=2).output


@pytest.mark.parametrize("document", ["asyncapi", "openapi"])
def test_the_factory_messages_are_printed_as_the_docs_have_them(document: str) -> None:
    kept = Path(__file__).parents[2] / "docs" / f"{document}.yaml"
    assert c2m("contract", document).output == kept.read_text(encoding="utf-8")


def test_without_published_demand_there_is_nothing_to_tune(home: Path) -> None:
    assert "Traceback" not in c2m("tune", "--trials", 1, code=2).output
    assert "Traceback" not in c2m(*docs_kit.of("README.md", "tune --minutes", minutes=1), code=2).output


def test_a_plan_that_is_not_there_cannot_be_released(home: Path) -> None:
    from c2m.ledger.store import migrate

    migrate()
    assert "is not in the ledger" in c2m("release", "nothing", "--reason", "because", code=2).output
    assert "is not in the ledger" in c2m("release", "nothing", "--reason", "because", "--reject", code=2).output
    held_back = docs_kit.of("how-to/buy-materials.md", "release PLAN", plan="nothing", reason="because")
    assert "is not in the ledger" in c2m(*held_back, code=2).output


@pytest.mark.parametrize(
    "arguments", [("status",), ("release", "P1", "--reason", "because"), ("alerts",), ("why", "L1")]
)
def test_a_ledger_of_another_version_is_said_in_words(home: Path, arguments: tuple[str, ...]) -> None:
    output = c2m(*arguments, code=2).output
    assert "the ledger is empty, version" in output
    assert "c2m run or c2m up" in output
    store.migrate()
    with store.session() as s:
        s.execute(text("ALTER TABLE plans RENAME TO elsewhere"))
        s.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    store._refuse_other_version.cache_clear()  # which a process asks once
    assert "the ledger is at version 0002" in c2m("status", code=2).output


def test_limits_of_a_search_are_refused_with_the_rule(tmp_path: Path) -> None:
    output = c2m(
        "allocate", tmp_path, "--out", tmp_path / "plan", "--rule", "--gap", 0.1, "--threads", 1, code=2
    ).output
    assert "--gap has an effect only without --rule" in output
    assert "--threads has" in output


def test_the_clock_of_a_real_home_cannot_be_moved(home: Path) -> None:
    assert "real time" in c2m("simulate", "--days", 1, code=2).output
