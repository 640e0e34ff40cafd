"""What no plan can cost less than: relaxation, prices, patterns."""

__all__ = ["column_generation", "lagrangian", "orders_at_prices", "relaxation"]
