"""In which order a simulated factory takes its job orders, and which version of the messages it understands.

Both follow from (seed, factory) and the shares of the settings. That real factories differ so is known to everyone in
the trade; the shares are assumed, there is no public source.
"""

from typing import Literal

from c2m.settings import SimulationPolicy
from c2m.simulation.factories.profile import Profile
from c2m.wire.messages import VERSION, JobOrder

# rank: as the platform asks. arrival: first come, first served. size: its own favourites first, the largest.
Manner = Literal["rank", "arrival", "size"]
Turn = tuple[object, ...]


def manner_of(profile: Profile, seed: int, policy: SimulationPolicy) -> Manner:
    """How this factory orders its work."""
    drawn = profile.draws(seed, "manner").random()
    if drawn < policy.rank_share:
        return "rank"
    return "arrival" if drawn < policy.rank_share + policy.arrival_share else "size"


def version_of(profile: Profile, seed: int, policy: SimulationPolicy) -> int:
    """The version of the messages that this factory understands."""
    return 1 if profile.draws(seed, "version").random() < policy.version_1_share else VERSION


def turn(manner: Manner, order: JobOrder, arrival: int) -> Turn:
    """Sorts job orders that have not begun; arrival: 0 for what the factory came to know first."""
    if manner == "arrival":
        return (arrival,)
    if manner == "size":
        return -order.quantity, arrival
    return order.rank is not None, order.rank or 0, order.due_on, order.job_order_id
