"""Lots made in stages and lots that share a setup: reduced, stated as a program by days, read back as a plan."""

__all__ = ["flat", "plan_tables", "program"]
