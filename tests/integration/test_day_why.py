"""`c2m why` on a demo day: every link of every job order, lot and order holds; each kind of broken link is named."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from day_kit import command, environment

from c2m.ledger import store
from c2m.settings import settings
from c2m.why.chain import Chain, why

pytestmark = pytest.mark.long

REPLENISHED = ["job order", "allocation", "plan", "lot", "quantity", "forecast", "model version", "feature rows",
               "mart build", "landed rows", "source rows", "stock", "landed rows"]  # fmt: skip
ORDERED = ["job order", "allocation", "plan", "lot", "order lines", "landed rows", "source rows"]
ONE_OF_SIXTY = "order_id LIKE 'NAME-001%'"  # of lots of one, which are alike
UNREAD = (
    "prefect",
    "logs",
    "gx",
    "data_docs",
    "dbt_docs",
    "dbt_target",
    "dbt_logs",
    "broker",
    "warehouse.duckdb",
    "sim",
)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Sets the home of this test."""

    def go(home: Path) -> None:
        monkeypatch.setenv("C2M_HOME", str(home))
        settings.cache_clear()

    yield go
    monkeypatch.undo()
    settings.cache_clear()


def asked(name: str) -> Chain:
    with store.reading() as session:
        return why(session, name)


def ids(home: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        return [name for (name,) in connection.execute(query)]


def job_of(home: Path, source: str) -> str:
    """A job order of an apparel lot of that source."""
    query = "SELECT job_order_id FROM job_orders JOIN orders USING (order_id) WHERE source = '{}'"
    return ids(home, f"{query.format(source)} AND orders.merchant_id <> 's01' ORDER BY 1 LIMIT 1")[0]


def test_every_link_holds_on_every_job_order_lot_and_order(undisturbed: Path, at: Callable[[Path], None]) -> None:
    at(undisturbed)
    tables = {"job order": "job_orders", "lot": "lots", "order": "orders"}
    for kind, table in tables.items():
        query = f"SELECT {kind.replace(' ', '_')}_id FROM {table} WHERE order_id NOT LIKE 'NAME-%' OR {ONE_OF_SIXTY}"
        found = ids(undisturbed, query)
        assert found
        for name in found:
            chain = asked(name)
            assert chain.kind == kind
            assert [link.as_dict() for link in chain.links if not link.holds] == []


@pytest.mark.parametrize(("source", "expected"), [("replenishment", REPLENISHED), ("merchant", ORDERED)])
def test_the_chain_goes_from_the_job_order_to_records_of_feed_files(
    undisturbed: Path, at: Callable[[Path], None], source: str, expected: list[str]
) -> None:
    at(undisturbed)
    chain = asked(job_of(undisturbed, source))
    kinds = [link.name for link in chain.links]
    assert list(dict.fromkeys(kinds)) == list(dict.fromkeys(expected))
    assert all(link.words and link.figures for link in chain.links)


def test_the_command_tells_words_and_figures(undisturbed: Path, world: Path) -> None:
    job = job_of(undisturbed, "replenishment")
    env = environment(undisturbed, "")
    words = subprocess.run(command("why", job), env=env, capture_output=True, text=True, check=True).stdout
    said = json.loads(subprocess.run(command("why", job, "--json"), env=env, capture_output=True, check=True).stdout)
    assert (said["kind"], said["id"], said["holds"]) == ("job order", job, True)
    for link in said["links"]:
        assert f"{link['link']} {link['of']}  [holds]" in words
    assert "in transit and" in words and "no plan costs less than" in words and "sales_lines" in words
    unknown = subprocess.run(command("why", "nothing"), env=env, capture_output=True, text=True)
    assert (unknown.returncode, "no order, lot or job order of that name" in unknown.stderr) == (2, True)
    told = subprocess.run(command("promises", "--json"), env=env, capture_output=True, check=True).stdout
    assert json.loads(told)["judged"]


def test_a_page_tells_why_this_many(undisturbed: Path) -> None:
    pages = {page["key"]: page for page in json.loads((undisturbed / "pages.json").read_text())}
    lots = ids(undisturbed, "SELECT lot_id FROM order_quantities")
    pieces = sum(map(int, ids(undisturbed, "SELECT lot_quantity FROM order_quantities")))
    assert f"{len(lots)} lots for stock, **{pieces:,} pieces**" in pages["quantities"]["data"]
    assert all(lot in pages["quantities"]["data"] for lot in lots)


def test_feed_files_that_were_taken_away_leave_their_links_unchecked(
    undisturbed: Path, tmp_path: Path, at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("C2M_WORLD", str(tmp_path / "empty"))
    at(undisturbed)
    chain = asked(job_of(undisturbed, "merchant"))
    assert [link.name for link in chain.links if not link.holds] == ["source rows"]
    assert (chain.broken, chain.as_dict()["holds"]) == ([], False)


# Whose chain (M: of a merchant's order, R: replenishment), what is done to a copy of the home, which link this
# breaks, and what is then said.
M, R = "merchant", "replenishment"
LEDGER = [
    (M, "UPDATE job_orders SET requested = requested + 1", "job order", "pieces of a revision that a plan asked"),
    (M, "UPDATE job_order_skus SET quantity = quantity + 1", "job order", "pieces of its SKUs"),
    (M, "UPDATE job_orders SET attempt = attempt + 7", "job order", "its id"),
    (M, "UPDATE outbox SET payload = json_set(payload, '$.data.quantity', 7)", "job order", "in the message of"),
    (M, "UPDATE plan_allocations SET quantity = quantity + 1", "allocation", "and of those that had begun"),
    (M, "DELETE FROM job_order_revisions", "job order", "pieces of a revision that a plan asked"),
    (M, "UPDATE plans SET objective = '1.0000'", "plan", "objective in its report"),
    (M, "UPDATE plans SET instance_sha256 = 'x'", "plan", "SHA-256 of the instance in its folder"),
    (M, "DELETE FROM decisions", "plan", "a release"),
    (M, "UPDATE lot_skus SET quantity = quantity + 1", "lot", "pieces of its SKUs"),
    (M, "UPDATE lots SET colour = 'other'", "lot", "its id"),
    (R, "UPDATE order_quantities SET needed = needed + 300", "quantity", "needed from the figures kept"),
    (R, "UPDATE order_quantities SET price = '9999.0000'", "quantity", "critical ratio from the figures"),
    (R, "UPDATE order_quantity_skus SET on_hand = on_hand + 40", "quantity", "pieces that these figures give"),
    (R, "DELETE FROM order_quantities", "quantity", "how the quantity of a replenishment lot came about"),
    (R, "UPDATE order_quantities SET model_version = '77'", "forecast", "a landed forecast of that style"),
    (R, "UPDATE order_quantities SET q50 = q50 + 1", "forecast", "q50 of the landed forecast"),
    (R, "UPDATE order_quantities SET build_id = 'x'", "stock", "a manifest of build x"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "statement", "link", "words"), LEDGER)
def test_a_broken_link_of_the_ledger_is_named(
    undisturbed: Path, tmp_path: Path, at: Callable[[Path], None], source: str, statement: str, link: str, words: str
) -> None:
    home, job = copied(undisturbed, tmp_path), job_of(undisturbed, source)
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        ledger.execute("PRAGMA foreign_keys = OFF")
        ledger.execute(statement)
        ledger.commit()
    at(home)
    assert_broken(asked(job), link, words)


def rewritten(file: Path, change: str) -> None:
    """A Parquet file with its columns as `change` (of SELECT * REPLACE) says."""
    part = file.with_suffix(".part")
    duckdb.sql(f"COPY (SELECT * REPLACE ({change}) FROM read_parquet('{file}')) TO '{part}' (FORMAT parquet)")
    part.replace(file)


def every(pattern: str, change: str) -> Callable[[Path], None]:
    def tamper(home: Path) -> None:
        files = [file for file in home.glob(pattern) if not file.name.startswith("_")]
        assert files
        for file in files:
            rewritten(file, change)

    return tamper


def edited(pattern: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def tamper(home: Path) -> None:
        for file in (files := list(home.glob(pattern))):
            file.write_text(change(file.read_text()))
        assert files

    return tamper


def json_edited(pattern: str, **values: object) -> Callable[[Path], None]:
    return edited(pattern, lambda text: json.dumps(json.loads(text) | values))


def registry(statement: str) -> Callable[[Path], None]:
    def tamper(home: Path) -> None:
        with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as database:
            database.execute(statement)
            database.commit()

    return tamper


def features_made_anew(home: Path) -> None:
    """Other feature rows, with the hash that fits them."""
    from c2m.files import sha256

    for file in home.glob("runs/*/origins/*.parquet"):
        rewritten(file, "mean_28 * 2 AS mean_28")
        json_edited(f"runs/*/origins/{file.stem}.json", features_sha256=sha256(file))(home)


FILES = [
    (M, edited("runs/*/*/instance/orders.csv", lambda text: text + "\n"), "plan", "SHA-256 of the instance in"),
    (M, json_edited("runs/*/*/verdict.json", ok=False), "plan", "verdict: expected True, seen False"),
    (M, json_edited("runs/*/*/verdict.json", objective=1.0), "plan", "cost that the verifier found"),
    (M, edited("runs/*/*/plan/allocation.csv", lambda text: text.replace("0\n", "1\n")), "plan", "in its folder"),
    (M, lambda home: [f.unlink() for f in home.glob("runs/*/*/solver.log")], "plan", "expected instance, plan and"),
    (R, every("landing/forecast_windows/*.parquet", "mean + 1 AS mean"), "forecast", "mean of the landed"),
    (R, every("landing/forecasts/*.parquet", "mean + 1 AS mean"), "forecast", "summed over its days"),
    (R, registry("DELETE FROM model_versions"), "model version", "version 1 of c2m-demand in the registry"),
    (R, registry("UPDATE model_version_tags SET value = 'x' WHERE key = 'fingerprint'"), "model version",
     "fingerprint of its training"),
    (R, lambda home: [f.unlink() for f in home.glob("runs/*/origins/*.json")], "model version",
     "what the forecast was made from"),
    (R, every("runs/*/origins/*.parquet", "last + 1 AS last"), "feature rows", "SHA-256 of the feature rows"),
    (R, features_made_anew, "feature rows", "pieces a day over the last 28 days"),
    (R, edited("manifests/*.json", lambda text: text.replace('"sha256": "', '"sha256": "0')), "mart build",
     "its id, from the hashes of its marts"),
    (R, every("published/*/demand_daily.parquet", "pieces_asked + 1 AS pieces_asked"), "mart build",
     "SHA-256 of its demand_daily"),
    (R, every("published/*/stock_position.parquet", "on_hand + 1 AS on_hand"), "stock", "on hand, in transit"),
    (R, every("landing/sales_lines/*.parquet", "quantity + 1 AS quantity"), "landed rows", "hash of record"),
    (M, every("landing/merchant_order_lines/*.parquet", "quantity + 1 AS quantity"), "order lines", "pieces by SKU"),
    (M, every("landing/file_outcomes/*.parquet", "accepted + 1 AS accepted"), "source rows", "rows accepted"),
    (M, every("landing/file_outcomes/*.parquet", "'x' AS file_sha256"), "source rows", "SHA-256 of"),
    (M, edited("world/merchant_order_lines.csv", lambda text: text + "\n"), "source rows", "SHA-256 of"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "tamper", "link", "words"), FILES)
def test_a_broken_link_of_the_files_is_named(
    undisturbed: Path,
    world: Path,
    tmp_path: Path,
    at: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    tamper: Callable[[Path], None],
    link: str,
    words: str,
) -> None:
    home, job = copied(undisturbed, tmp_path), job_of(undisturbed, source)
    shutil.copytree(world, home / "world")
    monkeypatch.setenv("C2M_WORLD", str(home / "world"))
    tamper(home)
    at(home)
    assert_broken(asked(job), link, words)


def test_a_record_that_gives_another_row_is_named(
    undisturbed: Path, world: Path, tmp_path: Path, at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landed row and its hash were changed together: only the feed file knows better."""
    from c2m.feeds.contracts import FEEDS
    from c2m.feeds.split import row_hash

    home, job = copied(undisturbed, tmp_path), job_of(undisturbed, "merchant")
    every("landing/merchant_order_lines/*.parquet", "quantity + 1 AS quantity")(home)
    every("landing/merchant_order_lines/*.parquet", f"{row_hash(FEEDS['merchant_order_lines'])} AS _row_hash")(home)
    at(home)
    assert_broken(asked(job), "source rows", "seen another content")


def test_the_exit_code_of_a_broken_link_is_two(undisturbed: Path, tmp_path: Path) -> None:
    home, job = copied(undisturbed, tmp_path), job_of(undisturbed, "merchant")
    json_edited("runs/*/*/verdict.json", ok=False)(home)
    done = subprocess.run(command("why", job), env=environment(home, ""), capture_output=True, text=True)
    assert done.returncode == 2
    assert "verdict: expected True, seen False" in done.stderr
    assert "[BROKEN]" in done.stdout and "Traceback" not in done.stderr


def copied(home: Path, tmp_path: Path) -> Path:
    """A copy of what `c2m why` reads."""
    return Path(shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns(*UNREAD)))


def assert_broken(chain: Chain, link: str, words: str) -> None:
    said = [fault for one in chain.links if one.name == link for fault in one.broken]
    assert any(words in fault for fault in said), chain.broken
