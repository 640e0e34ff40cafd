"""The kernel of the C2M platform: settings, clock, feeds, ledger and factory floor. It imports none of its siblings."""
