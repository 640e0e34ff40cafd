"""The joint-factory plan stated: reduced, as arrays, as a program, and handed to HiGHS."""

__all__ = [
    "arrays",
    "draft",
    "fixed",
    "frozen_causes",
    "highs",
    "linear",
    "mip",
    "outcome",
    "part",
    "reduction",
    "schedule",
    "solver",
]
