"""What a merchant sees of its styles: forecast, stock, proposed prices, what its catalogue lacks, and designs."""

import json
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from c2m.feeds import quarantine
from c2m.ledger.rooms import prices, standing
from c2m.ledger.store import Scope, reading
from c2m.people import designs
from c2m.people.json_rows import records
from c2m.rooms import page
from c2m.rooms.entry import Merchant, NotYoursError
from c2m.rooms.scoped import view
from c2m.rooms.tenants import landed
from c2m.warehouse import published

routes = APIRouter(prefix="/merchant")
LACKS = ("crafts", "style_name", "specification_url")  # what a row may leave out, and making or selling it needs


@routes.get("/shelf")
def shelf(request: Request, person: Merchant, text: Annotated[str, Query(max_length=100)] = "") -> Response:
    """The next days' demand of each style beside its stock."""
    rows: list[dict[str, Any]] = []
    made_on, names = None, {}
    if published.is_published():
        mine = view(person.grant)
        ahead, made_on = _ahead(mine.scope)
        skus, stock = mine.mart("skus"), mine.mart("stock_position")
        rows, names = _styles(skus, stock, ahead, text), names_of(skus)
    with reading(view(person.grant).scope) as s:
        proposed = records(_by_style(prices.listed(s, view(person.grant).scope), names))
    return page.shown(request, "shelf.html", rows=rows, made_on=made_on, text=text, prices=proposed)


def names_of(skus: pd.DataFrame) -> dict[str, str]:
    """What people call each style; its id where it has no name."""
    return dict(zip(skus["style_id"], skus["style_name"].fillna(skus["style_id"]), strict=True))


def _by_style(proposals: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A row per style and price, with its name and number of SKUs: the gain is the style's, not each SKU's."""
    key = ["style_id", "price_now", "price", "state"]
    skus = proposals.groupby(key)["sku_id"].transform("size")
    style = proposals["style_id"]
    return proposals.assign(skus=skus, name=style.map(names).fillna(style)).drop_duplicates(key)


def _ahead(scope: Scope) -> tuple[pd.DataFrame, Any]:
    """By style the pieces expected, with range, over the days of the newest forecast, and its day."""
    found = landed.produced("forecasts", scope)
    if found.empty:
        return pd.DataFrame(columns=["style_id", "mean", "least", "most", "days"]), None
    day = found["business_date"].max()
    newest = found[found["business_date"] == day]
    sums = newest.groupby("style_id", as_index=False).agg(mean=("mean", "sum"), days=("ds", "nunique"))
    return sums.merge(_longest_windows(scope, day), on="style_id", how="left"), day


def _longest_windows(scope: Scope, day: Any) -> pd.DataFrame:
    windows = landed.produced("forecast_windows", scope)
    longest: pd.DataFrame = windows[windows["business_date"] == day].sort_values("window_days")
    longest = longest.drop_duplicates("style_id", keep="last")[["style_id", "window_days", "mean", "q10", "q90"]]
    return longest.rename(columns={"mean": "window_mean", "q10": "least", "q90": "most"})


def _styles(skus: pd.DataFrame, stock: pd.DataFrame, ahead: pd.DataFrame, text: str) -> list[dict[str, Any]]:
    """A row per style, the one with least stock for its demand first."""
    there = skus.merge(stock.drop(columns="merchant_id"), on="sku_id", how="left")
    there["name"] = there["style_id"].map(names_of(skus))
    pieces = {name: (name, "sum") for name in ("on_hand", "in_transit", "on_order")}
    rows = there.groupby("style_id", as_index=False).agg(
        name=("name", "first"), category=("category", "first"), **pieces
    )
    rows = rows.merge(ahead, on="style_id", how="left")
    if text.strip():
        named = (rows[name].astype(str) for name in ("name", "category"))  # of no rows, no text
        hits = [names.str.contains(text.strip(), case=False, regex=False) for names in named]
        rows = rows[hits[0] | hits[1]]
    rows["cover"] = rows["on_hand"] / (rows["mean"] / rows["days"]).where(rows["mean"] > 0)
    return records(rows.sort_values(["cover", "name"], na_position="last"))


@routes.get("/catalogue")
def catalogue(request: Request, person: Merchant) -> Response:
    """What the catalogue lacks: rows that did not come in, styles without what making them needs, lots that wait."""
    mine = view(person.grant)
    known = landed.own("catalogue", mine.scope)
    styles = known.drop_duplicates("style_id").sort_values("style_id")
    lacking = [
        row | {"lacks": [name for name in LACKS if not row[name]], "at_a_loss": row["price"] <= row["cost"]}
        for row in records(styles)
    ]
    with reading(mine.scope) as s:
        waits = standing.orders(s, mine.scope)
    stopped = [row for row in records(waits) if row["waits"]]
    return page.shown(
        request,
        "catalogue.html",
        total=len(styles),
        skus=len(known),
        lacking=[row for row in lacking if row["lacks"] or row["at_a_loss"]],
        faults=_quarantined(person.grant.tenant),
        stopped=stopped,
    )


def _quarantined(merchant_id: str) -> list[dict[str, Any]]:
    """Rows of theirs that lie in quarantine, of the catalogue and of orders; whose a row is, its own columns say."""
    found = []
    for feed in ("catalogue", "merchant_orders", "merchant_order_lines"):
        for row in quarantine.read(feed).to_dict("records"):
            raw = json.loads(row["raw"])
            if raw.get("merchant_id") == merchant_id:
                what = raw.get("sku_id") or raw.get("order_id") or ""
                found.append({"feed": feed, "what": what} | {str(name): value for name, value in row.items()})
    return found[: landed.MOST_FAULTS]


def _mine(person: Merchant) -> dict[str, object]:
    """Whose designs somebody sees."""
    column, value = landed.tenant(view(person.grant).scope)
    return {column: value}


@routes.get("/designs")
def designs_of(request: Request, person: Merchant) -> Response:
    """Those on sale first, then what promises most."""
    rows = designs.listed(**_mine(person)).head(landed.MOST_FAULTS) if published.is_published() else pd.DataFrame()
    return page.shown(request, "designs.html", rows=records(rows))


@routes.get("/designs/{design_id}")
def design(request: Request, person: Merchant, design_id: str) -> Response:
    """One design: feasibility, cost and date by quantity, demand, first quantity, attributes, first days of sale."""
    found = designs.one(design_id, **_mine(person)) if published.is_published() else None
    if found is None:
        raise NotYoursError
    about: dict[str, Any] = records(pd.DataFrame([found["about"]]))[0]
    costs, held = records(found["costs"]), records(found["attributes"])
    return page.shown(request, "design.html", about=about, costs=costs, attributes=held, design=found["design"])
