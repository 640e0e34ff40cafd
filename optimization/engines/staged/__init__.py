"""Lots in stages, and lots that share a setup."""

__all__ = ["by_days", "by_routes"]
