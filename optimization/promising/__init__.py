"""Capable to promise: quotes for new orders against the released plan.

`room.ready` keeps it ready, by what is `known`; `quotes.quote` asks it.
"""

__all__ = ["known", "quotes", "room"]
