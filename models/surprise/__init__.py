"""Demand that nobody saw coming: spikes of incoming orders, found within the hour, forecast by their own shape."""

__all__ = ["detector", "mode", "spike_shape"]
