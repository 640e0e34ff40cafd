"""A mapping for an unknown export, proposed: columns guessed by name and content, each with how sure the guess is.

In: a file and the feed that it is for. Out: the mapping's YAML, the guesses, and how the rows would come in. Nothing
lands. Sureness is a share: of a name, 1 where it is a word for the column, less where it holds one; times the share of
the cells that can be read as the column's type; half of it where the cells can be read in another way just as well.
"""

# ruff: noqa: S608  identifiers are quoted or the contract's, texts are literals

import re
import unicodedata
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
from c2m.feeds.forms import workbook
from c2m.feeds.forms.sniff import sniff
from c2m.feeds.mapping import ReadOptions, parse
from c2m.feeds.rules import Column, Feed, literal, quoted
from c2m.feeds.split import split

_LEAST = 0.35  # a guess that is less sure is none
# Words of common exports for contract columns, letters and digits alone and without accents, the surest first: English,
# German, French, Spanish, Italian, Chinese.
_WORDS: dict[str, tuple[str, ...]] = {
    "merchant_id": ("merchantid", "sellerid", "shopid", "vendorid", "merchant", "seller", "vendor"),
    "sale_line_id": ("salelineid", "lineid", "lineitemid", "orderitemid", "itemid", "transactionid"),
    "sale_code": ("ordernumber", "orderno", "orderid", "invoiceno", "invoice", "order", "bestellnummer", "name",
                  "bestellnr", "auftragsnummer", "numerodecommande", "numero", "commande", "pedido",
                  "numeroordine", "ordine", "订单编号", "订单号"),
    "order_id": ("orderid", "pono", "ponumber", "purchaseorder", "orderno", "ordernumber", "order"),
    "order_code": ("pono", "ponumber", "purchaseorder", "orderno", "ordernumber"),
    "channel": ("channel", "saleschannel", "source", "marketplace", "storename"),
    "sku_id": ("sku", "skuid", "lineitemsku", "itemsku", "variantsku", "stockcode", "ean", "barcode", "articleno",
               "artikel", "articlenumber", "itemcode", "productid", "artikelnummer", "artikelnr", "reference", "ref",
               "referencia", "codicearticolo", "商品编码", "商家编码", "货号"),
    "style_id": ("style", "styleid", "styleno", "model", "productid", "parentsku", "product", "stockcode", "modell",
                 "modele", "modelo", "modello", "款号", "款式"),
    "sold_on": ("soldon", "orderdate", "createdat", "invoicedate", "purchasedate", "date", "datum", "day", "saledate",
                "bestelldatum", "datedecommande", "fecha", "data", "下单时间", "订单日期", "日期"),
    "quantity": ("quantity", "qty", "lineitemquantity", "qtyordered", "pieces", "units", "pcs", "menge", "count",
                 "anzahl", "quantite", "qte", "cantidad", "quantita", "购买数量", "数量", "件数"),
    "on_hand": ("onhand", "available", "stock", "quantity", "qty", "inventory", "bestand"),
    "status": ("status", "orderstatus", "financialstatus", "fulfillmentstatus", "state", "statut", "estado", "stato",
               "订单状态", "状态"),
    "amount": ("amount", "lineamount", "linetotal", "rowtotal", "totalprice", "revenue", "subtotal", "total", "betrag",
               "montant", "importe", "importo", "实付金额", "金额"),
    "currency": ("currency", "currencycode", "ordercurrency", "waehrung", "wahrung", "devise", "moneda",
                 "valuta", "币种"),
    "promotion": ("promotion", "discountcode", "couponcode", "coupon", "promotionids", "voucher"),
    "region": ("region", "shipstate", "billingprovince", "shippingprovince", "state", "province", "country"),
    "colour": ("colour", "color", "farbe", "couleur", "colore", "颜色"),
    "size": ("size", "groesse", "große", "grosse", "taille", "talla", "taglia", "尺码"),
    "category": ("category", "producttype", "type", "department"),
    "price": ("price", "listprice", "rrp", "unitprice", "preis", "prix", "precio", "prezzo", "单价", "价格"),
    "cost": ("cost", "unitcost", "costprice", "purchaseprice"),
    "placed_on": ("placedon", "orderdate", "podate", "createdat", "date"),
    "due_on": ("dueon", "duedate", "exfty", "exfactory", "deliverydate", "shipdate"),
    "location_id": ("locationid", "warehouse", "location", "store"),
    "known_at": ("knownat", "updatedat", "lastmodified", "modifiedat", "changedat"),
}  # fmt: skip
_DATES = ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%y", "%d-%m-%y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d",
          "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%Y.%m.%d",
          "%Y年%m月%d日")  # fmt: skip
