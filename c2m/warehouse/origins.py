"""What a day's forecast was made from: model version, published build, feature rows; kept beside the day for good.

runs/<day>/origins/<name>.json and .parquet, under the name of the landed file of the forecast's windows, which follows
from its content: a forecast that is made again on the same day has an origin of its own.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from c2m.files import read_json, sha256, write_json, write_with
from c2m.settings import settings

KEYS = ["merchant_id", "style_id", "ds"]


def _write(file: Path, rows: pd.DataFrame) -> None:
    write_with(file, lambda part: rows.to_parquet(part, compression="zstd", row_group_size=20_000))


def keep(
    day: str, forecasts: Path, windows: Path, model: dict[str, Any], build_id: str, features: pd.DataFrame
) -> None:
    """Keeps what a forecast was made from.

    Parameters
    ----------
    day
        Business date of the forecast.
    forecasts
        File in which its days landed.
    windows
        File in which its totals landed.
    model
        Version and fingerprint of the model.
    build_id
        Published marts that it read.
    features
        KEYS and a column per feature, a row per style and day; demand in units of `scale` (pieces).
    """
    file = _folder(day) / f"{windows.stem}.parquet"
    _write(file, features.sort_values(KEYS, ignore_index=True))
    said = {"model": model, "build_id": build_id, "forecasts": forecasts.name, "features_sha256": sha256(file)}
    write_json(file.with_suffix(".json"), said)


def of(day: str, windows: Path) -> dict[str, Any] | None:
    """What a forecast was made from, as `keep` kept it.

    Parameters
    ----------
    day
        Business date.
    windows
        Landed file of the forecast's windows.

    Returns
    -------
    dict or None
        With `file`, the path of the feature rows; None where nothing was kept.
    """
    said = _folder(day) / f"{windows.stem}.json"
    if not said.exists():
        return None
    return {**read_json(said), "file": said.with_suffix(".parquet")}


def _folder(day: str) -> Path:
    folder: Path = settings().runs / day / "origins"
    return folder
