"""The page of a plan: how it stands, what the day costs and why, who makes what by when.

Everything on it comes from the plan's folder and from the ledger, so that it can be made anew at any time: by each flow
run that concerns the plan, and by `c2m release`.
"""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from c2m.domain.crafts import told
from c2m.files import read_json, read_rows, write_atomically
from c2m.ledger import orders, plans, status
from c2m.ledger.plans import Standing
from c2m.ledger.store import session
from c2m.markdown import plain, table
from c2m.settings import settings
from flows import joint_page, materials, reports, waiting_runs
from optimization.book.plan_proposal import breaches, load_by_factory
from optimization.contract.instances import Instance, read, whole_lots
from optimization.contract.plan import Plan, PlanSize, read_plan
from optimization.contract.terms import COST_WORDS
from optimization.contract.wording import counted, money, percent

ENDED = {
    "time": "Time ended the search",
    "nodes": "The node limit ended the search",
    "interrupt": "It was interrupted",
    "scenario": "A scenario was taken",
}
PAGE = "page.md"  # in the plan's folder
_MOST_LOTS, _MOST_SHORT, _MOST_ALIKE = 200, 20, 3


def publish(plan_id: str) -> None:
    """Shows the plan as it stands now, and keeps the page with the plan."""
    with session() as s:
        standing = plans.standing(s, plan_id)
    parts = page(standing)
    write_atomically(file_of(standing), "\n".join(parts).encode())
    reports.page("plan", f"Plan of {long(standing.business_date)}, round {standing.round}", *parts)


def file_of(standing: Standing) -> Path:
    """Where the plan's page is kept."""
    return settings().home / standing.folder / PAGE


def without_plan(day: date, words: str) -> None:
    """Says why a run has made no plan, and which plans of the day there are."""
    with session() as s:
        day_plans = plans.of_day(s, day)
    reports.page("plan", f"Plan of {long(day)}", words, "", *plans_of_the_day(day_plans))


def plans_of_the_day(day_plans: pd.DataFrame) -> list[str]:
    """The plans of a day, and who decided on each."""
    rows = day_plans.assign(objective=day_plans["objective"].map(float).map(money))
    names = {"objective": "cost of the round", "decided_by": "decided by", "decided_at": "at", "plan_id": "plan"}
    rows["decided_at"] = [f"{at:%Y-%m-%d %H:%M} UTC" if pd.notna(at) else "" for at in rows["decided_at"]]
    return ["## Plans of this day", table(rows.rename(columns=names))]


def standing_of(plan_id: str | None) -> Standing | None:
    """How a plan stands; without a name, the one that waits, if one does."""
    with session() as s:
        return plans.standing(s, plan_id) if plan_id else plans.waiting(s)


def newest() -> Standing | None:
    """The newest plan, as `c2m status` shows it."""
    with session() as s:
        found = status.summary(s)["plan"]
        return plans.standing(s, found["plan_id"]) if found else None


def renew() -> None:
    """Shows the newest plan anew where it no longer stands as its page says: somebody has decided since."""
    standing = newest()
    if standing is None or not (file := file_of(standing)).exists():
        return
    if file.read_text(encoding="utf-8") != "\n".join(page(standing)):
        publish(standing.plan_id)


def page(standing: Standing) -> list[str]:
    """The parts of the page, without its title."""
    folder = settings().home / standing.folder
    instance, plan = read(folder / "instance"), read_plan(folder / "plan")
    with session() as s:
        day = plans.of_day(s, standing.business_date)
        labels = orders.labels(s, sorted(instance.orders["lot_id"]))
    placed = joint_page.dated(instance, plan, folder)
    return [
        *decided(standing),
        *the_day(folder, instance, plan),
        *proof(plan.report),
        "",
        confirmed(folder),
        "",
        "## Why this plan",
        (folder / "explanation.md").read_text(encoding="utf-8"),
        *beside_the_rule(folder, instance),
        *joint_page.sections(joint_page.rows_of(instance, plan, labels, placed)),
        *by_lot(instance, placed, labels),
        *promised(folder, placed, labels),
        *not_placed(plan, labels),
        *materials.section(standing.plan_id, folder),
        *load(instance, plan),
        "## Scores of these factories, lowest first",
        table(read_rows(folder / "scores.csv").round({"score": 1}), 30),
        *by_craft(folder / "crafts.csv"),
        *plans_of_the_day(day),
        f"Plan {standing.plan_id}: [instance, plan, search log and verdict]({reports.documents_url()}/"
        f"{standing.folder}/) as files.",
    ]


