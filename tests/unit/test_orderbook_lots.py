"""Merchants' orders as lots of one style-colour: no piece lost, the same ids every time, bad orders named."""

from datetime import date

import pandas as pd
import pytest

from c2m.errors import InputError
from c2m.ids import placed_id
from c2m.settings import settings
from optimization.book.currencies import in_currency
from optimization.book.daily_instance import HEADER, merchant_lots
from optimization.book.identity import HELD, NOTHING
from optimization.book.lots import SAM
from optimization.book.set_aside import set_apart

SKUS = pd.DataFrame(
    [
        ("m", "red-S", "s", "red", "shirt", "print;wash", 30.0, 12.0, 10.0),
        ("m", "red-M", "s", "red", "shirt", "knit;print", 20.0, 10.0, 20.0),
        ("m", "blue-M", "s", "blue", "shirt", "", 20.0, 10.0, 20.0),
        ("m", "dress", "d", "red", "dress", "", 50.0, 20.0, 40.0),
        ("n", "red-S", "z", "red", "shirt", "", 9.0, 5.0, 8.0),
    ],
    columns=["merchant_id", "sku_id", "style_id", "colour", "category", "crafts", "price", "cost", "sam_minutes"],
).assign(currency="USD", **dict.fromkeys(SAM, 2.0))


def book(*lines: tuple[str, str, str, int, str]) -> pd.DataFrame:
    rows = pd.DataFrame(lines, columns=["merchant_id", "order_id", "sku_id", "quantity", "status"])
    facts = {name: None for name in [*HEADER, "line_count", "total_quantity"] if name != "merchant_id"}
    return rows.assign(**{**facts, "due_on": date(2026, 4, 1), "currency": "USD", "tolerance_share": 0.05})


BOOK = book(
    ("m", "o1", "red-S", 100, "open"),
    ("m", "o1", "red-M", 300, "open"),
    ("m", "o1", "blue-M", 50, "open"),
    ("m", "o2", "red-S", 70, "cancelled"),
    ("m", "o2", "dress", 30, "cancelled"),
    ("n", "o3", "red-S", 40, "open"),
)


def test_one_lot_per_style_colour_and_no_piece_lost() -> None:
    orders, lots, lot_skus = merchant_lots(BOOK, SKUS)
    own = orders.set_index("order_id")["merchant_order_id"]
    lots = lots.assign(order_id=lots["order_id"].map(own))
    seen = lots.set_index(["order_id", "style_id", "colour"])["quantity"].to_dict()
    assert seen == {
        ("o1", "s", "red"): 400,
        ("o1", "s", "blue"): 50,
        ("o2", "s", "red"): 70,
        ("o2", "d", "red"): 30,
        ("o3", "z", "red"): 40,
    }
    assert lot_skus.groupby("lot_id")["quantity"].sum().to_dict() == lots.set_index("lot_id")["quantity"].to_dict()
    assert orders["merchant_order_id"].tolist() == ["o1", "o2", "o3"]
    assert (orders["source"] == "merchant").all()


def test_facts_per_piece_are_means_over_the_pieces_and_crafts_are_all_that_any_needs() -> None:
    _, lots, _ = merchant_lots(BOOK[BOOK["order_id"] == "o1"], SKUS)
    red = lots.set_index("colour").loc["red"]
    assert red["sam_minutes"] == pytest.approx(17.5)
    assert red["unit_value"] == pytest.approx(22.5)
    assert red["unit_cost_basis"] == pytest.approx(10.5)
    assert red["crafts"] == "knit;print;wash"


def test_cancelled_orders_are_cancelled() -> None:
    orders, lots, _ = merchant_lots(BOOK, SKUS)
    assert orders.set_index("merchant_order_id")["state"].to_dict() == {"o1": "open", "o2": "cancelled", "o3": "open"}
    assert lots.groupby("order_id")["state"].agg(set).to_dict() == {
        order_id: {state} for order_id, state in orders.set_index("order_id")["state"].items()
    }


def test_ids_do_not_depend_on_rows_or_quantities() -> None:
    _, lots, _ = merchant_lots(BOOK, SKUS)
    _, again, _ = merchant_lots(BOOK[::-1].assign(quantity=1), SKUS)
    assert set(lots["lot_id"]) == set(again["lot_id"])
    assert lots["lot_id"].str.fullmatch("[A-Za-z0-9_-]{1,64}").all()


def test_unknown_skus_are_named_all_at_once() -> None:
    bad = pd.concat([BOOK, book(("m", "o4", "ghost", 1, "open"), ("n", "o5", "dress", 1, "open"))])
    with pytest.raises(InputError) as error:
        merchant_lots(bad, SKUS)
    assert [fault.split(":")[0] for fault in error.value.faults] == ["merchant m, order o4", "merchant n, order o5"]


def held(orders: pd.DataFrame, lots: pd.DataFrame, lot_skus: pd.DataFrame) -> pd.DataFrame:
    """As the ledger would hold them."""
    of_order = lot_skus.merge(lots[["lot_id", "order_id", "personalisation"]], on="lot_id")
    return orders[["order_id", "merchant_id", "merchant_order_id"]].merge(of_order, on="order_id", how="left")[HELD]


