"""The problem as solvers see it: unknowns, bounds, and a function that is evaluated, counted and differentiated."""

from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.budget import Budget, Exhausted, Limits
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.layout import Layout
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.problem.sources import Source

__all__ = ["Bounds", "Budget", "Evaluation", "Exhausted", "Layout", "Limits", "Objective", "Point", "Source"]