def by_craft(file: Path) -> list[str]:
    """Where a factory has shown something else in a craft than in all; nothing of plans older than that."""
    rows = read_rows(file) if file.exists() else pd.DataFrame()
    if rows.empty:
        return []
    return [
        "## By craft, where it is not the factory's own",
        *(f"* {row['factory_id']}, {told(row)}" for row in rows.to_dict("records")),
    ]


def long(day: date) -> str:
    """A date as people say it."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def decided(standing: Standing) -> list[str]:
    """How a plan stands, and what it waits for."""
    if standing.state != "proposed":
        words = plain(standing.words)
        return [f"**{words[0].upper()}{words[1:]}.**", ""]
    told = ["**Waits for a person**: " + plain("; ".join(reasons_to_wait(standing))), "", *held(standing)]
    form = waiting_runs.form_url(standing.plan_id)
    told += [f"**[Decide here]({form})**: Resume opens the form. From a terminal:", ""] if form else []
    return [*told, *(f"    c2m release {standing.plan_id} --reason '...'{more}" for more in ("", " --reject")), ""]


def held(standing: Standing) -> list[str]:
    """Who has looked at the plan and let it wait."""
    with session() as s:
        notes = plans.holds(s, standing.plan_id).to_dict("records")
    return [_holds(note) for note in notes]


def _holds(note: dict[Any, Any]) -> str:
    return f"* held by {plain(note['actor'])} on {note['at']:%Y-%m-%d %H:%M} UTC: {plain(note['reason'])}\n"


def in_short(standing: Standing) -> list[str]:
    """What a person must know to decide, above the form."""
    folder = settings().home / standing.folder
    instance, plan = read(folder / "instance"), read_plan(folder / "plan")
    return [
        f"**Plan of {long(standing.business_date)}, round {standing.round}**, waits: "
        + plain("; ".join(reasons_to_wait(standing))),
        "",
        *held(standing),
        *the_day(folder, instance, plan),
        f"[The whole plan]({reports.artifact_url('plan')})",
    ]


def reasons_to_wait(standing: Standing) -> list[str]:
    """Why a plan is not released by policy: the limits that it is over; a person who rejected the same before."""
    folder = settings().home / standing.folder
    plan = read_plan(folder / "plan")
    over = breaches(read(folder / "instance"), plan.allocation, plan.report, settings().release)
    over += materials.breaches(folder)
    with session() as s:
        before = plans.rejected_alike(s, standing.plan_id)
    return [*over, *([f"{before.actor} has rejected the same allocation before: {before.reason}"] if before else [])]


def the_day(folder: Path, instance: Instance, plan: Plan) -> list[str]:
    """What the day's book costs, and what the common rule would have cost on the same book."""
    day, currency = read_json(folder / "day.json"), instance.currency or ""
    cost, rule, saved = (f"{money(abs(day[k]))} {currency}" for k in ("objective", "common_rule_objective", "saved"))
    lines = [f"**The day's book costs {cost}**: {size_of(instance, plan)}."]
    if day["saved"] >= 0:
        share = f"{100 * day['saved_share']:.1f} %"
        lines.append(f"The common rule would cost {rule} on the same book: the plan saves **{saved}** ({share}).")
    else:
        lines.append(f"The common rule, had it known from the start which factories refuse, would cost {saved} less.")
    if left := len(instance.orders) - len(whole_lots(instance).orders):
        lots = counted(left, "lot")
        lines.append(
            f"The rule cannot make {lots} of these, in stages or sharing a setup: they stand in both as planned."
        )
    if (folder / "book").exists():
        lines.append("What earlier rounds of the day have placed counts as the day's own in both figures.")
    return [part for line in lines for part in (line, "")]


