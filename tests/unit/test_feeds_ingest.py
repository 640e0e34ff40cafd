"""Files come in once, whole, and account for every row."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from feed_rows import KNOWN, LEAST, good, write_csv, write_good_world

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import file_outcomes, landing, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.ingest import ingest
from c2m.feeds.quarantine import export_quarantine
from c2m.feeds.readmit import readmit
from c2m.feeds.world import World


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    """One good row of the feeds that are looked at here."""
    return write_good_world(tmp_path / "world", (*LEAST, "stock", "reviews", "merchant_orders", "merchant_order_lines"))


def landed(feed: str) -> pd.DataFrame:
    return duckdb.sql(f"FROM {landing.source(feed)} ORDER BY _batch_id, _record").df()


def outcome(feed: str, table: pd.DataFrame) -> pd.Series:
    return table[table["feed"] == feed].iloc[0]


def snapshot(home: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in home.rglob("*") if path.is_file()}


def test_good_world_lands_whole(world: Path) -> None:
    write_good_world(world)
    table = ingest(World.load(world))
    assert set(table["status"]) == {"ok"}
    assert list(table["rows_in"]) == list(table["accepted"]) == [1] * len(FEEDS)
    row = landed("sales_lines").iloc[0]
    assert (row["quantity"], row["business_customer"], str(row["sold_on"].date())) == (2, False, "2026-01-04")
    assert outcome("factories", table)["tenant"] == "f1"


def test_same_files_twice_change_nothing(world: Path, home: Path) -> None:
    write_csv(world / "stock.csv", [good("stock"), good("stock", on_hand="-1")])
    write_csv(world / "merchant_order_lines.csv", [good("merchant_order_lines", sku_id="nobodys")])
    first = ingest(World.load(world))
    before = snapshot(home)
    pd.testing.assert_frame_equal(ingest(World.load(world)), first)
    assert snapshot(home) == before


def test_every_form_of_a_file(world: Path) -> None:
    rows = [good("reviews", review_id=f"r{n}") for n in range(4)]
    (world / "reviews.csv").unlink()
    (world / "reviews").mkdir()
    (world / "reviews" / "b.jsonl").write_text(json.dumps(rows[1] | {"rating": 4}) + "\n\n")
    with gzip.open(world / "reviews" / "c.csv.gz", "wb") as file:
        file.write(write_csv(world / "x.csv", [rows[2]]).read_bytes())
    (world / "x.csv").unlink()
    duckdb.from_df(pd.DataFrame([rows[3]])).write_parquet(str(world / "reviews" / "d.parquet"))
    write_csv(world / "reviews" / "a.csv", [rows[0]])
    ingest(World.load(world))
    assert sorted(landed("reviews")["review_id"]) == ["r0", "r1", "r2", "r3"]


def test_record_numbers_survive_quoted_line_ends_and_empty_lines(world: Path) -> None:
    rows = [good("reviews", review_id=f"r{n}", text='two\nlines, "quoted"') for n in range(3)]
    rows[1]["rating"] = "9"
    path = write_csv(world / "reviews.csv", rows)
    path.write_bytes(path.read_bytes().replace(b"\nm1,r2", b"\n\nm1,r2"))
    ingest(World.load(world))
    assert list(landed("reviews")["_record"]) == [1, 3]
    assert list(landed("reviews")["text"]) == ['two\nlines, "quoted"'] * 2
    assert list(quarantine.read("reviews")["record"]) == [2]


def test_torn_rows_and_wrong_bytes_cost_only_themselves(world: Path) -> None:
    path = write_csv(world / "reviews.csv", [good("reviews", review_id=f"r{n}", text="café") for n in range(5)])
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2].rpartition(b",")[0].rpartition(b",")[0]
    lines[3] = lines[3].replace("é".encode(), b"\xe9")
    lines[4] += b",more"
    path.write_bytes(b"\n".join(lines))
    table = ingest(World.load(world))
    assert tuple(outcome("reviews", table)[["rows_in", "accepted", "quarantined", "status"]]) == (5, 2, 3, "partial")
    rules = quarantine.read("reviews").set_index("record")["rule"]
    assert rules.to_dict() == {2: "row-shape", 3: "encoding", 4: "row-shape"}
    assert list(landed("reviews")["_record"]) == [1, 5]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("reviews.csv", b"", "the file is empty"),
        ("reviews.csv", b"merchant_id,review_id,rating\nm1,r1,4\n", "columns missing: style_id, reviewed_on"),
        ("reviews.csv", b"a,A\n1,2\n3,4\n", "columns named twice: 'a'"),
        ("reviews.csv.gz", b"\x1f\x8bgarbage", "the archive is damaged"),
        (
            "reviews.csv.gz",
            gzip.compress(b"merchant_id,review_id\n" + b"m1,r1\n" * 3000, mtime=0)[:-9],
            "the archive is damaged",
        ),
        ("reviews.parquet", b"PAR1nonsense", "cannot be read"),
        ("reviews.jsonl", b"[1]\nnot json\n", "no line is a JSON object"),
        ("reviews.csv", "merchant_id,review_id\nm1,r1\n".encode("utf-16"), "name the encoding, as read"),
    ],
    ids=["empty", "columns-short", "column-twice", "not-gzip", "gzip-cut", "not-parquet", "not-jsonl", "utf-16"],
)
def test_hopeless_file_is_rejected_and_accounted_for(world: Path, name: str, content: bytes, problem: str) -> None:
    (world / "reviews.csv").unlink()
    (world / name).write_bytes(content)
    row = outcome("reviews", ingest(World.load(world)))
    assert row["status"] == "rejected"
    assert problem in row["problems"]
    assert (row["accepted"], row["rows_in"]) == (0, row["quarantined"])
    assert quarantine.read("reviews")["record"].nunique() == row["rows_in"]
    assert len(landed("stock")) == 1


def test_truncated_archive_quarantines_what_can_be_had(world: Path) -> None:
    (world / "reviews.csv").unlink()
    rows = write_csv(world / "reviews.csv", [good("reviews", review_id=f"r{n}") for n in range(500)])
    packed = gzip.compress(rows.read_bytes())
    rows.unlink()
    (world / "reviews.csv.gz").write_bytes(packed[: len(packed) // 2])
    row = outcome("reviews", ingest(World.load(world)))
    assert 0 < row["rows_in"] == row["quarantined"] < 500
    (world / "reviews.csv.gz").write_bytes(packed)
    assert outcome("reviews", ingest(World.load(world)))["accepted"] == 500


def test_key_conflict_within_a_file_and_against_what_landed(world: Path) -> None:
    one = good("stock")
    write_csv(world / "stock.csv", [one, good("stock", on_hand="6"), one, good("stock", known_at="2026-01-06")])
    row = outcome("stock", ingest(World.load(world)))
    assert tuple(row[["rows_in", "accepted", "quarantined", "duplicates"]]) == (4, 3, 1, 1)
    assert list(landed("stock")["_record"]) == [1, 4]
    write_csv(world / "stock.csv", [good("stock", on_hand="7"), one])
    row = outcome("stock", ingest(World.load(world)))
    assert tuple(row[["rows_in", "accepted", "quarantined", "duplicates"]]) == (2, 1, 1, 1)
    assert set(quarantine.read("stock")["rule"]) == {"key-conflict"}
    assert len(landed("stock")) == 2


def test_a_source_speaks_for_its_own_merchants_alone(world: Path) -> None:
    own = good("stock")
    (world / "world.yaml").write_text(f"merchants: [{own['merchant_id']}]\n", encoding="utf-8")
    write_csv(world / "stock.csv", [own, good("stock", merchant_id="another")])
    row = outcome("stock", ingest(World.load(world)))
    assert tuple(row[["rows_in", "accepted", "quarantined"]]) == (2, 1, 1)
    broken = quarantine.read("stock")
    assert broken["rule"].tolist() == ["merchant-not-of-source"] and "another" in broken["seen"][0]
    export = world / "wrong.csv"
    assert export_quarantine("stock", export) == 1
    assert readmit(export)["readmitted"].tolist() == [0], "a correction speaks for no others either"
    export.write_text(export.read_text().replace("another", own["merchant_id"]).replace("main", "second"))
    assert readmit(export)["readmitted"].tolist() == [1]


def test_missing_feeds_are_named_together_before_anything_lands(world: Path) -> None:
    (world / "sales_lines.csv").rename(world / "sale_lines.csv")
    (world / "factories.csv").unlink()
    with pytest.raises(InputError) as caught:
        ingest(World.load(world))
    named = [fault.split(":")[0] for fault in caught.value.faults]
    assert named == ["factories", "sales_lines"]
    assert "sale_lines.csv" in caught.value.faults[-1]
    assert landing.is_empty("catalogue") and landing.is_empty("file_outcomes")
    write_good_world(world)
    ingest(World.load(world))
    assert len(landed("factory_calendar")) == 1
    assert quarantine.read().empty


def test_row_that_names_what_is_not_there_waits_for_it(world: Path) -> None:
    write_csv(world / "merchant_order_lines.csv", [good("merchant_order_lines", sku_id="new")])
    assert outcome("merchant_order_lines", ingest(World.load(world)))["status"] == "rejected"
    write_csv(world / "catalogue" / "more.csv", [good("catalogue", sku_id="new", known_at="2026-01-08")])
    row = outcome("merchant_order_lines", ingest(World.load(world)))
    assert tuple(row[["accepted", "quarantined", "readmitted", "status"]]) == (1, 0, 1, "ok")
    assert list(landed("merchant_order_lines")["sku_id"]) == ["new"]


def test_arrival_is_when_the_file_was_first_seen(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = good("stock")
    write_csv(world / "stock.csv", [{**row, "known_at": ""}, {**row, "location_id": "other", "known_at": KNOWN}])
    seen = datetime(2026, 1, 6, 9, 30, tzinfo=UTC)
    clock.set_now(seen)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")  # the machine's zone is of no concern
        time.tzset()
        ingest(World.load(world))
    time.tzset()
    clock.set_now(seen + timedelta(days=3))
    ingest(World.load(world))
    assert [str(moment) for moment in landed("stock")["known_at"]] == ["2026-01-06 09:30:00", "2026-01-05 00:00:00"]


@pytest.mark.parametrize("step", ["landing.land", "quarantine.keep", "file_outcomes.record"])
def test_crash_at_any_step_and_a_second_run(
    world: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What is on disk after crash and repeat equals an undisturbed run at the time of the first arrival."""
    write_csv(world / "stock.csv", [{**good("stock"), "known_at": ""}, good("stock", on_hand="-1")])
    module, name = step.split(".")
    owner = {"landing": landing, "quarantine": quarantine, "file_outcomes": file_outcomes}[module]
    seen = datetime(2026, 1, 6, tzinfo=UTC)
    clock.set_now(seen)
    done = getattr(owner, name)

    def dies_after(*arguments: object) -> object:
        done(*arguments)
        raise KeyboardInterrupt

    for _ in range(12):  # each run gets one step further
        monkeypatch.setattr(owner, name, dies_after)
        with pytest.raises(KeyboardInterrupt):
            ingest(World.load(world))
        monkeypatch.setattr(owner, name, done)
        clock.set_now(clock.now() + timedelta(hours=1))
        if step != "file_outcomes.record":
            break
    ingest(World.load(world))
    again = {feed: landed(feed).drop(columns="known_at") for feed in ("stock", "catalogue")}
    assert list(again["stock"]["_record"]) == [1]
    assert quarantine.read("stock")["record"].tolist() == [2]
    assert file_outcomes.find(again["stock"]["_batch_id"][0]).quarantined == 1
    assert len(again["catalogue"]) == 1


