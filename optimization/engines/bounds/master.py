"""The master program of the bound of patterns: each order mixes its patterns, and the mix fits the factories.

min  sum cost_k y_k + v p + (E - w G) z + w i + constant
  order[o]        sum of y over the order's patterns = 1
  capacity[f,t]   sum minutes_kft y_k <= C_ft z_f + p_ft
  overtime[f,t]   p_ft <= V_ft z_f
  target[f]       i_f + sum_kt minutes_kft y_k >= G_f z_f         i_f: minutes short while engaged
z_f is a column where engagement costs something and no frozen piece decides it, else 1. So the factories' part is the
convex hull of what prices.factories chooses from: bound and value meet at the master's prices once no pattern is
missing. Columns are only added, and every solution starts the next search.

Few patterns leave prices wild, so they are kept in a box around good ones (Marsten, Hogan and Blankenship 1975):
minutes may be bought at the upper price and sold at the lower one. The value is then the most within the box.
"""

import highspy
import numpy as np
import scipy.sparse as sp

from c2m.domain.arrays import Flags, Floats, Ints
from optimization.contract.tolerances import FITS_MINUTES
from optimization.engines.bounds.orders_at_prices import Patterns
from optimization.statement.dense import Dense
from optimization.statement.linear import Blocks

_PENALTY = 10.0  # times the dearest piece: for leaving frozen pieces, until patterns that fit are there
_MIXED = 1e-6  # weight of a pattern that counts as used
_PRIMAL = 4  # HiGHS simplex_strategy: columns were added, so the last basis is feasible


