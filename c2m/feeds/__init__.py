"""Feed files on their way in: contracts, mappings, rules, the landing zone, the quarantine."""

__all__ = [
    "compact",
    "contracts",
    "file_outcomes",
    "forms",
    "ingest",
    "landing",
    "mapping",
    "propose",
    "quarantine",
    "records",
    "rules",
    "shape",
    "split",
    "world",
]
