"""Any shop's export by a mapping alone: one row to many, rows left out, values carried down, files joined."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from feed_rows import LEAST, write_good_world

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import landing, quarantine
from c2m.feeds.ingest import ingest
from c2m.feeds.mapping import parse
from c2m.feeds.quarantine import export_quarantine
from c2m.feeds.readmit import readmit
from c2m.feeds.world import World

SALES = """
feed: sales_lines
files: "shop*.csv"
%s
columns:
  merchant_id: "'m1'"
  sale_line_id: %s
  channel: "'shop'"
  sku_id: %s
  style_id: "'tee'"
  sold_on: CAST(Day AS DATE)
  quantity: %s
  status: coalesce(State, 'placed')
  amount: {value: Amount, null_when: Amount = 'N/A'}
  currency: "'EUR'"
  promotion: "false"
  business_customer: "false"
  known_at: CAST(Day AS TIMESTAMP)
"""


@pytest.fixture
def world(tmp_path: Path, home: Path) -> Path:
    folder = write_good_world(tmp_path / "world", (*LEAST, "stock"))
    (folder / "sales_lines.csv").unlink()
    (folder / "world.yaml").write_text("sources: [{mapping: shop.yaml}]\n")
    return folder


def write(world: Path, mapping: str, **files: str) -> None:
    (world / "shop.yaml").write_text(mapping)
    for name, text in files.items():
        (world / f"{name}.csv").write_text(text)


def outcome(world: Path) -> pd.Series:
    table = ingest(World.load(world))
    row = table[table["feed"] == "sales_lines"].iloc[-1]
    assert row["rows_in"] == row["accepted"] + row["quarantined"] + row["left_out"]
    return row


def landed(columns: str) -> list[tuple[object, ...]]:
    return duckdb.sql(
        f"SELECT {columns} FROM {landing.source('sales_lines')} ORDER BY known_at, sale_line_id"
    ).fetchall()


def test_rows_left_out_are_counted_with_their_reason(world: Path) -> None:
    steps = """where:
  - {keep: Sku IS NOT NULL, reason: gift cards have no SKU}
  - {keep: CAST(Qty AS INTEGER) > 0, reason: nothing sold}"""
    write(
        world,
        SALES % (steps, "Nr", "Sku", "Qty"),
        shop="Nr,Day,Sku,Qty,State,Amount\n1,2026-01-02,a,1,,5\n2,2026-01-02,,1,,25\n3,2026-01-02,b,0,,N/A\n"
        "4,2026-01-02,b,many,,5\n5,2026-01-02,b,2,,N/A\n6,2026-01-02,b,2,,five\n",
    )
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined", "left_out"]]) == (6, 2, 2, 2)
    assert row["notes"] == "1 left out: gift cards have no SKU; 1 left out: nothing sold"
    assert landed("sale_line_id, amount, _record") == [("1", 5, 1), ("5", None, 5)]
    rules = quarantine.read("sales_lines").groupby("record")["rule"].agg(set).to_dict()
    assert rules == {4: {"quantity-type"}, 6: {"amount-type"}}


ORDERS = """Nr,Day,Sku,Qty,State,Amount
7,2026-01-02,a,1,cancelled,
7,,b,2,,
8,2026-01-03,a,1,,
8,,a,1,,
"""
FILLED = """fill_down: [{columns: [Day, State], within: [Nr]}]
number_lines: {as: n, within: [Nr, Sku]}"""
ORDER_LINE = "Nr || '-' || Sku || '-' || n"


def test_order_fields_stand_on_the_first_line_and_equal_lines_are_two(world: Path) -> None:
    write(world, SALES % (FILLED, ORDER_LINE, "Sku", "Qty"), shop=ORDERS)
    row = outcome(world)
    assert landed("sale_line_id, status") == [
        ("7-a-1", "cancelled"), ("7-b-1", "cancelled"), ("8-a-1", "placed"), ("8-a-2", "placed"),
    ]  # fmt: skip
    assert "1 further lines of one Nr, Sku: numbered" in row["notes"]
    (world / "shop2.csv").write_text(ORDERS + "9,2026-01-04,a,1,,\n")
    again = outcome(world)
    assert tuple(again[["rows_in", "accepted", "duplicates"]]) == (5, 5, 4)
    assert len(landed("1")) == 5


def test_nothing_is_carried_down_across_a_torn_record(world: Path) -> None:
    torn = ORDERS.replace("8,2026-01-03,a,1,,\n", "8,2026-01-03,a,1,,,,,x\n")
    write(world, SALES % (FILLED, ORDER_LINE, "Sku", "Qty"), shop=torn)
    row = outcome(world)
    assert tuple(row[["accepted", "quarantined"]]) == (2, 2)
    rules = quarantine.read("sales_lines").groupby("record")["rule"].agg(set).to_dict()
    assert rules == {3: {"row-shape"}, 4: {"fill-down"}}


def test_a_column_per_size_and_a_style_below_a_merged_cell(world: Path, tmp_path: Path) -> None:
    steps = """fill_down: [{columns: [Style]}]
