"""Why a job order is as it is, link by link back to the rows of the feed files."""

__all__ = ["chain", "page"]
