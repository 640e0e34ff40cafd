"""What happened and why: the chain behind an order, and the audit of messages."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from c2m.cli import show
from c2m.cli.root import Json, app, command

audits = typer.Typer(no_args_is_help=True, help="Who sent what when, between platform and factories.")
app.add_typer(audits, name="audit")


@command()
def why(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="An order, also by its merchant's number; a lot; a job order.")
    ],
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


@command("verify", audits)
def audit_verify(
    against: Annotated[Path | None, typer.Option(help="What an earlier verification kept.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Where to keep the ends of the chains.")] = None,
    as_json: Json = False,
) -> None:
    """Prove that no entry was changed, left out or cut off; exit code 2 names those that were."""
    from c2m.errors import InputError
    from c2m.files import write_atomically
    from c2m.ledger import audit
    from c2m.ledger.store import session

    with session() as transaction:
        found = audit.verify(transaction, audit.kept(against) if against else None)
    if found.faults:
        raise InputError("audit-broken", found.faults[:20])
    if keep:
        write_atomically(keep, json.dumps(found.ends).encode())
    figures = {"entries": found.entries, "factories": len(found.ends), "archives_away": len(found.away)}
    show.figures("Audit: whole", figures, as_json)


@command("show", audits)
def audit_show(job_order: Annotated[str, typer.Argument(help="Its identifier.")], as_json: Json = False) -> None:
    """All that was written, sent and received about a job order."""
    from c2m.ledger import audit
    from c2m.ledger.store import session

    with session() as transaction:
        show.rows(f"Job order {job_order}", audit.history(transaction, job_order), as_json)
