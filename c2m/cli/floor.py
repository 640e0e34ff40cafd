"""The factory floor: its services, its messages, gateways judged by them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from c2m.cli import show
from c2m.cli.root import Actor, Json, app, command, refuse_without_effect
from c2m.errors import InputError

scans = typer.Typer(no_args_is_help=True, help="Scans of the factories.")
app.add_typer(scans, name="scans")


@command()
def dispatch() -> None:
    """Wait until the relay service (`c2m up`, `c2m relay`) has sent the outbox and the factories have answered."""
    from flows.dispatch import await_answers

    waiting = await_answers(120)
    show.rows("Unanswered job orders", waiting, as_json=False)


@command()
def contract(
    document: Annotated[Literal["asyncapi", "openapi"], typer.Argument(help="For MQTT, or for HTTP.")],
) -> None:
    """Print the factory messages as a document for integrators (YAML)."""
    from c2m.wire import interfaces

    print(interfaces.as_yaml(interfaces.asyncapi() if document == "asyncapi" else interfaces.openapi()), end="")


@command()
def conformance(
    url: Annotated[str, typer.Argument(help="mqtt://HOST:PORT of the broker, or the gateway's http(s) endpoint.")],
    factory: Annotated[str, typer.Option(help="Identifier under which the gateway speaks.")],
    category: Annotated[str, typer.Option(help="Of the job orders that the kit offers.")] = "shirt",
    patience: Annotated[float, typer.Option(help="Seconds that an answer may take.")] = 10,
    port: Annotated[
        int | None, typer.Option(help="Loopback port on which a gateway over HTTP answers; default: 8470.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Of the messages; over MQTT its status says it.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a factory's gateway by every rule of the conversation; exit code 2 names the rules that it breaks."""
    import os
    from urllib.parse import urlsplit

    from c2m.errors import InputError
    from c2m.settings import settings

    if urlsplit(url).scheme == "mqtt":
        refuse_without_effect({"--port": port}, "with an http(s) address")
        os.environ |= {"C2M_MQTT_HOST": urlsplit(url).hostname or "", "C2M_MQTT_PORT": str(urlsplit(url).port or 1883)}
        settings.cache_clear()
    from c2m.floor.conformance import judge

    found = [asdict(finding) for finding in judge(url, factory, category, patience, port or 8470, version)]
    words = {True: "kept", False: "BROKEN", None: "not judged"}
    rows = [{**row, "kept": words[row["kept"]]} for row in found]
    print(json.dumps(found)) if as_json else show.table(f"Gateway of {factory}", rows)
    if broken := [f"{row['rule']}: {row['seen']}" for row in found if row["kept"] is False]:
        raise InputError("not-conformant", broken)


@command()
def relay() -> None:
    """The service that sends job orders from the outbox to the factories."""
    from c2m.floor import relay

    relay.run()


@command()
def collect() -> None:
    """The service that takes in answers and scans of the factories, by MQTT and HTTP."""
    from c2m.floor import collect

    collect.run()


@command()
def sparkplug(
    mapping: Annotated[Path, typer.Argument(help="YAML: which metrics mean what; see docs/factories.md.")],
) -> None:
    """The service that turns the counters of a site that speaks Sparkplug B into scans."""
    from c2m.floor.sparkplug import adapter

    adapter.run(mapping)


@command()
def video(
    job_order: Annotated[str, typer.Argument(help="Its identifier.")],
    bundle: Annotated[str | None, typer.Option(help="Only scans of this bundle.")] = None,
    line: Annotated[str | None, typer.Option(help="Only scans of this line.")] = None,
    as_json: Json = False,
) -> None:
    """Where the video of a job order's scans lies: a link per line, operation and time without a longer pause."""
    from c2m.people.video import windows

    show.rows(f"Video of {job_order}", windows(job_order, bundle, line), as_json)


@command()
def simulate(days: Annotated[int, typer.Option(min=1, max=400, help="Days that pass.")] = 1) -> None:
    """Let days pass on the virtual clock of a running `c2m up`; returns once the simulated factories have caught up."""
    from flows.timelapse import pass_days

    pass_days(days)


@command("set-aside", scans)
def set_aside(
    reason: Annotated[str, typer.Option(help="Why they are wrong.")],
    file: Annotated[str | None, typer.Option(help="Name of a file in landing/scans: all of it.")] = None,
    factory: Annotated[str | None, typer.Option(help="Factory that sent the scans.")] = None,
    scan: Annotated[list[str] | None, typer.Option(help="Scan by its scan_id; may be given several times.")] = None,
    actor: Actor = "operator",
) -> None:
    """Takes wrong scans out of the count, with a record of who and why; nothing is deleted. The next build follows."""
    from c2m import clock
    from c2m.floor import corrections

    if (file is None) == (not scan) or (factory is None) != (file is not None):
        raise InputError("what-to-set-aside", ["expected either --file, or --factory with one --scan or more"])
    if file is not None:
        print(f"set aside: {corrections.set_file_aside(file, reason, actor, clock.now())}")
    elif scan and factory:
        count = corrections.set_scans_aside(factory, scan, reason, actor, clock.now())
        print(f"set aside: {count} scans of {factory}, {len(set(scan)) - count} were so before")
