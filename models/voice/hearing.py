"""Reviews that landed and were not heard yet, as rows of landing/review_aspects.

In: the landed feed `reviews`. Out: a row per review, code and part of the garment; a review that says nothing gets one
row with the aspect ''. The model is the registry's champion, else the one that comes with the code.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from c2m import clock
from c2m.feeds import landing
from models.voice.aspect_model import AspectModel
from models.voice.words import parts

_MADE = ["model_version", "known_at"]
COLUMNS = ["merchant_id", "review_id", "aspect", "polarity", "part", "chance", *_MADE]


def hear(model: AspectModel, version: str, cut_off: datetime) -> pd.DataFrame:
    """Rows of the reviews known before `cut_off` that this version has not heard.

    Parameters
    ----------
    model
        Hears.
    version
        Its name in what lands.
    cut_off
        UTC; reviews that were known later wait.

    Returns
    -------
    pd.DataFrame
        The columns COLUMNS.
    """
    known_at = min(clock.now(), cut_off).replace(tzinfo=None) - timedelta(seconds=1)
    rows = list(_rows(model, _unheard(version, cut_off)))
    found = pd.DataFrame(rows, columns=COLUMNS[: -len(_MADE)])
    return found.assign(model_version=version, known_at=known_at)


def _rows(model: AspectModel, reviews: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for merchant_id, review_id, text in reviews.itertuples(index=False):
        for said in _said(model, text):
            yield merchant_id, review_id, *said


def _said(model: AspectModel, text: str) -> Iterator[tuple[str, str, str, float]]:
    """aspect, polarity, part, chance of what a text says."""
    chances, surest = model.hear(text)
    heard = [at for at, chance in enumerate(chances) if chance >= model.least[at]]
    for at in heard:
        aspect, polarity = model.codes[at].split(":")
        for part in ["", *parts(surest[at])]:
            yield aspect, polarity, part, float(chances[at])
    if not heard:
        yield "", "", "", 0.0


def _unheard(version: str, cut_off: datetime) -> pd.DataFrame:
    """merchant_id, review_id, text (title and text), the latest row of each review."""
    landing.ensure_landing()
    query = f"""
        SELECT merchant_id, review_id, trim(coalesce(title || '. ', '') || coalesce(text, '')) AS text
        FROM {landing.source("reviews")} AS r
        ANTI JOIN (FROM {landing.source("review_aspects")} WHERE model_version = $version) AS a
        USING (merchant_id, review_id)
        WHERE known_at < $cut_off
        QUALIFY row_number() OVER (PARTITION BY merchant_id, review_id ORDER BY known_at DESC, _row_hash DESC) = 1
        ORDER BY ALL"""  # noqa: S608 - constant text
    with landing.connect() as connection:
        return connection.execute(query, {"version": version, "cut_off": cut_off.replace(tzinfo=None)}).df()
