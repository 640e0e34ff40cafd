"""Dead letters."""

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2m.cli import show
from c2m.cli.root import Actor, Json, app, command

if TYPE_CHECKING:
    from c2m.ledger.conversation.letters import LetterFilter

dead_letters = typer.Typer(
    no_args_is_help=True, help="Messages that could not be processed: look at them, take them back."
)
app.add_typer(dead_letters, name="letters")

Factory = Annotated[str | None, typer.Option(help="Only of this factory, as the topic names it.")]
Reason = Annotated[str | None, typer.Option(help="Only where the reason has these words.")]
Older = Annotated[float | None, typer.Option(min=0, help="Only those that came at least so many hours ago.")]
Newer = Annotated[float | None, typer.Option(min=0, help="Only those that came at most so many hours ago.")]


def _wanted(
    factory: str | None, reason: str | None, older: float | None, newer: float | None, readmitted: bool = False
) -> "LetterFilter":
    from c2m import clock
    from c2m.ledger.conversation.letters import LetterFilter

    until, since = (None if hours is None else clock.now() - timedelta(hours=hours) for hours in (older, newer))
    return LetterFilter(factory, reason, until, since, readmitted)


@command("list", dead_letters)
def letters_list(
    factory: Factory = None,
    reason: Reason = None,
    older_than_hours: Older = None,
    newer_than_hours: Newer = None,
    readmitted: Annotated[bool, typer.Option("--all", help="Also those that were readmitted.")] = False,
    most: Annotated[int, typer.Option(min=1, help="How many to show, the newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """Dead letters, newest first: factory, reason, age, and what became of those that were readmitted."""
    from c2m import clock
    from c2m.ledger.conversation import letters
    from c2m.ledger.store import session

    wanted = _wanted(factory, reason, older_than_hours, newer_than_hours, readmitted)
    with session() as transaction:
        found, count = letters.found(transaction, wanted, most), letters.count(transaction, wanted)
    found.insert(1, "age_hours", [(clock.now() - at).total_seconds() / 3600 for at in found["at"]])
    columns = ["letter_id", "factory_id", "topic", "age_hours", "size_bytes", "reason", *(["result"] * readmitted)]
    show.rows(f"Dead letters: {count}", found if as_json else found[columns], as_json)
    if count > most:
        print(f"{count - most} more; --most {count} shows all", file=sys.stderr)


@command("show", dead_letters)
def letters_show(
    letter_id: Annotated[str, typer.Argument(help="As `c2m letters list` names it.")],
    out: Annotated[Path | None, typer.Option(help="File for the message as it came, to be corrected.")] = None,
    as_json: Json = False,
) -> None:
    """One dead letter: its reason, what was tried, and the message itself, laid out."""
    from c2m.files import write_atomically
    from c2m.ledger.conversation import letters
    from c2m.ledger.store import session
    from c2m.ledger.tables import DeadLetter

    with session() as transaction:
        letters.require(transaction, [letter_id])
        letter = transaction.get_one(DeadLetter, letter_id)
    if out:
        write_atomically(out, letter.payload.encode())
    facts: dict[str, Any] = {column.name: getattr(letter, column.name) for column in DeadLetter.__table__.columns}
    whole = letters.is_whole(letter)
    if as_json:
        print(json.dumps({**facts, "whole": whole}, default=str))
        return
    payload = facts.pop("payload")
    show.figures(f"Dead letter {letter_id}", facts, as_json)
    print(_laid_out(payload))
    if not whole:
        kept = len(payload.encode())
        print(f"kept in part or as text only: {kept} bytes of {letter.size_bytes} that came", file=sys.stderr)


def _laid_out(payload: str) -> str:
    from c2m.terminal import harmless

    with suppress(ValueError, RecursionError):
        payload = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    return harmless(payload)


@command("readmit", dead_letters)
def letters_readmit(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="Letters; or choose them by the options.")] = None,
    factory: Factory = None,
    reason: Reason = None,
    older_than_hours: Older = None,
    newer_than_hours: Newer = None,
    body: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with the corrected message, for one letter.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Topic on which it should have come.")] = None,
    actor: Actor = "operator",
    as_json: Json = False,
) -> None:
    """Take dead letters back after their cause was repaired, each once; exit code 2 names those refused again."""
    from c2m.errors import InputError
    from c2m.floor.readmit import CorrectedMessage, readmit
    from c2m.ledger.conversation import letters
    from c2m.ledger.store import session

    chosen = letter_ids or []
    by_options = (factory, reason, older_than_hours, newer_than_hours)
    if bool(chosen) == any(option is not None for option in by_options):
        raise InputError("which-letters", ["name letters, or choose by --factory, --reason, --...-hours; not both"])
    if not chosen:
        with session() as transaction:
            chosen = letters.letter_ids(transaction, _wanted(*by_options))
    outcomes = readmit(chosen, actor, CorrectedMessage(topic, body.read_bytes() if body else None))
    rows = [asdict(outcome) for outcome in outcomes]
    print(json.dumps(rows)) if as_json else show.table("Readmitted", rows)
    if refused := [f"{outcome.letter_id}: {outcome.result}" for outcome in outcomes if not outcome.taken]:
        raise InputError("refused-again", refused[:20])
