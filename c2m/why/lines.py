"""The lines of a merchant's order that a lot is made of."""

import duckdb
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from c2m import clock, objects
from c2m.domain.personalisation import canonical
from c2m.feeds import landing
from c2m.feeds.contracts import FIRST_LINE
from c2m.feeds.rules import literal
from c2m.ledger.tables import Lot, Order, Plan
from c2m.why.link import Link
from c2m.why.ordered import skus_of


def of_lot(session: Session, connection: duckdb.DuckDBPyConnection, lot: Lot) -> Link:
    """The newest lines, as known when orders were last taken over, have the lot's pieces.

    Makes the table `order_lines`: these rows, with `landed`, their file's name.
    """
    link = Link("order lines", lot.order_id)
    own_id = session.scalar(select(Order.merchant_order_id).where(Order.order_id == lot.order_id))
    ordered = skus_of(session, lot.lot_id)
    day = session.scalar(select(func.max(Plan.business_date)))
    cut_off = clock.cut_off(day) if day else clock.now()
    objects.fetch(folder := landing.folder("merchant_order_lines"))
    files = literal(str(folder / "[!.]*.parquet"))
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE order_lines AS SELECT *, parse_filename(filename) AS landed
        FROM (
            SELECT *, coalesce(order_line_id, $first) AS line, max(known_at) OVER (PARTITION BY sku_id) AS last_known
            FROM read_parquet({files}, union_by_name = true, filename = true)
            WHERE merchant_id = $merchant_id AND order_id = $order_id AND list_contains($skus, sku_id)
                AND known_at < $cut_off
            QUALIFY row_number() OVER (PARTITION BY sku_id, line ORDER BY known_at DESC, _row_hash DESC) = 1
        ) WHERE NOT starts_with(line, '#') OR known_at = last_known""",  # noqa: S608
        {"merchant_id": lot.merchant_id, "order_id": own_id, "skus": list(ordered), "first": FIRST_LINE}
        | {"cut_off": cut_off.replace(tzinfo=None)},
    )
    _leave_out_others(connection, lot)
    found = connection.execute(
        """SELECT sku_id, sum(if(status = 'cancelled', 0, quantity))::BIGINT, count(*)
        FROM order_lines GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    seen = {sku_id: pieces for sku_id, pieces, _ in found}
    link.expect("pieces by SKU", ordered, seen)
    named = ", ".join(f"{sku_id} {quantity:,}" for sku_id, quantity in seen.items())
    link.words = [f"{sum(seen.values()):,} pieces in {sum(lines for *_, lines in found)} lines: {named}."]
    link.figures = {"lines": seen}
    return link


def _leave_out_others(connection: duckdb.DuckDBPyConnection, lot: Lot) -> None:
    """Lines of the same SKU that are personalised otherwise are another lot's."""
    told = connection.execute("SELECT DISTINCT personalisation FROM order_lines").fetchall()
    others = [text for (text,) in told if (text and canonical(text)) != lot.personalisation]
    connection.execute(
        "DELETE FROM order_lines WHERE coalesce(list_contains($others::VARCHAR[], personalisation), $without)",
        {"others": [text for text in others if text], "without": None in others},
    )