unpivot: {columns: [S, M, L], name: Size, value: Pieces, none: ["-", "0"]}"""
    line = "Style || '-' || Size || '-' || record_number"
    write(
        world,
        SALES % (steps, line, "Style || '-' || Size", "replace(Pieces, ',', '')"),
        shop='Style,Day,S,M,L,State,Amount\ntee,2026-01-02,60,"1,200",,,\n,2026-01-03,0,5,-,,\npolo,2026-01-04,,0,-,,\n'
        "polo,2026-01-05,x,7,,,\n",
    )
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined", "left_out"]]) == (6, 4, 1, 1)
    assert row["notes"] == "1 left out: no cell of S, M, L is filled"
    assert landed("sku_id, quantity, _record") == [
        ("tee-M", 1200, 2),
        ("tee-S", 60, 1),
        ("tee-M", 5, 3),
        ("polo-M", 7, 6),
    ]
    out = tmp_path / "out.csv"
    export_quarantine("sales_lines", out)
    table = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert table.loc[0, ["Style", "Size", "Pieces", "record_number"]].tolist() == ["polo", "S", "x", "4"]
    table.loc[0, "Pieces"] = "8"
    table.to_csv(out, index=False)
    result = readmit(out).iloc[0]
    assert tuple(result[["rows_in", "accepted", "quarantined", "left_out"]]) == (6, 5, 0, 1)


def test_items_in_a_cell_become_lines(world: Path) -> None:
    steps = """record_number: record
explode: {rows: "string_split(Items, ';')", as: it, number: nr}"""
    write(
        world,
        SALES
        % (
            steps,
            "concat('r', record, '-', nr)",
            "regexp_extract(it, 'sku:([^|]+)', 1)",
            "regexp_extract(it, 'q:([0-9]+)', 1)",
        ),
        shop="Items,Day,State,Amount\nsku:a|q:1;sku:b|q:2;,2026-01-02,,\n,2026-01-02,,\nsku:c|q:x,2026-01-02,,\n",
    )
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined", "left_out"]]) == (4, 2, 1, 1)
    assert landed("sale_line_id, sku_id, quantity") == [("r1-1", "a", 1), ("r1-2", "b", 2)]
    assert row["notes"] == "1 left out: no item"


def test_a_filled_cell_that_is_no_list_is_a_fault(world: Path) -> None:
    steps = """explode: {rows: "CAST(CAST(Items AS JSON) AS VARCHAR[])", as: it}"""
    write(
        world,
        SALES % (steps, "it", "it", "'1'"),
        shop='Items,Day,State,Amount\n"[""a"",""b""]",2026-01-02,,\n[broken,2026-01-02,,\n[],2026-01-02,,\n',
    )
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined", "left_out"]]) == (4, 2, 1, 1)
    assert quarantine.read("sales_lines")[["rule", "seen"]].values.tolist() == [["items", "no list of items"]]


JOINED = """join: [{as: orders, files: "orders*.csv", keys: {Nr: order}}]"""
FROM_ORDERS = (SALES % (JOINED, "Nr || '-' || Sku", "Sku", "Qty")).replace("Day", '"orders.Day"')


def test_two_files_are_joined_and_a_change_of_either_is_a_new_batch(world: Path) -> None:
    write(
        world,
        FROM_ORDERS,
        shop="Nr,Sku,Qty,State,Amount\n1,a,1,,\n1,b,2,,\n2,a,3,,\n",
        orders1="order,Day,customer\n1,2026-01-02,Ada\n",
    )
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined"]]) == (3, 2, 1)
    broken = quarantine.read("sales_lines").iloc[0]
    assert (broken["record"], broken["rule"], broken["seen"]) == (3, "join-orders", "Nr=2")
    assert "Ada" not in quarantine.read().to_json()
    (world / "orders2.csv").write_text("order,Day\n2,2026-01-03\n1,2026-01-02\n")
    row = outcome(world)
    assert tuple(row[["rows_in", "accepted", "quarantined", "duplicates"]]) == (3, 3, 0, 2)


@pytest.mark.parametrize(
    ("orders", "problem"),
    [
        (None, "join orders: no file orders*.csv"),
        ("order,When\n1,2026-01-02\n", "join orders: orders.csv: columns missing: Day; the file has order, When"),
        ("order,Day\n1,2026-01-02\n1,2026-01-03\n", "1 keys, such as '1', have rows that differ"),
        ("order,Day\n1,2026-01-02,x,y\n", "join orders: orders.csv: 1 records that cannot be read"),
    ],
)
def test_a_join_that_cannot_be_made_is_told(world: Path, orders: str | None, problem: str) -> None:
    write(world, FROM_ORDERS, shop="Nr,Sku,Qty,State,Amount\n1,a,1,,\n", **({"orders": orders} if orders else {}))
    with pytest.raises(InputError, match="no row of it was accepted"):
        ingest(World.load(world))
    row = landing.read_landed("file_outcomes", feed="sales_lines").iloc[0]
    assert problem in row["problems"]
    assert (row["rows_in"], row["quarantined"]) == (1, 1)


def test_texts_that_mean_an_empty_cell(world: Path) -> None:
    write(
        world,
        SALES % ("read: {empty: ['NULL', '-']}", "Nr", "Sku", "Qty"),
        shop="Nr,Day,Sku,Qty,State,Amount\n1,2026-01-02,a,1, - ,-\n",
    )
    assert outcome(world)["accepted"] == 1
    assert landed("status, amount") == [("placed", None)]


def test_the_newest_file_wins_where_the_mapping_says_so(world: Path) -> None:
    """Next day's export shows the refund, under the date of the order; a third one takes it back."""
    first = datetime(2026, 1, 5, tzinfo=UTC)
    mapping = SALES % ("newest_file_wins: true", "Nr", "Sku", "Qty")
    for day, state in enumerate(["shipped", "returned", "returned", "shipped"]):
        clock.set_now(first + timedelta(days=day))
        write(
            world,
            mapping,
            **{f"shop{day}": f"Nr,Day,Sku,Qty,State,Amount\n1,2026-01-02,a,1,{state},{5 + day // 3 / 100}\n"},
        )
        assert outcome(world)["accepted"] == 1
    assert landed("status, known_at::VARCHAR") == [
        ("shipped", "2026-01-02 00:00:00"), ("returned", "2026-01-06 00:00:00"), ("shipped", "2026-01-08 00:00:00"),
    ]  # fmt: skip
    assert quarantine.read().empty
    clock.set_now(first + timedelta(days=9))
    ingest(World.load(world))
    assert len(landed("1")) == 3


