"""The command line. Every command imports only what it uses, so that `c2m --help` answers at once."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from c2m.errors import C2MError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Consumer to manufacturer: feeds, forecast, joint-factory plan, job orders, factory floor.",
)

audits = typer.Typer(no_args_is_help=True, help="Who sent what when, between platform and factories.")
app.add_typer(audits, name="audit")

factories = typer.Typer(no_args_is_help=True, help="Credentials of factories, for MQTT and HTTP.")
app.add_typer(factories, name="factory")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs to read.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Business date.")]
World = Annotated[Path | None, typer.Option(help="Folder of feed files, or of a world.yaml that names mappings.")]


def command(name: str | None = None, group: typer.Typer = app) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command whose `C2MError` becomes a list of faults on standard error and an exit code."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except C2MError as error:
                print(f"error: {error.reason}", *(f"  * {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
                raise typer.Exit(error.exit_code) from None

        group.command(name)(run)
        return function

    return register


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    """Rows as a table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from c2m.markdown import cell

    table = Table(title=title, title_justify="left")
    for column in rows[0] if rows else []:
        numeric = isinstance(rows[0][column], int | float)
        table.add_column(str(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{v:,.3f}" if isinstance(v, float) else cell(v) for v in row.values()))
    Console().print(table)


def _print(title: str, rows: "pd.DataFrame", as_json: bool) -> None:
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    if as_json:
        print(json.dumps(records, default=str))
    else:
        _table(title, records)


def _print_one(title: str, figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures, default=str))
    else:
        _table(title, [{"figure": name, "value": value} for name, value in figures.items()])


def _print_status(as_json: bool) -> None:
    from c2m.overview import overview

    seen = overview()
    if as_json:
        print(json.dumps(seen, default=str))
        return
    _table(f"Rows up to {seen['business_date']}", [{"feed": feed, **rows} for feed, rows in seen["rows"].items()])
    for name in ("orders", "job_orders", "plan", "forecast"):
        _print_one(name.replace("_", " ").capitalize(), seen[name], as_json=False)


def _print_where_to_look() -> None:
    from c2m.settings import settings

    home = settings().home
    print("Where to look:")
    print("  make up                              Prefect (steps, reports), MLflow (models), Data Docs, dbt docs")
    print(f"  {home}/runs/<date>/round-<n>/plan    the plan: allocation, schedule, report")
    print(f"  {home}/published/current.json        the marts, as Parquet")
    print(f"  {home}/quarantine                    rows that were not accepted; c2m quarantine FEED --out FILE")
    print("  c2m status                           all this again")


def _date(day: datetime | None) -> date | None:
    return day.date() if day else None


@command()
def run(
    world: World = None,
    date: Day = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="Business days, one after the other.")] = 1,
    to_the_end: Annotated[
        bool, typer.Option(help="Then let the factories work until every job order has ended.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Business days in time-lapse: real broker, relay and collector, simulated factories. Default: a demo world."""
    from flows import timelapse

    timelapse.run(world or timelapse.demo_world(), _date(date), days, to_the_end)
    _print_status(as_json)
    if not as_json:
        _print_where_to_look()


@command()
def up(
    simulate: Annotated[bool, typer.Option(help="Simulated factories on the floor.")] = True,
) -> None:
    """Prefect, MLflow, documents, broker, relay, collector, factories in the foreground; Ctrl-C stops everything."""
    from flows.up import up as start

    start(simulate)


@command()
def ingest(
    world: World = None,
    readmit: Annotated[Path | None, typer.Option(help="Corrected rows of a quarantine export to take back.")] = None,
    as_json: Json = False,
) -> None:
    """Take feed files in: land what is good, quarantine what is not, once."""
    from c2m.feeds import ingest as feeds
    from c2m.feeds.world import World as Feeds
    from c2m.settings import settings

    outcomes = feeds.readmit(readmit) if readmit else feeds.ingest(Feeds.load(world or settings().world_folder))
    shown = ["feed", "file", "rows_in", "accepted", "quarantined", "status", "problems"]
    _print("What came in", outcomes if as_json else outcomes[shown], as_json)


@command()
def quarantine(
    feed: Annotated[str, typer.Argument(help="Feed whose quarantined rows to export.")],
    out: Annotated[Path, typer.Option(help="File to write; correct it, then `c2m ingest --readmit` it.")],
) -> None:
    """Export quarantined rows, with the rule that each broke, for correction."""
    from c2m.feeds.quarantine import export_quarantine

    rows = export_quarantine(feed, out)
    print(f"{rows} rows in {out}; correct them, then: c2m ingest --readmit {out}")


@command()
def forecast(
    panel: Annotated[Path, typer.Argument(help="CSV or Parquet: series_id, ds, y, covariates known ahead.")],
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    metric: Annotated[Literal["wape", "mape", "rmse"], typer.Option(help="What `point` is best for.")] = "wape",
    absent: Annotated[Literal["missing", "zero"], typer.Option(help="What an absent row means.")] = "missing",
) -> None:
    """Forecast the rows of a panel that have no y after their series' last observation."""
    from models.forecast import forecast_file

    forecast_file(panel, out, metric, absent)


@command()
def tune(
    minutes: Annotated[float, typer.Option(min=0.1, help="When to start no further trial.")] = 10,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials at most.")] = None,
    date: Day = None,
    as_json: Json = False,
) -> None:
    """Search for better trees on published demand; trials are kept in MLflow below one run."""
    from c2m import clock
    from c2m.settings import settings
    from models.panel import published_panel
    from models.tuning import tune as search

    day = _date(date) or clock.business_date(clock.now())
    found = search(published_panel(day), settings().forecast, day, minutes * 60, trials)
    _print(f"Pinball after {found.trials} trials", found.pinball.rename_axis("settings").reset_index(), as_json)
    if not as_json:
        print(f"To train with the best (then the gate judges it), set:\n{found.environment}", end="")


@command()
def promote(
    challenger: Annotated[str | None, typer.Option(help="Version to judge; default: the one with the alias.")] = None,
    date: Day = None,
    again: Annotated[bool, typer.Option("--again", help="Judge although it was judged beside this champion.")] = False,
    as_json: Json = False,
) -> None:
    """Judge the challenger by what wrong quantities cost; where it saves money, it becomes champion."""
    from c2m import clock
    from models import promotion

    verdict = promotion.decide(_date(date) or clock.business_date(clock.now()), again, challenger)
    if verdict is None:
        print("nothing to judge: no challenger, or it was judged beside this champion (--again judges anew)")
        return
    if not as_json:
        _print("Cost of wrong quantities", verdict.segments, as_json)
    _print_one("Promotion", promotion.figures(verdict), as_json)


@command()
def allocate(
    instance: Annotated[Path, typer.Argument(help="Folder with orders, arcs, capacity, ...")],
    out: Annotated[Path, typer.Option(help="Folder for the plan.")],
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds.")] = 300,
    gap: Annotated[float, typer.Option(min=0, help="Relative gap at which to stop.")] = 1e-6,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    as_json: Json = False,
) -> None:
    """Split orders over factories: the joint-factory plan with its proven bound; Ctrl-C ends with the best so far."""
    from c2m.terminal import progress_line, until_interrupted
    from optimization.solve import allocate as plan

    with progress_line() as show:
        report = until_interrupted(
            lambda stop: plan(instance, out, time_limit, gap, threads, progress=partial(show, "plan"), stop=stop)
        )
    _print_one("Plan", report, as_json)


@command("what-if")
def what_if(
    instance: Annotated[Path, typer.Argument(help="Folder with orders, arcs, capacity, ...")],
    scenarios: Annotated[list[Path], typer.Argument(help="YAML files, a scenario each: see docs/operations.md.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the instances, plans and comparison.json.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Running plan: moving its pieces has a price.")] = None,
    change_cost: Annotated[
        float | None, typer.Option(min=0, help="With --plan: price per piece moved; default: the instance's.")
    ] = None,
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds for each plan.")] = 60,
    gap: Annotated[float, typer.Option(min=0, help="Relative gap at which to stop.")] = 1e-4,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    as_json: Json = False,
) -> None:
    """What a scenario costs: factory down, more capacity, more demand, a rush order, other minimum lots, no splits."""
    from c2m.terminal import progress_line
    from optimization import scenario_runs as runs

    with progress_line() as show:
        cases = runs.what_if(instance, scenarios, out, plan, change_cost, runs.Limits(time_limit, gap, threads, show))
    if as_json:
        print(json.dumps([asdict(case) for case in cases]))
        return
    _table("What if", runs.in_columns(cases))
    for case in cases[1:]:
        _table(case.headline, [asdict(delay) for delay in case.delayed[:20]])


@command()
def explain(
    instance: Annotated[Path, typer.Argument(help="Folder with orders, arcs, capacity, ...")],
    plan: Annotated[Path, typer.Argument(help="Folder with its plan.")],
    order: Annotated[str | None, typer.Option(help="Why this lot is made where it is.")] = None,
    factory: Annotated[
        str | None,
        typer.Option(help="What this factory's days are worth; with --order: why the lot is not made there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Why this plan: splits, prices of minutes and overtime, lots that are short or late with their cheapest fixes."""
    from optimization.explain import explain as answer

    found = answer(instance, plan, order, factory)
    if as_json:
        print(json.dumps({"title": found.title, **found.figures}, default=str))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(found.text))


@command()
def verify(instance: Path, plan: Path, as_json: Json = False) -> None:
    """Check a plan against every rule, independently of the solver; exit code 1 where one is broken."""
    from optimization.verify import verify as check

    report = check(instance, plan)
    _print_one("Verification", report.as_dict(), as_json)
    if not report.ok:
        raise typer.Exit(1)


@command()
def release(
    run: Annotated[str, typer.Argument(help="Plan to release, as `c2m status` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; kept with actor and time.")],
    without: Annotated[list[str] | None, typer.Option(help="Lot to hold back; may be given several times.")] = None,
    actor: Annotated[str, typer.Option(envvar="USER", help="Who decides.")] = "operator",
    reject: Annotated[bool, typer.Option("--reject", help="Reject the plan instead.")] = False,
) -> None:
    """Release a proposed plan to the factories, whole or without some lots, or reject it."""
    from c2m import clock
    from c2m.ledger import plans
    from c2m.ledger.store import session

    with session() as s:
        if reject:
            plans.reject(s, run, actor, reason, clock.now())
        else:
            plans.release(s, run, actor, reason, without or [], clock.now())
    print(f"{run}: {'rejected' if reject else 'released'} by {actor}")


@command()
def dispatch() -> None:
    """Wait until the relay service (`c2m up`, `c2m relay`) has sent the outbox and the factories have answered."""
    from flows.dispatch import await_answers

    waiting = await_answers(120)
    _print("Unanswered job orders", waiting, as_json=False)


@command()
def contract(
    document: Annotated[Literal["asyncapi", "openapi"], typer.Argument(help="For MQTT, or for HTTP.")],
) -> None:
    """Print the factory messages as a document for integrators (YAML)."""
    from c2m.floor import contract as documents

    print(documents.as_yaml(documents.asyncapi() if document == "asyncapi" else documents.openapi()), end="")


@command()
def conformance(
    url: Annotated[str, typer.Argument(help="mqtt://HOST:PORT of the broker, or the gateway's http(s) endpoint.")],
    factory: Annotated[str, typer.Option(help="Identifier under which the gateway speaks.")],
    category: Annotated[str, typer.Option(help="Of the job orders that the kit offers.")] = "shirt",
    patience: Annotated[float, typer.Option(help="Seconds that an answer may take.")] = 10,
    port: Annotated[int, typer.Option(help="Loopback port on which a gateway over HTTP answers.")] = 8470,
    as_json: Json = False,
) -> None:
    """Judge a factory's gateway by every rule of the conversation; exit code 2 names the rules that it breaks."""
    import os
    from urllib.parse import urlsplit

    from c2m.errors import InputError
    from c2m.settings import settings

    if urlsplit(url).scheme == "mqtt":
        os.environ |= {"C2M_MQTT_HOST": urlsplit(url).hostname or "", "C2M_MQTT_PORT": str(urlsplit(url).port or 1883)}
        settings.cache_clear()
    from c2m.floor.conformance import judge

    found = [asdict(finding) for finding in judge(url, factory, category, patience, port)]
    words = {True: "kept", False: "BROKEN", None: "not judged"}
    rows = [{**row, "kept": words[row["kept"]]} for row in found]
    print(json.dumps(found)) if as_json else _table(f"Gateway of {factory}", rows)
    if broken := [f"{row['rule']}: {row['seen']}" for row in found if row["kept"] is False]:
        raise InputError("not-conformant", broken)


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
    _print_one("Audit: whole", {"entries": found.entries, "factories": len(found.ends)}, as_json)


@command("show", audits)
def audit_show(job_order: Annotated[str, typer.Argument(help="Its identifier.")], as_json: Json = False) -> None:
    """All that was written, sent and received about a job order."""
    from c2m.ledger import audit
    from c2m.ledger.store import session

    with session() as transaction:
        _print(f"Job order {job_order}", audit.history(transaction, job_order), as_json)


@command("add", factories)
def factory_add(factory_id: str) -> None:
    """Issue a credential, or a new one in place of the old; the key is printed this once."""
    from c2m.floor import broker, credentials

    first = not credentials.required()
    print(credentials.issue(factory_id))
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


@command()
def relay() -> None:
    """The service that sends job orders from the outbox to the factories."""
    from c2m.floor.relay import run as serve

    serve()


@command()
def collect() -> None:
    """The service that takes in answers and scans of the factories, by MQTT and HTTP."""
    from c2m.floor.collect import run as serve

    serve()


@command()
def simulate(days: Annotated[int, typer.Option(min=1, max=400)] = 1) -> None:
    """Let days pass on the virtual clock of a running `c2m up`; returns once the simulated factories have caught up."""
    from flows.timelapse import pass_days

    pass_days(days)


@command()
def status(as_json: Json = False) -> None:
    """Where the platform stands: rows, orders, job orders, plan, forecast."""
    _print_status(as_json)


@command("demo-world")
def demo_world(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    seed: Annotated[int, typer.Option(min=0)] = 1,
    size: Annotated[Literal["small", "city", "nation"], typer.Option()] = "small",
    over: Annotated[
        Path | None, typer.Option(help="World with a mapped catalogue: write only the supply side for it.")
    ] = None,
    opening_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --over: date of the stock.")
    ] = None,
    cover_days: Annotated[float, typer.Option(min=0, help="With --over: opening stock, days of average demand.")] = 10,
) -> None:
    """Write a believable world as feed files."""
    from c2m.feeds import demo

    if over:
        demo.write_supply(folder, seed, size, over, _date(opening_on), cover_days)
    else:
        demo.write_world(folder, seed, size)
    print(f"{folder}: run it with  c2m run --world {folder}")


@command("alerts")
def open_alerts(as_json: Json = False) -> None:
    """Alerts of the order robot that stand, the gravest first."""
    from c2m.alerts import SEVERITY
    from c2m.ledger import alerts
    from c2m.ledger.store import session

    with session() as transaction:
        standing = alerts.standing(transaction)
    standing["severity"] = standing["severity"].map(SEVERITY)
    shown = ["severity", "kind", "subject", "cause", "move", "opened_at"]
    _print("Open alerts", standing if as_json else standing[shown], as_json)


if __name__ == "__main__":
    app()
