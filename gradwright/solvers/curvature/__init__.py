"""Curvature: where products with the Hessian, or with what stands for it, come from."""

from gradwright.solvers.curvature.choice import CURVATURES, Auto, curvature_of
from gradwright.solvers.curvature.difference import FiniteDifference
from gradwright.solvers.curvature.fisher import EmpiricalFisher, Fisher
from gradwright.solvers.curvature.gauss_newton import GaussNewton
from gradwright.solvers.curvature.given import GivenMatrix, GivenProduct
from gradwright.solvers.curvature.hessian import DoubleBackward, ForwardOverReverse
from gradwright.solvers.problem.curvature import Curvature

__all__ = [
    "CURVATURES",
    "Auto",
    "Curvature",
    "DoubleBackward",
    "EmpiricalFisher",
    "FiniteDifference",
    "Fisher",
    "ForwardOverReverse",
    "GaussNewton",
    "GivenMatrix",
    "GivenProduct",
    "curvature_of",
]
