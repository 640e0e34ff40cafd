"""Where a forecast comes from: landed window <- model version <- feature rows <- build of the marts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import duckdb
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from c2m import objects
from c2m.feeds import landing
from c2m.files import sha256
from c2m.settings import settings
from c2m.warehouse import origins, published
from c2m.why.link import Link, pieces
from c2m.why.sales import SalesByDay

MODEL = "c2m-demand"
_WINDOWS = (7, 28)  # days whose mean demand is compared
_SHOWN = 3  # days named where demand differs
_REGISTRY_S = 2.0  # to wait for MLflow's server
Figures = dict[str, Any]


def window_of(connection: duckdb.DuckDBPyConnection, lot: Figures) -> tuple[Link, Figures | None]:
    """The landed forecast has the quantiles that the order was reckoned with; its days sum to it. And its origin."""
    link = Link("forecast", f"{lot['merchant_id']}/{lot['style_id']} {lot['business_date']}")
    found = _landed(connection, lot)
    quantiles = {name: lot[name] for name in lot if name.startswith("q") and name[1:].isdigit()}
    if not found:
        link.expect("a landed forecast of that style, day, window, moment and version", "one", None)
        return link, None
    window = next((row for row in found if quantiles.items() <= row.items()), found[0])
    for name, kept in quantiles.items():
        link.expect(f"{name} of the landed forecast", kept, window[name])
    link.expect("mean of the landed forecast", lot["forecast_mean"], window["mean"])
    file = Path(window["filename"])
    link.words = [_window_words(window), f"Landed in forecast_windows/{file.name}."]
    link.figures = {"file": f"forecast_windows/{file.name}", "mean": window["mean"], **quantiles}
    origin = origins.of(lot["business_date"].isoformat(), file)
    if origin:
        _compare_days(connection, link, lot, objects.here(landing.folder("forecasts") / origin["forecasts"]))
    return link, origin


def _window_words(window: Figures) -> str:
    quantiles = ", ".join(f"{name} {pieces(window[name])}" for name in ("q10", "q50", "q90"))
    made = f"Made {window['known_at']:%Y-%m-%d %H:%M} UTC by model version {window['model_version']}"
    return f"{made}: {_days_words(window)}, mean {pieces(window['mean'])}, {quantiles}."


def _days_words(window: Figures) -> str:
    return f"{window['window_days']} days from {window['business_date']}"


def _landed(connection: duckdb.DuckDBPyConnection, lot: Figures) -> list[Figures]:
    """Rows of the style's window; several where it was forecast twice at one moment."""
    objects.fetch(folder := landing.folder("forecast_windows"))
    files = [str(file) for file in sorted(folder.glob("[!.]*.parquet"))]
    rows = connection.execute(_WINDOW, {"files": files, **_key(lot)})
    names = [column[0] for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


_WINDOW = """FROM read_parquet($files, union_by_name = true, filename = true)
    WHERE merchant_id = $merchant_id AND style_id = $style_id AND business_date = $day
        AND window_days = $window AND known_at = $moment AND model_version = $version"""


def _key(lot: Figures) -> Figures:
    """By what the window of a lot's forecast is found."""
    return {
        "merchant_id": lot["merchant_id"],
        "style_id": lot["style_id"],
        "day": lot["business_date"],
        "window": lot["window_days"],
        "moment": lot["forecast_at"].replace(tzinfo=None),
        "version": lot["model_version"],
    }


def _compare_days(connection: duckdb.DuckDBPyConnection, link: Link, lot: Figures, file: Path) -> None:
    """The days of the window sum to its mean; past the last day demand stays at the mean of the last seven."""
    if not file.exists():
        link.expect("the landed forecast of its days", file.name, None)
        return
    days, window = _means(connection, lot, file), lot["window_days"]
    beyond = max(0, window - len(days)) * sum(days[-7:]) / max(1, len(days[-7:]))
    link.expect("mean of the window, summed over its days", lot["forecast_mean"], sum(days[:window]) + beyond)


def _means(connection: duckdb.DuckDBPyConnection, lot: Figures, file: Path) -> list[float]:
    """Mean demand of the lot's style on each day of a forecast."""
    query = """SELECT mean FROM read_parquet($file) WHERE merchant_id = $merchant_id AND style_id = $style_id
        ORDER BY ds"""
    style = {"merchant_id": lot["merchant_id"], "style_id": lot["style_id"]}
    return [mean for (mean,) in connection.execute(query, {"file": str(file), **style}).fetchall()]


def model_of(lot: Figures, origin: Figures | None) -> Link:
    """The registry's version is the one that the forecast was made with."""
    link = Link("model version", f"{MODEL} {lot['model_version']}")
    if origin is None:
        link.expect("what the forecast was made from, kept beside it", "one", None)
        return link
    made_by = origin["model"]
    link.expect("version that made the forecast", lot["model_version"], made_by["model_version"])
    try:
        known = registered(lot["model_version"])
    except (OSError, SQLAlchemyError, ValueError) as error:
        link.unchecked.append(f"the model registry cannot be read: {error}")
        return link
    if known is None:
        link.expect(f"version {lot['model_version']} of {MODEL} in the registry", "one", None)
        return link
    link.expect("its run", made_by["run_id"], known["run_id"])
    link.expect("fingerprint of its training", made_by["fingerprint"], known["fingerprint"])
    link.words = [
        f"Trained on demand up to the day before {known['business_date']}, run {known['run_id']}.",
        *_judged(made_by),
    ]
    link.figures = {**made_by, "trained_for": known["business_date"], "status": known["status"]}
    return link


def _judged(made_by: Figures) -> list[str]:
    wape, naive = (made_by[name] for name in ("wape", "naive_wape"))
    return [f"In its backtest WAPE {wape:.3f} beside {naive:.3f} of the seasonal naive."] if wape and naive else []


def registered(version: str) -> dict[str, str] | None:
    """run_id, status, fingerprint and business_date of a version; past MLflow, whose import takes seconds."""
    uri = settings().mlflow
    found = _asked(uri, version) if uri.startswith("http") else _selected(uri, version)
    return found and {name: found.get(name, "") for name in ("run_id", "status", "fingerprint", "business_date")}


def _selected(uri: str, version: str) -> dict[str, str] | None:
    url = make_url(uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise ValueError(f"{uri}: no such file")
    url = url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url
    key = {"name": MODEL, "version": int(version)}
    with create_engine(url).connect() as connection:
        row = connection.execute(text(_RUN), key).one_or_none()
        tags = connection.execute(text(_TAGS), key).all()
    return None if row is None else {"run_id": row[0], "status": row[1], **dict(map(tuple, tags))}


_RUN = "SELECT run_id, status FROM model_versions WHERE name = :name AND version = :version"
_TAGS = "SELECT key, value FROM model_version_tags WHERE name = :name AND version = :version"


def _asked(uri: str, version: str) -> dict[str, str] | None:
    found = _model_version(f"{uri.rstrip('/')}/api/2.0/mlflow/model-versions/get?name={MODEL}&version={version}")
    told = {"run_id": found["run_id"], "status": found["status"]}
    return told | {tag["key"]: tag["value"] for tag in found.get("tags", [])}


def _model_version(address: str) -> dict[str, Any]:
    with urlopen(address, timeout=_REGISTRY_S) as answer:  # noqa: S310 - the setting's own server
        found: dict[str, Any] = json.load(answer)["model_version"]
    return found


def features_of(connection: duckdb.DuckDBPyConnection, lot: Figures, origin: Figures, sold: SalesByDay) -> Link:
    """The rows that the model was given: whole, and with the demand of the sold pieces that they say they are of."""
    link = Link("feature rows", f"{lot['merchant_id']}/{lot['style_id']} {lot['business_date']}")
    file: Path = origin["file"]
    if not file.exists():
        link.expect("the feature rows kept beside the day", str(file), None)
        return link
    link.expect("SHA-256 of the feature rows", origin["features_sha256"], sha256(file))
    rows = _feature_rows(connection, file, lot)
    if not rows or rows[0][0] != lot["business_date"]:
        link.expect("first day of its rows", lot["business_date"], rows[0][0] if rows else None)
        return link
    _, scale, last, *means = rows[0]
    link.words = [f"{len(rows)} rows, {rows[0][0]} to {rows[-1][0]}, in {file.name}; demand in units of {scale:,.3f}."]
    link.figures = {"rows": len(rows), "scale": scale, "file": str(file.relative_to(settings().home))}
    link.expect("pieces asked for on the last day", sold.mean(1), last * scale)
    _compare_means(link, sold, [mean * scale for mean in means])
    return link


def _compare_means(link: Link, sold: SalesByDay, means: Sequence[float]) -> None:
    """means: pieces a day over each of the windows."""
    for days, mean in zip(_WINDOWS, means, strict=True):
        link.expect(f"pieces a day over the last {days} days", sold.mean(days), mean)
        link.words.append(f"Over the last {days} days {mean:,.3f} pieces a day were asked for.")
        link.figures[f"mean_{days}_pieces"] = mean


def _feature_rows(connection: duckdb.DuckDBPyConnection, file: Path, lot: Figures) -> list[Any]:
    """ds, scale, last, mean_7, mean_28 of the style, day by day."""
    means = ", ".join(f"mean_{days}" for days in _WINDOWS)
    rows = connection.execute(
        f"""SELECT ds, scale, last, {means} FROM read_parquet($file)
        WHERE merchant_id = $merchant_id AND style_id = $style_id ORDER BY ds""",  # noqa: S608
        {"file": str(file), "merchant_id": lot["merchant_id"], "style_id": lot["style_id"]},
    )
    return rows.fetchall()


def build_of(
    connection: duckdb.DuckDBPyConnection, build_id: str, day: date, style: Sequence[str], sold: SalesByDay
) -> Link:
    """The manifest is that of the build; its mart, where it is still there, has the demand of the sold pieces."""
    link = Link("mart build", build_id)
    manifest = published.manifest_of(build_id)
    if manifest is None:
        link.expect("a manifest of the build", "one", None)
        return link
    demand_daily = manifest["marts"]["demand_daily"]
    _compare_manifest(link, manifest, published.as_of(manifest, day))
    link.words = [
        f"{len(manifest['marts'])} marts as of {manifest['business_date']}, dbt invocation "
        f"{manifest['invocation_id']}, from {len(manifest['landed'] or ())} landed feed files."
    ]
    link.figures = {"invocation_id": manifest["invocation_id"], "demand_daily": demand_daily}
    file = published.file_of(demand_daily)
    if not file.exists():
        link.words.append("Its files have made room for newer builds; the manifest stays.")
        return link
    link.expect("SHA-256 of its demand_daily", demand_daily["sha256"], sha256(file))
    _compare_demand(link, _demand(connection, file, style), sold)
    return link


def _compare_manifest(link: Link, manifest: Figures, seen: str) -> None:
    marts = manifest["marts"]
    digest = hashlib.sha256("".join(marts[name]["sha256"] for name in sorted(marts)).encode()).hexdigest()
    link.expect("its id, from the hashes of its marts", f"{seen.replace('-', '')}-{digest[:12]}", link.of)
    link.expect("its business date", seen, manifest["business_date"])


def _compare_demand(link: Link, demand: Mapping[date, int], sold: SalesByDay) -> None:
    differing = sorted(day for day in demand.keys() | sold.by_day.keys() if demand.get(day) != sold.by_day.get(day))
    for one in differing[:_SHOWN]:
        link.expect(f"pieces of {one} in it, as the landed rows give them", sold.by_day.get(one), demand.get(one))
    link.words.append(f"Its demand_daily has {len(demand):,} days of this style, compared with the landed rows.")


def _demand(connection: duckdb.DuckDBPyConnection, file: Path, style: Sequence[str]) -> dict[date, int]:
    rows = connection.execute(
        """SELECT demand_date, pieces_asked FROM read_parquet($file)
        WHERE merchant_id = $merchant_id AND style_id = $style_id""",
        {"file": str(file), "merchant_id": style[0], "style_id": style[1]},
    )
    return dict(rows.fetchall())
