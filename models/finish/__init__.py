"""When job orders will be finished, out of what lies before each line, and what to do about those that will be late."""

__all__ = ["calendar", "floor", "outlook", "prediction", "remedy"]
