"""The forecast of any regular panel: members (exponential smoothing, Theta, trees ...), and their blend by backtest.

Offered: the modules of `__all__`; the others are their inside.
"""

__all__ = ["auto", "blend", "contest", "folds", "forecaster", "members", "panel_forecast", "sums"]
