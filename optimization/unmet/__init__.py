"""Why pieces stay unmet: causes by lifting one rule at a time."""

__all__ = ["causes", "counterfactual", "in_stages", "reasons", "rest"]
