"""Wiring of the business day: each flow reads, calls one plain function per step, writes, publishes artifacts."""

__all__ = [
    "designs",
    "dispatch",
    "pages",
    "plan_page",
    "prove",
    "replay",
    "services",
    "timelapse",
    "up",
    "waiting_runs",
]
