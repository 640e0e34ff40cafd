"""Styles with a routing of their own: their operations as lots carry them, and lots that are made in stages."""

__all__ = ["distances", "hand_overs", "pools", "stage_lots", "styles"]
