"""The artifacts that operations read first: Markdown with tables and plots, one key a kind so that versions line up."""

import base64
import io
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from prefect.artifacts import (
    Artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.settings import PREFECT_UI_URL

from c2m.domain.alert_rules import SEVERITY
from c2m.domain.alert_words import when
from c2m.domain.promises import correction, how_kept
from c2m.markdown import plain, table
from c2m.settings import settings
from c2m.terminal import in_words
from optimization.contract.plan import Plan

if TYPE_CHECKING:  # Great Expectations, MLflow and Pyomo take seconds to import, and most flows use none of them
    from expectations.gate import Verdict
    from models.governance.promotion_gate import Promotion
    from optimization.statement.highs import Progress

_PLACES = {
    "made": "made",
    "unscanned": "not scanned",
    "at_factory": "at the factory",
    "in_transit": "in transit",
    "received": "received",
    "assumed": "assumed",
    "lost": "lost",
    "surplus": "surplus",
}
_SHELVES = {"on_hand": "on hand", "in_transit": "in transit", "on_order": "on order", "assumed": "assumed"}
_JOB = {
    "order": "order",
    "style": "style",
    "colour": "colour",
    "factory_id": "factory",
    "state": "state",
    "quantity": "pieces",
    "good_pieces": "good",
    "shipped": "shipped",
    "start_on": "start",
    "due_on": "due",
    "reason": "reason",
    "video": "video",
}
_DAYS = ("made", "promised", "arrived")  # of a promise
_MOST_ALERTS, _MOST_RANGES = 50, 25  # on the page of the floor


def picture(draw: Callable[[Figure], None], width_in: float = 9, height_in: float = 3.2) -> str:
    """A plot as a Markdown image that carries its own data: the page loads nothing from elsewhere."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    draw(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return f"![plot](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})\n"


def page(key: str, title: str, *parts: str) -> None:
    """Publishes one Markdown artifact."""
    create_markdown_artifact("\n".join((f"# {title}", "", *parts)), key=key, description=title)


def feeds(outcomes: pd.DataFrame) -> None:
    """What came in, file by file, what was quarantined and why."""
    counts = ["rows_in", "accepted", "quarantined", "left_out", "duplicates"]
    shown = outcomes[["feed", "file", *counts, "status", "problems", "notes"]]
    rows_in, accepted, quarantined, left_out, repeats = (int(outcomes[name].sum()) for name in counts)
    total = (
        f"{rows_in:,} rows in = {accepted:,} accepted ({repeats:,} of them repeats of what had landed) "
        f"+ {quarantined:,} quarantined + {left_out:,} left out on purpose"
    )
    page("feeds", "What came in", total, "", table(shown))


def verdict(name: str, verdict: "Verdict") -> None:
    """What Great Expectations found, failures first."""
    results = table(verdict.results.sort_values(["passed", "severity"]))
    page(f"gate-{name}", f"Gate: {name}", "**STOP**" if verdict.stop else "**GO**", "", results)
    create_link_artifact(f"{documents_url()}/data_docs/", key=f"data-docs-{name}", link_text="Data Docs")


def goods(pieces: pd.DataFrame, stock: pd.DataFrame) -> None:
    """Where the pieces of job orders are, by merchant, and what the merchants' stock counts."""
    page(
        "goods",
        "Where the goods are",
        "Pieces made and not scanned = at the factory + in transit + received + lost + surplus. Assumed are those "
        "received that no receipt tells of: they count from their promised arrival on.",
        "",
        table(_by(["merchant_id", "source"], pieces, _PLACES)),
        "## Stock",
        "Of the on-hand pieces, the assumed ones came in since the last count without a receipt.",
        "",
        table(_by(["merchant_id"], stock, _SHELVES)),
    )


def _by(keys: list[str], rows: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Sums of columns by merchant, under the names that people read."""
    sums = rows.groupby(keys, as_index=False)[list(names)].sum()
    return sums.rename(columns={"merchant_id": "merchant", "source": "ordered by", **names})


def artifact_url(key: str) -> str:
    """The newest version of a page of ours on the Prefect server; before there is one, the list of its versions."""
    newest = getattr(Artifact.get(key), "id", None)
    return f"{PREFECT_UI_URL.value()}/artifacts/" + (f"artifact/{newest}" if newest else f"key/{key}")


def documents_url() -> str:
    """Where the documents are served."""
    return settings().page_url("documents")


def marts(manifest: dict[str, Any], nodes: pd.DataFrame) -> None:
    """What was published, mart by mart, and what dbt did for it."""
    page(
        "marts",
        f"Published {manifest['build_id']}",
        f"[dbt docs]({documents_url()}/dbt_docs/)",
        "",
        table(_counted(manifest["marts"])),
        "## dbt, slowest first",
        table(nodes),
    )


def _counted(marts: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{"mart": name, "rows": mart["rows"]} for name, mart in sorted(marts.items())])


def pruned(rows: list[dict[str, object]], dry_run: bool) -> None:
    """What went, or would go, by kind."""
    text = table(pd.DataFrame(rows)) if rows else "Nothing is older than it is kept for."
    page("prune", "What would go" if dry_run else "What went", text)


def model(version: str) -> None:
    """Where the new model's figures are."""
    link = f"{settings().page_url('mlflow')}/#/models/c2m-demand/versions/{version}"
    create_link_artifact(link, key="model", link_text=f"c2m-demand version {version}")


def drift(found: pd.DataFrame, history: pd.DataFrame, alarm: bool) -> None:
    """Whether the champion still fits, today and on the days before."""
    judged = history[history["check"] != "input"].pivot_table(index="day", columns="of", values="value")
    shifted = history[history["check"] == "input"].groupby("day")["alert"].sum()

    def course(figure: Figure) -> None:
        errors, inputs = figure.subplots(1, 2)
        for name, values in judged.items():
            errors.plot(values.index, values, marker="o", label=str(name))
        if len(judged):
            errors.legend(fontsize=8)
        errors.set(title="Past forecasts", ylabel="share")
        inputs.bar(shifted.index, shifted)
        inputs.set(title="Inputs that have shifted", ylabel="features")
        for axis in (errors, inputs):
            axis.tick_params(axis="x", labelrotation=60, labelsize=7)

    head = "**The champion drifts.**" if alarm else "The champion fits."
    page("drift", "Drift of the champion", head, "", picture(course), "## Today, alerts first", table(found, 40))


def promotion(number: str, verdict: "Promotion") -> None:
    """Whether a challenger took the champion's place, and why."""
    head = f"Version {number}: {'promoted' if verdict.promoted else 'not promoted'}"
    page("promotion", head, *(f"* {reason}" for reason in verdict.reasons), "", table(verdict.segments))
    model(number)


def forecast(
    bands: pd.DataFrame, sums: pd.DataFrame, accuracy: pd.DataFrame, model_version: str, notes: Iterable[str]
) -> None:
    """What is expected, in all and by level of the range, how good the past forecasts were, and notes on history."""
    total = bands[(bands["level"] == "all") & bands["ds"].notna()].set_index("ds")

    def fan(figure: Figure) -> None:
        axes = figure.subplots()
        axes.fill_between(total.index, total["q10"], total["q90"], alpha=0.25, label="80 % of days")
        axes.plot(total.index, total["mean"], marker="o", label="mean")
        axes.set(ylabel="pieces a day, all styles", ylim=(0, None))
        axes.tick_params(axis="x", labelrotation=30)
        axes.legend()

    def largest(level: str, *keys: str) -> str:
        pieces = sums[sums["level"] == level].groupby(["merchant_id", *keys], as_index=False)[["mean"]].sum().round()
        pieces = pieces.rename(columns={"mean": "pieces"}).nlargest(20, "pieces")
        return table(pieces.astype({"pieces": "int64"}))

    link = f"{settings().page_url('mlflow')}/#/models/c2m-demand/versions/{model_version}"
    page(
        "forecast",
        "Demand forecast",
        f"Champion: [c2m-demand version {model_version}]({link})",
        *map(plain, notes),
        picture(fan),
        "## Past forecasts against what was asked for",
        table(accuracy.sort_values("business_date", ascending=False), 30),
        "## Over the horizon: categories, their sizes, the largest styles",
        largest("category", "category"),
        largest("size", "category", "size"),
        largest("style", "style_id"),
    )


class ProgressBar:
    """The solver's way to the optimum as a progress artifact: a bar of the time limit, cost, bound and gap in words.

    At most one update every two seconds.
    """

    def __init__(self, time_limit_s: float, key: str = "solve") -> None:
        self._time_limit_s, self._key = time_limit_s, key
        self._artifact_id: Any = None
        self._next_s = 2.0

    def __call__(self, seen: "Progress") -> None:
        """Shows where the search stands."""
        if seen.seconds >= self._next_s:
            self._next_s = seen.seconds + 2
            taken = f"after {seen.seconds:.0f} s of {self._time_limit_s:.0f} s"
            self._show(min(99.0, 100 * seen.seconds / self._time_limit_s), f"{in_words(seen)}, {taken}")

    def end(self, plan: Plan) -> None:
        """Fills the bar and says what came out."""
        from optimization.statement.highs import Progress

        seen = Progress(*(plan.report[name] for name in ("seconds", "bound", "objective", "gap")))
        self._show(100.0, f"{plan.report['status']} plan: {in_words(seen)}, after {seen.seconds:.1f} s")

    def _show(self, percent: float, text: str) -> None:
        if self._artifact_id is None:
            self._artifact_id = create_progress_artifact(percent, key=self._key, description=text)
        else:
            update_progress_artifact(self._artifact_id, percent, description=text)


def floor(rows: pd.DataFrame, alerts: pd.DataFrame, moment: datetime) -> None:
    """Floor today: every job order with its predicted finish, what is likely to be late first, and the open alerts."""
    rows = rows.sort_values(["late_chance", "due_on", "job_order_id"], ascending=[False, True, True])
    shown = pd.DataFrame(
        {
            "job order": _links(rows),
            "factory": rows["factory_id"],
            "made": [bar(share) for share in rows["done_share"]],
            "pieces left": rows["pieces_left"],
            "due": [when(day) for day in rows["due_on"]],
            "must end": [when(day) for day in rows["ends_by"]],
            "finish": [when(day) for day in rows["q50"]],
            "80 % range": [f"{when(a)} to {when(b)}" for a, b in zip(rows["q10"], rows["q90"], strict=True)],
            "late": [f"{chance:.0%}" for chance in rows["late_chance"]],
        }
    )
    told = [
        f"* **{SEVERITY[alert['severity']]}: {alert['kind']} {plain(alert['subject'])}**, since "
        f"{alert['opened_at']:%d %b %H:%M} UTC: {plain(alert['cause'])}. _{plain(alert['move'])}._"
        for alert in alerts.head(_MOST_ALERTS).to_dict("records")
    ]
    more = [f"* {len(alerts) - _MOST_ALERTS:,} more: `c2m alerts`"] if len(alerts) > _MOST_ALERTS else []
    page(
        "floor",
        "Floor today",
        f"As scanned up to {moment:%Y-%m-%d %H:%M} UTC: {len(rows):,} job orders at {rows['factory_id'].nunique():,} "
        f"factories, {rows['pieces_left'].sum():,} pieces left. Open alerts: {len(alerts):,}.",
        "",
        "## Alerts",
        *(told + more or ["_none_"]),
        "",
        "## Predicted finish",
        picture(lambda figure: _ranges(figure, rows.head(_MOST_RANGES), moment)) if len(rows) else "",
        table(shown, markdown=["job order"]),
    )


def _links(rows: pd.DataFrame) -> list[str]:
    """The page of each job order, under the beginning of its id."""
    return [f"[{one[:8]}]({documents_url()}/job-orders/{one})" for one in rows["job_order_id"]]


def bar(share: float, width: int = 10) -> str:
    """A share as a bar of text; full only when all is done."""
    percent = int(share * 100 + 1e-9)
    full = percent * width // 100
    return "▓" * full + "░" * (width - full) + f" {percent} %"


def _ranges(figure: Figure, rows: pd.DataFrame, moment: datetime) -> None:
    """Each job order's range, median and the day by which it must end; those beyond the calendar end at its edge."""
    axes = figure.subplots()
    start = pd.Timestamp(moment).tz_localize(None).normalize()
    low, middle, high, due = ((rows[name] - start).dt.days for name in ("q10", "q50", "q90", "ends_by"))
    edge = max(float(np.nanmax([high.max(), due.max(), 1])), 1.0) + 1
    place = range(len(rows))
    axes.hlines(place, low.fillna(edge), high.fillna(edge), linewidth=4, alpha=0.35, label="80 % range")
    axes.plot(middle.fillna(edge), place, "o", label="median")
    axes.plot(due, place, "|", color="red", markersize=10, label="must end")
    axes.set(xlabel=f"days from {start:%d %b}", yticks=list(place))
    axes.set_yticklabels(rows["factory_id"] + " " + rows["job_order_id"].str[:8], fontsize=7)
    axes.invert_yaxis()
    axes.legend(fontsize=8)


def promises(rows: pd.DataFrame, day: date) -> None:
    """Promises kept: stated beside kept in all and by class; the dates that were missed, and those still open."""
    found, learned = how_kept(rows, day), correction(rows, day)
    figures = [{"promises": "all", **kept_in_words(found)}]
    by = {
        name: [{name: key, **kept_in_words(cell)} for key, cell in of.items()] for name, of in found["by"].items() if of
    }
    first = rows[rows["is_first"]].sort_values(["promised_on", "order_id"])
    shown = pd.DataFrame(
        {
            "kind": first["source"],
            "pieces": first["pieces"],
            "factories": first["factories"].str.replace(";", ", "),
            **{name: pd.to_datetime(first[f"{name}_on"]).dt.strftime("%Y-%m-%d") for name in _DAYS},
            "by the model": first["modelled"].map("{:.1%}".format),
            "stated": first["probability"].map("{:.1%}".format),
            "order": first["order_id"],
        }
    )
    page(
        "promises",
        "Promises kept",
        "The first date that a merchant was told of an order's pieces counts, once it is past. An order has arrived "
        "when its last piece has shipped and the days in transit are over.",
        "",
        table(pd.DataFrame(figures)),
        f"**New dates are corrected**: 90 % is stated where the model says {learned.asked(0.9):.1%}."
        if learned.shift
        else "New dates are not corrected: what was stated lies in the interval around what was kept."
        if found["judged"]
        else "New dates are not corrected: no date is past yet.",
        *(part for name, cells in by.items() for part in (f"## By {name}", table(pd.DataFrame(cells)))),
        "## Missed",
        table(shown[first["state"] == "broken"], 50),
        "## Open",
        table(shown[first["state"] == "open"], 50),
    )


def kept_in_words(figures: dict[str, Any]) -> dict[str, str]:
    """Rates of promises as a row of a table."""
    if not figures["judged"]:
        return {"judged": "0", "stated": "", "kept": "", "95 % interval": ""}
    interval = f"{figures['kept_low']:.1%} to {figures['kept_high']:.1%}"
    rates = {name: f"{figures[name]:.1%}" for name in ("stated", "kept")}
    return {"judged": f"{figures['judged']:,}", **rates, "95 % interval": interval}


def job_orders(key: str, title: str, rows: pd.DataFrame, *notes: str) -> None:
    """Job orders by factory and state, then each of them, with what `c2m.people.book.named` adds."""
    counted = rows.groupby(["factory_id", "state"], as_index=False).agg(
        **{"job orders": ("job_order_id", "count"), "pieces": ("quantity", "sum")}
    )
    states = table(counted.rename(columns=_JOB))
    shown = rows[[name for name in _JOB if name in rows]].rename(columns=_JOB)
    if (rows["stages"] > 1).any():
        shown["stage"] = rows["stage"].astype(str) + " of " + rows["stages"].astype(str)
    each = table(shown.assign(**{"job order": _links(rows)}), markdown=["video", "job order"])
    page(key, title, *notes, "## By factory and state", states, "## Job orders", each)
