"""What the order room needs of the ledger: who may sign in, what each sees, what is said and asked of orders."""

__all__ = [
    "decisions",
    "events",
    "links",
    "prices",
    "quotes",
    "room",
    "sights",
    "spent",
    "standing",
    "tickets",
    "webhooks",
    "work",
]
