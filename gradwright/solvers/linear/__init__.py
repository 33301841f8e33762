"""Linear algebra by products only: operators, and the methods of Krylov for systems, least squares and a ball."""

from gradwright.solvers.linear.cg import pcg
from gradwright.solvers.linear.lsmr import lsmr
from gradwright.solvers.linear.minres import minres
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.solution import Solution
from gradwright.solvers.linear.steihaug import steihaug

__all__ = ["LinearOperator", "Solution", "lsmr", "minres", "pcg", "steihaug"]
