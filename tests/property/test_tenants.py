"""What one merchant sends, broken in any way, changes nothing of another. At size: benchmarks/tenants/breakages.py."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.tenants.breakages import change
from benchmarks.tenants.kernel import Kernel
from benchmarks.tenants.world import JUNK, KINDS, Breakage, merchant_ids, rows_of

MERCHANTS = 4
FEEDS = sorted(rows_of("M001"))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    yield Kernel(tmp_path_factory.mktemp("tenants"), MERCHANTS)


junk = st.sampled_from(JUNK) | st.text(max_size=30) | st.integers().map(str) | st.floats().map(str)
places = st.integers(0, 99)
breakages = st.builds(
    Breakage, st.sampled_from(merchant_ids(MERCHANTS)), st.sampled_from(FEEDS), places, places, junk,
    st.sampled_from(KINDS),
)  # fmt: skip


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@example([Breakage("M001", "merchant_orders", 0, 0, "M002", "cell")])
@example([Breakage("M001", "merchant_order_lines", 0, 4, "9223372036854775808", "cell")])
@given(st.lists(breakages, min_size=1, max_size=3))
def test_a_broken_row_changes_nothing_of_another_merchant(kernel: Kernel, broken: list[Breakage]) -> None:
    assert change(kernel, broken)[0] == ""


def test_what_is_compared_tells_a_change(kernel: Kernel) -> None:
    """The merchant's own orders do change; so would another's be seen to."""
    assert all(len(kernel.undisturbed.of_merchant[name]) > 20 for name in kernel.merchants)
    seen = kernel.day([Breakage("M002", "merchant_order_lines", 0, 4, "0", "cell")])
    assert kernel.undisturbed.differing(seen, kernel.merchants).keys() == {"M002"}
