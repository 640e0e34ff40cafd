"""The joint-factory plan stated: reduced, as arrays, as a program, and handed to HiGHS."""

__all__ = [
    "dense",
    "draft",
    "fixed",
    "frozen_causes",
    "highs",
    "linear",
    "mip",
    "part",
    "reduction",
    "schedule",
    "solution",
    "solver",
]
