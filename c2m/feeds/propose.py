"""A mapping for an unknown export, proposed: columns guessed by name and content, each with how sure the guess is.

In: a file and the feed that it is for. Out: the mapping's YAML, the guesses, and how the rows would come in. Nothing
lands. Sureness is a share: of a name, 1 where it is a word for the column, less where it holds one; times the share of
the cells that can be read as the column's type.
"""

# ruff: noqa: S608  identifiers are quoted or the contract's, texts are literals

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml

from c2m import clock
from c2m.errors import InputError
from c2m.feeds import landing, records, shape
from c2m.feeds.contracts import FEEDS
from c2m.feeds.forms.sniff import sniff
from c2m.feeds.mapping import ReadOptions, parse
from c2m.feeds.rules import Column, Feed, literal, quoted
from c2m.feeds.split import split

_LEAST = 0.35  # a guess that is less sure is none
# Words of common exports for contract columns, letters and digits alone, the surest first.
_WORDS: dict[str, tuple[str, ...]] = {
    "merchant_id": ("merchantid", "sellerid", "shopid", "vendorid", "merchant", "seller", "vendor"),
    "sale_line_id": ("salelineid", "lineid", "lineitemid", "orderitemid", "itemid", "transactionid"),
    "sale_code": ("ordernumber", "orderno", "orderid", "invoiceno", "invoice", "order", "bestellnummer", "name"),
    "order_id": ("orderid", "pono", "ponumber", "purchaseorder", "orderno", "ordernumber", "order"),
    "order_code": ("pono", "ponumber", "purchaseorder", "orderno", "ordernumber"),
    "channel": ("channel", "saleschannel", "source", "marketplace", "storename"),
    "sku_id": ("sku", "skuid", "lineitemsku", "itemsku", "variantsku", "stockcode", "ean", "barcode", "articleno",
               "artikel", "articlenumber", "itemcode", "productid"),
    "style_id": ("style", "styleid", "styleno", "model", "productid", "parentsku", "product", "stockcode"),
    "sold_on": ("soldon", "orderdate", "createdat", "invoicedate", "purchasedate", "date", "datum", "day", "saledate"),
    "quantity": ("quantity", "qty", "lineitemquantity", "qtyordered", "pieces", "units", "pcs", "menge", "count"),
    "on_hand": ("onhand", "available", "stock", "quantity", "qty", "inventory", "bestand"),
    "status": ("status", "orderstatus", "financialstatus", "fulfillmentstatus", "state"),
    "amount": ("amount", "lineamount", "linetotal", "rowtotal", "totalprice", "revenue", "subtotal", "total", "betrag"),
    "currency": ("currency", "currencycode", "ordercurrency", "waehrung"),
    "promotion": ("promotion", "discountcode", "couponcode", "coupon", "promotionids", "voucher"),
    "region": ("region", "shipstate", "billingprovince", "shippingprovince", "state", "province", "country"),
    "colour": ("colour", "color", "farbe"),
    "size": ("size", "groesse", "taille"),
    "category": ("category", "producttype", "type", "department"),
    "price": ("price", "listprice", "rrp", "unitprice", "preis"),
    "cost": ("cost", "unitcost", "costprice", "purchaseprice"),
    "placed_on": ("placedon", "orderdate", "podate", "createdat", "date"),
    "due_on": ("dueon", "duedate", "exfty", "exfactory", "deliverydate", "shipdate"),
    "location_id": ("locationid", "warehouse", "location", "store"),
    "known_at": ("knownat", "updatedat", "lastmodified", "modifiedat", "changedat"),
}  # fmt: skip
_DATES = ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d")
_FORMS = tuple(date + time for date in _DATES for time in ("", " %H:%M", " %H:%M:%S"))
_STATES = {
    "cancelled": ("cancel", "void", "fail", "storn"),
    "returned": ("return", "refund"),
    "delivered": ("deliver",),
    "shipped": ("ship", "fulfil", "complet", "sent", "dispatch"),
    "placed": ("plac", "paid", "pend", "process", "open", "new", "hold", "creat", "approv"),
}
_CONSTANTS = {
    "merchant_id": "'my-shop'", "channel": "'web'", "currency": "'EUR'", "promotion": "false", "status": "'placed'",
    "business_customer": "false", "location_id": "'main'", "tolerance_share": "0.03",
}  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """One contract column: the expression, and how sure (0 to 1) it is."""

    column: str
    expression: str
    sure: float
    why: str


@dataclass(frozen=True)
class Proposal:
    """A mapping, how it came about, and what it would do to the file."""

    text: str
    guesses: list[Guess]
    rows: pd.DataFrame = field(repr=False)  # ten as they would come in
    counts: dict[str, int]  # rows in, accepted, quarantined
    broken: dict[str, int]  # rows by rule


