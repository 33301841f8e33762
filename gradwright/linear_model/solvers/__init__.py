"""Solvers: from a problem to its minimum, with the certificate."""

from gradwright.linear_model.solvers.budget import Budget
from gradwright.linear_model.solvers.solve import solve
