"""Plans: made, questioned, explained, checked, released; what is bought for them."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from c2m.cli import show
from c2m.cli.root import Actor, Day, Json, command, date_of, refuse_without_effect

InstanceFolder = Annotated[Path, typer.Argument(help="Folder with orders, arcs, capacity, ...")]
PlanFolder = Annotated[Path, typer.Argument(help="Folder with its plan.")]


@command()
def allocate(
    instance: InstanceFolder,
    out: Annotated[Path, typer.Option(help="Folder for the plan.")],
    time_limit: Annotated[float | None, typer.Option(min=0, help="Seconds.", show_default="300")] = None,
    gap: Annotated[float | None, typer.Option(min=0, help="Relative gap to stop at.", show_default="1e-06")] = None,
    threads: Annotated[int | None, typer.Option(min=1, show_default="2", help="Processor threads to use.")] = None,
    rule: Annotated[bool, typer.Option("--rule", help="The plan of the common rule, to compare with.")] = False,
    as_json: Json = False,
) -> None:
    """Split orders over factories: the joint-factory plan with its proven bound; Ctrl-C ends with the best so far."""
    from c2m.stopping import until_interrupted
    from c2m.terminal import progress_line
    from optimization.planning import solve

    limits = {"time_limit_s": time_limit, "gap": gap, "threads": threads}
    if rule:
        options = {"--time-limit": time_limit, "--gap": gap, "--threads": threads}
        refuse_without_effect(options, "without --rule")
    given: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    with progress_line() as progress:
        given |= {"progress": partial(progress, "plan"), "rule": rule}
        report = until_interrupted(lambda stop: solve.allocate(instance, out, **given, stop=stop))
    if as_json:
        print(json.dumps(report, default=str))
    else:
        _show_plan(report)


def _show_plan(report: dict[str, Any]) -> None:
    """What the plan costs and how good that is, its cost by part, and what it leaves unmade by reason."""
    from optimization.contract.wording import counted, money, percent

    ended = f", ended by {report['stopped_by']}" if "stopped_by" in report else ""
    words = {
        "status": report["status"] + ended,
        "cost": money(report["objective"]),
        "no plan costs less than": f"{money(report['bound'])}, {percent(report['gap'])} below",
        "seconds": f"{report['seconds']:,.1f}",
    }
    known = report["engine"].get("known", {})
    if "common rule" in known:
        words["the common rule's plan"] = money(known["common rule"])
    show.figures("Plan", words, as_json=False)
    show.table("Cost", [{"part": part, "money": money(amount)} for part, amount in report["cost"].items() if amount])
    lots, pieces = Counter[str](), Counter[str]()
    for row in report["unmet"]:
        lots[row["reason"]] += 1
        pieces[row["reason"]] += row["quantity"]
    unmade = [
        {"pieces": f"{count:,.0f}", "orders": f"{lots[reason]:,}", "reason": reason}
        for reason, count in pieces.most_common()
    ]
    show.first(
        counted(sum(pieces.values()), "piece is", "pieces are") + " not placed, by reason",
        unmade,
        "report.json of the plan",
    )


@command("what-if")
def what_if(
    instance: InstanceFolder,
    scenarios: Annotated[list[Path], typer.Argument(help="YAML files, a scenario each: see docs/operations.md.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the instances, plans and comparison.json.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Running plan: moving its pieces has a price.")] = None,
    change_cost: Annotated[
        float | None, typer.Option(min=0, help="With --plan: price per piece moved; default: the instance's.")
    ] = None,
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds for each plan.")] = 60,
    gap: Annotated[float, typer.Option(min=0, help="Relative gap at which to stop.")] = 1e-4,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads to use.")] = 2,
    as_json: Json = False,
) -> None:
    """What a scenario costs: factory down, more capacity, more demand, a rush order, other minimum lots, no splits."""
    from c2m.terminal import progress_line
    from optimization.whatif import comparison

    if plan is None:
        refuse_without_effect({"--change-cost": change_cost}, "with --plan")
    with progress_line() as progress:
        limits = comparison.ScenarioLimits(time_limit, gap, threads, progress)
        cases = comparison.what_if(instance, scenarios, out, plan, change_cost, limits)
    if as_json:
        print(json.dumps([asdict(case) for case in cases]))
        return
    show.table("What if", comparison.in_columns(cases))
    for case in cases[1:]:
        show.table(case.headline, [asdict(delay) for delay in case.delayed[:20]])


@command()
def explain(
    instance: InstanceFolder,
    plan: PlanFolder,
    order: Annotated[str | None, typer.Option(help="Why this lot is made where it is.")] = None,
    factory: Annotated[
        str | None,
        typer.Option(help="What this factory's days are worth; with --order: why the lot is not made there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Why this plan: splits, prices of minutes and overtime, lots not placed or late with their cheapest fixes."""
    from rich.console import Console
    from rich.markdown import Markdown

    from optimization.explanation import answer

    found = answer.explain(instance, plan, order, factory)
    if as_json:
        print(json.dumps({"title": found.title, **found.figures}, default=str))
    else:
        Console().print(Markdown(found.text))


