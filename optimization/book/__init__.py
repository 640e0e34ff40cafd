"""The order book of a day as a planning instance: lots, quantities, arcs, factories" records, promised dates."""

__all__ = [
    "arcs",
    "currencies",
    "daily_instance",
    "factory_record",
    "identity",
    "later_work",
    "lots",
    "precedence",
    "promised_dates",
    "proposal",
    "queue",
    "replenishment",
    "under_way",
    "waiting",
]
