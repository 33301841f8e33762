"""Descents: which way to go."""

from gradwright.solvers.descents.base import Descent, Direction
from gradwright.solvers.descents.bfgs import BFGS
from gradwright.solvers.descents.lbfgs import LBFGS
from gradwright.solvers.descents.newton_cg import NewtonCG
from gradwright.solvers.descents.nonlinear_cg import NonlinearCG

__all__ = ["BFGS", "LBFGS", "Descent", "Direction", "NewtonCG", "NonlinearCG"]
