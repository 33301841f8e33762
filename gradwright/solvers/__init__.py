"""Solvers: minimise functions with curvature.

``minimize`` and ``least_squares`` for people who know SciPy; ``NewtonCG``, ``HessianFree`` and ``LBFGS`` for training
loops; ``pcg``, ``minres``, ``lsmr`` and ``solve_qp`` for what lies beneath. A method of ``minimize`` can be put
together by hand as ``LineSearch(descent, search)`` from :mod:`gradwright.solvers.descents`; the same steps as pure
functions are in :mod:`gradwright.solvers.transforms`, and for JAX in :mod:`gradwright.solvers.optax`.
"""

from gradwright.solvers.batched import BatchResult, minimize_batch
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint, QPSolution, QPStatus, solve_qp
from gradwright.solvers.curvature.preconditioners import EmpiricalFisherDiagonal, Jacobi, QuasiNewton
from gradwright.solvers.least_squares import least_squares
from gradwright.solvers.linear import lsmr, minres, pcg
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.steihaug import steihaug
from gradwright.solvers.methods.line_search import LineSearch
from gradwright.solvers.methods.portfolio import Portfolio
from gradwright.solvers.methods.trust_region import TrustRegion
from gradwright.solvers.minimize import minimize
from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG, StepInfo, StepStatus
from gradwright.solvers.outcome.result import Result
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.determinism import NotDeterministic, check_deterministic
from gradwright.solvers.quasi_newton.lbfgsb import LBFGSB
from gradwright.solvers.quasi_newton.memory import LBFGSMemory
from gradwright.solvers.quasi_newton.owlqn import OWLQN
from gradwright.solvers.registry import METHODS
from gradwright.solvers.residuals import Dogleg, GaussNewtonSearch, LeastSquaresResult, LevenbergMarquardt
from gradwright.solvers.searches import Backtracking, HagerZhang, StrongWolfe

InTurn = Portfolio
"""Another name of :class:`Portfolio`."""

__all__ = [
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
    "NotDeterministic",
    "Portfolio",
    "QPSolution",
    "QPStatus",
    "QuasiNewton",
    "Result",
    "Status",
    "StepInfo",
    "StepStatus",
    "StrongWolfe",
    "TrustRegion",
    "check_deterministic",
    "least_squares",
    "lsmr",
    "minimize",
    "minimize_batch",
    "minres",
    "pcg",
    "solve_qp",
    "steihaug",
]
