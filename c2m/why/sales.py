"""The pieces of a style that were asked for, day by day, as the landed rows of a build's files give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from c2m import clock, objects
from c2m.feeds import landing
from c2m.feeds.rules import literal


@dataclass(frozen=True)
class SalesByDay:
    """by_day: pieces asked for before `day`, days without any left out. start: the first day on sale."""

    by_day: dict[date, int]
    start: date | None
    day: date

    def mean(self, days: int) -> float | None:
        """Pieces a day over the last days on which the style was on sale; None where it was not."""
        asked = (self.day - timedelta(days=back) for back in range(1, days + 1))
        seen = [self.by_day.get(one, 0) for one in asked if self.start and one >= self.start]
        return sum(seen) / len(seen) if seen else None


def sold(
    connection: duckdb.DuckDBPyConnection, merchant_id: str, style_id: str, day: date, landed: Sequence[str]
) -> SalesByDay:
    """From files of the landing zone (feed/file), as known at the start of `day`. Makes the table `lines`.

    lines: the newest row of each sale line of the style, with `landed`, the name of its file.
    """
    key = {"merchant_id": merchant_id, "style_id": style_id, "cut_off": clock.cut_off(day).replace(tzinfo=None)}
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE lines AS SELECT *, parse_filename(filename) AS landed FROM (
            FROM read_parquet({files(landed, "sales_lines")}, union_by_name = true, filename = true)
            WHERE merchant_id = $merchant_id AND known_at < $cut_off AND sale_line_id IN (
                SELECT sale_line_id FROM read_parquet({files(landed, "sales_lines")}, union_by_name = true)
                WHERE merchant_id = $merchant_id AND style_id = $style_id)
            QUALIFY row_number() OVER (PARTITION BY sale_line_id ORDER BY known_at DESC, _row_hash DESC) = 1)
        WHERE style_id = $style_id AND quantity > 0""",  # noqa: S608
        key,
    )
    released = connection.execute(
        f"""SELECT min(released_on) FROM (
            FROM read_parquet({files(landed, "catalogue")}, union_by_name = true)
            WHERE merchant_id = $merchant_id AND known_at < $cut_off
            QUALIFY row_number() OVER (PARTITION BY sku_id ORDER BY known_at DESC, _row_hash DESC) = 1)
        WHERE style_id = $style_id""",  # noqa: S608
        key,
    ).fetchone()
    asked = connection.execute("SELECT sold_on, sum(quantity)::INT FROM lines WHERE sold_on < ? GROUP BY 1", [day])
    by_day: dict[date, int] = dict(asked.fetchall())
    begins = [one for one in (*(released or ()), min(by_day, default=None)) if one]
    return SalesByDay(by_day, min(begins, default=None), day)


def files(landed: Sequence[str], feed: str) -> str:
    """SQL: the list of a feed's files among those that a build had, and the empty one, so that there is always one."""
    objects.fetch(landing.folder(feed))
    names = sorted({f"{feed}/_empty.parquet", *(name for name in landed if name.startswith(f"{feed}/"))})
    return "[" + ", ".join(literal(str(landing.folder(feed).parent / name)) for name in names) + "]"
