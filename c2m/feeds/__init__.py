"""Feed files on their way in: contracts, mappings, rules, the landing zone, the quarantine."""

__all__ = [
    "compact",
    "contracts",
    "forms",
    "ingest",
    "landing",
    "mapping",
    "outcomes",
    "propose",
    "quarantine",
    "records",
    "rules",
    "shape",
    "split",
    "world",
]
