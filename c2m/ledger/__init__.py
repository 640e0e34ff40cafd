"""Orders, plans, job orders, messages and decisions: what must not be lost. A module per noun."""

__all__ = [
    "alerts",
    "archive",
    "audit",
    "changelog",
    "conversation",
    "job_orders",
    "orders",
    "plans",
    "promises",
    "purchasing",
    "quantities",
    "rooms",
    "states",
    "status",
    "store",
    "tables",
]
