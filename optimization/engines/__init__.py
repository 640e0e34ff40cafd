"""Ways of searching for a plan, a folder each, and what they share."""

__all__ = ["bounds", "exact", "first", "large", "location", "staged", "whole_lots"]