def test_ids_follow_from_nothing_that_another_merchant_sends() -> None:
    other = book(("a", "o1", "red-S", 7, "open")).assign(parent_order_id="o2")
    skus = pd.concat([SKUS, SKUS[SKUS["merchant_id"] == "n"].assign(merchant_id="a")])
    alone = merchant_lots(BOOK, skus)
    for ledger in (NOTHING, held(*alone)):
        orders, lots, lot_skus = merchant_lots(pd.concat([other, BOOK]), skus, ledger)
        assert orders["order_id"].is_unique and orders["merchant_order_id"].tolist() == ["o1", "o1", "o2", "o3"]
        assert orders["order_id"].str.fullmatch("o[123]-[0-9a-f]{16}").all()
        assert orders["parent_order_id"].iloc[0] not in set(orders["order_id"]), "the o2 of another is no parent"
        for whole, part in zip((orders, lots), alone[:2], strict=True):
            seen = whole[whole["merchant_id"] != "a"].reset_index(drop=True)
            pd.testing.assert_frame_equal(seen, part, check_dtype=False)
    assert lot_skus["quantity"].sum() == alone[2]["quantity"].sum() + 7


def test_an_order_keeps_the_id_that_an_older_ledger_gave_it() -> None:
    orders, lots, lot_skus = merchant_lots(BOOK, SKUS)
    before = dict(zip(orders["order_id"], ["o1", "o2", "a-uuid-of-before"], strict=True))
    ledger = held(*(frame.assign(order_id=frame["order_id"].map(before)) for frame in (orders, lots)), lot_skus)
    ledger.loc[ledger["order_id"] == "o2", ["lot_id", "sku_id"]] = None  # an order without lots is known too
    repeat = book(("m", "o4", "dress", 1, "open"), ("n", "o2", "red-S", 1, "open")).assign(parent_order_id="o1")
    again, of_old, _ = merchant_lots(pd.concat([BOOK, repeat]), SKUS, ledger)
    names = again.set_index(["merchant_id", "merchant_order_id"])["order_id"]
    assert [names["m", "o1"], names["m", "o2"], names["n", "o3"]] == ["o1", "o2", "a-uuid-of-before"]
    assert names["n", "o2"].startswith("o2-"), "who else has an order of that id is no matter"
    parents = again.set_index(["merchant_id", "merchant_order_id"])["parent_order_id"]
    assert parents["m", "o4"] == "o1" and parents["n", "o2"].startswith("o1-")
    assert set(of_old.loc[of_old["order_id"].isin(["o1", "a-uuid-of-before"]), "lot_id"]) <= set(lots["lot_id"])


def test_an_order_that_was_placed_here_keeps_the_id_that_it_was_given_then() -> None:
    placed = placed_id("m", "PO/红 1")
    lines = book(("m", placed, "dress", 1, "open"), ("n", placed, "red-S", 1, "open")).assign(order_code="PO/红 1")
    repeat = book(("m", "o4", "dress", 1, "open")).assign(parent_order_id=placed)
    names = merchant_lots(pd.concat([lines, repeat], ignore_index=True), SKUS)[0].set_index("merchant_id")
    assert names.loc["m", "order_id"].iloc[0] == placed == names.loc["m", "parent_order_id"].iloc[1]
    assert names.loc["n", "order_id"] != placed, "nobody takes the id of another"


def test_codes_go_beside_ids_and_a_lot_has_none_of_several() -> None:
    codes = {"sku_code": ["红/1", "红/2", None, None, "a"], "colour_code": ["01", "1", None, None, None]}
    coded = SKUS.assign(**codes, size_code=None, style_code=["款/7", "款/7", "款/7", None, "b"])
    lines = BOOK.assign(order_code=BOOK["order_id"].map({"o1": "PO/红 1", "o2": "PO 2"}))
    orders, lots, lot_skus = merchant_lots(lines, coded)
    assert orders["order_code"].fillna("").tolist() == ["PO/红 1", "PO 2", ""]
    assert lots["style_code"].fillna("").tolist() == ["款/7", "款/7", "款/7", "", "b"]
    assert lot_skus[["sku_code", "colour_code"]].to_numpy().tolist()[:2] == [["红/1", "01"], ["红/2", "1"]]
    apart = coded.assign(style_code=["款/7", "款 7", "款/7", None, "b"])
    assert merchant_lots(lines, apart)[1]["style_code"].fillna("").tolist()[:2] == ["", "款/7"]


