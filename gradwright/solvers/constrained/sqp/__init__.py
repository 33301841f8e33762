"""Sequential quadratic programming: a quadratic program for each step, a merit function to judge it."""

from gradwright.solvers.constrained.sqp.method import SQP

__all__ = ["SQP"]
