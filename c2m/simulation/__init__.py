"""Worlds and factories that are made up: the demo worlds, and simulated factories that speak the real messages."""

__all__ = ["factories", "world"]