def test_a_lot_stays_itself_whatever_its_colour_and_style_are_called() -> None:
    before = merchant_lots(BOOK, SKUS)
    renamed = SKUS.assign(
        colour=SKUS["colour"].replace("red", "Red"), style_id=SKUS["style_id"].where(SKUS["sku_id"] != "red-M", "other")
    )
    more = pd.concat([BOOK, book(("m", "o1", "dress", 5, "open"))])
    _, lots, _ = merchant_lots(more, renamed, held(*before))
    assert set(before[1]["lot_id"]) <= set(lots["lot_id"]) and len(lots) == len(before[1]) + 1
    kept = lots.set_index("lot_id").loc[before[1]["lot_id"]]
    assert kept["quantity"].tolist() == before[1]["quantity"].tolist()
    new_red = SKUS.assign(colour=SKUS["colour"].where(SKUS["sku_id"] != "blue-M", "red"))
    _, moved, _ = merchant_lots(BOOK, new_red, held(*before))
    assert set(moved["lot_id"]) == set(before[1]["lot_id"]), "blue becomes red: still the two lots that they were"


def test_lots_that_cannot_be_planned_are_set_apart_with_the_reason() -> None:
    shirts = [("m", f"k{i}", "s", "red", "shirt", "", 9.0, 5.0, 8.0) for i in range(1001)]
    many = pd.DataFrame(shirts, columns=SKUS.columns[:9]).assign(currency="USD", **dict.fromkeys(SAM, 2.0))
    lines = book(*[("m", "big", f"k{i}", 2, "open") for i in range(1001)])
    _, lots, _ = set_apart(*merchant_lots(pd.concat([BOOK, lines]), pd.concat([SKUS, many])), "USD")
    is_big = lots["order_id"].str.startswith("big-")
    assert lots.loc[is_big, "waits"].item().startswith("1001 SKUs of one style and colour")
    assert (lots.loc[~is_big, "waits"] == "").all()
    yen = SKUS.assign(currency=SKUS["currency"].where(SKUS["merchant_id"] != "n", "JPY"))
    orders, lots, _ = set_apart(*merchant_lots(BOOK, yen), "USD")
    waits = lots.set_index("merchant_id")["waits"]
    assert waits["n"].startswith("counts in JPY, the plan in USD") and set(waits.drop("n")) == {""}
    assert orders.set_index("merchant_id")["currency"].to_dict()["n"] == "JPY", "of what its lots are worth"


def test_money_counts_in_the_currency_of_the_plan_as_far_as_rates_go() -> None:
    rates = pd.DataFrame(
        [("JPY", "USD", 0.0064), ("USD", "JPY", 156.25), ("EUR", "JPY", 170.0)],
        columns=["currency", "quote_currency", "rate"],
    )
    own = SKUS.assign(currency=["USD", "USD", "JPY", "JPY", "EUR"])
    counted = in_currency(own, ["price", "cost"], rates, "USD")
    assert counted["currency"].tolist() == ["USD", "USD", "USD", "USD", "EUR"], "nothing leads from EUR to USD"
    assert counted["price"].tolist() == pytest.approx([30, 20, 20 * 0.0064, 50 * 0.0064, 9])
    assert counted["sam_minutes"].equals(SKUS["sam_minutes"])
    _, lots, _ = set_apart(*merchant_lots(BOOK, counted), "USD")
    assert set(lots.loc[lots["waits"] != "", "merchant_id"]) == {"n"}
    mixed = SKUS.assign(currency=SKUS["currency"].where(SKUS["sku_id"] != "red-S", "EUR"))
    _, lots, _ = set_apart(*merchant_lots(BOOK, mixed), "USD")
    mixed_orders = lots.loc[lots["waits"].str.startswith("counts in EUR and USD"), "order_id"]
    assert mixed_orders.str.startswith("o1-").tolist() == [True]


def test_what_has_come_of_an_order_is_planned_where_parts_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_PLAN__ORDERS_IN_PARTS", "true")
    settings.cache_clear()
    assert set(merchant_lots(BOOK.assign(line_count=9, total_quantity=9_999), SKUS)[1]["waits"]) == {""}
    monkeypatch.undo()
    settings.cache_clear()


def test_an_order_waits_until_it_is_whole() -> None:
    def waits(**facts: object) -> set[str]:
        return set(merchant_lots(BOOK.assign(**facts).query("order_id == 'o1'"), SKUS)[1]["waits"])

    assert waits(line_count=3, total_quantity=450) == {""}
    assert waits(line_count=4) == {"3 of 4 lines have come: send the rest"}
    assert waits(total_quantity=451) == {"450 of 451 pieces have come: send the rest"}


def test_a_cancelled_line_is_no_line_of_a_lot() -> None:
    without = BOOK.assign(quantity=BOOK["quantity"].where(BOOK["sku_id"] != "red-M", 0))
    _, lots, lot_skus = merchant_lots(without, SKUS)
    assert "red-M" not in set(lot_skus["sku_id"]) and lots["quantity"].sum() == BOOK["quantity"].sum() - 300


def test_an_empty_book_has_no_lots() -> None:
    orders, lots, lot_skus = merchant_lots(BOOK.head(0), SKUS)
    assert orders.empty and lots.empty and lot_skus.empty
    assert {"lot_id", "crafts", "quantity"} <= set(lots.columns)
