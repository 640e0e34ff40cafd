"""The merchant API for the systems of a merchant.

`site.create` makes it; `calls.Bell` tells their addresses; `problems` is how it says that something is wrong;
`caller` is who asks, for other addresses of machines too.
"""

__all__ = ["caller", "calls", "problems", "site"]
