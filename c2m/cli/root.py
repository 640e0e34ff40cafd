"""The root of the command line, how a command is registered, and the options that several share."""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from c2m.errors import C2MError, InputError, in_words
from c2m.home import keep_private

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Consumer to manufacturer: feeds, forecast, joint-factory plan, job orders, factory floor.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs to read.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Business date.")]
Actor = Annotated[str, typer.Option(envvar="USER", help="Who decides.")]
WorldFolder = Annotated[Path | None, typer.Option(help="Folder of feed files, or of a world.yaml that names mappings.")]


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"c2m {version('c2m')}")
        raise typer.Exit


@app.callback(help=app.info.help)
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
    ] = False,
) -> None:
    keep_private()
    # Processes that we start import nothing from the folder in which a person stands: in `worlds`, the folder `socks`
    # was taken for the library of that name.
    os.environ.setdefault("PYTHONSAFEPATH", "1")


def plainly(function: Callable[..., None]) -> Callable[..., None]:
    """The function, whose faults become a list on standard error and an exit code: `C2MError`, full disks, ..."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            told = error if isinstance(error, C2MError) else in_words(error)
            if told is None:
                raise
            from c2m.terminal import harmless

            faults = (f"  * {harmless(fault)}" for fault in told.faults)
            print(f"error: {told.reason}", *faults, sep="\n", file=sys.stderr)
            raise typer.Exit(told.exit_code) from None

    return run


def command(name: str | None = None, group: typer.Typer = app) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command that tells its faults plainly."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        group.command(name)(plainly(function))
        return function

    return register


def refuse_without_effect(given: Mapping[str, object], needed: str) -> None:
    """Refuses options that were given (are not None) but would change nothing.

    given: value by option; needed: what would have to be otherwise, in words.
    """
    if idle := [option for option, value in given.items() if value is not None]:
        raise InputError("option-without-effect", [f"{option} has an effect only {needed}" for option in idle])


def warn_of_unknown(kind: str, name: str) -> None:
    """Says on standard error that no row of a feed names this merchant or factory: it may come yet, or be a slip."""
    from c2m.feeds.landing import ensure_landing, read_landed

    ensure_landing()
    feed = {"merchant": "catalogue", "factory": "factories"}[kind]
    if read_landed(feed, **{f"{kind}_id": name}).empty:
        print(f"warning: no {kind} {name} in the feed {feed} so far; is it written as there?", file=sys.stderr)


def date_of(day: datetime | None) -> date | None:
    """The date that an option gave."""
    return day.date() if day else None
