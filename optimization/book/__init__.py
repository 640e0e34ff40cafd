"""The order book of a day as a planning instance: lots, quantities, arcs, factories" records, promised dates."""

__all__ = [
    "arcs",
    "currencies",
    "daily_instance",
    "factory_record",
    "identity",
    "later_work",
    "lots",
    "plan_proposal",
    "precedence",
    "promised_dates",
    "queue",
    "replenishment",
    "set_aside",
    "under_way",
]
