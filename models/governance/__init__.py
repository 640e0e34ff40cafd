"""Which model forecasts: MLflow's registry, the gate of promotion, tuning, the daily forecast by the champion."""

__all__ = ["daily", "markets", "promotion", "promotion_gate", "registry", "tuning", "voices"]
