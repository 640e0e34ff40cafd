"""A business day of many merchants without servers: intake, marts by the SQL that dbt compiles, ledger, plan, release.

Forecasts are given, factories have room for all, and each lot has one cheapest factory: what one merchant is given then
follows from its own rows alone. In: worlds (see world.py). Out: what each merchant has.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from dbt.cli.main import dbtRunner
from scipy.stats import norm

from benchmarks.tenants.world import CATEGORIES, DAY, KNOWN, Breakage, merchant_ids, rows_of, write
from c2m import clock
from c2m.domain.newsvendor import WINDOW_QUANTILES
from c2m.feeds.contracts import FEEDS
from c2m.feeds.ingest import ingest
from c2m.feeds.landing import ensure_landing, latest
from c2m.feeds.world import Source, World
from c2m.ledger import job_orders, orders, plans, store
from c2m.settings import PlanPolicy, ReplenishmentPolicy, settings
from c2m.warehouse.published import dbt_args
from optimization.book.currencies import OF_PIECE, in_currency, plan_currency
from optimization.book.daily_instance import build_instance, merchant_lots
from optimization.book.replenishment import BATCH, replenish
from optimization.book.set_aside import set_apart
from optimization.engines.first.rule import greedy
from optimization.planning.solve import solve

NOW = datetime.combine(DAY, datetime.min.time(), UTC) + timedelta(hours=6)
_POLICY = PlanPolicy.model_validate({"max_factories": 1})
_REPLENISHMENT = ReplenishmentPolicy.model_validate({})
_MARTS = ["merchant_order_book", "skus", "styles", "stg_stock", "exchange_rates"]
_SOLVED = 200  # lots; above, the rule's plan is released
_NO_ORDERS = pd.DataFrame(columns=[*BATCH, "order_id"])
# What the marts say of a factory whose days are all alike.
_CERTAIN = {"yield_rate": 1.0, "efficiency_factor": 1.0, "efficiency_level": 1.0, "lead_ratio_q90": 1.0}
_CERTAIN |= dict.fromkeys(("efficiency_level_sd", "efficiency_day_sd", "efficiency_deviation", "efficiency_kept"), 0.0)
_CERTAIN |= {"works_by_rank": 1.0, "works_by_arrival": 0.0, "works_by_size": 0.0}
_NO_SCORES = ["factory_id", "category", "exposure_share", "inspection_share", "order_cap_pieces", "answer_hours"]
_NO_SCORES += ["yield_rate", "on_time_rate", "acceptance_rate", "small_acceptance_rate", "repeat_acceptance_rate"]

Rows = frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Day:
    """What merchants have at the end of the day: orders, lots, SKUs and job orders, with their ids, by merchant."""

    of_merchant: dict[str, Rows]
    quarantined: int

    def differing(self, other: "Day", merchants: Sequence[str]) -> dict[str, Rows]:
        """Of these merchants, what the two days do not have in common."""
        seen = {name: (self.of_merchant.get(name), other.of_merchant.get(name)) for name in merchants}
        return {name: (one or frozenset()) ^ (two or frozenset()) for name, (one, two) in seen.items() if one != two}


@dataclass(frozen=True)
class _Worlds(World):
    """Worlds that come in one after the other, feed by feed."""

    parts: tuple[World, ...] = ()

    def sources(self) -> list[Source]:
        order = list(FEEDS)
        found = (source for part in self.parts for source in part.sources())
        return sorted(found, key=lambda source: order.index(source.mapping.feed.name))


def _of_all(folders: Sequence[Path]) -> _Worlds:
    parts = tuple(map(World.load, folders))
    return _Worlds(folders[0], "all", {}, (), parts=parts)


class Kernel:
    """Worlds of `count` merchants in a folder, brought in once; each day starts from there."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.merchants = folder, merchant_ids(count)
        self._runs = 0
        with _home(self.folder / "base"):
            _write_factories(self.folder / "platform")
            ingest(World.load(self.folder / "platform"))
            worlds = [write(self.folder / "worlds", name) for name in self.merchants]
            self._batches = ingest(_of_all(worlds)).groupby(["tenant", "feed"])["batch_id"].first()
            store.migrate()
            _close_ledger()
        self.undisturbed = self.day([])

    def day(self, broken: Sequence[Breakage]) -> Day:
        """A day on which these rows are broken. Raises where the day stops for anybody."""
        self._runs += 1
        home = self.folder / f"run{self._runs}"
        changed = {self._batches[one.merchant_id, one.feed] for one in broken}
        _start_from(self.folder / "base", home, changed)
        with _home(home):
            worlds = [
                write(home / "worlds", name, [one for one in broken if one.merchant_id == name])
                for name in sorted({one.merchant_id for one in broken})
            ]
            quarantined = ingest(_of_all(worlds))["quarantined"].sum() if worlds else 0
            seen = Day(_business_day(), int(quarantined))
            _close_ledger()
        shutil.rmtree(home)
        return seen