def test_corrected_rows_come_back(world: Path, home: Path, tmp_path: Path) -> None:
    rows = [good("stock", location_id=f"l{n}", on_hand=str(n - 2)) for n in range(4)]
    write_csv(world / "stock.csv", rows)
    ingest(World.load(world))
    exported = tmp_path / "stock.csv"
    assert export_quarantine("stock", exported) == 2
    table = pd.read_csv(exported, dtype=str, keep_default_na=False)
    assert list(table["_rule"]) == ["on_hand-range"] * 2
    table.loc[0, "on_hand"] = "3"
    table.to_csv(exported, index=False)
    result = readmit(exported).iloc[0]
    assert tuple(result[["rows_in", "accepted", "quarantined", "readmitted"]]) == (4, 3, 1, 1)
    assert sorted(landed("stock")["_record"]) == [1, 3, 4]
    assert set(quarantine.read("stock")["record"]) == {2}
    before = snapshot(home)
    readmit(exported)
    ingest(World.load(world))
    assert snapshot(home) == before


def test_torn_row_comes_back_as_json(world: Path, tmp_path: Path) -> None:
    path = write_csv(world / "reviews.csv", [good("reviews")])
    path.write_bytes(path.read_bytes() + b"m1,r2,tee\n")
    ingest(World.load(world))
    exported = tmp_path / "reviews.jsonl"
    export_quarantine("reviews", exported)
    row = json.loads(exported.read_text())
    assert "['m1', 'r2', 'tee']" in row["_seen"]
    exported.write_text(json.dumps(row | good("reviews", review_id="r2")))
    assert readmit(exported)["status"].tolist() == ["ok"]
    assert sorted(landed("reviews")["review_id"]) == ["r1", "r2"]


