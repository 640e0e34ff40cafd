"""A small world of lots and factories for the tests of the order book; every fact may be overridden by name."""

from datetime import date, timedelta
from typing import Any

import pandas as pd

from c2m.settings import PlanPolicy
from optimization.book.daily_instance import build_instance
from optimization.contract.instances import Instance

DAY = date(2026, 3, 6)  # a Friday
POLICY = PlanPolicy.model_validate({})
EVERYONE = PlanPolicy.model_validate({"candidate_factories": 200})
# What the mart says of a factory whose days are all alike: no date needs days in hand.
CERTAIN = {"efficiency_level": 1.0, "efficiency_level_sd": 0.0, "efficiency_day_sd": 0.0, "efficiency_deviation": 0.0}
CERTAIN |= {"efficiency_kept": 0.0, "lead_ratio_q90": 1.0}
MUMBAI, DELHI = (19.076, 72.8777), (28.6139, 77.209)


def lot(lot_id: str = "l1", **changes: Any) -> dict[str, Any]:
    facts = {
        "lot_id": lot_id,
        "order_id": f"order-{lot_id}",
        "merchant_id": "m",
        "source": "merchant",
        "parent_order_id": None,
        "category": "shirt",
        "crafts": "",
        "quantity": 500,
    }
    money = {"unit_value": 20.0, "unit_cost_basis": 8.0, "currency": "USD", "sam_minutes": 12.0}
    dates = {
        "release_on": None,
        "due_on": DAY + timedelta(days=15),
        "priority": None,
        "max_factories": None,
        "promised_on": None,
        "quoted": False,
    }
    place = {"destination_latitude": MUMBAI[0], "destination_longitude": MUMBAI[1], "operations": None, "stages": 1}
    row = {**facts, **money, **dates, **place, **changes}
    return {"remaining": row["quantity"], "committed": 0, **row}


def factory(factory_id: str, **changes: Any) -> dict[str, Any]:
    costs = {"minute_cost": 0.1, "overtime_minute_cost": 0.15, "setup_cost": 40.0, "setup_minutes": 300.0}
    limits = {"engagement_cost": 25.0, "min_lot": 50, "small_order_willingness": 0.0, "handling_days": 1}
    place = {"latitude": MUMBAI[0], "longitude": MUMBAI[1], "currency": "USD", "status": "active", "timezone": "UTC"}
    return {
        "factory_id": factory_id,
        **costs,
        **limits,
        **place,
        "yield_rate": 1.0,
        "efficiency_factor": 1.0,
        "lines": 1,
        "operators": 10,
        "works_by_rank": 1.0,
        "works_by_arrival": 0.0,
        "works_by_size": 0.0,
        **CERTAIN,
        **changes,
    }


def score(factory_id: str, **changes: Any) -> dict[str, Any]:
    """A factory's row of factory_scores, without a fault."""
    rates = ("yield_rate", "on_time_rate", "acceptance_rate", "small_acceptance_rate", "repeat_acceptance_rate")
    bounds = {"exposure_share": 1.0, "inspection_share": 0.0, "order_cap_pieces": None, "answer_hours": 0.0}
    return {"factory_id": factory_id, "category": "shirt", **bounds, **dict.fromkeys(rates, 1.0), **changes}


def skills(**by_factory: dict[str, float]) -> pd.DataFrame:
    rows = [
        (factory_id, "category" if name in ("shirt", "dress") else "craft", name, efficiency)
        for factory_id, names in by_factory.items()
        for name, efficiency in names.items()
    ]
    return pd.DataFrame(rows, columns=["factory_id", "kind", "name", "efficiency"])


def working_days(factory_ids: list[str], minutes: float = 9_600, days: int = 30) -> pd.DataFrame:
    """Sundays and Saturdays off; DAY is a Friday."""
    dates = [DAY + timedelta(days=i) for i in range(days)]
    rows = [
        (f, d, 0.0 if d.weekday() > 4 else minutes, 0.0 if d.weekday() > 4 else 600.0)
        for f in factory_ids
        for d in dates
    ]
    return pd.DataFrame(rows, columns=["factory_id", "day", "minutes", "overtime_minutes"])


def job_order(lot_id: str, factory_id: str, **changes: Any) -> dict[str, Any]:
    row = {"lot_id": lot_id, "factory_id": factory_id, "remaining": 300, "state": "NotAllowedToStart", "accepted": True}
    return {"job_order_id": f"{lot_id}-{factory_id}", **row, **changes}


def build(
    lots: list[dict[str, Any]],
    factories: list[dict[str, Any]],
    capabilities: pd.DataFrame | None = None,
    live: list[dict[str, Any]] | None = None,
    refusals: list[tuple[str, str]] | None = None,
    policy: PlanPolicy = EVERYONE,
    calendar: pd.DataFrame | None = None,
    scores: list[dict[str, Any]] | None = None,
    ready: pd.DataFrame | None = None,
) -> Instance | None:
    ids = [row["factory_id"] for row in factories]
    return build_instance(
        pd.DataFrame(lots, columns=list(lot())),
        pd.DataFrame(live or [], columns=list(job_order("", ""))),
        pd.DataFrame(refusals or [], columns=["lot_id", "factory_id"]),
        pd.DataFrame(factories),
        skills(**{f: {"shirt": 0.8} for f in ids}) if capabilities is None else capabilities,
        working_days(ids) if calendar is None else calendar,
        pd.DataFrame(scores or [], columns=list(score(""))),
        policy,
        DAY,
        ready=ready,
    )


def built(*arguments: Any, **keywords: Any) -> Instance:
    instance = build(*arguments, **keywords)
    assert instance is not None
    return instance


def pairs(instance: Instance) -> set[tuple[str, str]]:
    return set(instance.arcs[["lot_id", "factory_id"]].itertuples(index=False, name=None))
