"""What is known of factories and of what may be ordered, as the plan in force reads it: marts and ledger frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from c2m.domain.promises import Correction


@dataclass(frozen=True)
class Known:
    """What is known of factories and of what may be ordered, as the plan reads it.

    capabilities: those that count; skus: the mart, its money in the plan's currency; versions: of the messages; told:
    what factories were told of lately; until: the moment up to which pieces are counted; correction: what past promises
    teach about stated probabilities.
    """

    factories: pd.DataFrame  # mart factories, in the plan's currency
    capabilities: pd.DataFrame
    calendar: pd.DataFrame  # mart factory_calendar
    scores: pd.DataFrame  # mart factory_scores
    skus: pd.DataFrame
    versions: Mapping[str, int]
    told: pd.DataFrame
    until: datetime
    correction: Correction = field(default_factory=Correction)
