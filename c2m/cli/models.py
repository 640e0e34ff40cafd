"""Forecasts, designs and price proposals, and the models behind them."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from c2m.cli import show
from c2m.cli.root import Actor, Day, Json, command, date_of, refuse_without_effect

PanelFile = Annotated[
    Path, typer.Argument(help="CSV, Parquet or Excel: series_id (or unique_id), ds, y, columns known ahead.")
]
Absent = Annotated[Literal["missing", "zero"], typer.Option(help="What an absent row means.")]
Freq = Annotated[str | None, typer.Option(help="30min, h, D, B, W, M, Q, Y ...; default: as ds shows.")]
Season = Annotated[int | None, typer.Option(min=1, help="Periods in a season; default: as of the freq.")]
Dates = Annotated[Literal["dmy", "mdy"] | None, typer.Option(help="Order of day and month in ds.")]


@command()
def forecast(
    panel: PanelFile,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Periods ahead; default: the rows with an empty y.")
    ] = None,
    sums: Annotated[
        Path | None, typer.Option(help="File for quantiles of all series together and of each category.")
    ] = None,
    levels: Annotated[str, typer.Option(help="Ranges in percent whose bounds to add, such as 80,95.")] = "",
    model: Annotated[str, typer.Option(help="auto (by the panel's own backtest), champion, or a member.")] = "auto",
    metric: Annotated[Literal["wape", "mape", "rmse"], typer.Option(help="What `point` is best for.")] = "wape",
    absent: Absent = "missing",
    freq: Freq = None,
    season: Season = None,
    dates: Dates = None,
) -> None:
    """Forecast a panel: the rows that have no y after their series' last observation, or the next periods."""
    from models.ensemble.panel_forecast import answer
    from models.panel.long import read_panel

    series = read_panel(panel, absent, frequency=freq, season=season, order=dates, horizon=horizon)
    found = answer(series, metric, model, _ranges(levels))
    found.write(found.frame, out)
    if sums:
        found.write(found.sums(series), sums)
    print("\n".join([*series.notes, *found.words]))


@command()
def backtest(
    panel: PanelFile,
    horizon: Annotated[int, typer.Option(min=1, help="Periods ahead that are judged.")],
    origins: Annotated[int, typer.Option(min=1, help="Rolling origins, a horizon apart.")] = 4,
    absent: Absent = "missing",
    freq: Freq = None,
    season: Season = None,
    dates: Dates = None,
    as_json: Json = False,
) -> None:
    """Judge forecasts of a panel beside the obvious ones, and say which to use."""
    from models.ensemble.contest import contest
    from models.panel.long import read_panel

    series = read_panel(panel, absent, frequency=freq, season=season, order=dates)
    found = contest(series, horizon, origins)
    show.rows("All", found.figures(), as_json)
    if not as_json:
        for by in ("segment", "horizon"):
            for figure in ("WAPE", "pinball"):
                show.rows(f"{figure} by {by}", found.beside(by, figure), as_json)
        print("\n".join([*series.notes, found.words]))


def _ranges(levels: str) -> list[float]:
    """80,95 as numbers; an error names what is none."""
    from c2m.errors import InputError

    parts = [part.strip() for part in levels.split(",") if part.strip()]
    bad = [part for part in parts if not part.replace(".", "", 1).isdigit() or not 0 < float(part) < 100]
    if bad:
        fault = f"--levels: {', '.join(bad)}: expected widths between 0 and 100 percent, such as 80,95"
        raise InputError("bad-levels", [fault])
    return [float(part) for part in parts]


@command()
def tune(
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes after which no further trial starts.")] = 10,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials at most.")] = None,
    date: Day = None,
    as_json: Json = False,
) -> None:
    """Search for better trees on published demand; trials are kept in MLflow below one run."""
    from c2m import clock
    from c2m.settings import settings
    from models.governance import tuning
    from models.panel.daily import published_panel

    day = date_of(date) or clock.business_date(clock.now())
    found = tuning.tune(published_panel(day), settings().forecast, day, minutes * 60, trials)
    show.rows(f"Pinball after {found.trials} trials", found.pinball.rename_axis("settings").reset_index(), as_json)
    if not as_json:
        print(f"To train with the best (then the gate judges it), set:\n{found.environment}", end="")