_PARTS = re.compile("%[dm][/-]%[dm][/-]")  # which of the two is the month depends on the country
_ROUNDED = r"[0-9](\.[0-9]+)?E\+[0-9]+"  # a long code as a spreadsheet shows it
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMS = tuple(date + time for date in _DATES for time in _TIMES)
_NUMBERS = ("{}", "number_of({}, '.')", "number_of({}, ',')")
_CURRENCIES = {"€": "EUR", "£": "GBP", "₹": "INR", "₺": "TRY", "₩": "KRW", "₽": "RUB", "₫": "VND", "₪": "ILS"}
# Around a code: ="007" is how exports keep a spreadsheet from reading a number; spaces of any kind.
_CODE = r"""regexp_replace(regexp_replace({}, '^="(.*)"$', '\1'), '^[\p{{Z}}\p{{Cf}}]+|[\p{{Z}}\p{{Cf}}]+$', '', 'g')"""
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
    doubt: str = ""  # what a person should look at


@dataclass(frozen=True)
class MappingProposal:
    """A mapping, how it came about, and what it would do to the file."""

    text: str
    guesses: list[Guess]
    rows: pd.DataFrame = field(repr=False)  # ten as they would come in
    counts: dict[str, int]  # rows in, accepted, quarantined, left out
    broken: dict[str, int]  # rows by rule


def propose(file: Path, feed: str) -> MappingProposal:
    """A mapping for a file of an unknown layout.

    Parameters
    ----------
    file
        Packed or not.
    feed
        Name of the feed that it is to become.

    Returns
    -------
    MappingProposal
        The mapping as text, and what came of a try with it.

    Raises
    ------
    InputError
        There is no such feed or file, or the file cannot be read.
    """
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
        notes = _notes(connection, feed, found.columns, guesses)
    text = notes + _written(FEEDS[feed], file, options, guesses, steps)
    return _tried(file, text, guesses)


def _notes(connection: duckdb.DuckDBPyConnection, feed: str, columns: Sequence[str], guesses: list[Guess]) -> str:
    """What a person has to do by hand, as comments above the mapping."""
    found = any(guess.sure for guess in guesses)
    notes = [] if found else [f"nothing in this file looks like {feed}: is it the right one?"]
    for name in columns:
        if _count(connection, f"{quoted(name)} SIMILAR TO '\\[\\s*\\{{.*'"):
            listed = re.sub(r"\W", " ", name)
            notes.append(f"{listed} holds lists: `explode` makes a row of each item, docs/data-engineer.md")
    return "".join(f"# {note}\n" for note in notes)


def _sniffed(file: Path) -> dict[str, Any]:
    kind = records.kind_of(file)
    try:
        if kind == "excel" and workbook.is_table_of_text(file):
            return {"format": "csv"} | sniff(file, "csv")
        return sniff(file, kind)
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
    if (pieces := guesses.get("quantity")) and pieces.sure and _count(connection, _is_return(pieces.expression)):
        steps["where"] = [{"keep": f"{_as_number(pieces.expression)} >= 0", "reason": "returns, negative quantity"}]
    if (money := guesses.get("amount")) and money.sure and guesses["currency"].sure == 0:
        guesses["currency"] = _currency(connection, _source(money.why)) or guesses["currency"]
    if feed.name == "sales_lines" and guesses["sale_line_id"].sure == 0 and order and sku and order.sure and sku.sure:
        within = [_source(order.why), _source(sku.why)]
        steps["number_lines"] = {"as": "line", "within": within}
        joined = " || '-' || ".join([*map(quoted, within), '"line"'])
        expression = f"id_of({joined})"
        sure = min(order.sure, sku.sure)
        guesses["sale_line_id"] = Guess(
            "sale_line_id", expression, sure, "no column is unique: order, SKU and a number"
        )
    return [guess for guess in guesses.values() if guess.expression], steps


