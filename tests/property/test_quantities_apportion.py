"""Pieces shared out: sums exact, fair to within one piece, deterministic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2m.domain.apportion import apportion, apportion_within

weights = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=40)
margin = st.lists(st.integers(0, 5_000), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.integers(0, 10**9), weights)
def test_sums_exactly_and_stays_within_one_piece_of_the_share(total: int, weights: list[float]) -> None:
    pieces = apportion(total, weights)
    assert pieces.sum() == total
    share = np.array(weights) / sum(weights) if sum(weights) else np.full(len(weights), 1 / len(weights))
    assert (np.abs(pieces - share * total) < 1 + 1e-6 * total).all()


@settings(deadline=None)
@given(st.integers(0, 10**6), weights)
def test_what_weighs_nothing_gets_nothing(total: int, weights: list[float]) -> None:
    pieces = apportion(total, [*weights, 0.0])
    assert not any(weights) or pieces[-1] == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), weights), min_size=1, max_size=8), st.randoms())
def test_groups_are_shared_as_if_each_stood_alone(groups: list[tuple[int, list[float]]], random: object) -> None:
    group = np.repeat(np.arange(len(groups)), [len(w) for _, w in groups])
    together = apportion_within([t for t, _ in groups], np.concatenate([w for _, w in groups]), group)
    alone = np.concatenate([apportion(t, w) for t, w in groups])
    assert (together == alone).all()


@settings(deadline=None)
@given(margin, st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_factory_after_factory_out_of_what_is_left_keeps_both_sums_exact(skus: list[int], factories: list[int]) -> None:
    left, ideal = np.array(skus), np.outer(apportion(sum(skus), factories), skus) / max(sum(skus), 1)
    for pieces, share in zip(apportion(sum(skus), factories), ideal, strict=True):
        taken = apportion(int(pieces), left) if pieces else np.zeros_like(left)
        assert (taken <= left).all()
        assert np.abs(taken - share).max() < 4  # a SKU stays near its share at every factory
        left -= taken
    assert not left.any()


def test_ties_go_to_the_earlier_row() -> None:
    assert apportion(5, [1, 1, 1]).tolist() == [2, 2, 1]
    assert apportion(2, [0, 0, 0]).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: apportion(-1, [1]),
        lambda: apportion(1, [-1]),
        lambda: apportion(1, [float("nan")]),
        lambda: apportion(1, []),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match="apportion"):
        call()  # type: ignore[operator]