class Master:
    """The program over the patterns added so far."""

    def __init__(self, arrays: Dense) -> None:
        self._arrays = arrays
        engaged = (arrays.engagement_cost == 0) | arrays.always
        missed = np.where(
            engaged, 0.0, arrays.shortfall_cost * arrays.target_minutes
        )  # cost of a factory that is not engaged
        fixed = (
            arrays.lost
            + (arrays.change_cost * arrays.held).sum()
            + arrays.engagement_cost[engaged].sum()
            + missed.sum()
        )
        lp, orders = Blocks(offset=float(fixed)), np.arange(len(arrays.quantity))
        kept = np.bincount(arrays.order, arrays.kept, minlength=len(orders)) > 0
        penalty = _PENALTY * (arrays.unit_cost.max(initial=0.0) + arrays.unmet_cost.max(initial=0.0))
        left = lp.columns(arrays.quantity * (arrays.unmet_cost + np.where(kept, penalty, 0.0)))
        lp.rows(len(orders), 1.0, 1.0, (orders, left, 1.0))
        free = np.flatnonzero(~engaged)
        z = lp.columns((arrays.engagement_cost - missed)[free], upper=1.0)
        self._target = self._add_target(lp, engaged, free, z)
        self._boxed = np.flatnonzero((arrays.room > 0) & (self._target < 0)[:, None])
        self._box = lp.columns(np.zeros(2 * len(self._boxed)))  # minutes bought, minutes sold
        self._capacity = self._add_capacity(lp, engaged, free, z)
        self._solver = lp.solver()
        for option, setting in (("solver", "simplex"), ("simplex_strategy", _PRIMAL)):
            self._solver.setOptionValue(option, setting)
        self._first = self._solver.getNumCol()  # of the patterns
        self._known: set[tuple[int, float]] = set()
        self._mark = np.random.default_rng(0).random(arrays.room.size)

    def _add_capacity(self, lp: Blocks, engaged: Flags, free: Ints, z: Ints) -> Ints:
        """capacity and overtime; returns the row of capacity by place."""
        arrays, places = self._arrays, np.arange(self._arrays.room.size)
        p = lp.columns(arrays.overtime_cost.ravel(), upper=arrays.overtime.ravel())
        at, switch = places.reshape(arrays.room.shape)[free].ravel(), np.repeat(z, arrays.days)
        most = np.where(engaged[:, None], arrays.minutes, 0.0).ravel()
        offered = (at, switch, -arrays.minutes[free].ravel())
        traded = np.tile(self._boxed, 2), self._box, np.repeat([-1.0, 1.0], len(self._boxed))
        capacity = lp.rows(len(places), -np.inf, most, (places, p, -1.0), offered, traded)
        above = np.arange(len(at))
        lp.rows(len(at), -np.inf, 0.0, (above, p[at], 1.0), (above, switch, -arrays.overtime[free].ravel()))
        return capacity

    def _add_target(self, lp: Blocks, engaged: Flags, free: Ints, z: Ints) -> Ints:
        """target; returns its row by factory, -1 where it has none."""
        arrays, row, switch = self._arrays, np.full(len(engaged), -1), np.full(len(engaged), -1)
        switch[free] = z
        short = np.flatnonzero((arrays.shortfall_cost > 0) & (arrays.target_minutes > 0))
        i, rows = lp.columns(arrays.shortfall_cost[short]), np.arange(len(short))
        some = np.flatnonzero(switch[short] >= 0)
        cells = (rows, i, 1.0), (some, switch[short[some]], -arrays.target_minutes[short[some]])
        row[short] = lp.rows(len(short), np.where(engaged, arrays.target_minutes, 0.0)[short], np.inf, *cells)
        return row

    def keep_near(self, prices: Floats, width: float) -> None:
        """Sets the box: this share of the prices, and of the usual price, up and down."""
        center = np.maximum(0.0, prices.ravel()[self._boxed])
        half = width * (center + self._usual(center))
        costs = np.concatenate([center + half, -np.maximum(0.0, center - half)])
        self._solver.changeColsCost(len(costs), self._box, costs)

    def _usual(self, prices: Floats) -> float:
        """The mean price of a minute; where all are zero, what a minute's work is worth."""
        arrays = self._arrays
        for worth in (prices, arrays.unmet_cost[arrays.order] / arrays.pace):
            if worth.any():
                return float(worth.mean())
        return 0.0

    @property
    def held_back(self) -> bool:
        """Whether the last solution buys or sells minutes, so that prices beyond the box may be better."""
        minutes = np.array(self._solver.getSolution().col_value)[self._box]
        cost = np.array(self._solver.getLp().col_cost_)[self._box]
        return bool((minutes[cost != 0] > FITS_MINUTES).any())

    def add(self, found: Patterns) -> int:
        """Adds the patterns that are new; returns their number."""
        new = self._new(found)
        some = new[found.order]
        order, place, minutes = found.order[some], found.place[some], found.minutes[some]
        target = self._target[place // self._arrays.days]
        towards = target >= 0
        chosen = np.flatnonzero(new)
        row = np.concatenate([chosen, self._capacity[place], target[towards]])
        column = np.concatenate([chosen, order, order[towards]])
        amount = np.concatenate([np.ones(len(chosen)), minutes, minutes[towards]])
        cells = sp.csc_matrix((amount, (row, column)), shape=(self._solver.getNumRow(), len(new)))[:, chosen]
        count = len(chosen)
        limits = np.zeros(count), np.full(count, np.inf)
        self._solver.addCols(
            count, found.cost[chosen], *limits, cells.nnz, cells.indptr[:-1], cells.indices, cells.data
        )
        return count

    def _new(self, found: Patterns) -> Flags:
        """The orders whose pattern is not there yet."""
        marks = found.cost + np.bincount(found.order, found.minutes * self._mark[found.place], len(found.cost))
        keys = list(enumerate(marks.round(4).tolist()))
        new = np.array([key not in self._known for key in keys])
        self._known.update(keys)
        return new

    @property
    def mixed(self) -> tuple[Ints, Ints]:
        """Order and place of the work of the patterns that the last solution mixes."""
        lp, weights = self._solver.getLp(), np.array(self._solver.getSolution().col_value)
        matrix = lp.a_matrix_
        work = sp.csc_matrix((matrix.value_, matrix.index_, matrix.start_), (lp.num_row_, lp.num_col_))
        taken = self._first + np.flatnonzero(weights[self._first :] > _MIXED)
        work = work[:, taken].tocoo()
        order = np.full(len(taken), -1)
        owned = work.row < len(self._arrays.quantity)
        order[work.col[owned]] = work.row[owned]
        used = (work.row >= self._capacity[0]) & (work.row <= self._capacity[-1])
        return order[work.col[used]], (work.row[used] - self._capacity[0]).astype(np.int64)

    def solve(self, seconds: float) -> tuple[float, Floats] | None:
        """The value and its prices (factories, days); None where the seconds do not suffice."""
        self._solver.setOptionValue("time_limit", self._solver.getRunTime() + max(0.0, seconds))
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals = np.append(self._solver.getSolution().row_dual, 0.0)  # no target: the last
        prices = -duals[self._capacity].reshape(self._arrays.room.shape) - duals[self._target][:, None]
        return float(self._solver.getInfo().objective_function_value), prices
