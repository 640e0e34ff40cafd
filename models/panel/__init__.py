"""The forecast panel: read from a file or from the marts, checked, on a regular time axis."""

__all__ = ["daily", "history", "long", "matrices", "outliers"]
