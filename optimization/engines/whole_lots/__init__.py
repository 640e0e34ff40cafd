"""Instances whose lots go whole to one factory each."""

__all__ = ["assignment", "dive_and_branch", "knapsacks"]
