"""The merchant API: orders, quotes, changes, forecast, stock for the systems of a merchant; `site.create` makes it."""

__all__ = ["site"]
