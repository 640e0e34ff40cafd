"""Foreign files come in through configuration; faults of a mapping or a world are told all at once."""

import json
import re
from pathlib import Path

import duckdb
import pytest
from feed_rows import LEAST, write_good_world

from c2m.errors import InputError
from c2m.feeds import landing, quarantine
from c2m.feeds.contracts import FEEDS
from c2m.feeds.ingest import ingest
from c2m.feeds.mapping import Shape, load, parse
from c2m.feeds.quarantine import export_quarantine
from c2m.feeds.readmit import readmit
from c2m.feeds.world import World

MAPPING = """
feed: reviews
files: "shop-*.txt"
read: {format: csv, delimiter: ";", encoding: cp1252}
columns:
  merchant_id: "'m1'"
  review_id: '"No."'
  style_id: lower("Article")
  reviewed_on: CAST(strptime("Day", '%d.%m.%Y') AS DATE)
  rating: 'CAST("Stars" AS INTEGER) / 20'
  text: '"Said"'
"""
SHOP = (
    "No.;Article;Day;Stars;Said;Customer;City\r\n"
    "1;TEE;03.01.2026;80;Schön;Ada L.;Ulm\r\n"
    "2;TEE;2026-01-03;many;;Bo M.;Köln\r\n"
    "3;TEE;04.01.2026;50;;Cy N.;Bonn;extra\r\n"
    "4;TEE;04.01.2026;70;;Di O.;Trier\r\n"
)


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    """A good world, and one shop's foreign reviews."""
    folder = write_good_world(tmp_path / "world", (*LEAST, "stock"))
    (folder / "shop").mkdir()
    (folder / "shop" / "shop-1.txt").write_bytes(SHOP.encode("cp1252"))
    (folder / "shop.yaml").write_text(MAPPING)
    (folder / "world.yaml").write_text("timezone: Europe/Berlin\nsources: [{mapping: shop.yaml, root: shop}]\n")
    return folder


def test_foreign_file_lands_through_its_mapping(world: Path) -> None:
    table = ingest(World.load(world)).set_index("feed")
    assert tuple(table.loc["reviews", ["file", "mapping", "rows_in", "accepted"]]) == ("shop-1.txt", "shop.yaml", 4, 1)
    row = duckdb.sql(f"FROM {landing.source('reviews')}").df().iloc[0]
    assert (row["review_id"], row["style_id"], row["rating"], row["text"]) == ("1", "tee", 4, "Schön")
    rules = quarantine.read("reviews").groupby("record")["rule"].agg(set).to_dict()
    assert rules == {2: {"reviewed_on-type", "rating-type"}, 3: {"row-shape"}, 4: {"rating-type"}}
    seen = quarantine.read("reviews").set_index(["record", "rule"])["seen"]
    assert seen[2, "rating-type"] == "Stars=many"


def test_what_no_mapping_mentions_goes_nowhere(world: Path, home: Path, tmp_path: Path) -> None:
    ingest(World.load(world))
    export_quarantine("reviews", tmp_path / "out.csv")
    personal = ("Ada L.", "Bo M.", "Cy N.", "Di O.", "Ulm", "Köln", "Bonn", "Trier")
    kept = [json.dumps(quarantine.read().to_dict("records"), ensure_ascii=False), (tmp_path / "out.csv").read_text()]
    kept += [str(duckdb.sql(f"FROM '{path}'").fetchall()) for path in home.rglob("*.parquet")]
    assert not [word for word in personal if any(word in text for text in kept)]


def test_corrected_foreign_rows_come_back_through_the_mapping(world: Path, tmp_path: Path) -> None:
    ingest(World.load(world))
    exported = tmp_path / "out.jsonl"
    export_quarantine("reviews", exported)
    rows = [json.loads(line) for line in exported.read_text().splitlines()]
    rows[0] |= {"Day": "03.01.2026", "Stars": "60", "City": "Köln"}
    rows[1] |= {"No.": "3", "Article": "TEE", "Day": "04.01.2026", "Stars": "40"}
    exported.write_text("\n".join(map(json.dumps, rows)))
    (world / "shop.yaml").unlink()  # the batch keeps the mapping that it was read with
    assert readmit(exported).iloc[0][["accepted", "quarantined", "readmitted"]].tolist() == [3, 1, 2]
    landed = duckdb.sql(f"FROM {landing.source('reviews')} ORDER BY _record").df()
    assert landed["rating"].tolist() == [4, 3, 2]


