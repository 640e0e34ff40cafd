"""The merchant API for the systems of a merchant. `site.create` makes it; `calls.Bell` tells their addresses."""

__all__ = ["calls", "site"]
