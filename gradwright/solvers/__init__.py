"""Solvers: minimise functions with curvature.

``minimize`` and ``least_squares`` for people who know SciPy; ``NewtonCG``, ``HessianFree`` and ``LBFGS`` for training
loops; ``pcg``, ``minres``, ``lsmr`` and ``solve_qp`` for what lies beneath. A method of ``minimize`` can be put
together by hand as ``LineSearch(descent, search)`` from :mod:`gradwright.solvers.descents`; the same steps as pure
functions are in :mod:`gradwright.solvers.transforms`, and for JAX in :mod:`gradwright.solvers.optax`.

The rooms, each built on those below it only:

    curve_fit, root                  verbs that call least_squares
    minimize, least_squares          the verbs
    registry                         what the names of methods stand for
    constrained  residuals  batched  equations and inequalities; sums of squares; many problems at once
    optimizers  transforms  optax    training loops; steps as pure functions of tensors; the same for JAX
    methods                          line search, trust region, portfolio
    descents                         which way to go
    curvature                        where products with the Hessian come from, and preconditioners
    quasi_newton                     memory of pairs, L-BFGS-B, OWL-QN
    searches  run                    how far to go; what drives a run and when it ends
    problem                          unknowns, bounds, evaluations, the objective and its budget
    linear  scipy_terms              vectors, operators, Krylov methods; SciPy's names for what is here
    outcome                          status, trace, result
"""

from gradwright.solvers.batched import BatchResult, minimize_batch
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint, QPSolution, QPStatus, solve_qp
from gradwright.solvers.curvature.preconditioners import EmpiricalFisherDiagonal, Jacobi, QuasiNewton
from gradwright.solvers.curve_fit import curve_fit
from gradwright.solvers.least_squares import least_squares
from gradwright.solvers.linear import LinearOperator, lsmr, minres, pcg, steihaug
from gradwright.solvers.methods import LineSearch, Portfolio, TrustRegion
from gradwright.solvers.minimize import minimize
from gradwright.solvers.optimizers import LBFGS, HessianFree, NewtonCG, StepInfo, StepStatus
from gradwright.solvers.outcome import IntermediateResult, Result, Status
from gradwright.solvers.problem.determinism import NotDeterministic, check_deterministic
from gradwright.solvers.quasi_newton import LBFGSB, OWLQN, LBFGSMemory
from gradwright.solvers.registry import METHODS
from gradwright.solvers.residuals import Dogleg, GaussNewtonSearch, LeastSquaresResult, LevenbergMarquardt
from gradwright.solvers.root import RootResult, root
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
    "IntermediateResult",
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
    "RootResult",
    "Status",
    "StepInfo",
    "StepStatus",
    "StrongWolfe",
    "TrustRegion",
    "check_deterministic",
    "curve_fit",
    "least_squares",
    "lsmr",
    "minimize",
    "minimize_batch",
    "minres",
    "pcg",
    "root",
    "solve_qp",
    "steihaug",
]
