"""The gate: whole batches that came in, and forecasts before anyone orders on them, judged by Great Expectations.

A broken critical expectation stops the day; warnings and infos are shown. Every judgement stays in the Data Docs
(C2M_HOME/data_docs), and what they are made of under C2M_HOME/gx.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when great_expectations is imported, so before it

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import FileDataContext

from c2m import clock
from c2m.errors import InputError
from c2m.markdown import listed
from c2m.settings import settings
from expectations import batches, pages, suites

_FORMAT = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["subject"],
    "return_unexpected_index_query": False,
}
_SHOWN = 5  # subjects named per broken expectation


@dataclass(frozen=True)
class Verdict:
    """What the gate found. `results` has batch, rule, severity, passed, observed, expected."""

    stop: bool
    results: pd.DataFrame
    docs_url: str  # address of the pages of Data Docs that show it

    def require(self) -> None:
        """Lets a run go on where no critical expectation failed.

        Raises
        ------
        InputError
            With every critical failure, where the gate says stop.
        """
        failed = self.results[~self.results["passed"] & (self.results["severity"] == "critical")]
        if self.stop:
            faults = [
                f"{row.batch}: {row.rule} Seen: {row.observed}. Expected: {row.expected}."
                for row in failed.itertuples()
            ]
            raise InputError(
                "gate-stopped", [*faults, f"Mend the data and run the day again; details in {self.docs_url}"]
            )


def check_feeds(business_date: date) -> Verdict:
    """Judges what came in for `business_date`."""
    return _judge(batches.of_feeds(business_date), business_date)


def check_forecast(forecast: pd.DataFrame, styles: pd.DataFrame, demand: pd.DataFrame, business_date: date) -> Verdict:
    """Judges a daily forecast against the marts before it is used.

    Parameters
    ----------
    forecast
        Rows of landing/forecasts, one per merchant, style and day: mean and quantiles in pieces.
    styles
        The mart of this name.
    demand
        The mart `demand_daily`: pieces asked per style and day.
    business_date
        Day whose forecast it is.

    Returns
    -------
    Verdict
        Whether to stop, a row per expectation with what was observed and expected, and where Data Docs show it.
    """
    return _judge(batches.of_forecast(forecast, styles, demand, business_date), business_date)


def _judge(frames: Mapping[str, pd.DataFrame], business_date: date) -> Verdict:
    context = _context()
    run = RunIdentifier(run_name=f"{business_date}", run_time=clock.now())
    pandas = context.data_sources.add_or_update_pandas("batches")
    rows: list[dict[str, Any]] = []
    for name, frame in frames.items():
        suite = context.suites.add_or_update(getattr(suites, name)())
        batch = pandas.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
        check = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        found = context.validation_definitions.add_or_update(check).run(
            batch_parameters={"dataframe": frame}, result_format=_FORMAT, run_id=run
        )
        rows += [_row(name, result) for result in found.results]
    results = pd.DataFrame(rows)
    pages.write(_docs(), business_date, run.run_time, results)
    stop = bool((~results["passed"] & (results["severity"] == "critical")).any())
    return Verdict(stop, results, (_docs() / "index.html").as_uri())


def _row(batch: str, result: Any) -> dict[str, Any]:
    """One expectation's result; for those on rows, who broke it."""
    config = result.expectation_config
    limits = {">=": config.kwargs.get("min_value"), "<=": config.kwargs.get("max_value")}
    found = result.result
    broken = [
        f"{row['subject']} {row[config.kwargs['column']]:.4g}" for row in found.get("unexpected_index_list") or []
    ]
    return {
        "batch": batch,
        "rule": config.description,
        "severity": str(config.severity.value),
        "passed": bool(result.success),
        "observed": str(found["observed_value"]) if "observed_value" in found else listed(broken, _SHOWN),
        "expected": " and ".join(f"{sign} {limit}" for sign, limit in limits.items() if limit is not None),
    }


def _docs() -> Path:
    return (settings().home / "data_docs").absolute()


def _context() -> FileDataContext:
    """The file context under C2M_HOME/gx; the pages are ours (pages.py)."""
    context = gx.get_context(mode="file", project_root_dir=settings().home.absolute())
    context.variables.progress_bars = {"globally": False}
    return context
