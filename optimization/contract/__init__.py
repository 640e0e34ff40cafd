"""What goes in and what comes out: the planning instance, the plan, and figures in words."""

__all__ = ["edge", "edits", "groups", "instances", "keys", "plan", "staging", "terms", "tolerances", "wording"]
