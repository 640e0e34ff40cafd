"""Credentials of factories."""

import sys
from typing import Annotated

import typer

from c2m.cli.root import app, command

factories = typer.Typer(no_args_is_help=True, help="Credentials of factories, for MQTT and HTTP.")
app.add_typer(factories, name="factory")


@command("add", factories)
def factory_add(
    factory_id: str,
    version: Annotated[int | None, typer.Option(min=1, help="Of the messages that it understands: over HTTP.")] = None,
) -> None:
    """Issue a credential, or a new one in place of the old; the key is printed this once."""
    from c2m import clock
    from c2m.floor import broker, credentials
    from c2m.ledger import status, store

    first = not credentials.required()
    print(credentials.issue(factory_id))
    if version:
        store.migrate()
        with store.session() as session:
            status.register(session, factory_id, version, clock.now())
    taken_up = broker.reload() and not first
    print("in force now" if taken_up else "in force when the floor starts next", file=sys.stderr)


@command("revoke", factories)
def factory_revoke(factory_id: str) -> None:
    """Take a factory's credential back."""
    from c2m.floor import broker, credentials

    credentials.revoke(factory_id)
    print("in force now" if broker.reload() else "in force when the floor starts next", file=sys.stderr)


@command("list", factories)
def factory_list() -> None:
    """Who has a credential."""
    from c2m.floor import credentials

    print(*(name for name in credentials.known() if name != credentials.PLATFORM), sep="\n")