def _currency(connection: duckdb.DuckDBPyConnection, name: str) -> Guess | None:
    """The currency that stands beside the amounts, where it is one and known."""
    cell = quoted(name)
    symbol = f"regexp_extract({cell}, '\\p{{Sc}}|[A-Z]{{3}}')"
    found = connection.execute(f"SELECT DISTINCT {symbol} FROM records WHERE {cell} IS NOT NULL LIMIT 9").fetchall()
    symbols = sorted(symbol for (symbol,) in found)
    code = _CURRENCIES.get(symbols[0], symbols[0]) if len(symbols) == 1 else ""
    if re.fullmatch("[A-Z]{3}", code):
        return Guess("currency", literal(code), 0.9, f"column {name}")
    doubt = f"beside the amounts stand {', '.join(one or 'nothing' for one in symbols)}" if any(symbols) else ""
    return Guess("currency", "'EUR'", 0.0, "a constant, check it", doubt) if doubt else None


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
    plain = unicodedata.normalize("NFKD", name.casefold().removeprefix("node."))
    letters = "".join(letter for letter in plain if letter.isalnum())
    words = (column.replace("_", ""), *_WORDS.get(column, ()))
    if letters in words:
        return max(1.0 - 0.03 * words.index(letters), 0.75)
    held = [word for word in words if len(word) > 3 - 2 * (not word.isascii()) and word in letters]
    return 0.6 * max((len(word) / len(letters) for word in held), default=0.0)


def _judged(connection: duckdb.DuckDBPyConnection, feed: Feed, column: Column, name: str, by_name: float) -> Guess:
    share, best = 0.0, quoted(name)
    for reading in _readings(connection, column, name):
        found = _share(connection, feed, name, reading, column)
        share, best = (found, reading) if found > share else (share, best)
        if share == 1:
            break
    if column.type in ("DATE", "TIMESTAMP") and share < 1:
        share, best = max([(share, best), *_together(connection, feed, column, name, best)])
    unique = _is_unique(connection, name) if column.name == "sale_line_id" else True
    doubt = _doubt(connection, column, name, best)
    sure = by_name * share * (0.5 if doubt else 1.0) * unique
    return Guess(column.name, best, round(sure, 2), f"column {name}", doubt)


def _readings(connection: duckdb.DuckDBPyConnection, column: Column, name: str) -> Iterator[str]:
    """Expressions that may read the column, the plainest first."""
    cell = quoted(name)
    if column.name == "status":
        yield _states(connection, name)
    elif column.name == "promotion":
        yield from (cell, f"{cell} IS NOT NULL")
    elif column.name.endswith("_id"):
        clean = _CODE.format(cell)
        code = clean if _count(connection, f"{clean} <> {cell}") else cell
        yield from (code, f"id_of({code})")
    elif column.type in ("DATE", "TIMESTAMP"):
        yield from (cell, *(_dated(cell, form, column.type) for form in _FORMS), _serial(cell))
    elif _is_number(column):
        yield max(_numbers(connection, column, name), key=lambda one: one[0])[1]
    else:
        yield cell


def _is_number(column: Column) -> bool:
    return column.type in ("INTEGER", "BIGINT", "DOUBLE") or column.type.startswith("DECIMAL")


def _dated(cell: str, form: str, kind: str) -> str:
    return f"CAST(strptime({cell}, {literal(form)}) AS {kind})"


def _serial(cell: str) -> str:
    """A day as spreadsheets count it, 46082 for the first of March 2026."""
    days = f"CAST(floor(CAST({cell} AS DOUBLE)) AS INTEGER)"
    return f"CASE WHEN {cell} SIMILAR TO '[2-7][0-9]{{4}}(\\.[0-9]+)?' THEN DATE '1899-12-30' + {days} END"


def _together(
    connection: duckdb.DuckDBPyConnection, feed: Feed, column: Column, name: str, best: str
) -> Iterator[tuple[float, str]]:
    """Days of a sheet in which some cells are dates, some text, some numbers: the readings one after the other."""
    cell = quoted(name)
    readings = [
        one for one in dict.fromkeys((cell, best, _serial(cell))) if _share(connection, feed, name, one, column)
    ]
    if len(readings) > 1:
        expression = f"coalesce({', '.join(f'TRY(CAST({one} AS {column.type}))' for one in readings)})"
        yield _share(connection, feed, name, expression, column), expression


def _numbers(connection: duckdb.DuckDBPyConnection, column: Column, name: str) -> list[tuple[int, str]]:
    """Readings of numbers, with how many cells each reads; as whole numbers where the column must have them."""
    readings = [reading.format(quoted(name)) for reading in _NUMBERS]
    whole = "{0} = floor({0})" if column.type in ("INTEGER", "BIGINT") else "{0} IS NOT NULL"
    return [(_count(connection, whole.format(_as_number(one))), one) for one in readings]


def _as_number(expression: str) -> str:
    return f"TRY_CAST({expression} AS DOUBLE)"


