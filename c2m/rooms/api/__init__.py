"""The merchant API for the systems of a merchant.

`site.create` makes it; `calls.Bell` tells their addresses; `problems.of_http` is how it says that something is wrong.
"""

__all__ = ["calls", "problems", "site"]
