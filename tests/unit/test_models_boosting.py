"""The same training in memory, from disk and on a Dask cluster; features the same however many series at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from models_kit import POLICY, long_frame

from models.demand import boosting, features
from models.demand.forecast import QUANTILES, asked_cells, forecast
from models.demand.sample import sample
from models.demand.train import train
from models.evaluation.backtest import pinball
from models.panel.long import panel_of
from models.panel.matrices import Panel

AHEAD = 7


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(long_frame(series=20, days=120, ahead=AHEAD))


def given(panel: Panel, **settings: object) -> pd.DataFrame:
    """The forecast of a model that is trained so."""
    return forecast(panel, "wape", train(panel, POLICY.model_copy(update=settings), totals=False).scorer())


def test_a_block_of_series_has_the_rows_that_all_together_have(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    some = replace(panel, asked=panel.asked & (np.arange(len(panel.ids)) > 11)[:, None])  # the first block has none
    whole = forecast(some, "wape", model := train(panel, POLICY, totals=False).scorer())
    rows = features.matrix(some, asked_cells(some))
    monkeypatch.setattr(features, "BLOCK", 6)
    pd.testing.assert_frame_equal(features.matrix(some, asked_cells(some)), rows)
    pd.testing.assert_frame_equal(forecast(some, "wape", model), whole)


def test_training_from_disk_gives_the_forecast_of_training_in_memory(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(boosting, "BATCH_ROWS", 500)
    policy = POLICY.model_copy(update={"memory_rows": 0})
    on_disk = sample(panel, panel.end, policy, tmp_path)
    assert isinstance(on_disk.features, np.memmap)
    assert len(on_disk.features) > 4 * boosting.BATCH_ROWS
    pd.testing.assert_frame_equal(given(panel, memory_rows=0), given(panel))


def test_training_on_a_cluster_forecasts_as_well(panel: Panel) -> None:
    day = panel.end - AHEAD
    known = panel.until(day, AHEAD)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = given(known, dask_scheduler=cluster.scheduler_address)
    here = given(known)
    assert not there.equals(here)  # quantiles of two workers' leaves, averaged
    came = panel.y[:, day + 1 : day + 1 + AHEAD].ravel()
    loss = [pinball(came, frame[QUANTILES].to_numpy()).mean() for frame in (there, here)]
    assert loss[0] == pytest.approx(loss[1], rel=0.05)
