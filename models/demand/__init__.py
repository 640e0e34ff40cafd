"""The forecast of demand: panel, features, training rows, trees, sales response, and the forecast that they make.

Offered: the modules of `__all__`; the others are their inside.
"""

__all__ = ["boosting", "drift", "features", "forecast", "hierarchy", "panel", "response", "sample", "scorer", "train"]
