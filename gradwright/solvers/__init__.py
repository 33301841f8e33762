"""Solvers: minimise functions with curvature.

``minimize`` and ``least_squares`` for people who know SciPy; ``NewtonCG``, ``HessianFree`` and ``LBFGS`` for training
loops; ``pcg``, ``minres``, ``lsmr`` and ``solve_qp`` for what lies beneath. A method of ``minimize`` can be put
together by hand as ``LineSearch(descent, search)`` from :mod:`gradwright.solvers.descents`; the same steps as pure
functions are in :mod:`gradwright.solvers.transforms`, and for JAX in :mod:`gradwright.solvers.optax`.
"""

from gradwright.solvers.batched import BatchResult, minimize_batch
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint, QPSolution, QPStatus, solve_qp
from gradwright.solvers.determinism import NotDeterministic, check_deterministic
from gradwright.solvers.in_turn import InTurn
from gradwright.solvers.lbfgsb import LBFGSB
from gradwright.solvers.least_squares import least_squares
from gradwright.solvers.line_search import LineSearch
from gradwright.solvers.linear import lsmr, minres, pcg
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
from gradwright.solvers.training import LBFGS, HessianFree, NewtonCG, StepInfo, StepStatus
from gradwright.solvers.trust_region import TrustRegion

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
