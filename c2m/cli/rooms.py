"""The order room: the site, and the links by which people sign in."""

from typing import Annotated

import typer

from c2m.cli import show
from c2m.cli.root import Actor, Json, app, command, plainly, warn_of_unknown

rooms = typer.Typer(
    invoke_without_command=True, help="The order room: a web site for operations, merchants, factories."
)
app.add_typer(rooms, name="rooms")


@rooms.callback()
@plainly
def served(context: typer.Context) -> None:
    """The order room: a web site for operations, merchants and factories. Without a command: serves it."""
    if context.invoked_subcommand is not None:
        return
    from c2m.rooms.links import site
    from c2m.settings import settings
    from flows.pages import serve

    print(f"the order room is at {site()}; c2m rooms link makes a link to it. Ctrl-C ends it.")
    serve("flows.pages:rooms", settings().rooms_port)


@command("link", rooms)
def link(
    role: Annotated[str, typer.Option(help="operator, planner, data, auditor, merchant or factory.")],
    tenant: Annotated[str, typer.Option(help="Whose rows it shows: merchant_id or factory_id.")] = "",
    person: Annotated[str, typer.Option(help="Whom it is for; stands beside what they decide.")] = "",
    days: Annotated[float, typer.Option(min=0.01, max=366, help="Until it expires.")] = 7,
    actor: Actor = "operator",
) -> None:
    """Make a link that signs a person in; it is shown this once. Whoever has it sees what the role sees."""
    from c2m.rooms import links

    token, grant = links.give(role, tenant, person or tenant or role, days, actor)  # type: ignore[arg-type]
    if tenant:
        warn_of_unknown(role, tenant)
    print(links.address(token))
    print(
        f"link {grant.link_id}, until {grant.expires_at:%Y-%m-%d %H:%M} UTC; c2m rooms revoke {grant.link_id} ends it"
    )


@command("links", rooms)
def links(as_json: Json = False) -> None:
    """The links that were made, the newest first."""
    import pandas as pd

    from c2m.ledger.rooms import links
    from c2m.ledger.store import session

    with session() as s:
        found = links.all_of(s)
    if not as_json:
        for name in ("made_at", "expires_at", "used_at", "revoked_at"):
            found[name] = pd.to_datetime(found[name], utc=True).dt.strftime("%Y-%m-%d %H:%M UTC")
    show.rows("Links to the order room", found.astype(str).replace({"None": "", "NaT": "", "nan": ""}), as_json)


@command("revoke", rooms)
def revoke(link_ids: Annotated[list[str], typer.Argument(help="As `c2m rooms links` shows them.")]) -> None:
    """End links, and the sessions that they began, at once."""
    from datetime import UTC, datetime

    from c2m.ledger.rooms import links
    from c2m.ledger.store import session

    with session() as s:
        links.revoke(s, link_ids, datetime.now(UTC))
    print(f"revoked: {', '.join(link_ids)}")
