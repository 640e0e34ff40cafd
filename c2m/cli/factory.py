"""Credentials of factories."""

import sys
from typing import Annotated

import typer

from c2m.cli.root import app, command, warn_of_unknown

Named = Annotated[str, typer.Argument(help="Its identifier in the feed factories.")]

factories = typer.Typer(no_args_is_help=True, help="Credentials of factories, for MQTT and HTTP.")
app.add_typer(factories, name="factory")


@command("add", factories)
def factory_add(
    factory_id: Named,
    version: Annotated[int | None, typer.Option(min=1, help="Of the messages that it understands: over HTTP.")] = None,
) -> None:
    """Issue a credential, or a new one in place of the old; the key is printed this once."""
    from c2m import clock
    from c2m.floor import broker, credentials
    from c2m.ledger import status, store

    print(credentials.issue(factory_id))
    warn_of_unknown("factory", factory_id)
    if version:
        store.migrate()
        with store.session() as session:
            status.register(session, factory_id, version, clock.now())
    print("in force now" if broker.reload() else "in force when the floor starts next", file=sys.stderr)


@command("rotate", factories)
def factory_rotate(
    factory_id: Named,
    overlap_days: Annotated[float, typer.Option(min=0, help="Days for which the old keys stay valid.")] = 14,
) -> None:
    """Issue the next key while the old one stays valid; prints the user at the broker and the key, this once."""
    from c2m.floor import broker, credentials

    user, key = credentials.rotate(factory_id, overlap_days)
    print(f"{user} {key}")
    print("in force now" if broker.reload() else "in force when the floor starts next", file=sys.stderr)


@command("revoke", factories)
def factory_revoke(factory_id: Named) -> None:
    """Revoke all keys of a factory."""
    from c2m.floor import broker, credentials

    credentials.revoke(factory_id)
    print("in force now" if broker.reload() else "in force when the floor starts next", file=sys.stderr)


@command("list", factories)
def factory_list() -> None:
    """Who has a credential, and until when. A factory whose key is followed by the next one has several."""
    from c2m.floor import credentials

    for user, hashes in credentials.known().items():
        end = credentials.expires(hashes)
        print(user, f"until {end:%Y-%m-%d %H:%M} UTC" if end else "does not expire")