def test_null_out_of_an_empty_cell_of_an_optional_column_is_no_fault(world: Path) -> None:
    shop = world / "shop" / "shop-1.txt"
    shop.write_bytes(b"No.;Article;Day;Stars;Said\n1;TEE;03.01.2026;80;\n")
    assert ingest(World.load(world)).set_index("feed").loc["reviews", "accepted"] == 1


def test_what_two_expressions_share_may_fail_in_both(world: Path) -> None:
    mapping = MAPPING + """  known_at: strptime("Day", '%d.%m.%Y') + INTERVAL 1 DAY\n"""
    (world / "shop.yaml").write_text(mapping)
    ingest(World.load(world))
    rules = quarantine.read("reviews").groupby("record")["rule"].agg(set)
    assert rules[2] == {"reviewed_on-type", "known_at-type", "rating-type"}


@pytest.mark.parametrize("cast", ["CAST({} AS INTEGER)", "{}::BIGINT", "TRY_CAST({} AS UTINYINT)"])
def test_a_cast_of_the_mapping_rounds_no_pieces(world: Path, cast: str) -> None:
    text = (world / "shop.yaml").read_text()
    stars = "replace(\"Stars\", '80', '2.99999')"
    (world / "shop.yaml").write_text(re.sub("rating: .*", f"rating: {json.dumps(cast.format(stars))}", text))
    ingest(World.load(world))
    seen = quarantine.read("reviews").set_index(["record", "rule"])["seen"]
    assert seen[1, "rating-type"] == "Stars=80"


def test_another_mapping_of_the_same_file_is_another_batch(world: Path) -> None:
    ingest(World.load(world))
    (world / "shop.yaml").write_text(MAPPING.replace("%d.%m.%Y", "%Y-%m-%d").replace("/ 20", "/ 10"))
    table = ingest(World.load(world))
    assert table.set_index("feed").loc["reviews", "accepted"] == 0
    assert len(duckdb.sql(f"FROM {landing.source('file_outcomes')} WHERE feed = 'reviews'").fetchall()) == 2


def write_shop(world: Path, mapping: str) -> None:
    (world / "shop.yaml").write_text(mapping)
    ingest(World.load(world))


def held() -> list[tuple[str, int]]:
    latest = landing.latest("reviews").sort_values("review_id")
    return list(latest[["review_id", "rating"]].itertuples(index=False, name=None))


def test_a_changed_mapping_corrects_what_landed_and_a_change_back_takes_it_back(world: Path) -> None:
    shop = world / "shop" / "shop-1.txt"
    shop.write_bytes(b"No.;Article;Day;Stars;Said\n1;TEE;03.01.2026;80;\n2;TEE;2026-01-03;40;\n")
    dated = MAPPING + "  known_at: TIMESTAMP '2026-01-05'\n"
    write_shop(world, dated)
    assert held() == [("1", 4)] and len(quarantine.read("reviews")) == 1
    both = """coalesce(TRY(strptime("Day", '%d.%m.%Y')), TRY(strptime("Day", '%Y-%m-%d')))"""
    mended = dated.replace("""strptime("Day", '%d.%m.%Y')""", both).replace("/ 20", "/ 40")
    write_shop(world, mended)
    assert held() == [("1", 2), ("2", 1)] and quarantine.read("reviews").empty
    write_shop(world, dated)
    assert held() == [("1", 4), ("2", 1)]
    before = len(landing.read_landed("reviews"))
    for mapping in (dated, mended, mended):
        write_shop(world, mapping)
    assert held() == [("1", 2), ("2", 1)] and len(landing.read_landed("reviews")) == before + 1
    told = landing.read_landed("file_outcomes", feed="reviews")
    assert (told["rows_in"] == told["accepted"] + told["quarantined"] + told["left_out"]).all()


