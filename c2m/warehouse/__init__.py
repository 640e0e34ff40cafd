"""What the warehouse publishes, and what forecasts were made from."""

__all__ = ["arrivals", "origins", "published", "quick"]
