"""Our forecasts as one object, on the long format of the field: unique_id, ds, y and columns known ahead.

Parameters follow scikit-learn's conventions (stored as given, `get_params`, `set_params`), methods and columns those of
Nixtla's libraries. The forecast follows from data, parameters and settings alone, so that a saved object keeps these.
"""

import inspect
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from models.demand.forecast import Metric
from models.ensemble.folds import Fold
from models.ensemble.panel_forecast import AUTO, PanelForecast, ahead, answer
from models.panel.long import Absent, panel_of
from models.panel.matrices import Panel

NAME = "c2m"
_DATA, _PARAMETERS = "data.parquet", "parameters.json"


class Forecaster:
    """Forecasts of many series, by what their own backtest finds best.

    Parameters
    ----------
    model
        auto, champion, or the name of a member (`models.ensemble.panel_forecast.MODELS`).
    metric
        That the point forecast is best for: wape, mape or rmse.
    season
        Periods in a season; None: as the dates tell.
    absent
        What a row that is not there means: a missing value, or zero.
    """

    def __init__(
        self, model: str = AUTO, metric: Metric = "wape", season: int | None = None, absent: Absent = "missing"
    ) -> None:
        self.model = model
        self.metric: Metric = metric
        self.season = season
        self.absent: Absent = absent

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` changes nothing, because none of them has parameters."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Other parameters; an unknown one is refused."""
        unknown = parameters.keys() - self.get_params().keys()
        if unknown:
            raise ValueError(f"no parameter {', '.join(sorted(unknown))}; there are {', '.join(self.get_params())}")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def fit(self, df: pd.DataFrame) -> Self:
        """Takes the history (unique_id, ds, y, columns known ahead); refuses one that is no panel.

        What is best depends on how far ahead is asked for: it is chosen when the forecast is made.
        """
        self.panel_ = self._panel(df)
        self.df_ = df
        return self

    def predict(
        self, h: int | None = None, X_df: pd.DataFrame | None = None, level: Sequence[float] = ()
    ) -> pd.DataFrame:
        """The forecast.

        Parameters
        ----------
        h
            Periods ahead of each series' last observation.
        X_df
            Instead of `h`: the rows to forecast (unique_id, ds) with the columns known ahead; also of new series.
        level
            Widths of ranges in percent.

        Returns
        -------
        pd.DataFrame
            unique_id, ds, c2m, c2m-mean, and c2m-lo-80, c2m-hi-80 for a level of 80.
        """
        found = self._answer(self._asked(h, X_df), level)
        self.words_ = found.words
        return _named(found.frame)

    def predict_sums(self, h: int | None = None, X_df: pd.DataFrame | None = None) -> pd.DataFrame:
        """Forecasts of sums, whose quantiles are those of the sum.

        Parameters
        ----------
        h, X_df
            As of `predict`.

        Returns
        -------
        pd.DataFrame
            level and key (all, or a category that series keep and one of its values), ds (empty: over all periods),
            mean, q05 .. q95.
        """
        panel = self._asked(h, X_df)
        return self._answer(panel, ()).sums(panel)

    def _asked(self, h: int | None, rows: pd.DataFrame | None) -> Panel:
        if rows is not None:
            return self._panel(pd.concat([self.df_, rows.assign(y=float("nan"))], ignore_index=True))
        if h is None:
            raise ValueError("say how far to forecast: h periods, or the rows of X_df")
        return ahead(self.panel_, h)

    def cross_validation(
        self,
        df: pd.DataFrame,
        h: int,
        n_windows: int = 1,
        step_size: int | None = None,
        level: Sequence[float] = (),
    ) -> pd.DataFrame:
        """Forecasts at rolling origins beside what came; everything is chosen and learned anew at each.

        Parameters
        ----------
        df
            The history, as for `fit`.
        h
            Periods ahead.
        n_windows
            Origins, the last of which lies `h` periods before the end of each series.
        step_size
            Periods between them; None: `h`.
        level
            Widths of ranges in percent.

        Returns
        -------
        pd.DataFrame
            As of `predict`, with cutoff (the last period known) and y.
        """
        panel, step = self._panel(df), step_size or h
        windows = [self._window(panel, h + step * back, h, level) for back in range(n_windows - 1, -1, -1)]
        return pd.concat(windows, ignore_index=True)

    def _window(self, panel: Panel, back: int, h: int, level: Sequence[float]) -> pd.DataFrame:
        fold = Fold.of(panel, back, h)
        found = _named(self._answer(fold.asked(panel), level).frame)
        rows = panel.ids.get_indexer(pd.Index(found["unique_id"].to_numpy(dtype=object)))
        actual = panel.y[rows, panel.ds.get_indexer(pd.Index(found["ds"]))]
        found.insert(2, "cutoff", panel.ds[fold.origin[rows]])
        found.insert(3, "y", actual)
        return found

    def _answer(self, panel: Panel, level: Sequence[float]) -> PanelForecast:
        return answer(panel, self.metric, self.model, level)

    def _panel(self, df: pd.DataFrame) -> Panel:
        panel = panel_of(df.rename(columns={"unique_id": "series_id"}), self.absent)
        return panel if self.season is None else replace(panel, season=self.season)

    def save(self, folder: Path) -> None:
        """Parameters and history; nothing is pickled."""
        folder.mkdir(parents=True, exist_ok=True)
        self.df_.to_parquet(folder / _DATA, index=False)
        (folder / _PARAMETERS).write_text(json.dumps(self.get_params()), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The saved object, fitted."""
        parameters = json.loads((folder / _PARAMETERS).read_text(encoding="utf-8"))
        return cls(**parameters).fit(pd.read_parquet(folder / _DATA))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The field's names of columns; the quantiles are left to `level`."""
    bounds = [str(name) for name in frame if str(name).startswith(("lo-", "hi-"))]
    names = {"series_id": "unique_id", "ds": "ds", "point": NAME, "mean": f"{NAME}-mean"}
    names |= {name: f"{NAME}-{name}" for name in bounds}
    return frame[list(names)].rename(columns=names)
