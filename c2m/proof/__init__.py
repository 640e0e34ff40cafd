"""What this way of working is worth: policies to compare, outcomes of replays, intervals, claims, the page."""

__all__ = ["interval", "kept", "outcomes", "page", "policy", "report"]
