"""What a way of planning ends with: a plan, what is proven about it, and facts about the search."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Solution:
    """Pieces (lot_id, factory_id, quantity), their schedule, its cost, and a bound proven for the pairs searched.

    Where lots have stages, pieces and schedule say of which, and `moves` how pieces pass between them.

    rows, columns, integers, nodes and lp_iterations count what the program had and what the search took.
    """

    allocation: pd.DataFrame  # lot_id, factory_id, quantity (pieces)
    work: pd.DataFrame  # lot_id, factory_id, day, setup_minutes, run_minutes
    cost: float
    bound: float = -np.inf
    bound_by: str = "lagrangian"  # lp | mip | lagrangian
    rows: int = 0
    columns: int = 0
    integers: int = 0
    nodes: int = 0
    lp_iterations: int = 0
    prices: pd.DataFrame | None = None  # factory_id, day, price (of a minute)
    moves: pd.DataFrame | None = None
