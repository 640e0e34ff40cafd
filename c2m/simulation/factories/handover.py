"""Goods between simulated factories: what a stage has shipped comes to the factory of the next one, by road."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from c2m.simulation.factories.factory import SimulatedFactory
from c2m.simulation.factories.state import State


def hand_over(factories: Mapping[str, SimulatedFactory], state: State, now: datetime) -> None:
    """Goods that have come by `now` to the factory of their next stage, and that it knows what to do with.

    Within a transaction of `state`.
    """
    for goods in state.goods():
        sender, receiver = factories[goods.from_factory], factories.get(goods.to_factory)
        if receiver is None:
            continue
        arrived = goods.at + timedelta(days=sender.profile.road_days(receiver.profile))
        if arrived <= now and receiver.receive_goods(goods.model_copy(update={"at": arrived})):
            state.received(goods)
