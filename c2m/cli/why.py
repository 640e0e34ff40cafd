"""Why this many, why there."""

import json
from typing import Annotated, Any

import typer

from c2m.cli.root import Json, command


@command()
def why(
    name: Annotated[str, typer.Argument(metavar="ID", help="An order, a lot or a job order.")],
    as_json: Json = False,
) -> None:
    """The chain from a job order to the rows of the feed files, every link checked; exit code 2 names broken ones."""
    from c2m.errors import InputError
    from c2m.ledger.store import reading
    from c2m.why import chain

    with reading() as transaction:
        found = chain.why(transaction, name)
    if as_json:
        print(json.dumps(found.as_dict(), default=str))
    else:
        _print(found)
    if found.broken:
        raise InputError("broken-links", found.broken)


def _print(chain: Any) -> None:
    from rich.console import Console

    from c2m.terminal import harmless

    page = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
    page.print(f"Why {chain.kind} {harmless(chain.of)}", style="bold")
    for link in chain.links:
        mark, style = (
            ("holds", "green") if link.holds else ("BROKEN", "red") if link.broken else ("unchecked", "yellow")
        )
        page.print(f"\n{link.name} {harmless(link.of)}  [{mark}]", style=style)
        for line in (*link.words, *link.broken, *link.unchecked):
            page.print(f"  {harmless(line)}")
