"""Linear systems and least squares by products only: preconditioned CG, MINRES, LSMR."""

from gradwright.solvers.linear.cg import pcg
from gradwright.solvers.linear.lsmr import lsmr
from gradwright.solvers.linear.minres import minres
from gradwright.solvers.linear.solution import Solution

__all__ = ["Solution", "lsmr", "minres", "pcg"]