def _doubt(connection: duckdb.DuckDBPyConnection, column: Column, name: str, best: str) -> str:
    """What else the cells may mean, '' where the reading is plain."""
    cell = quoted(name)
    if _PARTS.search(best):
        other = best.replace("%d", "%%").replace("%m", "%d").replace("%%", "%m")
        plain = _count(connection, f"TRY({best}) IS NOT NULL AND TRY({other}) IS NULL")
        return "" if plain else "day and month may be the other way round"
    if column.name.endswith("_id"):
        rounded = _count(connection, f"{cell} SIMILAR TO {literal(_ROUNDED)}")
        return f"a spreadsheet has rounded {rounded} codes: export them as text" if rounded else ""
    if not _is_number(column):
        return ""
    counted = _numbers(connection, column, name)
    most = max(count for count, _ in counted)
    unlike = (f"{_as_number(one)} <> {_as_number(best)}" for count, one in counted if count == most)
    return "a point or comma may part thousands or decimals" if _count(connection, " OR ".join(unlike)) else ""


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
    judged = f"{quoted(name)} IS NOT NULL" + (f" AND NOT {_is_return(expression)}" if column.name == "quantity" else "")
    query = f"""SELECT count(*) FILTER ({column.name} IS NOT NULL AND {holds}) / nullif(count(*), 0)
        FROM (SELECT {typed} AS {column.name} FROM records WHERE {judged} LIMIT 10000)"""
    row = connection.execute(query).fetchone()
    return float(row[0] or 0) if row else 0.0


def _is_return(quantity: str) -> str:
    return f"coalesce({_as_number(quantity)} < 0, false)"


def _count(connection: duckdb.DuckDBPyConnection, holds: str) -> int:
    """Of the first rows those for which it holds."""
    row = connection.execute(f"SELECT count(*) FILTER ({holds}) FROM (FROM records LIMIT 10000)").fetchone()
    return int(row[0]) if row else 0


def _is_unique(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether no two cells are the same, and most are filled: a last line of totals has none."""
    cell = quoted(name)
    row = connection.execute(f"SELECT count(*), count({cell}), count(DISTINCT {cell}) FROM records").fetchone()
    rows, filled, different = row or (0, 0, 0)
    return bool(filled == different and 2 * filled > rows)


def _written(feed: Feed, file: Path, options: dict[str, Any], guesses: Sequence[Guess], steps: dict[str, Any]) -> str:
    """The mapping's YAML, each column with how sure it is."""
    head: dict[str, Any] = {"feed": feed.name, "files": re.sub(r"([*?\[])", r"[\1]", file.name)}
    head |= {"read": options} if options else {}
    lines = [yaml.safe_dump(head | steps, sort_keys=False, allow_unicode=True, width=1000) + "columns:"]
    for guess in guesses:
        value = yaml.safe_dump(guess.expression, allow_unicode=True, width=10_000, default_style="'").strip()
        note = re.sub(r"[^\w .,:;()/?$€£¥₹-]", " ", guess.why + (f"; {guess.doubt}" if guess.doubt else ""))
        lines.append(f"  {guess.column}: {value} # {guess.sure:.0%} sure, {note}")
    return "\n".join(lines) + "\n"


def _tried(file: Path, text: str, guesses: list[Guess]) -> MappingProposal:
    """What the mapping would do to the file; nothing lands."""
    landing.ensure_landing()
    mapping = parse(text, "proposal")
    with landing.connect() as connection:
        left_out = sum(shape.read(connection, file, mapping, {}).left_out.values())
        split(connection, mapping, [clock.now().astimezone(UTC).replace(tzinfo=None)])
        names = ", ".join(column.name for column in mapping.feed.columns)
        rows = connection.execute(f'SELECT {names} FROM typed ORDER BY "#record" LIMIT 10').df()
        return MappingProposal(text, guesses, rows, _split_counts(connection, left_out), _broken_counts(connection))


def _split_counts(connection: duckdb.DuckDBPyConnection, left_out: int) -> dict[str, int]:
    counted = connection.execute("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM accepted)").fetchone()
    rows_in, accepted = counted or (0, 0)
    counts = {"rows_in": rows_in + left_out, "accepted": accepted, "quarantined": rows_in - accepted}
    return counts | {"left_out": left_out}


def _broken_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """By rule the rows that break it, most first."""
    broken = 'SELECT rule, count(DISTINCT "#record") FROM broken GROUP BY rule ORDER BY 2 DESC, 1'
    return dict(connection.execute(broken).fetchall())
