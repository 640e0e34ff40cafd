"""Merchants' orders as lots of one style-colour: no piece lost, the same ids every time, bad orders named."""

from datetime import date

import pandas as pd
import pytest

from c2m.errors import InputError
from optimization.book.daily_instance import HEADER, merchant_lots
from optimization.book.lots import SAM

SKUS = pd.DataFrame(
    [
        ("m", "red-S", "s", "red", "shirt", "print;wash", 30.0, 12.0, 10.0),
        ("m", "red-M", "s", "red", "shirt", "knit;print", 20.0, 10.0, 20.0),
        ("m", "blue-M", "s", "blue", "shirt", "", 20.0, 10.0, 20.0),
        ("m", "dress", "d", "red", "dress", "", 50.0, 20.0, 40.0),
        ("n", "red-S", "z", "red", "shirt", "", 9.0, 5.0, 8.0),
    ],
    columns=["merchant_id", "sku_id", "style_id", "colour", "category", "crafts", "price", "cost", "sam_minutes"],
).assign(**dict.fromkeys(SAM, 2.0))


def book(*lines: tuple[str, str, str, int, str]) -> pd.DataFrame:
    rows = pd.DataFrame(lines, columns=["merchant_id", "order_id", "sku_id", "quantity", "status"])
    facts = {name: None for name in HEADER if name != "merchant_id"}
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
    red = lots.set_index(["order_id", "colour"]).loc[("o1", "red")]
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


def test_an_order_id_of_two_merchants_is_refused() -> None:
    with pytest.raises(InputError, match="order o1 is used by merchants m, n"):
        merchant_lots(pd.concat([BOOK, book(("n", "o1", "red-S", 1, "open"))]), SKUS)


def test_an_empty_book_has_no_lots() -> None:
    orders, lots, lot_skus = merchant_lots(BOOK.head(0), SKUS)
    assert orders.empty and lots.empty and lot_skus.empty
    assert {"lot_id", "crafts", "quantity"} <= set(lots.columns)
