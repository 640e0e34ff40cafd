"""Feed files, and the rows of them that were not accepted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from c2m.cli import show
from c2m.cli.root import Json, WorldFolder, command, refuse_without_effect
from c2m.errors import InputError


@command()
def ingest(
    world: WorldFolder = None,
    readmit: Annotated[Path | None, typer.Option(help="Corrected rows of a quarantine export to take back.")] = None,
    as_json: Json = False,
) -> None:
    """Take feed files in: land what is good, quarantine what is not, once."""
    from c2m.feeds import ingest
    from c2m.feeds.world import World
    from c2m.settings import settings

    if readmit:
        refuse_without_effect(
            {"--world": world}, "without --readmit: corrected rows belong to the files they came from"
        )
    outcomes = ingest.readmit(readmit) if readmit else ingest.ingest(World.load(world or settings().world_folder))
    counts = ["rows_in", "accepted", "quarantined", "left_out", "duplicates"]
    shown = ["feed", "file", *counts, "status", "problems", "notes"]
    show.rows("What came in", outcomes if as_json else outcomes[shown], as_json)
    if len(rejected := outcomes[outcomes["status"] == "rejected"]):
        faults = [
            f"{row['file']}: no row accepted: {row['problems'] or 'see c2m quarantine ' + row['feed']}"
            for row in rejected.to_dict("records")
        ]
        raise InputError("file-rejected", faults)


@command()
def compact(as_json: Json = False) -> None:
    """Merge the small files of scans of past days into few large ones; safe at any time, even if it is interrupted."""
    from dataclasses import asdict

    from c2m.feeds import compact

    made = [asdict(one) for one in compact.compact()]
    print(json.dumps(made, default=str)) if as_json else show.table("Compacted files of scans", made)


@command()
def quarantine(
    feed: Annotated[str | None, typer.Argument(help="Feed whose quarantined rows are meant; else all.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the feed's rows here; correct them, then `c2m ingest --readmit` the file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count quarantined rows by the rule that they broke, or export those of a feed for correction."""
    from c2m.feeds.quarantine import counted, export_quarantine

    if out is None:
        show.rows("In quarantine", counted(feed), as_json)
    elif feed is None:
        raise InputError("feed-missing", ["--out writes the rows of one feed: name it"])
    else:
        rows = export_quarantine(feed, out)
        print(f"{rows} rows in {out}; correct them, then: c2m ingest --readmit {out}")


@command("map")
def map_file(
    file: Annotated[Path, typer.Argument(help="An export that no mapping reads yet.")],
    feed: Annotated[str, typer.Option(help="Feed that it is for, such as sales_lines.")],
    out: Annotated[Path | None, typer.Option(help="Write the mapping here.")] = None,
    as_json: Json = False,
) -> None:
    """Propose a mapping for an unknown export: how sure each column is, and ten rows as they would come in."""
    from c2m.feeds.propose import propose
    from c2m.files import write_atomically

    found = propose(file, feed)
    if out:
        write_atomically(out, found.text.encode())
    shown = ("column", "sure", "why", "doubt", "expression")
    guesses = [{name: getattr(guess, name) for name in shown} for guess in found.guesses]
    if as_json:
        rows = json.loads(found.rows.to_json(orient="records", date_format="iso"))
        said = {"mapping": found.text, "guesses": guesses, "rows": rows, **found.counts, "broken": found.broken}
        print(json.dumps(said, default=str))
        return
    print(found.text)
    show.table("How sure", guesses)
    show.rows("Ten rows as they would come in", found.rows, False)
    show.figures("Of the whole file", {**found.counts, **{f"broken: {k}": v for k, v in found.broken.items()}}, False)
