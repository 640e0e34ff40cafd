"""Instances too large for one program: prices of capacity, then parts planned anew in parallel."""

__all__ = ["in_parts"]
