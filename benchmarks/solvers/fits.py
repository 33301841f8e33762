"""NIST's nonlinear regressions from both starts, by our least squares and SciPy's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import torch

from gradwright.solvers import least_squares

sys.path.append(str(Path(__file__).parents[2]))  # the problems are those of the tests

from tests.solvers.nist import MODELS, Problem, problem

CLOSE = 1e-6
"""Of the certified sum of squares."""

NOTHING = 1e-24
"""A sum of squares below this is rounding: that of Lanczos1, whose data are exact."""


def rows() -> list[dict[str, Any]]:
    """How many of the problems each solver solves, one row per start; the first is the hard one."""
    found = []
    for start, meaning in (("start1", "hard start"), ("start2", "near start")):
        counts = {name: sum(solver(problem(each), start) for each in MODELS) for name, solver in SOLVERS.items()}
        found.append({"start": meaning, "problems": len(MODELS), **counts})
    return found


def _ours(p: Problem, start: str) -> bool:
    fit = least_squares(p.residuals, getattr(p, start))
    return fit.success and _solved(p, fit.x)


def _scipys(**settings: Any):
    def solve(p: Problem, start: str) -> bool:
        def residuals(b: np.ndarray) -> np.ndarray:
            return p.residuals(torch.from_numpy(b)).numpy()

        def jacobian(b: np.ndarray) -> np.ndarray:
            return torch.func.jacfwd(p.residuals)(torch.from_numpy(b)).numpy()

        x0 = getattr(p, start).numpy()
        try:
            with np.errstate(all="ignore"):
                found = scipy.optimize.least_squares(
                    residuals, x0, jacobian, ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=3000, **settings
                )
        except ValueError:  # residuals that are not finite
            return False
        return _solved(p, torch.from_numpy(found.x))

    return solve


def _solved(p: Problem, b: torch.Tensor) -> bool:
    total = float(p.residuals(b).square().sum())
    return total <= max(p.rss * (1 + CLOSE), NOTHING)


SOLVERS = {"lm": _ours, "scipy trf": _scipys(method="trf", x_scale="jac"), "scipy lm": _scipys(method="lm")}
