"""Where the platform stands."""

from c2m.cli import show
from c2m.cli.root import Json, command


@command()
def status(as_json: Json = False) -> None:
    """Where the platform stands: rows, orders, job orders, plan, forecast."""
    show.status(as_json)
