"""Merchants' orders as lots of one style-colour: no piece lost, the same ids every time, bad orders named."""

from datetime import date

import pandas as pd
import pytest

from c2m.errors import InputError
from c2m.settings import settings
from optimization.book.currencies import in_currency
from optimization.book.daily_instance import HEADER, merchant_lots
from optimization.book.identity import HELD
from optimization.book.lots import SAM
from optimization.book.waiting import set_apart

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
    seen = lots.set_index(["order_id", "style_id", "colour"])["quantity"].to_dict()
    assert seen == {
        ("o1", "s", "red"): 400,
        ("o1", "s", "blue"): 50,
        ("o2", "s", "red"): 70,
        ("o2", "d", "red"): 30,
        ("o3", "z", "red"): 40,
    }
    assert lot_skus.groupby("lot_id")["quantity"].sum().to_dict() == lots.set_index("lot_id")["quantity"].to_dict()
    assert orders["order_id"].tolist() == ["o1", "o2", "o3"]
    assert (orders["source"] == "merchant").all()


def test_facts_per_piece_are_means_over_the_pieces_and_crafts_are_all_that_any_needs() -> None:
    _, lots, _ = merchant_lots(BOOK, SKUS)
    red = lots.query("order_id == 'o1' and colour == 'red'").iloc[0]
    assert red["sam_minutes"] == pytest.approx(17.5)
    assert red["unit_value"] == pytest.approx(22.5)
    assert red["unit_cost_basis"] == pytest.approx(10.5)
    assert red["crafts"] == "knit;print;wash"


def test_cancelled_orders_are_cancelled() -> None:
    orders, lots, _ = merchant_lots(BOOK, SKUS)
    assert orders.set_index("order_id")["state"].to_dict() == {"o1": "open", "o2": "cancelled", "o3": "open"}
    assert lots.groupby("order_id")["state"].agg(set).to_dict() == {"o1": {"open"}, "o2": {"cancelled"}, "o3": {"open"}}


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
    return lot_skus.merge(lots[["lot_id", "order_id", "merchant_id"]], on="lot_id")[HELD]


def test_two_merchants_may_have_an_order_of_one_id() -> None:
    other = book(("a", "o1", "red-S", 7, "open"))
    skus = pd.concat([SKUS, SKUS[SKUS["merchant_id"] == "n"].assign(merchant_id="a")])
    alone = merchant_lots(BOOK, skus)
    orders, lots, lot_skus = merchant_lots(pd.concat([BOOK, other]), skus, held(*alone))
    assert orders["order_id"].is_unique and orders["order_code"].tolist() == ["o1", "o2", "o3", "o1"]
    pd.testing.assert_frame_equal(lots[lots["merchant_id"] != "a"].reset_index(drop=True), alone[1])
    again = merchant_lots(pd.concat([other, BOOK]), skus, held(orders, lots, lot_skus))
    assert set(again[0]["order_id"]) == set(orders["order_id"]) and set(again[1]["lot_id"]) == set(lots["lot_id"])
    assert lot_skus["quantity"].sum() == alone[2]["quantity"].sum() + 7


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
    assert lots.set_index("order_id")["waits"].loc["big"].startswith("1001 SKUs of one style and colour")
    assert (lots.loc[lots["order_id"] != "big", "waits"] == "").all()
    yen = SKUS.assign(currency=SKUS["currency"].where(SKUS["merchant_id"] != "n", "JPY"))
    orders, lots, _ = set_apart(*merchant_lots(BOOK, yen), "USD")
    waits = lots.set_index("order_id")["waits"]
    assert waits["o3"].startswith("counts in JPY, the plan in USD") and set(waits.drop("o3")) == {""}
    assert orders.set_index("order_id")["currency"].to_dict()["o3"] == "JPY", "of what its lots are worth"


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
    assert set(lots.loc[lots["waits"] != "", "order_id"]) == {"o3"}
    mixed = SKUS.assign(currency=SKUS["currency"].where(SKUS["sku_id"] != "red-S", "EUR"))
    _, lots, _ = set_apart(*merchant_lots(BOOK, mixed), "USD")
    assert lots.loc[lots["waits"].str.startswith("counts in EUR and USD"), "order_id"].tolist() == ["o1"]


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
