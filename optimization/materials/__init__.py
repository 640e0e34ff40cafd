"""What to buy of which material from whom and when: the choice of suppliers, its judge, and the orders that follow."""

__all__ = ["book", "case", "checking", "choice", "day"]
