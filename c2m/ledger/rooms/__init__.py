"""What the order room needs of the ledger: who may sign in, and what each may see of orders and job orders."""

__all__ = ["decisions", "links", "sights", "timeline"]
