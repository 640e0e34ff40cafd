"""How good forecasts are: rivals, rolling-origin backtest, segments, and what wrong quantities cost."""

__all__ = ["backtest", "baselines", "cost", "plots", "segments"]
