"""Telemetry of sites that speak Sparkplug B: their counters of pieces become scans, their births and deaths a status.

payload.py reads the wire, session.py follows an edge node from birth to death, tally.py turns counters into scans,
mapping.py says what is what, adapter.py runs it.
"""

__all__ = ["adapter"]
