"""An instance to a plan, and the plans of a business day."""

__all__ = ["choose", "daybook", "solve"]