def propose(file: Path, feed: str) -> Proposal:
    """A mapping for the file."""
    if feed not in FEEDS:
        raise InputError("feed-unknown", [f"no feed is called {feed!r}; the feeds are {', '.join(FEEDS)}"])
    if not file.is_file():
        raise InputError("file-missing", [f"{file}: no such file"])
    options = _sniffed(file)
    with landing.connect() as connection:
        found = records.read(connection, file, ReadOptions.model_validate(options))
        if found.problems or not found.columns:
            raise InputError("file-unreadable", [f"{file}: {'; '.join(found.problems) or 'no columns'}"])
        guesses, steps = _guessed(connection, FEEDS[feed], found.columns)
    text = _written(FEEDS[feed], file, options, guesses, steps)
    return _tried(file, text, guesses)


def _sniffed(file: Path) -> dict[str, Any]:
    try:
        return sniff(file, records.kind_of(file))
    except records.UNREADABLE as error:
        raise InputError("file-unreadable", [f"{file}: cannot be read: {error}"]) from error


def _guessed(
    connection: duckdb.DuckDBPyConnection, feed: Feed, columns: Sequence[str]
) -> tuple[list[Guess], dict[str, Any]]:
    guesses = {column.name: _guess(connection, feed, column, columns) for column in feed.columns}
    order, sku = guesses.get("sale_code"), guesses.get("sku_id")
    steps: dict[str, Any] = {}
    if order and order.sure and (blank := _blank_below(connection, _source(order.why), guesses.values())):
        steps["fill_down"] = [{"columns": blank, "within": [_source(order.why)]}]
    if feed.name == "sales_lines" and guesses["sale_line_id"].sure == 0 and order and sku and order.sure and sku.sure:
        within = [_source(order.why), _source(sku.why)]
        steps["number_lines"] = {"as": "line", "within": within}
        joined = " || '-' || ".join([*map(quoted, within), '"line"'])
        expression = f"regexp_replace({joined}, '[^A-Za-z0-9_-]+', '_', 'g')"
        sure = min(order.sure, sku.sure)
        guesses["sale_line_id"] = Guess(
            "sale_line_id", expression, sure, "no column is unique: order, SKU and a number"
        )
    return [guess for guess in guesses.values() if guess.expression], steps


def _blank_below(connection: duckdb.DuckDBPyConnection, order: str, guesses: Iterable[Guess]) -> list[str]:
    """Columns that orders fill on their first line and never on the lines below it."""
    found = []
    for name in dict.fromkeys(_source(guess.why) for guess in guesses if guess.sure and _source(guess.why) != order):
        cell = quoted(name)
        counted = connection.execute(
            f"""SELECT count(*) FILTER (below AND above AND cell IS NULL), count(*) FILTER (below AND cell IS NOT NULL)
            FROM (SELECT {cell} AS cell, row_number() OVER same > 1 AS below,
                    first_value({cell}) OVER same IS NOT NULL AS above
                FROM records WHERE {quoted(order)} IS NOT NULL
                WINDOW same AS (PARTITION BY {quoted(order)} ORDER BY "#record"))"""
        ).fetchone()
        blank, filled = counted or (0, 0)
        found += [name] if blank and not filled else []
    return found


def _source(why: str) -> str:
    return why.removeprefix("column ")


def _guess(connection: duckdb.DuckDBPyConnection, feed: Feed, column: Column, columns: Sequence[str]) -> Guess:
    """The best of the file's columns; a constant, or nothing to be found, where none is good enough."""
    tried = [(_named(column.name, name), name) for name in columns]
    found = [_judged(connection, feed, column, name, by_name) for by_name, name in tried if by_name >= _LEAST]
    if best := max((guess for guess in found if guess.sure >= _LEAST), key=lambda guess: guess.sure, default=None):
        return best
    constant = _CONSTANTS.get(column.name)
    if constant:
        return Guess(column.name, constant, 0.0, "nothing found: a constant, check it")
    needed = not column.nullable and column.default is None and column.name != "known_at"
    return Guess(column.name, "NULL" if needed else "", 0.0, "nothing found: fill it in")


def _named(column: str, name: str) -> float:
    """How sure a name means this column: an exact word, the later in the list the less; or a part of it."""
    letters = re.sub("[^a-z0-9]", "", name.casefold())
    words = (column.replace("_", ""), *_WORDS.get(column, ()))
    if letters in words:
        return 1.0 - 0.03 * words.index(letters)
    held = [word for word in words if len(word) > 3 and word in letters]
    return 0.6 * max((len(word) / len(letters) for word in held), default=0.0)


def _judged(connection: duckdb.DuckDBPyConnection, feed: Feed, column: Column, name: str, by_name: float) -> Guess:
    readings = list(_readings(connection, column, name))
    best = max(((_share(connection, feed, name, one, column), one) for one in readings), key=lambda reading: reading[0])
    unique = _share_of_rows(connection, f"count(DISTINCT {quoted(name)})") if column.name == "sale_line_id" else 1.0
    sure = by_name * best[0] * (1.0 if unique > 0.999 else 0.0)
    return Guess(column.name, best[1], round(sure, 2), f"column {name}")


