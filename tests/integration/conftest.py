"""Fixtures of the integration tests: an empty ledger, on SQLite or on both databases."""

from day_kit import prefect_url, shared, undisturbed, world  # noqa: F401
from ledger_kit import ledger, postgresql_tools, sqlite_ledger  # noqa: F401
from rooms_kit import browser, site  # noqa: F401
