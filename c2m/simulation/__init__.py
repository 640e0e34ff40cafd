"""Worlds and factories that are made up: the demo worlds, simulated factories that speak the real messages, and the
warehouses that their goods come to."""

__all__ = ["factories", "joint", "shelf", "warehouses", "world"]