def _readings(connection: duckdb.DuckDBPyConnection, column: Column, name: str) -> Iterator[str]:
    """Expressions that may read the column, the plainest first."""
    cell = quoted(name)
    if column.name == "status":
        yield _states(connection, name)
    elif column.name == "promotion":
        yield from (cell, f"{cell} IS NOT NULL")
    elif column.name.endswith("_id"):
        yield from (cell, f"regexp_replace({cell}, '[^A-Za-z0-9_-]+', '_', 'g')")
    elif column.type in ("DATE", "TIMESTAMP"):
        yield from (cell, *(f"CAST(strptime({cell}, {literal(form)}) AS {column.type})" for form in _FORMS))
    elif column.type in ("INTEGER", "DOUBLE") or column.type.startswith("DECIMAL"):
        yield _number(connection, name)
    else:
        yield cell


def _number(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The reading of numbers that most cells have the form of: 1234.5, else 1,234.5, else 1.234,5."""
    cell = quoted(name)
    readings = {
        cell: r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?",
        f"replace({cell}, ',', '')": r"[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?",
        f"replace(replace({cell}, '.', ''), ',', '.')": r"[-+]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?",
    }
    counts = ", ".join(
        f"count(*) FILTER (regexp_full_match(trim({cell}), {literal(form)}))" for form in readings.values()
    )
    row = connection.execute(f"SELECT {counts} FROM records").fetchone() or (0, 0, 0)
    return max(zip(row, readings, strict=True), key=lambda one: one[0])[1]


def _states(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """A CASE over the words that stand in the column; words that say nothing known are left to the quarantine."""
    rows = connection.execute(
        f"SELECT DISTINCT {quoted(name)} AS v FROM records WHERE v IS NOT NULL ORDER BY v LIMIT 50"
    )
    cases = []
    for (word,) in rows.fetchall():
        meant = next((state for state, parts in _STATES.items() if any(p in word.casefold() for p in parts)), None)
        cases += [f"WHEN {literal(word)} THEN '{meant}'"] if meant else []
    return f"CASE {quoted(name)} {' '.join(cases)} END" if cases else quoted(name)


def _share(connection: duckdb.DuckDBPyConnection, feed: Feed, name: str, expression: str, column: Column) -> float:
    """Share of the filled cells that keep the column's type and its own rules."""
    typed = f"TRY(CAST(({expression}) AS {column.type}))"
    rules = [rule.holds for rule in feed.rules if rule.columns == (column.name,)]
    holds = " AND ".join(f"coalesce(({rule}), false)" for rule in rules) or "true"
    query = f"""SELECT count(*) FILTER ({column.name} IS NOT NULL AND {holds}) / nullif(count(*), 0)
        FROM (SELECT {typed} AS {column.name} FROM records WHERE {quoted(name)} IS NOT NULL LIMIT 10000)"""
    row = connection.execute(query).fetchone()
    return float(row[0] or 0) if row else 0.0


def _share_of_rows(connection: duckdb.DuckDBPyConnection, what: str) -> float:
    row = connection.execute(f"SELECT {what} / nullif(count(*), 0) FROM records").fetchone()
    return float(row[0] or 0) if row else 0.0


def _written(feed: Feed, file: Path, options: dict[str, Any], guesses: Sequence[Guess], steps: dict[str, Any]) -> str:
    """The mapping's YAML, each column with how sure it is."""
    head: dict[str, Any] = {"feed": feed.name, "files": re.sub(r"([*?\[])", r"[\1]", file.name)}
    head |= {"read": options} if options else {}
    lines = [yaml.safe_dump(head | steps, sort_keys=False, allow_unicode=True, width=1000) + "columns:"]
    for guess in guesses:
        value = yaml.safe_dump(guess.expression, allow_unicode=True, width=10_000, default_style="'").strip()
        note = re.sub(r"[^\w .,:;()/-]", " ", guess.why)
        lines.append(f"  {guess.column}: {value} # {guess.sure:.0%} sure, {note}")
    return "\n".join(lines) + "\n"


def _tried(file: Path, text: str, guesses: list[Guess]) -> Proposal:
    """What the mapping would do to the file; nothing lands."""
    landing.ensure_landing()
    mapping = parse(text, "proposal")
    with landing.connect() as connection:
        shape.read(connection, file, mapping, {})
        split(connection, mapping, [clock.now().astimezone(UTC).replace(tzinfo=None)])
        names = ", ".join(column.name for column in mapping.feed.columns)
        rows = connection.execute(f'SELECT {names} FROM typed ORDER BY "#record" LIMIT 10').df()
        broken = connection.execute(
            'SELECT rule, count(DISTINCT "#record") FROM broken GROUP BY rule ORDER BY 2 DESC, 1'
        ).fetchall()
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM accepted)"
        ).fetchone()
    rows_in, accepted = counted or (0, 0)
    counts = {"rows_in": rows_in, "accepted": accepted, "quarantined": rows_in - accepted}
    return Proposal(text, guesses, rows, counts, dict(broken))
