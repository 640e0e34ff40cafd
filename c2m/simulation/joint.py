"""What the small demo world has beside its apparel, for the whole joint factory: socks that no one factory can make.

Crew socks are knit, boarded and packed in three stages, of yarn that is bought; name socks are ordered one by one, each
by a shopper, and share a setup. No factory of these makes apparel, and nothing of these is forecast.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from c2m.files import write_atomically
from c2m.simulation.world import files

_MERCHANT, _CURRENCY, _PERSONAL = "s01", "USD", 60  # orders of one pair
_SINCE, _DAYS = timedelta(days=90), (-14, 75)
_COLOURS, _SIZES = ("Black", "White"), ("S", "L")
_STYLES = (("s01-CREW", "Crew sock", 6.5, 2.4), ("s01-NAME", "Name sock", 14.0, 4.0))
_ROUTING = (
    ("s01-CREW", "knit", "knit", 3.2, 1),
    ("s01-CREW", "link", "link", 0.9, 1),
    ("s01-CREW", "board", "board", 0.7, 2),
    ("s01-CREW", "pair", "pack", 0.5, 3),
    ("s01-CREW", "pack", "pack", 0.4, 3),
    ("s01-NAME", "embroider", "embroider", 4.0, 1),
    ("s01-NAME", "pack", None, 0.4, 1),
)
_FACTORIES = (  # id, place, lines, operators, cost of a minute, smallest lot, setup minutes, crafts with efficiency
    ("KNIT-1", (29.71, 120.24), 4, 24, 0.11, 50, 120, {"knit": 0.92, "link": 0.85}),
    ("KNIT-2", (29.60, 119.90), 3, 18, 0.10, 50, 120, {"knit": 0.85, "link": 0.90}),
    ("BOARD-1", (29.80, 120.60), 2, 10, 0.12, 50, 60, {"board": 0.95}),
    ("PACK-1", (31.20, 121.30), 2, 12, 0.15, 50, 30, {"pack": 0.95}),
    ("STITCH-1", (30.30, 120.20), 2, 10, 0.14, 40, 15, {"embroider": 0.90}),
)
_LINES = {"s01-CREW-Black-S": 360, "s01-CREW-Black-L": 540, "s01-CREW-White-S": 280, "s01-CREW-White-L": 420}
_DUE = {"socks": 21, "name": 14}  # days from the business date
_YARN_KG, _STOCK_KG = 0.048, 20


def lay_beside(folder: Path, business_date: date) -> None:
    """Writes the feed files of the socks into the folder of a world, each beside the world's own of that feed.

    Parameters
    ----------
    folder
        Of the world.
    business_date
        Its first day; the orders were placed on the day before.
    """
    known_at = np.datetime64(business_date - _SINCE, "s")
    yesterday = business_date - timedelta(days=1)
    news = np.datetime64(yesterday, "s") + np.timedelta64(9, "h")
    feeds = _ordered(business_date, yesterday)
    for name, frame in {**_made(business_date), **_materials(np.datetime64(yesterday, "s")), **feeds}.items():
        told = frame.assign(known_at=news if name in feeds else known_at)
        write_atomically(folder / f"{name}.socks.csv", files.as_csv(name, told, header=True))


def _made(business_date: date) -> dict[str, pd.DataFrame]:
    """What is made, of which operations, and by whom."""
    skus = [
        {"sku_id": f"{style}-{colour}-{size}", "style_id": style, "style_name": name, "colour": colour, "size": size,
         "price": price, "cost": cost}
        for style, name, price, cost in _STYLES for colour in _COLOURS for size in _SIZES
    ]  # fmt: skip
    steps = pd.DataFrame(_ROUTING, columns=["style_id", "operation", "craft", "sam_minutes", "stage"])
    steps["step"] = steps.groupby("style_id").cumcount() + 1
    own = {"merchant_id": _MERCHANT}
    return {
        "catalogue": pd.DataFrame(skus).assign(**own, category="socks", currency=_CURRENCY, crafts=""),
        "routings": steps.assign(**own),
        "factories": pd.DataFrame([_factory(*row[:-1]) for row in _FACTORIES]),
        "factory_capabilities": pd.DataFrame([skill for row in _FACTORIES for skill in _skills(row[0], row[-1])]),
        "factory_calendar": _calendar([business_date + timedelta(days=day) for day in range(*_DAYS)]),
    }


def _factory(
    name: str, place: tuple[float, float], lines: int, operators: int, minute: float, min_lot: int, setup: int
) -> dict[str, object]:
    where = {"country": "CN", "latitude": place[0], "longitude": place[1], "timezone": "Asia/Shanghai"}
    size = {"lines": lines, "operators": operators, "min_lot": min_lot, "small_order_willingness": 1.0}
    cost = {"minute_cost": minute, "overtime_minute_cost": round(1.5 * minute, 4), "engagement_cost": 0}
    setup_of = {"setup_cost": 12, "setup_minutes": setup, "handling_days": 1, "currency": _CURRENCY}
    return {"factory_id": name, **where, **size, **cost, **setup_of, "transport": "mqtt", "status": "active"}


def _skills(name: str, crafts: dict[str, float]) -> list[dict[str, object]]:
    told = [("category", "socks", 0.9), *(("craft", craft, level) for craft, level in crafts.items())]
    return [dict(zip(("factory_id", "kind", "name", "efficiency"), (name, *one), strict=True)) for one in told]


def _calendar(days: list[date]) -> pd.DataFrame:
    """Eight hours of every operator, Sundays off."""
    rows = [
        {"factory_id": name, "day": day, "minutes": operators * 480 * (day.weekday() < 6),
         "overtime_minutes": operators * 90 * (day.weekday() < 6), "reason": None if day.weekday() < 6 else "weekend"}
        for name, _, _, operators, *_ in _FACTORIES for day in days
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _materials(as_of: np.datetime64) -> dict[str, pd.DataFrame]:
    """Yarn for the crew socks: some of it is there, two mills sell the rest."""
    yarn = {"material_id": "YARN-COTTON", "unit": "kg"}
    own = {"merchant_id": _MERCHANT}
    mill = {"country": "CN", "currency": _CURRENCY, "status": "active"}
    offer = {"material_id": "YARN-COTTON", "currency": _CURRENCY, "status": "active"}
    need = {"parent_kind": "style", "parent_id": "s01-CREW", "quantity": _YARN_KG, "waste_share": 0.04}
    return {
        "materials": pd.DataFrame([yarn | {"material_name": "Combed cotton yarn", "kg_per_unit": 1.0}]),
        "bill_of_materials": pd.DataFrame([own | need | yarn | {"colour": ""}]),
        "suppliers": pd.DataFrame(
            [mill | {"supplier_id": name, "order_cost": cost} for name, cost in (("MILL-NEAR", 15), ("MILL-FAR", 10))]
        ),
        "supplier_materials": pd.DataFrame(
            [
                offer | {"supplier_id": "MILL-NEAR", "price": 6.4, "price_breaks": "", "pack": 5, "lead_days": 2},
                offer | {"supplier_id": "MILL-FAR", "price": 5.9, "price_breaks": "50:5.6", "pack": 10, "lead_days": 6},
            ]
        ),
        "stock": pd.DataFrame([own | {"sku_id": "YARN-COTTON", "location_id": "main", "as_of": as_of,
                                      "on_hand": _STOCK_KG}]),
    }  # fmt: skip


def _ordered(business_date: date, placed_on: date) -> dict[str, pd.DataFrame]:
    """An order of crew socks, and sixty of one pair with a name."""
    told = {"merchant_id": _MERCHANT, "placed_on": placed_on, "currency": _CURRENCY, "tolerance_share": 0.0}
    told |= {"destination_latitude": 31.2, "destination_longitude": 121.45, "status": "open"}
    due = {kind: business_date + timedelta(days=days) for kind, days in _DUE.items()}
    orders = [told | {"order_id": "SOCKS-1", "order_code": "Socks 1", "due_on": due["socks"]}]
    lines = [{"order_id": "SOCKS-1", "sku_id": sku, "quantity": pieces} for sku, pieces in _LINES.items()]
    for number in range(1, _PERSONAL + 1):
        name, size = f"NAME-{number:03d}", _SIZES[number % 2]
        orders.append(told | {"order_id": name, "order_code": f"Shopper {number:03d}", "due_on": due["name"]})
        lines.append({"order_id": name, "sku_id": f"s01-NAME-Black-{size}", "quantity": 1})
    return {
        "merchant_orders": pd.DataFrame(orders),
        "merchant_order_lines": pd.DataFrame(lines).assign(merchant_id=_MERCHANT, status="open", order_line_id="#1"),
    }
