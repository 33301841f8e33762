"""Quadratic programs: minimise ½xᵀHx + gᵀx subject to linear constraints."""

from gradwright.solvers.constrained.qp.solve import QPSolution, QPStatus, solve_qp

__all__ = ["QPSolution", "QPStatus", "solve_qp"]