def _start_from(base: Path, home: Path, changed: set[str]) -> None:
    """A home with all that has landed, but for the batches that come in anew."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if name.partition(".")[0] in changed}

    for part in ("landing", "quarantine"):
        if (base / part).exists():
            shutil.copytree(base / part, home / part, copy_function=os.link, ignore=left_out)
    shutil.copyfile(base / "ledger.db", home / "ledger.db")


@contextlib.contextmanager
def _home(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("C2M_HOME")
    os.environ["C2M_HOME"] = str(home)
    settings.cache_clear()
    clock.set_now(NOW)
    try:
        yield
    finally:
        os.environ.pop("C2M_HOME") if before is None else os.environ.update(C2M_HOME=before)
        settings.cache_clear()


def _close_ledger() -> None:
    store.engine(settings().ledger).dispose()


def _write_factories(folder: Path) -> None:
    """Two factories a category, of different costs, with room for everything; and a merchant: a day needs one."""
    folder.mkdir(parents=True, exist_ok=True)
    terms = {"country": "CN", "latitude": 31.2, "longitude": 121.4, "timezone": "UTC", "currency": "USD", "lines": 100}
    terms |= {"operators": 10_000, "overtime_minute_cost": 1, "setup_cost": 0, "setup_minutes": 0, "min_lot": 1}
    terms |= {"engagement_cost": 0, "small_order_willingness": 1, "handling_days": 1, "transport": "mqtt"}
    rows, skills, days = [], [], []
    for number in range(2 * len(CATEGORIES)):
        name = {"factory_id": f"F{number:02d}", "known_at": KNOWN}
        rows.append(name | terms | {"minute_cost": 0.1 + number / 100, "status": "active"})
        skills.append(name | {"kind": "category", "name": CATEGORIES[number // 2], "efficiency": 1})
        dates = [DAY + timedelta(days=ahead) for ahead in range(40)]
        days += [name | {"day": day, "minutes": 5_000_000, "overtime_minutes": 0} for day in dates]
    feeds = {"factories": rows, "factory_capabilities": skills, "factory_calendar": days}
    feeds |= {name: rows_of("M000")[name] for name in ("catalogue", "sales_lines")}
    for feed, of_feed in feeds.items():
        pd.DataFrame(of_feed).to_csv(folder / f"{feed}.csv", index=False)


def _business_day() -> dict[str, Rows]:
    marts = _marts()
    book, skus, styles, stock, rates = (marts[name] for name in _MARTS)
    stock = stock.sort_values("as_of").drop_duplicates(["merchant_id", "sku_id"], keep="last")
    stock = stock.assign(in_transit=0, on_order=0)
    factories, capabilities, calendar = (latest(f"factor{name}") for name in ("ies", "y_capabilities", "y_calendar"))
    currency = plan_currency(factories)
    skus, styles = (in_currency(mart, OF_PIECE, rates, currency) for mart in (skus, styles))
    with store.session() as session:
        made = replenish(_windows(styles), stock, styles, skus, _NO_ORDERS, _REPLENISHMENT, DAY)
        orders.record(session, *set_apart(*merchant_lots(book, skus, orders.held(session)), currency), NOW)
        orders.record(session, *set_apart(*made[:3], currency), NOW, made[3].assign(build_id="build"))
        lots, live, refused = orders.open_lots(session), job_orders.live(session), job_orders.refusals(session)
    known = factories.assign(**_CERTAIN), capabilities, calendar, pd.DataFrame(columns=_NO_SCORES)
    instance = build_instance(lots, live, refused, *known, _POLICY, DAY)
    if instance is None:
        return {}
    # With room for all both give each lot its cheapest factory; to prove that of hundreds of lots takes minutes a day.
    plan = solve(instance, gap=0, reasoned=False) if len(instance.orders) <= _SOLVED else greedy(instance)
    _release(plan.allocation)
    return _by_merchant()


def _release(allocation: pd.DataFrame) -> None:
    days = {"start_on": DAY + timedelta(days=1), "finish_on": DAY + timedelta(days=8)}
    figures = {"objective": 1, "bound": 1, "gap": 0, "status": "optimal", "unmet_pieces": 0, "at": NOW}
    named = {"business_date": DAY, "round": 1, "instance_sha256": "sha", "model_version": "1", "folder": "runs"}
    proposed = plans.ProposedPlan(**named, **figures, allocation=allocation.assign(**days))  # type: ignore[arg-type]
    with store.session() as session:
        plan_id = plans.propose(session, proposed)
        plans.release(session, plan_id, "policy", "fits", [], NOW)


def _windows(styles: pd.DataFrame) -> pd.DataFrame:
    """The same forecast of every style, whatever was sold: 120 pieces."""
    quantiles = {name: norm.ppf(level, 120, 20) for name, level in WINDOW_QUANTILES.items()}
    facts = {"business_date": DAY, "window_days": _REPLENISHMENT.window_days, "model_version": "1", "mean": 120.0}
    return styles[["merchant_id", "style_id"]].assign(**facts, known_at=NOW.replace(tzinfo=None), **quantiles)


def _by_merchant() -> dict[str, Rows]:
    """What the ledger holds, ids of ours too."""
    with store.session() as session:
        held = store.snapshot(session)
    lots, jobs = held["lots"], held["job_orders"]
    own = ["merchant_order_id", "order_code", "parent_order_id"]
    tables = [
        held["orders"][["merchant_id", "order_id", *own, "due_on", "currency", "tolerance_share", "state"]],
        lots[["merchant_id", "order_id", "lot_id", "style_id", "colour", "quantity", "category", "waits", "state"]],
        held["lot_skus"].merge(lots[["merchant_id", "lot_id"]], on="lot_id")[
            ["merchant_id", "lot_id", "sku_id", "quantity"]
        ],
        jobs[["merchant_id", "lot_id", "job_order_id", "factory_id", "quantity", "state", "revision"]],
        held["job_order_skus"].merge(jobs[["merchant_id", "job_order_id"]], on="job_order_id")[
            ["merchant_id", "job_order_id", "sku_id", "quantity"]
        ],
    ]
    of_merchant: dict[str, set[tuple[Any, ...]]] = {}
    for number, table in enumerate(tables):
        for merchant_id, *row in table.astype(str).itertuples(index=False, name=None):
            of_merchant.setdefault(merchant_id, set()).add((number, *row))
    return {merchant_id: frozenset(rows) for merchant_id, rows in of_merchant.items()}


def _marts() -> dict[str, pd.DataFrame]:
    """The marts of what has landed, as of the day."""
    ensure_landing()
    landing = str(settings().landing.absolute())
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, sql in _compiled():  # each a table: what several read is worked out once
            connection.execute(f"CREATE TABLE {name} AS {sql.replace('/landing-of-the-day', landing)}")
        return {name: connection.table(name).df() for name in _MARTS}


@cache
def _compiled() -> tuple[tuple[str, str], ...]:
    """(name, SQL) of the models behind the marts, what others rest on first."""
    command = dbt_args("compile --quiet --no-introspect", DAY, " ".join(f"+{name}" for name in _MARTS))
    variables = command.index("--vars") + 1
    given = json.loads(command[variables]) | {"landing": "/landing-of-the-day"}
    command[variables] = json.dumps(given)
    with contextlib.redirect_stdout(io.StringIO()):
        result = dbtRunner().invoke(command)
    if not result.success:
        raise RuntimeError(f"dbt does not compile the marts: {result.exception}")
    target = Path(command[command.index("--target-path") + 1])
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    models = {key: node for key, node in nodes.items() if key.startswith("model.") and node.get("compiled_code")}
    made: dict[str, tuple[str, str]] = {}

    def make(key: str) -> None:
        if key in models and key not in made:
            for below in models[key]["depends_on"]["nodes"]:
                make(below)
            sql = models[key]["compiled_code"]
            for schema in ("main", "marts"):
                sql = sql.replace(f'"warehouse"."{schema}".', "")
            made[key] = models[key]["name"], sql

    for key in models:
        make(key)
    return tuple(made.values())