def test_a_mapping_that_gives_landed_rows_other_ids_is_refused(world: Path) -> None:
    write_shop(world, MAPPING)
    write_shop(world, MAPPING.replace("""'"No."'""", '''"'x' || \\"No.\\""'''))
    assert held() == [("1", 4)]
    told = landing.read_landed("file_outcomes", feed="reviews").sort_values("arrived_at")["problems"]
    refused = "1 ids of then come no more, 1 new ones would count beside"
    assert told.str.contains(refused).tolist() == [False, True]


ZONED = ["2026-01-05 10:00:00 +0800", "2026-01-05 10:00:00 Asia/Shanghai", "2026-01-05T02:00:00Z"]


@pytest.mark.parametrize(
    ("column", "expression", "cells", "right"),
    [
        ("reviewed_on", 'CAST("Day" AS DATE)', ["2026-01-04x", "2026-01-1x", "2026-01-04T25:00", "20260104"], {}),
        ("reviewed_on", 'CAST("Day" AS DATE)', ["2026-1-4", "2026-01-04T23:30:00+08:00"], {"2026-01-04": 2}),
        ("rating", 'CAST("Day" AS INTEGER) + 1', ["1.5", "2", "2.0", "2e0", "NaN"], {3: 3}),
        ("known_at", '"Day"', ["2026-01-05 10:00:00 BST", "2026-01-05T10:00:00+99:00", "2026-01-05 10:00:00 CST"], {}),
        ("known_at", '"Day"', ZONED, {"2026-01-05 02:00:00": 3}),
        ("known_at", '"Day"', [f"2026-{one}:30:00 Europe/Berlin" for one in ("03-29 02", "10-25 02")], {}),
        ("known_at", '"Day"', ["2026-10-25 03:30:00 Europe/Berlin"], {"2026-10-25 02:30:00": 1}),
        ("rating", '"Day"', ["1_0", "0_4"], {}),
    ],
)
def test_casts_take_nothing_for_what_it_is_not(
    world: Path, column: str, expression: str, cells: list[str], right: dict[object, int]
) -> None:
    lines = "".join(f"{number};TEE;{cell}\n" for number, cell in enumerate(cells))
    (world / "shop" / "shop-1.txt").write_text(f"No.;Article;Day\n{lines}")
    columns = {"merchant_id": "'m1'", "review_id": '"No."', "style_id": "Article", "rating": "'4'"}
    columns |= {"reviewed_on": "DATE '2026-01-04'", "known_at": "TIMESTAMP '2026-01-05'", column: expression}
    head, *_ = MAPPING.partition("columns:")
    write_shop(world, f"{head}columns: {json.dumps(columns)}\n")
    found = landing.read_landed("reviews")[column]
    assert (found if column == "rating" else found.astype(str)).value_counts().to_dict() == right
    assert quarantine.read("reviews")["rule"].tolist() == [f"{column}-type"] * (len(cells) - len(found))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("- x", ["Input should be a valid dictionary"]),
        ("feed: [", ["not YAML"]),
        ("feed: nothing\nfiles: x\ncolumns: {}\nfilter: x", ["feed: Input should be", "filter: Extra inputs"]),
        (
            "feed: stock\nfiles: x\ncolumns:\n  merchant_id: (SELECT 1)\n  sku_id: max(a)\n  location_id: foo(\n"
            "  on_hand: a) , (b\n  colour: c\n  as_of: row_number() OVER ()",
            [
                "columns.colour: stock has no such column",
                "columns.merchant_id: an expression over one row may hold no subquery",
                "columns.sku_id: Binder Error",
                "columns.location_id: not a DuckDB expression",
                "columns.as_of: an expression over one row may hold no window",
                "columns.on_hand: not a DuckDB expression: expected one",
            ],
        ),
        (
            "feed: stock\nfiles: /x\nread: {encoding: rot13}\njoin: [{as: a, files: '', keys: {a: b}}]\ncolumns: {}",
            ["files: Value error, '/x' names no file", "join.0.files: Value error, '' names", "read.encoding: Value"],
        ),
        ("feed: stock\nfiles: x\ncolumns: {sku_id: No, on_hand: 1}", ["sku_id, on_hand: YAML takes this for a number"]),
        (
            "feed: stock\nfiles: x\ncolumns: {merchant_id: a, sku_id: a, as_of: a}",
            ["location_id: missing", "on_hand: missing"],
        ),
    ],
)
def test_faults_of_a_mapping_are_told_at_once(text: str, faults: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "shop.yaml")
    assert len(caught.value.faults) == len(faults)
    assert all(any(fault in told for told in caught.value.faults) for fault in faults)
    assert all(told.startswith("shop.yaml: ") for told in caught.value.faults)


