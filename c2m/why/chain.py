"""Why this many, why there: the whole chain of an order, a lot or a job order, every link compared as it is shown.

job order <- allocation <- plan <- lot <- quantity <- forecast <- model version <- feature rows <- mart build <- landed
rows <- source rows; beside the forecast the stock, and instead of both the lines of a merchant's order. A job order of
a later stage goes back over its hand-over to the job orders of the stage before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from c2m.domain.newsvendor import SURPRISE
from c2m.errors import InputError
from c2m.feeds import landing
from c2m.ledger.tables import JobOrder, Lot, Order
from c2m.warehouse import published
from c2m.why import forecasted, handed, lines, made, ordered, stock
from c2m.why.link import Link
from c2m.why.sales import sold
from c2m.why.sources import FeedFiles, landed


@dataclass(frozen=True)
class Chain:
    """What was asked for, and its links from the job orders down to the source rows."""

    kind: str
    of: str
    links: list[Link]

    @property
    def broken(self) -> list[str]:
        """Every broken link in words."""
        return [f"{link.name} {link.of}: {fault}" for link in self.links for fault in link.broken]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        holds = all(link.holds for link in self.links)
        return {"kind": self.kind, "id": self.of, "holds": holds, "links": [link.as_dict() for link in self.links]}


def why(session: Session, name: str) -> Chain:
    """The chain of an order, lot or job order, back to the rows of the feed files.

    Parameters
    ----------
    session
        Transaction of the ledger.
    name
        Id, or the merchant's id of an order.

    Returns
    -------
    Chain
        Its links, from the job orders down to the source rows.

    Raises
    ------
    InputError
        The ledger knows none of that name, or several orders.
    """
    shelf = FeedFiles()
    with landing.connect() as connection:
        if job := session.get(JobOrder, name):
            lot = session.get_one(Lot, job.lot_id)
            links = [*_each_once(_made(session, connection, job)), *_upstream(session, connection, shelf, lot)]
            return Chain("job order", name, links)
        if named := session.get(Lot, name):
            return Chain("lot", name, list(_of_lot(session, connection, shelf, named)))
        order_id = _order_of(session, name)
        lots = session.scalars(select(Lot).where(Lot.order_id == order_id).order_by(Lot.lot_id)).all()
        links = [link for lot in lots for link in _of_lot(session, connection, shelf, lot)]
        return Chain("order", order_id, links)


def _order_of(session: Session, name: str) -> str:
    """The ledger's id of the order that has this id, or that its merchant calls so."""
    if session.get(Order, name):
        return name
    called = or_(Order.merchant_order_id == name, Order.order_code == name)
    found = session.execute(select(Order.order_id, Order.merchant_id).where(called).order_by(Order.order_id)).all()
    if len(found) == 1:
        return str(found[0].order_id)
    if found:
        named = "; ".join(f"{one.order_id} of {one.merchant_id}" for one in found)
        raise InputError("several-orders", [f"{name}: {len(found)} orders are called so; name one by its id: {named}"])
    fault = f"{name}: no order, lot or job order of that name; see `c2m status`, the plan's page, or the marts"
    raise InputError("unknown-id", [fault])


def _of_lot(session: Session, connection: duckdb.DuckDBPyConnection, shelf: FeedFiles, lot: Lot) -> Iterator[Link]:
    jobs = session.scalars(select(JobOrder).where(JobOrder.lot_id == lot.lot_id).order_by(JobOrder.job_order_id)).all()
    yield from _each_once(link for job in jobs for link in _made(session, connection, job))
    if not jobs:
        yield made.unplaced(session, lot)
    yield from _upstream(session, connection, shelf, lot)


def _made(session: Session, connection: duckdb.DuckDBPyConnection, job: JobOrder) -> Iterator[Link]:
    """The job order and its plans; of a later stage also the hand-over, and the job orders that it comes from."""
    yield from made.of_job_order(session, job)
    if job.stage > 1:
        before = handed.senders(session, job)
        yield handed.of_job_order(connection, job, before)
        for one in before:
            yield from _made(session, connection, one)


def _each_once(links: Iterable[Link]) -> Iterable[Link]:
    """Job orders of a lot share plans, and those of later stages the ones before them."""
    found: dict[tuple[str, str], Link] = {}
    for link in links:
        found.setdefault((link.name, link.of), link)
    return found.values()


def _upstream(session: Session, connection: duckdb.DuckDBPyConnection, shelf: FeedFiles, lot: Lot) -> Iterator[Link]:
    """From the lot down to the records of the feed files."""
    yield ordered.of_lot(session, connection, lot)
    if session.get_one(Order, lot.order_id).source == "merchant":
        yield lines.of_lot(session, connection, lot)
        yield from _sources(connection, shelf, "merchant_order_lines", "order_lines", lot.order_id)
    else:
        yield from _replenished(session, connection, shelf, lot)


def _replenished(session: Session, connection: duckdb.DuckDBPyConnection, shelf: FeedFiles, lot: Lot) -> Iterator[Link]:
    """Down from the quantity that the platform ordered: its forecast, and the stock of its SKUs."""
    quantity, figures, skus = ordered.quantity_of(session, lot)
    yield quantity
    if figures is None:
        return
    yield from _forecast(connection, shelf, figures)
    yield stock.of_skus(connection, figures, skus)
    yield from _sources(connection, shelf, "stock", "counts", lot.style_id)


def _forecast(connection: duckdb.DuckDBPyConnection, shelf: FeedFiles, figures: dict[str, Any]) -> Iterator[Link]:
    window, origin = forecasted.window_of(connection, figures)
    yield window
    if figures["model_version"].startswith(SURPRISE):  # of a spike, by its own orders: landing/spikes tells them
        return
    yield forecasted.model_of(figures, origin)
    if origin is None:
        return
    manifest = published.manifest_of(origin["build_id"]) or {}
    style, day = (figures["merchant_id"], figures["style_id"]), figures["business_date"]
    pieces = sold(connection, *style, day, manifest.get("landed") or [])
    yield forecasted.features_of(connection, figures, origin, pieces)
    yield forecasted.build_of(connection, origin["build_id"], day, style, pieces)
    yield from _sources(connection, shelf, "sales_lines", "lines", figures["style_id"])


def _sources(
    connection: duckdb.DuckDBPyConnection, shelf: FeedFiles, feed: str, table: str, what: str
) -> Iterator[Link]:
    rows, batches = landed(connection, feed, table, what)
    yield rows
    yield from shelf.source_rows(batches)
