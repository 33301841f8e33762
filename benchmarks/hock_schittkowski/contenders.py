"""Our methods, SciPy's SLSQP and IPOPT on the same problems."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.optimize
import torch

from gradwright.solvers import minimize
from gradwright.solvers.constrained import SQP, AugmentedLagrangian, Constraint
from hock_schittkowski.problems import Problem

ITERATIONS = 1000
"""Of any contender on one problem."""

SECONDS = 300.0
"""Of one of our runs: far above what any of them needs, so that the load of the machine decides nothing."""


class Counted:
    """Counts evaluations of f (with its gradient) at distinct points."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.seen = problem, set()

    def value(self, x):
        self.seen.add(np.asarray(x).tobytes())
        return float(self.problem.value(x))


def ours(method, **options):
    def run(problem: Problem, counted: Counted):
        n, e = problem.x0.size, problem.equalities
        rows = problem.rows
        upper = np.full(rows, np.inf)
        upper[:e] = 0
        constraint = Constraint(
            lambda x: torch.from_numpy(problem.constraints(x.numpy())),
            torch.zeros(rows),
            torch.from_numpy(upper),
            lambda x: torch.from_numpy(problem.jacobian(x.numpy()).reshape(rows, n)),
            lambda x, v: torch.from_numpy(problem.curvature(x.numpy(), v.numpy())),
        )
        chosen = method(constraints=(constraint,), **options)
        second = {"hess": lambda x: torch.from_numpy(problem.hessian(x.numpy()))} if chosen.needs_curvature else {}
        result = minimize(
            lambda x: torch.tensor(counted.value(x.detach().numpy()), dtype=torch.float64),
            torch.from_numpy(problem.x0.copy()),
            chosen,
            jac=lambda x: torch.from_numpy(problem.slope(x.numpy())),
            bounds=(torch.from_numpy(problem.lower.copy()), torch.from_numpy(problem.upper.copy())),
            maxiter=ITERATIONS,
            max_seconds=SECONDS,
            **second,
        )
        return result.x.numpy(), result.success, result.status.name, result.nit

    return run


def slsqp(problem: Problem, counted: Counted):
    e = problem.equalities
    parts = []
    if e:
        parts.append(
            {"type": "eq", "fun": lambda x: problem.constraints(x)[:e], "jac": lambda x: problem.jacobian(x)[:e]}
        )
    if problem.rows > e:
        parts.append(
            {"type": "ineq", "fun": lambda x: problem.constraints(x)[e:], "jac": lambda x: problem.jacobian(x)[e:]}
        )
    found = scipy.optimize.minimize(
        counted.value,
        problem.x0,
        jac=problem.slope,
        method="SLSQP",
        bounds=scipy.optimize.Bounds(problem.lower, problem.upper),
        constraints=parts,
        options={"maxiter": ITERATIONS, "ftol": 1e-12},
    )
    return found.x, bool(found.success), str(found.message)[:40], int(found.nit)


