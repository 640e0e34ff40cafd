"""Materials of a day's plan: what its lots and the forecast take, what is to be bought, and the page that shows it."""

import json
from datetime import date
from pathlib import Path

import pandas as pd

from c2m.feeds.landing import read_landed
from c2m.files import read_json, read_rows, write_atomically
from c2m.ledger import orders
from c2m.ledger.purchasing import purchases
from c2m.ledger.store import session
from c2m.markdown import plain, table
from c2m.settings import settings
from c2m.warehouse.published import manifest, read
from optimization.book.currencies import plan_currency
from optimization.contract.wording import counted, money, percent
from optimization.materials.day import DayMaterials, MaterialFacts, plan_materials
from optimization.materials.supply_case import PURCHASE, Marts, purchases_of

FOLDER = "materials"  # in a plan's folder
_MOST = 50


def of_day(day: date) -> DayMaterials | None:
    """Needs, choice and cover of the day; None where no style has a bill of materials."""
    marts = manifest()["marts"]  # without these two in builds of old
    if not any(marts.get(name, {}).get("rows") for name in ("style_materials", "material_faults")):
        return None
    return plan_materials(known(day), settings().materials, day)


def known(day: date) -> MaterialFacts:
    """What ledger, landing zone and marts know. Purchases released since the marts were built are under way too."""
    bought = read("purchases")
    with session() as s:
        lots = orders.open_lots(s)
        since = purchases.released_later(s, set(bought["purchase_order_id"]))
    bought = pd.concat([bought, since.assign(under_way=since["quantity"])], ignore_index=True) if len(since) else bought
    marts = Marts(read("material_stock"), bought, read("supplier_offers"), read("material_faults"))
    return MaterialFacts(
        lots=lots,
        progress=read("job_order_progress"),
        forecasts=read_landed("forecasts", business_date=day),
        windows=read_landed("forecast_windows", business_date=day),
        shelf=read("stock_position"),
        skus=read("skus"),
        recipes=read("style_materials"),
        marts=marts,
        rates=read("exchange_rates"),
        currency=_currency(),
    )


def keep(found: DayMaterials | None, folder: Path, day: date, plan_id: str) -> None:
    """Writes needs, purchases, when lots are ready, faults and figures beside the plan; nothing where there is none."""
    if found is None or (folder / FOLDER / "report.json").exists():
        return
    (folder / FOLDER).mkdir(exist_ok=True)
    bought = purchases_of(found.choice, found.case, read("material_stock"), _currency(), day, plan_id)
    faults = pd.DataFrame({"words": found.faults})
    tables = {"purchases": bought, "needs": found.needs, "ready": found.ready, "faults": faults}
    for name, rows in tables.items():
        write_atomically(folder / FOLDER / f"{name}.csv", rows.to_csv(index=False, lineterminator="\n").encode())
    write_atomically(folder / FOLDER / "report.json", (json.dumps(figures(found), indent=1) + "\n").encode())


def figures(found: DayMaterials) -> dict[str, float]:
    """How good the choice is proven to be, and what it took."""
    return {name: getattr(found.choice, name) for name in ("objective", "bound", "gap", "joined", "seconds")}


def _currency() -> str:
    return plan_currency(read("factories")) or settings().currency


def proposed(folder: Path) -> pd.DataFrame | None:
    """The purchase orders to be proposed with a plan; None where its day has no materials."""
    file = folder / FOLDER / "purchases.csv"
    if not file.exists():
        return None
    rows = read_rows(file, ["order_on", "due_on"])
    return rows[PURCHASE]


def breaches(folder: Path) -> list[str]:
    """The limit of the release policy that a plan's purchase orders are over."""
    rows, most = proposed(folder), settings().release.max_purchases
    worth = 0.0 if rows is None else float((rows["quantity"] * rows["price"]).sum())
    return [f"worth of purchase orders is {money(worth)}, allowed {money(most)}"] if worth > most else []


def section(plan_id: str, folder: Path) -> list[str]:
    """The part of the plan's page on materials; nothing where the day has none."""
    if not (folder / FOLDER / "report.json").exists():
        return []
    report, faults = read_json(folder / FOLDER / "report.json"), read_rows(folder / FOLDER / "faults.csv")
    with session() as s:
        bought = purchases.of_plan(s, plan_id)
    return [
        "## Materials",
        *bought_words(bought, report),
        *([table(_shown(bought), _MOST)] if len(bought) else []),
        *(["### Left out", *(f"* {plain(words)}" for words in faults["words"].head(_MOST)), ""] if len(faults) else []),
    ]


def bought_words(bought: pd.DataFrame, report: dict[str, float]) -> list[str]:
    """How many purchase orders there are and how good the choice of suppliers is proven to be."""
    if bought.empty:
        return ["Nothing has to be ordered today.", ""]
    worth = f"{money((bought['quantity'] * bought['price']).sum())} {bought['currency'].iloc[0]}"
    number = counted(bought["purchase_order_id"].nunique(), "purchase order")
    proof = f"The choice of suppliers is within {percent(report['gap'])} of the best there can be."
    return [f"{number} over {worth}, released with the plan. {proof}", ""]


def _shown(bought: pd.DataFrame) -> pd.DataFrame:
    stands = (
        bought["released_at"].notna().map({True: "released", False: "proposed"}).mask(bought["withheld"], "held back")
    )
    return pd.DataFrame(
        {
            "supplier": bought["supplier_id"],
            "material": bought["material_id"],
            "quantity": bought["quantity"],
            "unit": bought["unit"],
            "price": bought["price"],
            "there by": bought["due_on"],
            "stands": stands,
            "purchase order": bought["purchase_order_id"],
        }
    )