def test_crash_between_readmitted_parquet_and_quarantine(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(world / "stock.csv", [good("stock", on_hand="-1")])
    ingest(World.load(world))
    exported = tmp_path / "stock.csv"
    export_quarantine("stock", exported)
    exported.write_text(exported.read_text().replace(",-1,", ",1,"))
    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            readmit(exported)
    assert len(landed("stock")) == 1
    result = readmit(exported).iloc[0]
    assert tuple(result[["accepted", "quarantined", "duplicates", "readmitted", "status"]]) == (1, 0, 0, 1, "ok")
    assert len(landed("stock")) == 1


def test_readmission_refuses_all_it_does_not_know_at_once(world: Path, tmp_path: Path) -> None:
    write_csv(world / "stock.csv", [good("stock", on_hand="-1")])
    batch_id = outcome("stock", ingest(World.load(world)))["batch_id"]
    rows = [{"_batch_id": "../x", "_record": "1"}, {"_batch_id": batch_id, "_record": "7"}, {"_record": "one"}]
    with pytest.raises(InputError) as caught:
        readmit(write_csv(tmp_path / "corrected.csv", rows))
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError, match="cannot be read"):
        readmit(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="no feed is called 'stocks'"):
        export_quarantine("stocks", tmp_path / "x.csv")


