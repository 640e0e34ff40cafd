"""A linear program put together from blocks of columns and rows, then solved by HiGHS; duals with the columns."""

from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from c2m.domain.arrays import Floats, Ints
from optimization.statement.highs import Program
from optimization.statement.solver import Solver

Cells = tuple[Ints, Ints, ArrayLike]  # row of the block (from 0), column, value


@dataclass(frozen=True)
class Solved:
    """An optimal point: column values, row duals, the value, and the basis from which a similar program may start."""

    values: Floats
    duals: Floats
    value: float
    basis: Any  # None where there is none, as after interior points


@dataclass
class Blocks:
    """min cost x + offset over columns and rows that are added block by block."""

    offset: float = 0.0
    _cost: list[Floats] = field(default_factory=list)
    _limits: list[tuple[Floats, Floats]] = field(default_factory=list)
    _rows: list[tuple[Floats, Floats]] = field(default_factory=list)
    _cells: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    _columns: int = 0
    _row_count: int = 0

    def columns(self, cost: Floats, lower: ArrayLike = 0.0, upper: ArrayLike = np.inf) -> Ints:
        """Adds columns.

        Parameters
        ----------
        cost
            (n,) money per unit of each.
        lower
            (n,), or one number for all.
        upper
            (n,), or one number for all.

        Returns
        -------
        numpy.ndarray
            (n,) their numbers.
        """
        shape = cost.shape
        self._cost.append(cost)
        self._limits.append((np.broadcast_to(lower, shape), np.broadcast_to(upper, shape)))
        self._columns += len(cost)
        return np.arange(self._columns - len(cost), self._columns)

    def rows(self, count: int, lower: ArrayLike, upper: ArrayLike, *cells: Cells) -> Ints:
        """Adds rows. Cells: (row from 0, column, value) each.

        Parameters
        ----------
        count
            How many rows.
        lower
            (count,), or one number for all.
        upper
            (count,), or one number for all.

        Returns
        -------
        numpy.ndarray
            (count,) their numbers.
        """
        first = self._row_count
        self._rows.append((np.broadcast_to(lower, count), np.broadcast_to(upper, count)))
        self._cells += [(row + first, column, np.broadcast_to(value, row.shape)) for row, column, value in cells]
        self._row_count += count
        return np.arange(first, self._row_count)

    def solve(self, seconds: float | None = None, basis: Any = None, interior: bool = False) -> Solved | None:
        """An optimal point.

        Parameters
        ----------
        seconds
            For the solver; None: as many as it takes.
        basis
            Of a program of the same shape; None: none.
        interior
            By interior points without a vertex, quicker when large.

        Returns
        -------
        Solved or None
            None where there is none, or not within the seconds.
        """
        solver = self.solver()
        if seconds is not None:
            solver.setOptionValue("time_limit", max(0.05, seconds))
        if interior:
            solver.setOptionValue("solver", "ipm")
            solver.setOptionValue("run_crossover", "off")
        elif basis is not None:
            solver.setBasis(basis)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        solution = solver.getSolution()
        value = float(solver.getInfo().objective_function_value)
        last = solver.getBasis()
        return Solved(np.array(solution.col_value), np.array(solution.row_dual), value, last if last.valid else None)

    def program(self, integer: Ints) -> Program:
        """The program as arrays, the columns of these numbers (n,) integer."""
        row, column, value = (np.concatenate(parts) for parts in zip(*self._cells, strict=True))
        lower, upper = (np.concatenate(part) for part in zip(*self._limits, strict=True))
        row_lower, row_upper = (np.concatenate(part) for part in zip(*self._rows, strict=True))
        matrix = sp.csc_matrix((value, (row, column)), shape=(self._row_count, self._columns))
        whole = np.zeros(self._columns, dtype=bool)
        whole[integer] = True
        return Program(np.concatenate(self._cost), self.offset, lower, upper, whole, matrix, row_lower, row_upper, {})

    def solver(self) -> Any:
        """The program in HiGHS, silent, not yet solved."""
        p = self.program(np.empty(0, dtype=np.int64))
        lp, matrix = highspy.HighsLp(), p.matrix
        lp.num_col_, lp.num_row_ = self._columns, self._row_count
        lp.col_cost_, lp.offset_ = p.cost, p.offset
        lp.col_lower_, lp.col_upper_ = p.lower, p.upper
        lp.row_lower_, lp.row_upper_ = p.row_lower, p.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        solver = Solver()
        solver.setOptionValue("output_flag", False)
        solver.passModel(lp)
        return solver


def grown(basis: Any, rows: int) -> Any:
    """The basis for a program with more rows behind its own.

    Parameters
    ----------
    basis
        Of HiGHS; None stays None.
    rows
        How many more.

    Returns
    -------
    Any
        The same object, longer.
    """
    if basis is not None:
        basis.row_status = [*basis.row_status, *[highspy.HighsBasisStatus.kBasic] * rows]
    return basis