def size_of(instance: Instance, plan: Plan) -> str:
    """Lots, pieces, factories and splits in words."""
    size = PlanSize(instance, plan.allocation)
    placed = f"{placed_words(size)} placed at {counted(size.factories, 'factory')}"
    return f"{counted(size.lots, 'lot')}, {placed}, {shared_words(size)}"


def placed_words(size: PlanSize) -> str:
    """How many pieces have a factory."""
    if size.placed_pieces == size.pieces:
        return f"all {size.pieces:,} pieces"
    return f"{size.placed_pieces:,} of {counted(size.pieces, 'piece')}"


def shared_words(size: PlanSize) -> str:
    """How many lots are split, and how far."""
    if not size.split_lots:
        return "no lot split"
    return f"{counted(size.split_lots, 'lot')} split over at most {size.most_factories} factories"


def proof(report: dict[str, Any]) -> list[str]:
    """How good the plan is, and what ended the search for a better one."""
    ended = report.get("stopped_by") or ("gap" if report["status"] == "optimal" else "time")
    asked = report["engine"].get("asked_gap")
    least = f"No plan of this round can cost less than {money(report['bound'])} (proven)"
    if ended == "gap" and not report["gap"]:
        return [f"No plan of this round can cost less (proven). The search took {report['seconds']:.1f} s."]
    if ended == "gap":
        within = f", within the {percent(asked)} asked for" if asked else ""
        return [f"{least}: {percent(report['gap'])} below this one{within}. The search took {report['seconds']:.1f} s."]
    return [
        f"**{ENDED[ended]}** after {report['seconds']:.0f} s at a gap of {percent(report['gap'])}"
        + (f", asked for {percent(asked)}" if asked else "")
        + f": a better plan may exist. {least}."
    ]


def confirmed(folder: Path) -> str:
    """What the independent verifier confirms of the plan, kept when the plan was made."""
    verdict = read_json(folder / "verdict.json")
    return f"`c2m verify`: {verdict['verdict']['words']}" if "verdict" in verdict else ""  # absent in older folders


def beside_the_rule(folder: Path, instance: Instance) -> list[str]:
    """Cost by part of the day's plan and of the common rule."""
    day = read_json(folder / "day.json")
    rule = day["common_rule_cost"] | {"total": day["common_rule_objective"]}
    cost = pd.DataFrame({"plan": day["cost"] | {"total": day["objective"]}, "common rule": rule})
    cost["saved"] = cost["common rule"] - cost["plan"]
    cost = cost[(cost["plan"] != 0) | (cost["common rule"] != 0)].round().astype(int).rename(COST_WORDS)
    return [
        "## Beside the common rule",
        "By priority and due date, each lot at its cheapest factory with room for all of it; split only when none has. "
        f"In {instance.currency or 'the currency of the instance'}.",
        "",
        table(cost.rename_axis("cost").reset_index()),
    ]


def by_lot(instance: Instance, placed: pd.DataFrame, labels: pd.DataFrame) -> list[str]:
    """Who makes how much of which lot, from when until when; joint lots have sections of their own. placed: `dated`."""
    placed = joint_page.others(instance, placed)
    rows = labels.merge(placed, on="lot_id").sort_values(["due_on", "order", "lot_id", "factory_id"])
    late = (pd.to_datetime(rows["finish_on"]) - pd.to_datetime(rows["due_on"])).dt.days
    shown = pd.DataFrame(
        {
            "order": rows["order"],
            "style": rows["style"],
            "colour": rows["colour"],
            "pieces": rows["quantity"],
            "factory": rows["factory_id"],
            "due": rows["due_on"],
            "arrives by": rows["finish_on"],
            "days late": [str(days) if days > 0 else "" for days in late],
            "starts": rows["start_on"],
            "lot": rows["lot_id"],  # for `c2m release --without`
        }
    )
    return ["## By lot and factory", "Each factory is asked to deliver by this day.", "", table(shown, _MOST_LOTS)]


