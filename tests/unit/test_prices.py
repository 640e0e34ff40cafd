"""Prices: planted elasticities are found with honest intervals, no rail is broken, decisions are kept."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from typer.testing import CliRunner

from benchmarks.price import planted, profits
from c2m.cli import app
from c2m.errors import InputError
from c2m.ledger import store
from c2m.ledger.rooms import prices
from c2m.ledger.store import Scope
from c2m.settings import PricePolicy
from models.price import daily, effect, rails
from models.price.elasticity import Sales, estimate

POLICY = PricePolicy.model_validate({})
DAY = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_planted_elasticities_lie_in_their_intervals_and_nearer_than_by_a_slope() -> None:
    figures = planted.run(6, first=1)
    assert 0.83 < figures.loc["ours", "coverage_90"] < 0.97
    assert figures.loc["ours", "rmse"] < figures.loc["slope of logarithms", "rmse"] / 1.5
    assert abs(figures.loc["ours", "bias"]) < 0.15


def test_a_style_whose_price_never_moved_has_its_category_and_says_so_by_its_interval() -> None:
    sales, _ = planted.world(3)
    price = sales.price.copy()
    price[0] = 1.0
    still = Sales(sales.pieces, price, sales.promotion, sales.livestream, sales.usable, sales.category)
    found = estimate(still)
    assert found.spread[0] >= np.median(found.spread[sales.category == 0])
    assert found.error[0] > 3 * np.median(found.error)


Floats = NDArray[np.float64]
MONEY = st.floats(0.5, 5_000)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(float, 200, elements=MONEY),
    hnp.arrays(float, 200, elements=st.floats(0.4, 2.0)),
    hnp.arrays(float, 200, elements=st.floats(0.1, 1.2)),
    hnp.arrays(float, 200, elements=st.sampled_from([0.0, 3.0, 7.0, np.inf])),
    st.sampled_from([0.01, 0.05, 0.5, 1.0]),
)
def test_every_allowed_price_keeps_every_rail(
    listed: Floats, ratio: Floats, cost_share: Floats, rested: Floats, step: float
) -> None:
    """12,000 of them here; 100,000 proposals in benchmarks/price/profits.py."""
    policy = POLICY.model_copy(update={"step": step})
    now, cost = listed * ratio, listed * cost_share
    low, high = rails.bounds(now, listed, cost, rested, policy)
    for one in np.flatnonzero(low <= high):
        for price in (low[one], high[one]):
            sku = rails.PricedSku(price, now[one], listed[one], cost[one], rested[one])
            assert rails.broken(sku, policy) == []


def test_proposals_earn_nearly_what_a_clairvoyant_earns_and_break_no_rail() -> None:
    figures = profits.run(2)
    assert figures["broken"] == 0
    assert figures["of clairvoyant"] > 0.95
    assert figures["of clairvoyant"] > figures["of clairvoyant, prices left alone"]


def test_the_effect_is_measured_beside_the_styles_held_out() -> None:
    random, days = np.random.default_rng(1), pd.date_range("2026-01-01", periods=60)
    changes = pd.DataFrame({"series_id": [f"s{n}" for n in range(30)], "day": days[40], "held_out": [False, True] * 15})
    common = 20 * (days >= days[40])  # the season turns for all on that very day
    rows = []
    for one in changes.itertuples():
        gain = 0 if one.held_out else 5 * (days >= days[40])
        money = 100 + common + gain + random.normal(0, 5, 60)
        rows.append(pd.DataFrame({"series_id": one.series_id, "day": days, "profit": money}))
    found = effect.measure(changes, pd.concat(rows))
    assert found and found.low < 5 < found.high and found.low > 0
    assert effect.measure(changes.head(4), pd.concat(rows)) is None


def proposal(sku_id: str, **more: object) -> dict[str, object]:
    figures = dict.fromkeys(prices.PROPOSAL, 1.0)
    names = {"proposal_id": f"P-{sku_id}", "merchant_id": "m1", "style_id": "S1", "sku_id": sku_id}
    return {**figures, **names, "day": DAY, "currency": "USD", "days": 14, "held_out": False, **more}


def test_what_is_decided_stays_and_a_merchant_sees_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c2m.settings import settings as of_process

    monkeypatch.setenv("C2M_HOME", str(tmp_path))
    of_process.cache_clear()
    store.migrate()
    rows = pd.DataFrame(
        [
            proposal("A", price=9.0),
            proposal("B", style_id="S2", held_out=True),
            proposal("C", merchant_id="m2", style_id="S3"),
        ]
    )
    with store.session() as s:
        assert prices.of_styles(prices.listed(s)).empty
        prices.record(s, rows, DAY, AT)
        assert prices.decide(s, "m1/S1", "released", "Ann", "sells slowly", AT) == 1
        prices.record(s, rows, DAY, AT)  # the day again
        kept = prices.listed(s).set_index("sku_id")["state"]
        assert kept.to_dict() == {"A": "released", "B": "held", "C": "proposed"}
        assert set(prices.listed(s, Scope(merchant_id="m1"))["sku_id"]) == {"A", "B"}
        assert prices.in_force(s)[["sku_id", "price"]].to_numpy().tolist() == [["A", 9.0]]
        with pytest.raises(InputError, match="no proposal"):
            prices.decide(s, "m1/S2", "released", "Ann", "held back", AT)
        styles = prices.of_styles(prices.listed(s)).set_index("style")
        assert styles["skus"].to_dict() == {"m1/S1": 1, "m1/S2": 1, "m2/S3": 1}
        assert styles.loc["m1/S1", ["proposed", "state"]].tolist() == ["9.00", "released"]
    shown = CliRunner().invoke(app, ["prices", "--json"])
    assert '"sku_id": "A"' in shown.stdout.replace('":"', '": "')
    told = CliRunner().invoke(app, ["prices", "--reject", "m2/S3", "--reason", "no"])
    assert told.exit_code == 0 and "1 proposals rejected" in told.stdout
    assert CliRunner().invoke(app, ["prices", "--release", "all"]).exit_code == 2  # without a reason
    assert "build the marts first" in CliRunner().invoke(app, ["prices", "--effect"]).stderr
    with store.session() as s:
        assert prices.decide(s, "all", "released", "Ann", "nothing is left", AT) == 0
        prices.record(s, pd.DataFrame([proposal("D", style_id="S4")]), DAY, AT)
        prices.record(s, rows.head(0), date(2026, 3, 3), AT)
        assert prices.listed(s, day=DAY).set_index("sku_id")["state"]["D"] == "lapsed"
    of_process.cache_clear()


def test_the_hold_out_is_the_same_every_day_and_of_its_share() -> None:
    held = [daily.held_out(f"m/{number}", POLICY) for number in range(2_000)]
    assert held == [daily.held_out(f"m/{number}", POLICY) for number in range(2_000)]
    assert 0.17 < np.mean(held) < 0.23