def test_world_without_a_file_is_a_folder_of_feeds(tmp_path: Path) -> None:
    world = World.load(write_good_world(tmp_path / "w"))
    assert (world.name, world.overrides, len(world.sources())) == ("w", {}, len(FEEDS))


def test_world_overrides_settings(tmp_path: Path) -> None:
    text = "name: x\ntimezone: Asia/Kolkata\nbusiness_date: 2022-06-01\nsettings: {plan: {horizon_days: 9}}\n"
    (tmp_path / "world.yaml").write_text(text)
    world = World.load(tmp_path)
    assert world.overrides == {
        "timezone": "Asia/Kolkata", "business_date": "2022-06-01", "plan": {"horizon_days": 9},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("timezone: Mars/Base", "no IANA zone"),
        ("currency: rupees", "currency"),
        ("zone: UTC", "Extra inputs"),
        ("a: [", "not YAML"),
        ("sources: [{mapping: none.yaml}]", "no such mapping"),
    ],
)
def test_faults_of_a_world(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "world.yaml").write_text(text)
    with pytest.raises(InputError, match=fault):
        World.load(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        World.load(tmp_path / "nowhere")


def test_source_without_a_file_is_named_after_the_rest_has_landed(world: Path) -> None:
    (world / "shop" / "shop-1.txt").unlink()
    with pytest.raises(InputError, match=r"shop.yaml: no file shop-\*.txt"):
        ingest(World.load(world))
    assert not landing.is_empty("sales_lines")


@pytest.mark.parametrize("path", sorted(Path("mappings").rglob("*.yaml")), ids=str)
def test_mappings_of_the_project_are_sound(path: Path) -> None:
    assert load(path).expressions


def _documented() -> list[str]:
    """Keys of a mapping that the documentation shows: the list of steps, and the lines of `read`."""
    text = Path("docs/data-engineer.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\* `(\w+: .+?)`:", text, re.MULTILINE)
    return steps + re.findall(r"^    (read: .+?})", text, re.MULTILINE)


@pytest.mark.parametrize("shown", _documented())
def test_what_the_documentation_shows_is_a_mapping(shown: str) -> None:
    columns = dict.fromkeys(("merchant_id", "order_id", "sku_id", "quantity"), "a")
    mapping = parse(f"feed: merchant_order_lines\nfiles: x\ncolumns: {json.dumps(columns)}\n{shown}\n", "shown")
    assert mapping.shape or mapping.newest_file_wins or shown.startswith("read")


def test_the_documentation_shows_every_step() -> None:
    assert {shown.partition(":")[0] for shown in _documented()} >= {*Shape.model_fields, "newest_file_wins", "read"}


def test_ids_of_foreign_codes_are_never_folded_into_one(home: Path) -> None:
    codes = ["PO-7", "A 1", "A_1", "A/1", "红", "蓝", "é", "e", "x" * 64, "x" * 65, "x" * 64 + "y", "", "  ", None]
    with landing.connect() as connection:
        found = connection.execute("SELECT id_of(code) FROM (SELECT unnest($codes) AS code)", {"codes": codes})
        ids = [row[0] for row in found.fetchall()]
    assert ids[0] == "PO-7" and ids[2] == "A_1" and ids[8] == "x" * 64, "what is an id stays itself"
    assert ids[1].startswith("A_1-") and ids[6].startswith("e-")
    assert ids[-3:] == [None, None, None]
    made = ids[:-3]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", one) for one in made)


def test_an_accent_typed_as_a_sign_of_its_own_makes_no_other_code(home: Path) -> None:
    with landing.connect() as connection:
        query = "SELECT id_of($one) = id_of($two)"
        assert connection.execute(query, {"one": "caf\u00e9", "two": "cafe\u0301"}).fetchall() == [(True,)]
