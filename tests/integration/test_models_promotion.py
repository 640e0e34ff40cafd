"""Promotion in a real registry: refused, promoted, left alone, broken off, rolled back."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from models_kit import POLICY, long_frame
from typer.testing import CliRunner

from c2m.cli import app
from c2m.errors import InputError
from c2m.files import sha256
from c2m.warehouse.published import manifest
from models.demand.features import matrix
from models.demand.forecast import asked_cells
from models.demand.train import Trained, train
from models.evaluation import cost
from models.evaluation.backtest import Backtest
from models.governance import promotion, registry
from models.panel.daily import published_panel
from models.panel.matrices import Panel

DAYS = 100
DAY = date(2026, 1, 5) + timedelta(days=DAYS)
WINDOW = 14


@pytest.fixture
def panel(home: Path) -> Panel:
    """That of a published build of three marts."""
    demand = long_frame(series=20, days=DAYS, ahead=0)
    demand = demand.rename(columns={"ds": "day", "y": "pieces_asked"})
    demand = demand.assign(merchant_id="m", style_id=demand["series_id"], unit_price=30.0, demand_date=demand["day"])
    started = demand.groupby(["merchant_id", "style_id"], as_index=False).agg(
        released_on=("day", "min"), first_sold_on=("day", "min"), category=("category", "first")
    )
    drivers = demand.assign(promotion_depth=demand["promotion"], livestream_minutes=0.0, views=1, searches=1, carts=1)
    marts = {"demand_daily": demand, "styles": started.assign(price=30.0, cost=12.0), "demand_drivers": drivers}
    folder = home / "published" / "b1"
    folder.mkdir(parents=True)
    entries = {}
    for name, frame in marts.items():
        file = folder / f"{name}.parquet"
        frame.to_parquet(file)
        entries[name] = {"file": f"b1/{name}.parquet", "rows": len(frame), "sha256": sha256(file)}
    facts = {"build_id": "b1", "business_date": DAY.isoformat(), "invocation_id": "inv-1", "marts": entries}
    (home / "published" / "current.json").write_text(json.dumps(facts))
    return published_panel(DAY)


def before_the_folds(panel: Panel, rounds: int) -> Trained:
    """A model that has learned from nothing that the gate judges."""
    origin = cost.origins(panel, WINDOW, 4)[0]
    return train(panel.until(origin, WINDOW), POLICY.model_copy(update={"rounds": rounds, "horizon_days": WINDOW}))


def register(trained: Trained, panel: Panel, name: str) -> str:
    own = replace(trained, spec=trained.spec | {"fingerprint": name})
    return registry.log_and_register(own, panel, Backtest(pd.DataFrame(), pd.DataFrame()), manifest())


def ordering(share: float, trained: Trained) -> Trained:
    """Orders this share of what it should: nobody sees it in the error of its mean."""
    windows = [w | {"ratios": (np.array(w["ratios"]) * share).tolist()} for w in trained.spec["windows"]]
    return replace(trained, spec=trained.spec | {"windows": windows})


def reckless(trained: Trained) -> Trained:
    """Misses most sales."""
    return ordering(1 / 3, trained)


def wasteful(trained: Trained) -> Trained:
    """Is left with much."""
    return ordering(1.5, trained)


def rmse(trained: Trained, panel: Panel) -> float:
    origin = cost.origins(panel, WINDOW, 4)[0]
    cells = asked_cells(panel.until(origin, WINDOW))
    mean = trained.scorer().predict(matrix(panel.until(origin, WINDOW), cells))["mean"].to_numpy()
    return float(np.sqrt(np.mean((mean - panel.y[cells.series, cells.target]) ** 2)))


def tags(version: str) -> dict[str, str]:
    found: dict[str, str] = MlflowClient().get_model_version(registry.NAME, version).tags
    return found


def test_a_challenger_of_better_rmse_and_worse_cost_is_refused_and_a_better_one_promoted(panel: Panel) -> None:
    weak, strong = wasteful(before_the_folds(panel, 3)), before_the_folds(panel, 60)
    assert rmse(reckless(strong), panel) < rmse(weak, panel)
    champion, planted = register(weak, panel, "weak"), register(reckless(strong), panel, "reckless")
    registry.promote(champion)
    assert promotion.decide(DAY) is None  # no challenger
    assert CliRunner().invoke(app, ["promote"]).exit_code == 0

    registry.challenge(planted)
    refused = promotion.decide(DAY)
    assert refused is not None
    assert not refused.promoted
    assert refused.saving < -0.1
    assert registry.version_of(registry.CHAMPION) == champion
    assert (tags(planted)["gate"], tags(planted)["gate.champion"]) == ("refused", champion)
    assert promotion.decide(DAY) is None  # judged already

    better = register(strong, panel, "strong")
    registry.challenge(better)
    told = json.loads(CliRunner().invoke(app, ["promote", "--date", str(DAY), "--json"]).output)
    assert told["verdict"] == "promoted"
    assert registry.version_of(registry.CHAMPION) == better
    assert registry.version_of(registry.CHALLENGER) is None
    page = MlflowClient().get_model_version(registry.NAME, better).description
    assert f"takes the place of** version {champion}" in page
    assert "| intermittent |" in page


def test_equal_ones_leave_the_champion(panel: Panel) -> None:
    one = before_the_folds(panel, 10)
    first, second = register(one, panel, "one"), register(one, panel, "the same again")
    registry.promote(first)
    registry.challenge(second)
    verdict = promotion.decide(DAY)
    assert verdict is not None
    assert verdict.reasons == ["costs as much as the champion"]
    assert registry.version_of(registry.CHAMPION) == first
    assert promotion.decide(DAY) is None
    assert promotion.decide(DAY, version=second) is not None  # asked for by name, it is judged anew
    with pytest.raises(InputError, match="version 1 is the champion"):
        promotion.decide(DAY, version=first)
    assert registry.version_of(registry.CHALLENGER) == second


@pytest.mark.parametrize("broken", ["set_registered_model_alias", "delete_registered_model_alias"])
def test_a_promotion_broken_off_is_completed_and_one_rolled_back_stays_so(
    panel: Panel, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = before_the_folds(panel, 60)
    weak, better = register(wasteful(good), panel, "wasteful"), register(good, panel, "good")
    registry.promote(weak)
    registry.challenge(better)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MlflowClient, broken, interrupt)
        promotion.decide(DAY)
    assert registry.version_of(registry.CHAMPION) == (weak if broken.startswith("set") else better)
    assert promotion.decide(DAY) is None  # no second verdict; what was broken off is done
    assert registry.champion().version == better

    MlflowClient().set_registered_model_alias(registry.NAME, registry.CHAMPION, weak)  # as a person does in the page
    assert promotion.decide(DAY) is None
    assert registry.champion().version == weak


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
