"""The forecast of demand: features, training rows, trees, sales response, and the forecast that they make.

Offered: the modules of `__all__`; the others are their inside.
"""

__all__ = ["boosting", "drift", "features", "forecast", "hierarchy", "response", "sample", "scorer", "train"]