SHOP = "Nr,Day,Sku,Qty,State,Amount\n1,2026-01-02,a,1,{},\n"


@pytest.mark.parametrize("names", [("shop", "shop", "shop"), ("shop1", "shop2", "shop3")], ids=["replaced", "beside"])
def test_a_content_that_is_delivered_once_more_is_the_newest_again(world: Path, names: tuple[str, ...]) -> None:
    mapping = SALES % ("newest_file_wins: true", "Nr", "Sku", "Qty")
    for day, (name, state) in enumerate(zip(names, ["placed", "cancelled", "placed"], strict=True)):
        clock.set_now(datetime(2026, 1, 5 + day, tzinfo=UTC))
        write(world, mapping, **{name: SHOP.format(state)})
        for _ in range(2):
            assert outcome(world)["status"] == "ok"
    told = landed("status, known_at::DATE::VARCHAR")
    assert told == [("placed", "2026-01-02"), ("cancelled", "2026-01-06"), ("placed", "2026-01-07")]


def test_three_deliveries_of_which_the_last_is_the_first_count_in_their_order(world: Path) -> None:
    states = {"shop1": "placed", "shop2": "cancelled", "shop3": "placed"}
    texts = {name: SHOP.format(state) for name, state in states.items()}
    write(world, SALES % ("newest_file_wins: true", "Nr", "Sku", "Qty"), **texts)
    outcome(world)
    assert [status for (status,) in landed("status")] == ["placed", "cancelled", "placed"]
    told = landing.read_landed("file_outcomes", feed="sales_lines")
    assert told[["rows_in", "accepted", "status"]].to_numpy().tolist() == [[1, 1, "ok"]] * 3
    (world / "shop1.csv").rename(world / "shop1-done.csv")  # renamed, not delivered
    outcome(world)
    assert len(landed("1")) == 3


def test_a_native_file_that_is_put_back_holds_again(world: Path) -> None:
    head = "merchant_id,order_id,placed_on,due_on,currency,tolerance_share,status\n"
    for day, status in enumerate(["open", "cancelled", "open"]):
        clock.set_now(datetime(2026, 1, 5 + day, tzinfo=UTC))
        text = f"{head}m1,PO-1,2026-01-02,2026-03-02,EUR,0.05,{status}\n"
        (world / "merchant_orders.csv").write_text(text)
        write(world, SALES % ("", "Nr", "Sku", "Qty"), shop=SHOP.format("placed"))
        ingest(World.load(world))
    assert landing.latest("merchant_orders")["status"].tolist() == ["open"]
    assert len(landing.read_landed("merchant_orders")) == 3