@command()
def promote(
    challenger: Annotated[str | None, typer.Option(help="Version to judge; default: the one with the alias.")] = None,
    date: Day = None,
    again: Annotated[
        bool, typer.Option("--again", help="Judge it even if it was already judged beside this champion.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge the challenger by what wrong quantities cost; where it saves money, it becomes champion."""
    from c2m import clock
    from models.governance import promotion

    verdict = promotion.decide(date_of(date) or clock.business_date(clock.now()), again, challenger)
    if verdict is None:
        print("nothing to judge: no challenger, or it was judged beside this champion (--again judges anew)")
        return
    if not as_json:
        show.rows("Cost of wrong quantities", promotion.segments(verdict), as_json)
    show.figures("Promotion", promotion.figures(verdict), as_json)


@command(name="train-voice")
def train_voice(
    data: Annotated[Path, typer.Argument(help="Folder of the public reviews that the labels name.")],
    as_json: Json = False,
) -> None:
    """Train the model of aspects on the labelled reviews; promoted where it makes fewer mistakes than the champion."""
    from models.governance import promotion, voices

    version, verdict, table = voices.train(data)
    if not as_json:
        show.rows(f"Version {version} on reviews that it has not learned from", table, as_json)
    show.figures("Promotion", promotion.figures(verdict), as_json)


@command()
def market(
    category: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    date: Day = None,
    out: Annotated[Path | None, typer.Option(help="CSV file of every week with all quantiles.")] = None,
    as_json: Json = False,
) -> None:
    """What the market does: volume and price of categories over the weeks ahead, with range and how sure that is."""
    from c2m.domain import markets
    from c2m.errors import InputError
    from c2m.feeds.landing import ensure_landing, read_landed

    ensure_landing()
    landed = read_landed("market_forecasts", **({"business_date": date_of(date)} if date else {}))
    rows = landed[landed["known_at"] == landed["known_at"].max()]
    if category:
        rows = rows[rows["category"] == category]
    if rows.empty:
        known = ", ".join(sorted(landed["category"].unique())) or "none: run a day on 13 whole weeks of sales, or more"
        raise InputError("no-market-forecast", [f"nothing is forecast of {category or 'any category'}; known: {known}"])
    if out:
        rows.to_csv(out, index=False)
        print(f"{len(rows):,} rows in {out}")
        return
    told = markets.changes(rows) if as_json else markets.in_words(rows)
    show.rows(f"The market, {rows['weeks'].max()} weeks ahead beside as many before", told, as_json)


@command()
def designs(as_json: Json = False) -> None:
    """Designs: expected demand, best first quantity, and what the first days of sale say of those on sale."""
    from c2m.people.designs import in_short, listed

    if as_json:
        show.rows("Designs", listed(), as_json)
        return
    rows = in_short()
    show.table("Designs", rows) if rows else print("No design is known: bring the feed designs")


@command()
def design(
    code: Annotated[str, typer.Argument(help="Its design_id.")],
    quantity: Annotated[
        list[int] | None, typer.Option(min=1, help="Quantity to cost now; may be given several times.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the style's feed files and its test order.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Whose, where several have a design of that code.")] = None,
    as_json: Json = False,
) -> None:
    """One design: who can make it, cost and date by quantity, demand, first quantity, attributes, its test order."""
    from c2m.errors import InputError
    from c2m.people.designs import one

    whose = {"merchant_id": merchant} if merchant else {}
    found = one(code, **whose)
    if found is None:
        raise InputError("no-such-design", [f"{code}: no design of that code; c2m designs lists them"])
    if quantity:
        from flows.designs import reckon

        reckon(found["about"]["merchant_id"], code, quantity)
        found = one(code, **whose) or found
    if out:
        from flows.designs import as_style

        print("\n".join(map(str, as_style(found, out))))
        return
    _show_design(found, as_json)


def _show_design(found: dict[str, Any], as_json: bool) -> None:
    import json

    about, costs, held = found["about"], found["costs"], found["attributes"]
    if as_json:
        tables = {name: json.loads(found[name].to_json(orient="records")) for name in ("costs", "attributes")}
        print(json.dumps(json.loads(about.to_json()) | tables))
        return
    show.figures(about["design_name"], {str(name): value for name, value in about.dropna().items()}, as_json)
    hidden = ["merchant_id", "design_id", "business_date", "known_at"]
    show.rows("Cost and date by quantity", costs.drop(columns=hidden), as_json)
    show.rows("What attributes cost a piece, and bring", held.drop(columns=hidden).dropna(axis=1, how="all"), as_json)


@command()
def prices(
    release: Annotated[str | None, typer.Option(help="Proposal, MERCHANT/STYLE, or all, to release.")] = None,
    reject: Annotated[str | None, typer.Option(help="The same, to reject.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept with actor and time.")] = None,
    actor: Actor = "operator",
    date: Day = None,
    out: Annotated[Path | None, typer.Option(help="CSV file of all columns, to send to shops.")] = None,
    effect: Annotated[bool, typer.Option("--effect", help="What released prices brought.")] = False,
    as_json: Json = False,
) -> None:
    """Proposed prices with what they should bring; released or rejected here, and measured afterwards."""
    if effect:
        _show_effect(as_json)
        return
    if release or reject:
        _decide(release, reject, reason, actor)
        return
    refuse_without_effect({"--reason": reason}, "with --release or --reject")
    from c2m.ledger.rooms.prices import listed, of_styles
    from c2m.ledger.store import reading

    with reading() as s:
        rows = listed(s, day=date_of(date))
    if out:
        rows.to_csv(out, index=False)
        print(f"{len(rows):,} proposals in {out}")
        return
    show.rows("Price proposals, the largest gain first", rows if as_json else of_styles(rows), as_json)


def _decide(release: str | None, reject: str | None, reason: str | None, actor: str) -> None:
    from c2m import clock
    from c2m.errors import InputError
    from c2m.ledger.rooms.prices import decide
    from c2m.ledger.store import session

    if (release and reject) or not reason:
        raise InputError("decision", ["give --release or --reject, one of them, and --reason"])
    with session() as s:
        count = decide(s, release or reject or "", "released" if release else "rejected", actor, reason, clock.now())
    print(f"{count:,} proposals {'released' if release else 'rejected'}")


def _show_effect(as_json: bool) -> None:
    from models.price.daily import measured

    found = measured()
    if found is None:
        print("nothing to measure yet: it takes three styles with released prices and three held out, for 14 days")
        return
    words = {
        "profit added, per style and day": f"{found.gain:,.2f}",
        "90 % interval": f"{found.low:,.2f} to {found.high:,.2f}",
        "styles with released prices": f"{found.released:,}",
        "styles held out": f"{found.held_out:,}",
    }
    show.figures("Effect of released prices", words, as_json)
