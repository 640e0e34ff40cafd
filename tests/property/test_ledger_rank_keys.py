"""Ranks: told anew as seldom as possible, and always in the plan's order. The oracle tries every set of places."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from c2m.ledger.conversation.ranks import GAP, QueuePlace, ranks

PLACES = st.lists(st.builds(QueuePlace, st.none() | st.integers(-6, 6).map(lambda n: n * GAP)), max_size=8)
WITH_FIXED = st.lists(
    st.builds(QueuePlace, st.none() | st.integers(-6, 6).map(lambda n: n * GAP), st.booleans()), max_size=8
)


def rises(values: list[int]) -> bool:
    return all(a < b for a, b in pairwise(values))


def most_kept(places: list[QueuePlace]) -> int:
    """The size of the largest set of ranked places whose ranks rise."""
    ranked = [place.rank for place in places if place.rank is not None]
    sets = (list(some) for size in range(len(ranked), -1, -1) for some in combinations(ranked, size))
    return len(next(some for some in sets if rises(some)))


@settings(deadline=None)
@given(PLACES)
def test_the_order_is_the_plans_and_the_fewest_are_told_anew(places: list[QueuePlace]) -> None:
    found = ranks(places)
    assert None not in found
    assert rises(found)
    assert sum(place.rank == rank for place, rank in zip(places, found, strict=True)) == most_kept(places)


@settings(deadline=None)
@given(WITH_FIXED)
def test_what_is_fixed_keeps_its_rank_and_the_rest_rises_around_what_of_it_can(places: list[QueuePlace]) -> None:
    found = ranks(places)
    assert all(rank == place.rank for place, rank in zip(places, found, strict=True) if place.fixed)
    free = [rank for place, rank in zip(places, found, strict=True) if not place.fixed]
    if rises([place.rank for place in places if place.fixed and place.rank is not None]):
        assert rises([rank for rank in found if rank is not None])
    assert None not in free


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_insertions_at_any_place_never_run_out_of_room(spots: list[int]) -> None:
    """Each new plan keeps the order and puts one more in; at one place for ever, too."""
    order: list[int | None] = []
    for spot in spots:
        order.insert(min(spot, len(order)), None)
        order = ranks([QueuePlace(rank) for rank in order])
        assert rises(order)


def test_thirty_insertions_at_one_place_tell_others_anew_only_where_no_room_is_left() -> None:
    low, high = ranks([QueuePlace(), QueuePlace()])
    order: list[int | None] = [low, high]
    told = 0
    for _ in range(30):
        before = set(order)
        order = ranks([QueuePlace(rank) for rank in [order[0], None, *order[1:]]])
        told += len(before - set(order))
    assert rises(order)
    assert 0 < told <= 5


def test_only_what_changes_its_place_is_told() -> None:
    first = ranks([QueuePlace() for _ in range(4)])
    assert first == [GAP, 2 * GAP, 3 * GAP, 4 * GAP]
    last_comes_first = ranks([QueuePlace(first[3]), QueuePlace(first[0]), QueuePlace(first[1]), QueuePlace(first[2])])
    assert last_comes_first == [0, *first[:3]]
