"""Instances that turn on which factories to engage."""

__all__ = ["by_floors", "engagement"]
