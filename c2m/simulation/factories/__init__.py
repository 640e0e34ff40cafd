"""Factories that answer job orders, work them off and scan, from a seed."""

__all__ = ["booking", "direct"]
