"""What a mapped world says of its styles and their demand, read through its own mappings; nothing lands."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd

from c2m.errors import InputError
from c2m.feeds import landing, records
from c2m.feeds.contracts import FEEDS
from c2m.feeds.world import Source, World
from c2m.simulation.world.catalogue import SAM

RECENT_DAYS = 28  # days before the opening over which daily demand is averaged


def skus(world: World, opening_on: date, opening: np.datetime64) -> pd.DataFrame:
    """The catalogue with sam_minutes, `rate` (pieces a day of each SKU over RECENT_DAYS) and `share` of its style.

    Only SKUs known before `opening` (UTC) and what was sold before `opening_on` count: nothing looks ahead.
    """
    rows = _rows(world, "catalogue")
    rows = rows[~(rows["known_at"] >= opening)].reset_index(drop=True)
    if rows.empty:
        wanted = (
            f"{world.folder}: no catalogue row keeps its contract and is known before {opening_on}; mend its mapping"
        )
        raise InputError("no-catalogue", [wanted])
    sold = _rows(world, "sales_lines")
    sold_on = pd.to_datetime(sold["sold_on"])
    before = sold_on < pd.Timestamp(opening_on)
    recent = before & (sold_on >= pd.Timestamp(opening_on - timedelta(days=RECENT_DAYS)))
    pieces = _pieces(sold[before], rows)
    of_style = pieces.groupby([rows["merchant_id"], rows["style_id"]]).transform("sum")
    return rows.assign(
        sam_minutes=rows[list(SAM)].sum(axis=1),
        rate=_pieces(sold[recent], rows) / RECENT_DAYS,
        share=(pieces / of_style).fillna(0.0),
    )


def _pieces(sold: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Pieces asked of each SKU in `rows`."""
    pieces = sold.groupby(["merchant_id", "sku_id"])["quantity"].sum()
    of_row = pd.MultiIndex.from_frame(rows[["merchant_id", "sku_id"]])
    return pd.Series(pieces.reindex(of_row).fillna(0).to_numpy("float64"), rows.index)


def _rows(world: World, feed: str) -> pd.DataFrame:
    """The rows of a feed that keep its contract, the first known of each key."""
    frames = [_read(source) for source in world.sources() if source.mapping.feed.name == feed]
    if not frames:
        raise InputError(
            "feed-missing", [f"{world.folder}: no file of {feed}; bring it in, or mend its source in world.yaml"]
        )
    rows = pd.concat(frames, ignore_index=True).sort_values("known_at", kind="stable")
    return rows.drop_duplicates(list(FEEDS[feed].key), ignore_index=True)


def _read(source: Source) -> pd.DataFrame:
    feed = source.mapping.feed
    values = ", ".join(f"{source.mapping.value(column)} AS {column.name}" for column in feed.columns)
    filled = [
        f"{column.name} IS NOT NULL" for column in feed.columns if not column.nullable and column.name != "known_at"
    ]
    kept = [f"({rule.holds}) IS NOT FALSE" for rule in feed.rules]
    with landing.connect() as connection:
        records.read(connection, source.file, source.mapping.read, source.mapping.wanted)
        typed = f'SELECT {values} FROM records WHERE "#fault" IS NULL'  # noqa: S608  a checked mapping's expressions
        try:
            return connection.sql(f"SELECT * FROM ({typed}) WHERE {' AND '.join(filled + kept)}").df()  # noqa: S608
        except duckdb.BinderException as error:
            raise InputError("columns-missing", [f"{source.file}: {error}"]) from error