def test_progress_names_each_file(world: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    ingest(World.load(world), lambda *call: calls.append(call))
    files = len(World.load(world).sources())
    assert [done for done, _, _ in calls] == list(range(files))
    assert {total for _, total, _ in calls} == {files}


def test_file_that_cannot_be_opened_is_named(world: Path) -> None:
    (world / "reviews.csv").unlink()
    (world / "reviews.csv").symlink_to(world / "nowhere.csv")
    with pytest.raises(InputError, match=r"reviews\.csv: cannot be read"):
        ingest(World.load(world))
    assert len(landed("sales_lines")) == 1


def test_what_landed_before_outcomes_had_their_newer_columns_stays(world: Path, home: Path) -> None:
    write_csv(world / "stock.csv", [good("stock"), good("stock", on_hand="-1")])
    first = ingest(World.load(world))
    for path in landing.folder("file_outcomes").glob("[!_]*.parquet"):
        duckdb.sql(f"SELECT * EXCLUDE (left_out, notes) FROM '{path}'").df().to_parquet(path)
    before = snapshot(home)
    pd.testing.assert_frame_equal(ingest(World.load(world)), first)
    assert snapshot(home) == before
    assert int(landing.read_landed("file_outcomes")["left_out"].fillna(0).sum()) == 0
