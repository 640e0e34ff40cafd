"""Wiring of the business day: each flow reads, calls one plain function per step, writes, publishes artifacts."""
