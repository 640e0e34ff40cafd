"""The expectations, a suite per batch of `batches.py`, on batches as a whole: row rules are the feed contract's.

Limits on sales were measured on 84 days of the Amazon India apparel data: lines of a batch over usual 0.51 to 1.30,
share cancelled less usual -0.09 to +0.03, share without amount -0.02 to +0.02, median unit price over usual 0.94 to
1.17. A warning lies well outside, a critical limit where the data of the day must be wrong.
"""

from typing import Any, Literal

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite

from c2m.settings import settings

Severity = Literal["critical", "warning", "info"]


def _between(severity: Severity, rule: str, column: str, least: float | None = None, most: float | None = None) -> Any:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=least, max_value=most, severity=severity, description=rule
    )


def feeds() -> ExpectationSuite:
    """Every feed is there."""
    return ExpectationSuite(
        name="feeds",
        expectations=[
            _between("critical", "Each feed that the day needs has rows.", "rows_needed", least=1),
            _between("info", "Each feed has rows.", "rows_known", least=1),
        ],
    )


def files() -> ExpectationSuite:
    """The files that came in since yesterday were mostly fit for use."""
    return ExpectationSuite(
        name="files",
        expectations=[
            _between("warning", "Up to 5 % of a feed's rows are quarantined.", "quarantined_share", most=0.05),
            _between("critical", "Up to half of a feed's rows are quarantined.", "quarantined_share", most=0.5),
            _between("warning", "No file is rejected as a whole.", "rejected_files", most=0),
        ],
    )


def sales_batch() -> ExpectationSuite:
    """Yesterday's sales look like those of the weeks before."""
    return ExpectationSuite(
        name="sales_batch",
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(
                min_value=1, severity="critical", description="Sales of the last four weeks are known."
            ),
            _between("critical", "The batch is not empty or a fragment, against usual.", "lines_of_usual", 0.05, 20),
            _between("warning", "As many lines as usual.", "lines_of_usual", 0.4, 2.5),
            _between("warning", "No more cancelled than usual.", "cancelled_share_change", most=0.1),
            _between("critical", "Not most of it cancelled, against usual.", "cancelled_share_change", most=0.5),
            _between("warning", "No more without amount than usual.", "no_amount_share_change", most=0.1),
            _between("warning", "Median unit price as usual.", "unit_price_of_usual", 0.75, 1.33),
            _between("critical", "Median unit price not of another unit or currency.", "unit_price_of_usual", 0.2, 5),
        ],
    )


def supply() -> ExpectationSuite:
    """Somebody can make what sells."""
    horizon = settings().plan.horizon_days
    return ExpectationSuite(
        name="supply",
        expectations=[
            _between("critical", "An active factory has working time ahead.", "with_working_time", least=1),
            _between("warning", "Calendars reach to the end of the plan.", "calendar_days_ahead", least=horizon),
            _between("warning", "Somebody makes each category.", "categories_nobody_makes", most=0),
        ],
    )


def matches() -> ExpectationSuite:
    """What is named is there: else it vanishes from forecast and plan."""
    mend = "bring in their catalogue rows, or mend the ids (leading zeros lost?)."
    return ExpectationSuite(
        name="matches",
        expectations=[
            _between(
                "warning", f"At most 1 % of the pieces sold have no catalogue row: {mend}", "unlisted_share", most=0.01
            ),
            _between(
                "critical",
                f"At most half of all pieces sold have no catalogue row: {mend}",
                "unlisted_share_of_all",
                most=0.5,
            ),
            _between(
                "warning", "No open order is without lines: send them, or cancel it.", "orders_without_lines", most=0
            ),
            _between("warning", "Each active factory has days ahead in its calendar.", "calendar_days", least=1),
        ],
    )


def forecast_styles() -> ExpectationSuite:
    """Each style's forecast is whole and possible."""
    return ExpectationSuite(
        name="forecast_styles",
        expectations=[
            _between(
                "critical",
                "Every style that sold in 28 days has every day of the horizon.",
                "days",
                least=settings().forecast.horizon_days,
            ),
            _between("critical", "One row per style and day, none outside the horizon.", "surplus_rows", most=0),
            _between("critical", "No number is missing, infinite or negative.", "bad_numbers", most=0),
            _between("critical", "Quantiles do not cross.", "crossed_quantiles", most=0),
        ],
    )


def forecast_total() -> ExpectationSuite:
    """The sum is of the size of recent demand."""
    return ExpectationSuite(
        name="forecast_total",
        expectations=[
            _between("warning", "Forecast per day against the 28 days' mean demand.", "mean_of_recent", 0.5, 2),
            _between("critical", "The same, so far apart that something must be wrong.", "mean_of_recent", 0.2, 5),
        ],
    )
