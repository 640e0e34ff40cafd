"""Measures, on the public data, every number that the demo world quotes as measured, and prints both side by side.

    .venv/bin/python -m benchmarks.worlds.calibrate [../shared/data]

Exit code 1 where a number of the generator is further than `tolerance` from what is measured. What was found lies in
benchmarks/results/worlds/calibrate.csv, and the lists of docs/demo-world.md are written from there.
"""

import calendar
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from c2m.files import write_atomically
from c2m.simulation.world import assumptions, catalogue, demand
from c2m.simulation.world.span import Span


@dataclass(frozen=True)
class Figure:
    """A number of the generator and the same number measured."""

    name: str
    used: float
    measured: float
    source: str
    tolerance: float = 0.02  # relative

    @property
    def holds(self) -> bool:
        """Whether the generator says what the data say."""
        return abs(self.used - self.measured) <= self.tolerance * abs(self.measured) + 0.0006


def sales(data: Path) -> Iterator[Figure]:
    """Shoppers: weekday, concentration, dispersion, sizes, prices, outcomes."""
    source = "amazon_india_apparel/Amazon Sale Report.csv.gz"
    lines = pd.read_csv(data / source, low_memory=False)
    lines["day"] = pd.to_datetime(lines["Date"], format="%m-%d-%y")
    lines = lines[lines["day"] > "2022-03-31"]  # a partial day
    asked = lines[lines["Qty"] > 0]
    by_day = asked.groupby("day")["Qty"].sum()
    weekday = by_day.groupby(by_day.index.day_of_week).mean() / by_day.mean()
    for day, used, measured in zip(calendar.day_abbr, assumptions.WEEKDAY, weekday, strict=True):
        yield Figure(f"WEEKDAY {day}", used, measured, source)
    sizes = asked.groupby("Size")["Qty"].sum() / asked["Qty"].sum()
    for size, share in zip(assumptions.SIZES, assumptions.SIZE_CURVE, strict=True):
        yield Figure(f"SIZE_CURVE {size}", share, sizes[size], source)
    yield Figure("SIZE_CONCENTRATION", assumptions.SIZE_CONCENTRATION, _size_concentration(asked), source)
    daily = asked.pivot_table(index="Style", columns="day", values="Qty", aggfunc="sum", fill_value=0)
    day_k, all_k = _dispersions(np.minimum(daily.to_numpy("float64"), 60))  # a few bulk lines are left out
    yield Figure("DISPERSION_DAY (k)", assumptions.DISPERSION_DAY, day_k, source)
    yield Figure("DISPERSION_ALL (k)", assumptions.DISPERSION_ALL, all_k, source)
    totals = np.sort(daily.sum(axis=1))[::-1]
    best = totals[: len(totals) // 10].sum() / totals.sum()
    made = _made(len(daily), float(daily.to_numpy().mean()))
    made_totals = np.sort(made.sum(axis=1))[::-1]
    made_best = made_totals[: len(made) // 10].sum() / made_totals.sum()
    yield Figure("best tenth of styles, share of pieces (made)", made_best, best, source, tolerance=0.1)
    for least, most in ((0, np.inf), (0.3, 1), (1, 2), (2, 4)):
        shares = [_zero_share(values, least, most) for values in (made, daily.to_numpy())]
        name = f"zero style-days, {least:g} to {most:g} pieces a day (made)"
        yield Figure(name, *shares, source, tolerance=0.1)
    yield from _prices(asked, source)
    yield from _outcomes(lines, asked, source)


def _size_concentration(asked: pd.DataFrame) -> float:
    """Of a Dirichlet, by moments, over styles of 200 pieces or more that sell in all sizes."""
    pieces = asked.pivot_table(index="Style", columns="Size", values="Qty", aggfunc="sum", fill_value=0)
    pieces = pieces.loc[pieces.sum(axis=1) >= 200, list(assumptions.SIZES)]
    share = pieces[(pieces > 0).all(axis=1)]
    share = share.div(share.sum(axis=1), axis=0)
    mean, variance = share.mean(), share.var()
    return float((mean * (1 - mean) / variance - 1).mean())


def _dispersions(daily: np.ndarray) -> tuple[float, float]:
    """k of the negative binomial for styles of more than a piece a day: from neighbouring days, and from all days."""
    busy = daily[daily.mean(axis=1) > 1]
    mean = busy.mean(axis=1)
    neighbours = (np.diff(busy, axis=1) ** 2 / 2).mean(axis=1)
    k = [(mean**2).sum() / (variance - mean).sum() for variance in (neighbours, busy.var(axis=1))]
    return k[0], k[1]


def _made(styles: int, pieces_per_day: float) -> np.ndarray:
    """Demand of as many generated styles over as many days, styles x days."""
    span, rng = Span(date(2026, 4, 13), "UTC", 90, 21), np.random.default_rng(1)
    frame = catalogue.styles(rng, "m", styles, span, pieces_per_day)
    return demand.draw(rng, frame, span).lines[:, :90]


def _zero_share(daily: np.ndarray, least: float, most: float) -> float:
    """Days without demand, of the styles with `least` to `most` pieces a day."""
    mean = daily.mean(axis=1)
    return float((daily[(mean >= least) & (mean < most)] == 0).mean())


_LIKE = {
    "tee": "Top",
    "shirt": "Blouse",
    "kurta": "kurta",
    "dress": "Western Dress",
    "set": "Set",
    "trousers": "Bottom",
}


def _prices(asked: pd.DataFrame, source: str) -> Iterator[Figure]:
    priced = asked[asked["Amount"] > 0]
    price = priced["Amount"] / priced["Qty"]
    median = price.groupby(priced["Category"]).median() / price.median()
    for kind in assumptions.CATEGORIES:
        if kind.name in _LIKE:
            yield Figure(f"price_ratio {kind.name}", kind.price_ratio, median[_LIKE[kind.name]], source)
    style = np.log(price.groupby([priced["Style"], priced["Category"]]).median())
    spread = (style - style.groupby(level="Category").transform("median")).std()
    yield Figure("PRICE_LOG_SD", assumptions.PRICE_LOG_SD, spread, source)


def _outcomes(lines: pd.DataFrame, asked: pd.DataFrame, source: str) -> Iterator[Figure]:
    cancelled = lines["Status"] == "Cancelled"
    back = lines["Status"].str.contains("Return")
    known = back | (lines["Status"] == "Shipped - Delivered to Buyer")
    without = lines.loc[cancelled, "Amount"].isna().mean()
    yield Figure("CANCELLED_SHARE", assumptions.CANCELLED_SHARE, cancelled.mean(), source)
    yield Figure("CANCELLED_WITHOUT_AMOUNT", assumptions.CANCELLED_WITHOUT_AMOUNT, without, source)
    yield Figure("RETURNED_SHARE", assumptions.RETURNED_SHARE, back.sum() / known.sum(), source)
    yield Figure("SEVERAL_PIECES_SHARE", assumptions.SEVERAL_PIECES_SHARE, (asked["Qty"] > 1).mean(), source)
    yield Figure("BUSINESS_CUSTOMER_SHARE", assumptions.BUSINESS_CUSTOMER_SHARE, lines["B2B"].mean(), source)


def new_styles(data: Path) -> Iterator[Figure]:
    """The twelve weeks after a release."""
    source = "visuelle/train.csv"
    weeks = pd.read_csv(data / source)[[str(week) for week in range(12)]]
    curve = weeks.mean() / weeks.to_numpy().mean()
    for week, (used, measured) in enumerate(zip(assumptions.LIFE_CYCLE, curve, strict=True), 1):
        yield Figure(f"LIFE_CYCLE week {week}", used, measured, source)


def reviews(data: Path) -> Iterator[Figure]:
    """Stars."""
    source = "womens_reviews/Womens Clothing E-Commerce Reviews.csv.gz"
    share = pd.read_csv(data / source)["Rating"].value_counts(normalize=True).sort_index()
    for stars, used in enumerate(assumptions.RATING_SHARE, 1):
        yield Figure(f"RATING_SHARE {stars}", used, share[stars], source)


def teams(data: Path) -> Iterator[Figure]:
    """Sewing and finishing teams."""
    source = "garment_productivity/garments_worker_productivity.csv"
    rows = pd.read_csv(data / source)
    department = rows["department"].str.strip()
    sewing, finishing = rows[department.str.startswith("s")], rows[department == "finishing"]
    productivity = sewing["actual_productivity"]
    overtime = (sewing["over_time"] / sewing["no_of_workers"]).median()
    sew = [c.sew_minutes for c in assumptions.CATEGORIES]
    yield Figure("EFFICIENCY_MEAN", assumptions.EFFICIENCY_MEAN, productivity.mean(), source)
    yield Figure("EFFICIENCY_SD", assumptions.EFFICIENCY_SD, productivity.groupby(sewing["team"]).mean().std(), source)
    yield Figure("OVERTIME_MINUTES_PER_OPERATOR", assumptions.OVERTIME_MINUTES_PER_OPERATOR, overtime, source)
    yield Figure("FINISH_MINUTES least", assumptions.FINISH_MINUTES[0], finishing["smv"].min(), source)
    yield Figure("FINISH_MINUTES most", assumptions.FINISH_MINUTES[1], finishing["smv"].max(), source)
    yield Figure("median minutes to sew", float(np.median(sew)), sewing["smv"].median(), source, tolerance=0.05)
    yield Figure("least minutes to sew", min(sew), sewing["smv"].min(), source, tolerance=0.2)
    yield Figure("most minutes to sew", max(sew), sewing["smv"].max(), source, tolerance=0.2)


_COUNTRIES = {
    "CN": ("China", "CHINA"),
    "VN": ("Vietnam", "VIETNAM"),
    "BD": ("Bangladesh", "BANGLADESH"),
    "IN": ("India", "INDIA"),
    "ID": ("Indonesia", "INDONESIA"),
    "PK": ("Pakistan", "PAKISTAN"),
    "KH": ("Cambodia", "CAMBODIA"),
    "LK": ("Sri Lanka", "SRI LANKA"),
    "TR": ("Turkey", "TURKEY"),
}


def places(data: Path) -> Iterator[Figure]:
    """Countries, and how many of a country's places each cluster is the nearest to."""
    source = "apparel_factory_locations/locations.csv"
    rows = pd.read_csv(data / source)
    for code, names in _COUNTRIES.items():
        clusters = [c for c in assumptions.CLUSTERS if c.country == code]
        inside = rows[rows["country"].str.strip().isin([code, *names])]
        far = [np.hypot(inside["latitude"] - c.latitude, inside["longitude"] - c.longitude) for c in clusters]
        nearest = np.argmin(far, axis=0)
        for i, cluster in enumerate(clusters):
            share = (nearest == i).sum() / len(rows)
            yield Figure(f"share {code} {cluster.latitude:g}, {cluster.longitude:g}", cluster.share, share, source)
    china = sum(c.share for c in assumptions.CLUSTERS if c.country == "CN") / sum(c.share for c in assumptions.CLUSTERS)
    yield Figure("HOME_SHARE", assumptions.HOME_SHARE, china, source)


def measure(data: Path) -> list[Figure]:
    """All of them."""
    return [figure for part in (sales, new_styles, reviews, teams, places) for figure in part(data)]


RESULTS = Path(__file__).parents[1] / "results" / "worlds" / "calibrate.csv"
PAGE = Path(__file__).parents[2] / "docs" / "demo-world.md"
MARKS = "<!-- numbers: written by benchmarks/worlds/calibrate.py -->", "<!-- numbers: end -->"
_WORDS = {  # by the beginning of a figure's name
    "WEEKDAY": "Pieces by weekday over the mean, from Monday",
    "SIZE_CURVE": "Share of pieces by size, from XS to 3XL",
    "SIZE_CONCENTRATION": "Spread of a style's size shares (Dirichlet concentration)",
    "DISPERSION_DAY": "Dispersion k of daily pieces between neighbouring days",
    "DISPERSION_ALL": "Dispersion k of daily pieces over all days",
    "best tenth": "Share of pieces from the best tenth of styles",
    "zero style-days": "Share of days without demand: all styles, those of 0.3 to 1, 1 to 2, 2 to 4 pieces a day",
    "price_ratio": "Price over the median price: " + ", ".join(f"{ours} ({data})" for ours, data in _LIKE.items()),
    "PRICE_LOG_SD": "Standard deviation of the logarithm of style prices within a category",
    "CANCELLED_SHARE": "Share of lines that are cancelled",
    "CANCELLED_WITHOUT": "Share of these without an amount",
    "RETURNED_SHARE": "Share of lines with a known end that come back",
    "SEVERAL_PIECES": "Share of lines of several pieces",
    "BUSINESS_CUSTOMER": "Share of lines of business customers",
    "LIFE_CYCLE": "Sales in weeks 1 to 12 after release over their mean",
    "RATING_SHARE": "Shares of 1 to 5 stars",
    "EFFICIENCY_MEAN": "Efficiency (standard over paid minutes), mean",
    "EFFICIENCY_SD": "Efficiency, standard deviation between teams",
    "OVERTIME": "Overtime of an operator and day in minutes: the maximum of the generator, the median of the data",
    "FINISH_MINUTES": "Minutes to finish, least and most",
    "median minutes": "Minutes to sew, median of the categories",
    "least minutes": "Minutes to sew, least",
    "most minutes": "Minutes to sew, most",
    "share ": "Share of all places of each cluster of factories (`assumptions.CLUSTERS`)",
    "HOME_SHARE": "Share of China's clusters among them",
}


def page() -> str:
    """By data set a line of each number: what the generator uses and, where it differs, what was measured."""
    found = pd.read_csv(RESULTS)
    found["words"] = [
        next(words for start, words in _WORDS.items() if name.startswith(start)) for name in found["name"]
    ]
    parts = []
    for source, rows in found.groupby("source", sort=False):
        lines = [_line(str(words), some) for words, some in rows.groupby("words", sort=False)]
        parts.append("\n".join([f"`{source}`:", "", *lines]))
    return "\n\n".join(parts)


def _line(words: str, rows: pd.DataFrame) -> str:
    used, measured = (" ".join(f"{value:.3g}" for value in rows[name]) for name in ("used", "measured"))
    told = f"* {words}: {used}" + ("" if used == measured else f"; measured {measured}")
    return textwrap.fill(told, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def keep(found: list[Figure]) -> None:
    """Writes file and page."""
    rows = pd.DataFrame(map(asdict, found)).drop(columns="tolerance")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS, rows.to_csv(index=False, float_format="%.4g").encode())
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    write_atomically(PAGE, f"{before}{begin}\n\n{page()}\n\n{end}{after}".encode())


def main(data: Path) -> int:
    """Prints the table, and keeps it."""
    figures_measured = measure(data)
    keep(figures_measured)
    table = Table("number", "generator", "measured", "source", "")
    for f in figures_measured:
        table.add_row(f.name, f"{f.used:.4g}", f"{f.measured:.4g}", f.source, "" if f.holds else "differs")
    Console(width=140).print(table)
    return 0 if all(f.holds for f in figures_measured) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")))
