"""A believable world as feed files (docs/demo-world.md): all of it, or the supply side for a mapped catalogue."""

from c2m.simulation.world import reviews
from c2m.simulation.world.supply import write_supply
from c2m.simulation.world.world import SIZES, write_world

__all__ = ["SIZES", "reviews", "write_supply", "write_world"]
