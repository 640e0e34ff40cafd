"""Great Expectations: suites for whole batches and for forecasts, the gate, its pages."""

__all__ = ["gate"]