def ipopt(problem: Problem, counted: Counted):
    import casadi

    n, k = problem.x0.size, problem.rows

    class Function(casadi.Callback):
        """A numpy function as one that casadi can call."""

        def __init__(self, name, sizes, shape, function, pattern=None):
            casadi.Callback.__init__(self)
            self.sizes, self.shape, self.function, self.pattern = sizes, shape, function, pattern
            self.construct(name, {})

        def get_n_in(self):
            return len(self.sizes)

        def get_n_out(self):
            return len(self.shape)

        def get_sparsity_in(self, i):
            return casadi.Sparsity.dense(*self.sizes[i])

        def get_sparsity_out(self, i):
            return self.shape[i]

        def eval(self, arguments):
            return self.function(*(np.array(each).reshape(-1) for each in arguments))

    dense = casadi.Sparsity.dense
    upper = casadi.Sparsity.upper(n)
    value = lambda x: counted.value(x)  # noqa: E731
    f = Function("f", [(n, 1)], [dense(1, 1)], lambda x: [value(x)])
    inputs = [(n, 1), (0, 0)]
    grad = Function("gf", inputs, [dense(1, 1), dense(n, 1)], lambda x, _: [value(x), problem.slope(x)])
    jac = Function(
        "jg",
        inputs,
        [dense(k, 1), dense(k, n)],
        lambda x, _: [problem.constraints(x), problem.jacobian(x).reshape(k, n)],
    )

    def lagrangian(x, _, weight, v):
        H = float(weight[0]) * problem.hessian(x) + problem.curvature(x, v)
        return [casadi.triu(casadi.DM(H))]

    hess = Function("hl", [(n, 1), (0, 0), (1, 1), (k, 1)], [upper], lagrangian)
    x = casadi.MX.sym("x", n)
    g = Function("g", [(n, 1)], [dense(k, 1)], lambda x: [problem.constraints(x)])
    options = {
        "grad_f": grad,
        "jac_g": jac,
        "hess_lag": hess,
        "no_nlp_grad": True,
        "calc_lam_p": False,
        "print_time": False,
        "ipopt": {"print_level": 0, "sb": "yes", "max_iter": ITERATIONS},
    }
    solver = casadi.nlpsol("s", "ipopt", {"x": x, "f": f(x), "g": g(x)}, options)
    high = np.full(k, np.inf)
    high[: problem.equalities] = 0
    found = solver(x0=problem.x0, lbx=problem.lower, ubx=problem.upper, lbg=np.zeros(k), ubg=high)
    stats = solver.stats()
    x = np.array(found["x"]).reshape(-1)
    return (
        np.clip(x, problem.lower, problem.upper),
        bool(stats["success"]),
        stats["return_status"],
        int(stats["iter_count"]),
    )


CONTENDERS = {
    "sqp": ours(SQP),
    "sqp bfgs": ours(SQP, hessian="bfgs"),
    "augmented-lagrangian": ours(AugmentedLagrangian),
    "scipy SLSQP": slsqp,
    "IPOPT": ipopt,
}


def run(problem: Problem, contender) -> dict:
    """One run, judged anew: value, violation, and stationarity with multipliers that we compute ourselves."""
    counted = Counted(problem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            x, success, status, iterations = contender(problem, counted)
        except Exception as error:
            x, success, status, iterations = problem.x0, False, f"{type(error).__name__}: {error}"[:120], 0
    x = np.asarray(x, float)
    return {
        "value": float(problem.value(x)),
        "violation": problem.violation(x),
        "stationarity": stationarity(problem, x),
        "success": success,
        "status": status,
        "iterations": iterations,
        "evaluations": len(counted.seen),
    }


def stationarity(problem: Problem, x: np.ndarray, near: float = 1e-5) -> float:
    """min over multipliers with the right signs of ‖∇f − Jᵀλ − ν‖, over 1 + ‖∇f‖, by nonnegative least squares."""
    g, J, c, e = (
        problem.slope(x),
        problem.jacobian(x).reshape(problem.rows, -1),
        problem.constraints(x),
        problem.equalities,
    )
    if not (np.isfinite(g).all() and np.isfinite(J).all()):
        return float("inf")
    eye, slack = np.eye(x.size), near * np.maximum(1, np.abs(x))
    tight = e + np.flatnonzero(c[e:] <= near * np.maximum(1, np.abs(J[e:]).max(1)))
    columns = [J[:e], -J[:e], J[tight], eye[x <= problem.lower + slack], -eye[x >= problem.upper - slack]]
    A = np.concatenate(columns).T
    if not A.size:
        return float(np.linalg.norm(g) / (1 + np.linalg.norm(g)))
    size = np.linalg.norm(A, axis=0)
    keep = size > 0
    if not keep.any():
        return float(np.linalg.norm(g) / (1 + np.linalg.norm(g)))
    _, rest = scipy.optimize.nnls(A[:, keep] / size[keep], g, maxiter=1000)
    return float(rest / (1 + np.linalg.norm(g)))
