"""Least squares: residuals, their Jacobian, and the rules that make steps from both."""

from gradwright.solvers.residuals.dogleg import Dogleg
from gradwright.solvers.residuals.gauss_newton import GaussNewtonSearch
from gradwright.solvers.residuals.levenberg_marquardt import LevenbergMarquardt
from gradwright.solvers.residuals.result import LeastSquaresResult
from gradwright.solvers.residuals.robust import LOSSES
from gradwright.solvers.residuals.step import Outcome, Rule, Step

__all__ = [
    "LOSSES",
    "Dogleg",
    "GaussNewtonSearch",
    "LeastSquaresResult",
    "LevenbergMarquardt",
    "Outcome",
    "Rule",
    "Step",
]
