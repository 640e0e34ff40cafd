"""Capable to promise: quotes for new orders against the released plan.

`free_capacity.ready` keeps it ready, by what is `known`; `quotes.quote` asks it.
"""

__all__ = ["free_capacity", "known", "quotes"]
