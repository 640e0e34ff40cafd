"""Why this plan: answers in plain words with figures."""

__all__ = ["answer", "pools", "stages"]
