"""Optimisation with constraints: quadratic programs, sequential quadratic programming, augmented Lagrangians."""

from gradwright.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from gradwright.solvers.constrained.constraint import Constraint
from gradwright.solvers.constrained.qp import QPSolution, QPStatus, solve_qp
from gradwright.solvers.constrained.sqp import SQP

__all__ = ["SQP", "AugmentedLagrangian", "Constraint", "QPSolution", "QPStatus", "solve_qp"]
