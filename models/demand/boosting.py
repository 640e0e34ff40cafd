"""Trees on a sample: in memory, from disk where the sample is larger than that, or on a Dask cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from c2m.settings import ForecastPolicy
from models.demand.sample import Sample
from models.panel.matrices import Floats

QUANTILE_LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)

# A row weighs its scale to this power. 1 is the loss in pieces; less also hears the slow series. Amazon apparel: the
# mean's totals cost 1 % less to order by, quantiles lose 1 % less pinball.
MEAN_WEIGHT, QUANTILE_WEIGHT = 0.75, 0.5
# Where observations are hardly ever zero, quantiles are learned of the logarithm, each row alike: what sells ten times
# as much in one week as in the next pulls less (orange juice, rounds 1 to 4: WAPE 41 instead of 46).
LOGARITHM_WEIGHT = 0.0
LEAST = 0.01  # of demand over scale, as the logarithm sees a zero

BATCH_ROWS = 1_000_000  # read from disk at once


def learned(rows: Sample, policy: ForecastPolicy, logarithmic: bool, quantiles: bool = True) -> dict[str, xgb.Booster]:
    """Trees by name: the mean of demand over scale, and its quantiles."""
    found = {"mean": boosted(rows, policy, rows.relative, rows.weight(MEAN_WEIGHT), {"objective": "count:poisson"})}
    if quantiles:
        target = np.log(np.maximum(rows.relative, LEAST)) if logarithmic else rows.relative
        weight = rows.weight(LOGARITHM_WEIGHT if logarithmic else QUANTILE_WEIGHT)
        levels = {"objective": "reg:quantileerror", "quantile_alpha": list(QUANTILE_LEVELS)}
        found["quantiles"] = boosted(rows, policy, target, weight, levels)
    return found


def boosted(
    sample: Sample, policy: ForecastPolicy, target: Floats, weight: Floats, objective: dict[str, Any]
) -> xgb.Booster:
    """Trees that learn `target` (rows,) from the sample's features, each row with its weight."""
    machine = {"tree_method": "hist", "seed": policy.seed, "nthread": policy.threads}
    parameters = {**policy.trees.model_dump(), **objective, **machine}
    if policy.dask_scheduler:
        return _on_cluster(sample, policy, target, weight, parameters)
    if isinstance(sample.features, np.memmap):
        batches = _Batches(sample, target, weight)
        data = xgb.ExtMemQuantileDMatrix(batches, nthread=policy.threads)
    else:
        data = xgb.QuantileDMatrix(
            sample.features, target, weight=weight, feature_types=sample.types, nthread=policy.threads
        )
    return xgb.train(parameters, data, policy.rounds)


class _Batches(xgb.DataIter):  # type: ignore[misc]
    """The rows of a sample on disk, some at a time; XGBoost keeps their bins beside them."""

    def __init__(self, sample: Sample, target: Floats, weight: Floats) -> None:
        self.sample, self.target, self.weight, self.start = sample, target, weight, 0
        file = Path(str(sample.features.filename))  # type: ignore[attr-defined]
        super().__init__(cache_prefix=str(file.with_suffix("")))

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hands over the next batch."""
        if self.start >= len(self.target):
            return False
        rows = slice(self.start, self.start + BATCH_ROWS)
        features: NDArray[np.float32] = np.array(self.sample.features[rows])
        input_data(data=features, label=self.target[rows], weight=self.weight[rows], feature_types=self.sample.types)
        self.start = rows.stop
        return True

    def reset(self) -> None:
        """Back to the first batch."""
        self.start = 0


def _on_cluster(
    sample: Sample, policy: ForecastPolicy, target: Floats, weight: Floats, parameters: dict[str, Any]
) -> xgb.Booster:
    """Every worker has some of the rows; quantiles are those of the workers' leaves, averaged."""
    from dask import array
    from distributed import Client
    from xgboost import dask

    with Client(policy.dask_scheduler) as client:
        rows = -(-len(target) // max(1, len(client.scheduler_info(n_workers=-1)["workers"])))
        features, label, weights = (
            array.from_array(values, chunks=(rows, *values.shape[1:])) for values in (sample.features, target, weight)
        )
        data = dask.DaskQuantileDMatrix(client, features, label, weight=weights, feature_types=sample.types)
        booster: xgb.Booster = dask.train(client, parameters, data, policy.rounds)["booster"]
        return booster
