"""What a forecast costs: money by hand, contestants that see nothing of the future, segments as they are defined."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from models_kit import POLICY, long_frame
from scipy.stats import poisson

from c2m.domain.newsvendor import WINDOW_LEVELS, Stakes
from models.demand.features import Cells
from models.demand.train import train
from models.evaluation import cost
from models.evaluation.baselines import BASELINES, PAST_ORIGINS, baseline_totals, mean_7, seasonal_naive
from models.evaluation.segments import SEGMENTS, segments
from models.panel.long import panel_of
from models.panel.matrices import Floats, Ints, Panel

pytestmark = pytest.mark.usefixtures("home")
WINDOW = 7


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(long_frame(series=24, ahead=0))


def stakes(panel: Panel) -> Stakes:
    return Stakes(np.linspace(5, 9, len(panel.ids)), np.linspace(1, 4, len(panel.ids)))


@dataclass(frozen=True)
class Always:
    """The same quantiles for each series, whatever was."""

    pieces: float

    def totals(self, known: Panel, series: Ints, origin: int, window: int) -> Floats:
        assert known.end <= origin
        return np.full((len(series), len(WINDOW_LEVELS)), self.pieces)


def test_pieces_too_few_and_too_many_are_paid(panel: Panel) -> None:
    origins = cost.origins(panel, WINDOW, 3)
    assert origins == [38, 45, 52]  # 60 days: the last window is 53 to 59
    found = cost.costs(panel, stakes(panel), {"ten": Always(10.0)}, origins, WINDOW)
    for row in found.sample(20, random_state=1).itertuples():
        series, at = panel.ids.get_loc(row.series_id), panel.ds.get_loc(row.origin)
        came = panel.y[series, at + 1 : at + 8].sum()
        money = stakes(panel).underage[series] * max(came - 10, 0) + stakes(panel).overage[series] * max(10 - came, 0)
        assert (row.came, row.ten) == (came, pytest.approx(money))


def test_who_knows_the_distribution_pays_less_than_who_guesses_and_ours_less_than_a_baseline() -> None:
    panel = panel_of(long_frame(series=24, days=100, ahead=0))

    @dataclass(frozen=True)
    class Knows:
        def totals(self, known: Panel, series: Ints, origin: int, window: int) -> Floats:
            mean = panel.y[series, origin + 1 : origin + 1 + window].sum(axis=1)
            return np.stack([poisson.ppf(level, mean) for level in WINDOW_LEVELS], axis=1)

    recipe = POLICY.model_copy(update={"rounds": 60})
    everyone = {"ours": cost.Ours(recipe), "naive": cost.Baseline(seasonal_naive), "ten": Always(10.0)}
    found = cost.costs(panel, stakes(panel), {**everyone, "knows": Knows()}, cost.origins(panel, WINDOW, 3), WINDOW)
    paid = found[["knows", "ours", "naive", "ten"]].sum()
    assert paid.is_monotonic_increasing, paid


def test_a_model_that_learned_from_the_fold_gives_way_to_its_recipe(panel: Panel) -> None:
    origin = 45
    early = train(panel.until(origin, WINDOW), POLICY).scorer()
    late = train(panel, POLICY).scorer()
    at = {"early": cost.Ours(POLICY, early), "late": cost.Ours(POLICY, late), "recipe": cost.Ours(POLICY)}
    found = cost.costs(panel, stakes(panel), at, [origin], WINDOW)
    assert found["late"].tolist() == found["recipe"].tolist() == found["early"].tolist()
    used = cost.costs(
        panel, stakes(panel), {"other": cost.Ours(POLICY.model_copy(update={"seed": 5}), early)}, [origin], WINDOW
    )
    assert used["other"].tolist() == found["early"].tolist()  # as registered, not trained again


@pytest.mark.parametrize("name", BASELINES)
def test_a_baselines_totals_see_nothing_of_the_future(panel: Panel, name: str) -> None:
    later = np.arange(panel.y.shape[1]) > 45
    changed = replace(panel, y=np.where(later & panel.seen, panel.y * 3 + 1, panel.y))
    tables = [
        cost.costs(each, stakes(panel), {name: cost.Baseline(BASELINES[name])}, [45], WINDOW)
        for each in (panel, changed)
    ]
    series = np.flatnonzero(panel.first <= 45)
    cells = Cells(series, np.full(len(series), 45), np.full(len(series), 52))
    before, after = (
        baseline_totals(BASELINES[name], each.until(45, WINDOW), cells, WINDOW) for each in (panel, changed)
    )
    np.testing.assert_array_equal(before, after)
    assert tables[0][name].tolist() != tables[1][name].tolist()  # what came did change


def test_a_baselines_median_is_its_total_and_the_median_of_its_past_errors() -> None:
    one = panel_of(long_frame(series=1, ahead=0))
    origin = 52
    cells = Cells(np.array([0]), np.array([origin]), np.array([origin + WINDOW]))

    def expected(at: int) -> float:
        target = at + np.arange(1, WINDOW + 1)
        return float(mean_7(one, Cells(np.zeros(WINDOW, int), np.full(WINDOW, at), target)).sum())

    past = [origin - WINDOW * back for back in range(1, PAST_ORIGINS + 1)]
    errors = [one.y[0, at + 1 : at + 1 + WINDOW].sum() - expected(at) for at in past]
    found = baseline_totals(mean_7, one, cells, WINDOW)[0]
    assert found[WINDOW_LEVELS.index(0.5)] == pytest.approx(np.rint(expected(origin) + np.median(errors)))


def test_segments_by_hand() -> None:
    days = pd.date_range("2026-01-01", periods=60)
    rows = {"fast": [9.0] * 60, "slow": [2.0] * 60, "intermittent": [0, 0, 5.0] * 20, "new": [4.0] * 20}
    frames = [pd.DataFrame({"series_id": name, "ds": days[-len(y) :], "y": y}) for name, y in rows.items()]
    panel = panel_of(pd.concat(frames))
    assert set(rows) == set(SEGMENTS)
    assert dict(zip(panel.ids, segments(panel, 59), strict=True)) == {name: name for name in rows}
