"""The ledger keeps how a quantity came about and which plan asked for a revision, and `c2m why` finds it all again."""

import pandas as pd
from ledger_kit import DAY, HOUR, NOW, answer, job, live_to, lot_row, order_row, record, release, sku_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.ids import derive_id
from c2m.ledger import orders, quantities, store
from c2m.ledger.tables import JobOrder, JobOrderRevision, OrderQuantitySku
from c2m.why.made import of_job_order


def reasons(needed: float = 80.0, skus: tuple[str, ...] = ("K0", "K1", "B0")) -> pd.DataFrame:
    """Two SKUs of the red lot, one of a blue colour of its style."""
    lot = {"lot_id": "L1", "order_id": "O1", "merchant_id": "M1", "style_id": "S1", "colour": "red"}
    forecast = {"business_date": DAY, "build_id": "b1", "model_version": "7", "window_days": 14, "forecast_mean": 90.0}
    money = {"price": 30.0, "cost": 12.5, "currency": "USD", "salvage_share": 0.35, "holding_share_per_day": 0.0005}
    batch = {"critical_ratio": 0.7, "level": 120.0, "needed": needed, "trigger_share": 0.5, "minimum_order_pieces": 100}
    row = {**lot, **forecast, **dict.fromkeys(WINDOW_QUANTILES, 90.0), **money, **batch, "lot_quantity": 1000}
    row |= {"forecast_at": pd.Timestamp("2026-01-05 01:00")}
    colours = {"K": "red", "B": "blue"}
    return pd.DataFrame([
        {**row, "sku_id": sku, "sku_colour": colours[sku[0]], "size_share": 0.3,
         "on_hand": 7, "in_transit": 2, "on_order": 1, "lacking": 40.0, "quantity": 500 if sku[0] == "K" else 0}
        for sku in skus
    ])  # fmt: skip


def record_with(quantities_: pd.DataFrame, hours: int = 0) -> None:
    frames = (pd.DataFrame([one]) for one in (order_row(source="replenishment"), lot_row()))
    with store.session() as session:
        skus = pd.DataFrame(sku_rows(pieces=[500, 500]))
        orders.record(session, *frames, skus, NOW + hours * HOUR, quantities_)


def test_how_a_quantity_came_about_is_kept_with_the_order(ledger: str) -> None:
    record_with(reasons())
    with store.session() as session:
        found = quantities.of_day(session, DAY).to_dict("records")
        assert quantities.of_day(session, DAY.replace(year=2025)).empty
    assert [(one["lot_id"], *(one[f"style_{name}"] for name in quantities.STOCK)) for one in found] == [
        ("L1", 21, 6, 3)
    ]
    assert (found[0]["price"], found[0]["q975"], found[0]["needed"], found[0]["at"]) == (30.0, 90.0, 80.0, NOW)


def test_the_same_reasons_change_nothing_and_new_ones_replace_them(ledger: str) -> None:
    record_with(reasons())
    record_with(reasons(), hours=1)
    with store.session() as session:
        assert quantities.of_day(session, DAY)["at"].tolist() == [NOW]
    record_with(reasons(needed=85.0, skus=("K0", "K1")), hours=2)
    with store.session() as session:
        kept = quantities.of_day(session, DAY)
        assert kept[["needed", "style_on_hand", "at"]].to_numpy().tolist() == [[85.0, 14, NOW + 2 * HOUR]]
        gone = session.get_one(OrderQuantitySku, ("L1", "B0"))
        assert (gone.size_share, gone.on_hand, gone.quantity) == (0, 0, 0)


def test_each_revision_names_the_plan_that_asked_for_it(ledger: str) -> None:
    """Accepted and begun work counts with what is asked for beside it; a smaller quantity is a revision of its own."""
    record()
    release(("L1", "F1", 600))
    live_to("Running")
    release(("L1", "F1", 900), ("L1", "F2", 100), round=2, at=NOW + 9 * HOUR)
    assert answer(job("F2"), 1, "NotAllowedToStart", True, at=NOW + 9 * HOUR) == "accepted"
    release(("L1", "F1", 900), ("L1", "F2", 60), round=3, at=NOW + 10 * HOUR)
    plan_ids = [derive_plan(round_) for round_ in (1, 2, 3)]
    with store.session() as session:
        found = session.scalars(select(JobOrderRevision)).all()
        kept = {(factory(session, one), one.revision, plan_ids.index(one.plan_id) + 1, one.quantity, one.started)
                for one in found}  # fmt: skip
        for jobs in session.scalars(select(JobOrder)):
            for link in of_job_order(session, jobs):
                assert link.name == "plan" or link.holds, link.broken
    assert kept == {("F1", 1, 1, 600, 0), ("F1", 1, 2, 300, 600), ("F2", 1, 2, 100, 0), ("F2", 2, 3, 60, 0)}


def factory(session: Session, revision: JobOrderRevision) -> str:
    return session.get_one(JobOrder, revision.job_order_id).factory_id


def derive_plan(round_: int) -> str:
    return derive_id(DAY.isoformat(), round_, 0, f"sha{round_}", "")
