"""The command line, a module per noun. Each command imports only what it uses, so that `c2m --help` answers at once."""

from importlib import import_module

from c2m.cli.root import app

__all__ = ["app"]

# Importing a module registers its commands; `c2m --help` lists them in this order.
_NOUNS = "day feeds models plans floor status places factory letters why rooms"
for noun in _NOUNS.split():
    import_module(f"c2m.cli.{noun}")
