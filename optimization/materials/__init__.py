"""What to buy of which material from whom and when: the choice of suppliers, its judge, and the orders that follow."""

__all__ = ["case", "checking", "choice", "day", "supply_case"]
