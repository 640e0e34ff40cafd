"""What became of each file: one row per batch in landing/file_outcomes.

rows_in = accepted + quarantined + left_out, always. A row is written when the file is first seen (status arrived: the
moment that stands for known_at where the file names none) and again when all its rows are landed, quarantined or left
out, so that a run that broke off ends as one that did not.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import pandas as pd

from c2m.feeds import landing
from c2m.feeds.contracts import PRODUCED


@dataclass(frozen=True)
class Outcome:
    """A row of file_outcomes; see PRODUCED for the meaning of status and counts."""

    batch_id: str
    feed: str
    tenant: str | None
    file: str
    file_sha256: str
    mapping: str
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    readmitted: int
    status: str
    problems: str
    arrived_at: datetime  # UTC, without zone
    left_out: int = 0
    notes: str = ""

    @property
    def finished(self) -> bool:
        """Whether every row of the file is accounted for."""
        return self.status != "arrived"


def status(accepted: int, quarantined: int, problems: str) -> str:
    """ok, partial or rejected."""
    if not quarantined:
        return "rejected" if problems and not accepted else "ok"
    return "partial" if accepted else "rejected"


def record(outcome: Outcome) -> None:
    """Writes or replaces the outcome of a batch."""
    row = asdict(outcome)
    values = ", ".join(f"${name}::{kind} AS {name}" for name, kind in PRODUCED["file_outcomes"].items())
    with landing.connect() as connection:
        path = landing.folder("file_outcomes") / f"{outcome.batch_id}.parquet"
        landing.write_parquet(connection.sql(f"SELECT {values}", params=row), path)


def find(batch_id: str) -> Outcome | None:
    """The outcome of a batch, where there is one."""
    path = landing.folder("file_outcomes") / f"{batch_id}.parquet"
    if not path.exists():
        return None
    with landing.connect() as connection:
        rows = connection.execute("FROM read_parquet(?)", [str(path)]).to_arrow_table().to_pylist()
    known = {field.name for field in fields(Outcome)}  # older files lack the newer columns
    return Outcome(**{name: value for name, value in rows[0].items() if name in known}) if rows else None


def frame(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Outcomes as a table, one row per batch, in the order given."""
    rows = {outcome.batch_id: asdict(outcome) for outcome in outcomes}
    return pd.DataFrame(list(rows.values()), columns=list(PRODUCED["file_outcomes"]))