def promised(folder: Path, placed: pd.DataFrame, labels: pd.DataFrame) -> list[str]:
    """When whole orders will have arrived, all pieces that the plan has a place for. placed: `dated`."""
    last = labels.merge(placed, on="lot_id").groupby("order_id")["finish_on"].max()
    named = labels.groupby("order_id", as_index=False).agg({"order": "first", "due_on": "first", "style": "first"})
    rows = named.merge(read_rows(folder / "promises.csv"), on="order_id").sort_values(["promised_on", "order"])
    corrected = {"by the model alone": _chance(rows["modelled"])} if is_corrected(rows) else {}
    shown = pd.DataFrame(
        {
            "order": rows["order"],
            "first style": rows["style"],
            "due": rows["due_on"],
            "arrives by": rows["order_id"].map(last),
            "promised": rows["promised_on"],
            "probability": _chance(rows["probability"]),
            **corrected,
            "pieces without a place": [f"{pieces:,.0f}" if pieces else "" for pieces in rows["unplaced"]],
            "order id": rows["order_id"],
        }
    )
    told = "Arrives by: what the last of its factories is asked for. Promised: what holds with this probability."
    return ["## Promised dates of whole orders", told, "", table(_folded(shown), _MOST_LOTS)]


def _folded(rows: pd.DataFrame) -> pd.DataFrame:
    """Orders of which all else is the same, as those of a pool, in one row without their ids where they are many."""
    alike = rows.groupby([name for name in rows if name not in ("order", "order id")], sort=False)["order"]
    count = alike.transform("nunique")
    told = count.astype(str) + " orders: " + alike.transform("first") + " to " + alike.transform("last")
    many = count > _MOST_ALIKE
    folded = rows.assign(**{"order": rows["order"].mask(many, told), "order id": rows["order id"].mask(many, "")})
    return folded.drop_duplicates()


def _chance(shares: "pd.Series[float]") -> list[str]:
    """Probabilities in percent without decimals; none is certain."""
    return ["over 99 %" if share >= 0.995 else said for share, said in zip(shares, whole_percent(shares), strict=True)]


def is_corrected(promises: pd.DataFrame) -> bool:
    """Whether past promises have taught another probability than the model's."""
    return bool((promises["modelled"] - promises["probability"]).abs().max() > 1e-9)


def whole_percent(shares: "pd.Series[float]") -> list[str]:
    """Shares in percent without decimals."""
    return [f"{share:.0%}".replace("%", " %") for share in shares]


def not_placed(plan: Plan, labels: pd.DataFrame) -> list[str]:
    """Lots that are not placed whole, the largest first."""
    short = pd.DataFrame(plan.report["unmet"], columns=["order_id", "quantity", "reason"])
    if short.empty:
        return ["## Not placed", "Every piece is placed.", ""]
    rows = labels.merge(short.rename(columns={"order_id": "lot_id"}), on="lot_id")
    rows = rows.sort_values("quantity", ascending=False, kind="stable")
    shown = rows[["order", "style", "colour", "quantity", "reason", "lot_id"]]
    names = {"quantity": "pieces", "lot_id": "lot"}
    total = f"{counted(short['quantity'].sum(), 'piece')} of {counted(len(short), 'lot')}"
    return [
        "## Not placed",
        f"{total}; they stay open for the next plan.",
        "",
        table(shown.rename(columns=names), _MOST_SHORT),
    ]


def load(instance: Instance, plan: Plan) -> list[str]:
    """How full the factories are over the horizon."""
    rows = load_by_factory(instance, plan.schedule)

    def bars(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(rows["factory_id"], rows["load_share"] * 100)
        axes.axhline(100, color="grey", linewidth=0.8)
        axes.set(ylabel="% of regular minutes")
        axes.tick_params(axis="x", labelrotation=60)

    minutes = {
        f"{name} minutes": rows[f"{name}_minutes"].round().astype(int) for name in ("work", "regular", "overtime")
    }
    shown = pd.DataFrame({"factory": rows["factory_id"], "lots": rows["lots"], **minutes})
    shown["load"] = whole_percent(rows["load_share"].fillna(0))
    named = shown.rename(columns=lambda name: name.replace("_id", "").replace("_", " "))
    return ["## Load by factory", reports.picture(bars) if len(rows) else "", table(named)]