@command()
def verify(instance: InstanceFolder, plan: PlanFolder, as_json: Json = False) -> None:
    """Check a plan against every rule, independently of the solver; exit code 1 where one is broken."""
    from optimization.verification import verifier

    report = verifier.verify(instance, plan)
    if as_json:
        print(json.dumps(report.as_dict(), default=str))
    else:
        _show_verification(report)
    if not report.ok:
        raise typer.Exit(1)


def _show_verification(report: Any) -> None:
    """The verdict, then the rows that break a rule, then the recomputed cost by part."""
    print(report.verdict.words)
    for found in report.broken:
        shown = f"first {len(found.rows)} of {found.count:,} rows" if found.count > len(found.rows) else "rows"
        show.table(f"Broken: {found.rule} ({shown})", found.rows)
    if report.objective is not None:
        parts = {**{name: amount for name, amount in report.cost.items() if amount}, "total": report.objective}
        show.table("Cost, recomputed", [{"cost": name, "money": f"{amount:,.2f}"} for name, amount in parts.items()])


@command()
def release(
    run: Annotated[str, typer.Argument(help="Plan to release, as `c2m status` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; kept with actor and time.")],
    without: Annotated[
        list[str] | None, typer.Option(help="Lot or purchase to hold back; may be given several times.")
    ] = None,
    actor: Actor = "operator",
    reject: Annotated[bool, typer.Option("--reject", help="Reject the plan instead.")] = False,
) -> None:
    """Release a proposed plan to the factories, whole or without some lots, or reject it; its page says so."""
    from c2m import clock
    from c2m.ledger import plans
    from c2m.ledger.store import session

    if reject:
        refuse_without_effect({"--without": without}, "without --reject, which rejects the whole plan")
    with session() as s:
        if reject:
            plans.reject(s, run, actor, reason, clock.now())
        else:
            plans.release(s, run, actor, reason, without or [], clock.now())
        print(f"{run}: {plans.standing(s, run).words}")
    _show_anew()


def _show_anew() -> None:
    """The plan's page on the Prefect server, where one is at hand; else the next run of a flow renews it."""
    from c2m.terminal import harmless
    from flows import services

    if services.at_hand():
        from flows import plan_page, waiting_runs

        try:
            plan_page.renew()
            waiting_runs.settle()
        except Exception as error:  # the decision stands whatever becomes of the page
            words = harmless(str(error).partition("\n")[0])
            print(f"Prefect was not told ({words}): the next run of a flow shows the page anew", file=sys.stderr)


@command()
def materials(date: Day = None, as_json: Json = False) -> None:
    """Purchase orders of a day's plans, stock of materials, and what keeps a material from being planned."""
    from c2m.people import bought
    from c2m.warehouse.published import manifest

    manifest()  # before the first build it says what to do
    found = bought.of_day(date_of(date))
    if as_json:
        print(json.dumps(found, default=str))
        return
    for title, rows in found.items():
        show.first(title.replace("_", " ").capitalize(), rows, "c2m materials --json")
    if not any(found.values()):
        print("No material is known: bring the feeds materials, bill_of_materials, suppliers and supplier_materials")
