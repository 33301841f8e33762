"""Solvers: minimise functions with curvature. ``minimize`` for people who know SciPy, its parts for everyone else."""

from gradwright.solvers.batched import BatchResult, minimize_batch
from gradwright.solvers.closure import NotDeterministic, check_deterministic
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint, QPSolution, QPStatus, solve_qp
from gradwright.solvers.descents import BFGS, LBFGS, NewtonCG, NonlinearCG
from gradwright.solvers.in_turn import InTurn
from gradwright.solvers.lbfgsb import LBFGSB
from gradwright.solvers.least_squares import least_squares
from gradwright.solvers.line_search import LineSearch
from gradwright.solvers.memory import LBFGSMemory
from gradwright.solvers.methods import METHODS
from gradwright.solvers.minimize import minimize
from gradwright.solvers.operator import LinearOperator
from gradwright.solvers.owlqn import OWLQN
from gradwright.solvers.preconditioners import EmpiricalFisherDiagonal, Jacobi, QuasiNewton
from gradwright.solvers.residuals import Dogleg, GaussNewtonSearch, LeastSquaresResult, LevenbergMarquardt
from gradwright.solvers.result import Result
from gradwright.solvers.searches import Backtracking, HagerZhang, StrongWolfe
from gradwright.solvers.status import Status
from gradwright.solvers.steihaug import steihaug
from gradwright.solvers.training import HessianFree
from gradwright.solvers.trust_region import TrustRegion

__all__ = [
    "BFGS",
    "LBFGS",
    "LBFGSB",
    "METHODS",
    "OWLQN",
    "SQP",
    "AugmentedLagrangian",
    "Backtracking",
    "BatchResult",
    "Constraint",
    "Dogleg",
    "EmpiricalFisherDiagonal",
    "GaussNewtonSearch",
    "HagerZhang",
    "HessianFree",
    "InTurn",
    "Jacobi",
    "LBFGSMemory",
    "LeastSquaresResult",
    "LevenbergMarquardt",
    "LineSearch",
    "LinearOperator",
    "NewtonCG",
    "NonlinearCG",
    "NotDeterministic",
    "QPSolution",
    "QPStatus",
    "QuasiNewton",
    "Result",
    "Status",
    "StrongWolfe",
    "TrustRegion",
    "check_deterministic",
    "least_squares",
    "minimize",
    "minimize_batch",
    "solve_qp",
    "steihaug",
]
