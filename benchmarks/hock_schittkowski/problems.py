"""The problems of Hock and Schittkowski with constraints, from the package sif2jax, one at a time."""

from __future__ import annotations

import ast
import importlib
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from solvers.problems import _root, half

FOLDER = "_constrained_minimisation"
WRONG_SIGN = {"HS64", "HS76", "HS83", "HS93", "HS101", "HS102", "HS103", "HS104", "HS108", "HS116"}
"""Registered in sif2jax 0.0.8, but with an inequality of the other sign than in CUTEst; they are left out."""


@dataclass
class Problem:
    """minimise f(x) subject to c_eq(x) = 0, c_in(x) ≥ 0 and bounds; numpy in, numpy out, derivatives by jax.

    Attributes:
        value, slope, hessian: of f.
        constraints: x ↦ c, the first ``equalities`` of which are equalities.
        jacobian: x ↦ (rows, n).
        curvature: (x, v) ↦ Σ vᵢ ∇²cᵢ.
    """

    name: str
    x0: np.ndarray
    value: Callable
    slope: Callable
    hessian: Callable
    constraints: Callable
    jacobian: Callable
    curvature: Callable
    equalities: int
    rows: int
    lower: np.ndarray
    upper: np.ndarray

    def warm(self) -> None:
        """Compile every function, so that no contender pays for it."""
        for function in (self.value, self.slope, self.hessian, self.constraints, self.jacobian):
            function(self.x0)
        self.curvature(self.x0, np.zeros(self.rows))

    def violation(self, x: np.ndarray) -> float:
        """The largest violation of a constraint or bound."""
        c = self.constraints(x)
        parts = [np.abs(c[: self.equalities]), np.maximum(-c[self.equalities :], 0), self.lower - x, x - self.upper]
        return float(max(0.0, np.concatenate(parts).max()))


def names(which: str) -> list[str]:
    """The registered names of one half (``even``, ``odd``, ``both``) by CRC-32."""
    modules, listed = {}, set()
    tree = ast.parse((_root() / "cutest" / FOLDER / "__init__.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules.update({alias.asname or alias.name: node.module for alias in node.names})
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            listed.add(node.func.id)
    hs = [name for name in modules if name.startswith("HS") and name in listed and name not in WRONG_SIGN]
    return sorted((name for name in hs if which in ("both", half(name))), key=lambda name: (len(name), name))


def load(name: str) -> Problem:
    """One problem; its module is imported alone, below packages that are empty but for their path."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update(
        "jax_compilation_cache_dir", str(Path(tempfile.gettempdir(), "hock_schittkowski"))
    )  # HS105: minutes
    root = _root()
    for package, path in _packages(root):
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [str(path)]
    problem = getattr(importlib.import_module(f"sif2jax.cutest.{FOLDER}.{name.lower()}"), name)()
    start, unravel = jax.flatten_util.ravel_pytree(problem.y0)
    start = start.astype("float64")
    flat = lambda tree: jax.flatten_util.ravel_pytree(tree)[0].astype("float64")  # noqa: E731
    equal, _ = problem.constraint(problem.y0)
    equalities = 0 if equal is None else flat(equal).size

    def value(x):
        return problem.objective(unravel(x), problem.args).reshape(())

    def constraints(x):
        return flat(tuple(part for part in problem.constraint(unravel(x)) if part is not None))

    def made(function, *arguments):
        compiled = jax.jit(function)
        return lambda *given: np.array(compiled(*(jnp.asarray(each, "float64") for each in given)))

    bounds = problem.bounds

    def full(side):
        spread = lambda bound, x: jnp.broadcast_to(bound, jnp.shape(x)) * 1.0  # noqa: E731
        return flat(jax.tree_util.tree_map(spread, side, problem.y0))

    lower, upper = (np.full(start.size, sign * np.inf) for sign in (-1, 1)) if bounds is None else map(full, bounds)
    return Problem(
        name,
        np.array(start),
        made(value),
        made(jax.grad(value)),
        made(jax.hessian(value)),
        made(constraints),
        made(jax.jacrev(constraints)),
        made(lambda x, v: jax.hessian(lambda y: constraints(y) @ v)(x)),
        equalities,
        int(constraints(start).size),
        np.array(lower),
        np.array(upper),
    )


def _packages(root: Path):
    yield "sif2jax", root
    yield "sif2jax.cutest", root / "cutest"
    yield f"sif2jax.cutest.{FOLDER}", root / "cutest" / FOLDER
