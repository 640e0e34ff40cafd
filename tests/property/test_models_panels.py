"""Whatever panel comes: a sound forecast or a refusal in words."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from c2m import settings as kernel
from c2m.errors import InputError
from models.demand.forecast import QUANTILES, forecast
from models.panel.long import panel_of

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 40),
        st.one_of(st.none(), st.integers(0, 9), st.just(1e9), st.just(-1.0)),
        st.sampled_from(["x", "y", None]),
    ),
    max_size=60,
)


@pytest.fixture(autouse=True)
def quick(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2M_FORECAST__ROUNDS", "3")
    monkeypatch.setenv("C2M_FORECAST__THREADS", "1")
    kernel.settings.cache_clear()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(rows=[("a", 0, 1e9, "x"), ("a", 1, 1e9, "x"), ("a", 2, None, "x")], absent="missing", dates=False)
@given(rows=ROWS, absent=st.sampled_from(["missing", "zero"]), dates=st.booleans())
def test_a_forecast_or_a_refusal(
    rows: list[tuple[str, int, float | None, str | None]], absent: str, dates: bool
) -> None:
    frame = pd.DataFrame(rows, columns=["series_id", "ds", "y", "kind"]).astype({"y": float, "kind": object})
    if dates:
        frame["ds"] = [date(2026, 1, 1) + timedelta(days=int(day)) for day in frame["ds"]]
    try:
        panel = panel_of(frame, absent)
        found = forecast(panel)
    except InputError as error:
        assert all(error.faults)
        return
    numbers = found[["point", "mean", *QUANTILES]].to_numpy()
    assert len(found) == panel.asked.sum()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all() or (frame["y"] < 0).any()
    assert (np.diff(found[QUANTILES].to_numpy(), axis=1) >= 0).all()