def test_ids_that_a_changed_mapping_gives_no_more_count_no_more_until_it_gives_them_again(world: Path) -> None:
    plain, fewer = (SALES % (steps, "Nr", "Sku", "Qty") for steps in ("", "where: [{keep: Sku <> 'gift', reason: g}]"))
    for day, mapping in enumerate([plain, fewer, plain]):
        clock.set_now(datetime(2026, 1, 5 + day, tzinfo=UTC))
        write(world, mapping, shop=SHOP.format("placed") + "2,2026-01-02,gift,1,placed,\n")
        notes = outcome(world)["notes"]
        held = landing.latest("sales_lines").sort_values("sale_line_id")["status"].tolist()
        assert held == ["placed", "cancelled" if mapping == fewer else "placed"]
        assert ("1 ids come no more" in notes) == (mapping == fewer)


def test_two_new_files_that_arrive_at_once_are_taken_in_the_order_of_their_names(world: Path) -> None:
    clock.set_now(datetime(2026, 1, 5, tzinfo=UTC))
    head = "Nr,Day,Sku,Qty,State,Amount\n1,2026-01-02,a,1,"
    write(
        world,
        SALES % ("newest_file_wins: true", "Nr", "Sku", "Qty"),
        **{f"shop{n}": f"{head}{state},\n" for n, state in enumerate(["placed", "shipped", "returned"])},
    )
    outcome(world)
    assert [status for (status,) in landed("status")] == ["placed", "shipped", "returned"]


def test_faults_of_the_steps_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse(
            SALES.replace("feed: sales_lines", "feed: stock")
            % ("newest_file_wins: true\nwhere: [{keep: 'a >', reason: x}]\nexplode: {rows: max(a)}", "a", "b", "c"),
            "shop.yaml",
        )
    told = "\n".join(caught.value.faults)
    assert "where.0.keep: not a DuckDB expression" in told
    assert "explode.rows: Binder Error" in told
    assert "newest_file_wins: stock keeps every row" in told
    with pytest.raises(InputError, match="null_when: this column may not be empty"):
        parse(SALES.replace("quantity: %s", "quantity: {value: a, null_when: b}") % ("", "a", "b"), "shop.yaml")


GRAPH = """
feed: sales_lines
files: "shop*.json"
read: {path: data.orders.edges}
explode: {rows: "from_json(\\"node.lineItems.edges\\", '[\\"JSON\\"]')", as: line, number: n}
where:
  - {keep: "json_extract_string(line, '$.node.quantity')::INT >= 0", reason: returns}
columns:
  merchant_id: "'m1'"
  sale_line_id: id_of("node.name" || '-' || n)
  sale_code: '"node.name"'
  channel: "'shop'"
  sku_id: id_of(json_extract_string(line, '$.node.sku'))
  style_id: "'tee'"
  sold_on: CAST("node.createdAt" AS TIMESTAMP)::DATE
  quantity: json_extract_string(line, '$.node.quantity')
  status: "'placed'"
  amount: |
    number_of(json_extract_string(line, '$.node.price'), '.')::DECIMAL(18, 4)
      * json_extract_string(line, '$.node.quantity')::INT
      * (1 - coalesce(rtrim(json_extract_string(line, '$.node.discount'), '%')::DECIMAL(9, 4), 0) / 100)
  currency: "'EUR'"
  promotion: json_extract_string(line, '$.node.discount') IS NOT NULL
  business_customer: "false"
"""


def test_orders_in_edges_and_nodes_with_percent_discounts_and_returns(world: Path) -> None:
    """As the query of a shop's interface answers: lists within lists, each thing in a `node`."""
    (world / "shop.yaml").write_text(GRAPH)
    lines = [[(2, "€1,040.50", "25%"), (1, "€9.00", None)], [(-1, "€9.00", None), (1, "nine", None)], []]
    edges = [
        {"node": {"name": f"#{number}", "createdAt": "2026-01-03T10:00:00Z", "lineItems": {"edges": [
            {"node": {"sku": f"t-{i}", "quantity": quantity, "price": price, "discount": off}}
            for i, (quantity, price, off) in enumerate(some)
        ]}}}
        for number, some in enumerate(lines, 1)
    ]  # fmt: skip
    (world / "shop.json").write_text(
        json.dumps({"data": {"orders": {"edges": edges, "pageInfo": {"hasNextPage": False}}}})
    )
    row = outcome(world)
    assert row[["rows_in", "accepted", "quarantined", "left_out"]].tolist() == [5, 2, 1, 2]
    assert row["notes"] == "1 left out: no item; 1 left out: returns"
    landed = duckdb.sql(f"SELECT sku_id, amount, promotion FROM {landing.source('sales_lines')} ORDER BY 1").fetchall()
    assert [(sku, float(amount), promotion) for sku, amount, promotion in landed] == [
        ("t-0", 1560.75, True),
        ("t-1", 9, False),
    ]
    assert quarantine.read("sales_lines")["rule"].tolist() == ["amount-type"]
