"""What a merchant's shoppers will ask for, and what it has: forecast and stock of its own styles and SKUs."""

from typing import Annotated

import pandas as pd
from fastapi import APIRouter, Query

from c2m.rooms.api.bodies import Demand, Forecast, Id, Shelf, Stock
from c2m.rooms.api.caller import Caller
from c2m.rooms.scoped import view
from c2m.rooms.tenants import landed
from c2m.warehouse import published

routes = APIRouter(tags=["forecast and stock"])
A_PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=A_PAGE)]


@routes.get("/forecast")
def forecast(caller: Caller, style_id: Id | None = None, after: Id | None = None, limit: Limit = 100) -> Forecast:
    """The newest forecast, style by style and day by day. limit: styles a page; after: the last style before it."""
    equal = {"style_id": style_id} if style_id else {}
    rows = landed.produced("forecasts", view(caller).scope, **equal)
    if rows.empty:
        return Forecast(made_on=None, demand=[], next=None)
    made_on = rows["business_date"].max()
    newest = rows[rows["business_date"] == made_on].sort_values(["style_id", "ds"])
    styles = [name for name in newest["style_id"].unique() if name > (after or "")]
    shown = newest[newest["style_id"].isin(styles[:limit])].rename(columns={"ds": "day"})
    demand = [Demand(**row) for row in shown[list(Demand.model_fields)].to_dict("records")]
    more = styles[limit - 1] if len(styles) > limit else None
    return Forecast(made_on=pd.Timestamp(made_on).date(), demand=demand, next=more)


@routes.get("/stock")
def stock(caller: Caller, after: Id | None = None, limit: Limit = A_PAGE) -> Stock:
    """Stock of your SKUs, by their ids. limit: SKUs a page; after: the last one before it."""
    if not published.is_published():
        return Stock(stock=[], next=None)
    rows = view(caller).mart("stock_position").sort_values("sku_id")
    rows = rows[rows["sku_id"] > (after or "")]
    shown = rows.head(limit)[list(Shelf.model_fields)].fillna(0)
    told = [Shelf(**{str(name): value for name, value in row.items()}) for row in shown.to_dict("records")]
    return Stock(stock=told, next=told[-1].sku_id if len(rows) > limit else None)
