"""Problems of CUTEst from the package sif2jax, one at a time: its plain import takes half a minute."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import types
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

FOLDERS = {
    "unconstrained": ("_unconstrained_minimisation", "unconstrained_minimisation_problems"),
    "bounded": ("_bounded_minimisation", "bounded_minimisation_problems"),
}
LARGEST = {"unconstrained": 100, "bounded": 60}


@dataclass
class Problem:
    """One problem: numpy in, numpy out, derivatives by jax.

    Attributes:
        value_and_gradient, product: x ↦ (f, ∇f) and (x, v) ↦ ∇²f v, in ``dtype``.
        lower, upper: bounds, or None.
    """

    name: str
    dtype: np.dtype
    x0: np.ndarray
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]]
    product: Callable[[np.ndarray, np.ndarray], np.ndarray]
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


def half(name: str) -> str:
    """``even`` or ``odd`` by the CRC-32 of the name: one half to develop on, the other to judge by."""
    return "odd" if zlib.crc32(name.upper().encode()) % 2 else "even"


@cache
def _root() -> Path:
    found = importlib.util.find_spec("sif2jax")
    if found is None or found.origin is None:
        raise SystemExit(
            "this benchmark needs sif2jax, jax and scipy: pip install -c constraints.txt sif2jax jax scipy"
        )
    return Path(found.origin).parent


def registered(kind: str) -> dict[str, str]:
    """Class name to module name of every registered problem, read without importing anything."""
    folder, table = FOLDERS[kind]
    tree = ast.parse((_root() / "cutest" / folder / "__init__.py").read_text())
    modules, names = {}, []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            modules.update({alias.asname or alias.name: node.module for alias in node.names})
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == table:
            names = [each.func.id for each in node.value.elts if isinstance(each, ast.Call) and not each.args]
    return {name: modules[name] for name in names if name in modules}


def names(kind: str, which: str) -> list[str]:
    """The registered names of one half (``even``, ``odd``, ``both``)."""
    return sorted(name for name in registered(kind) if which in ("both", half(name)))


def load(kind: str, name: str, dtype: str) -> Problem | None:
    """The problem with jitted derivatives, or None where it has too many unknowns.

    Its module is imported on its own, below packages that are empty but for their path. ``float32`` computes in float32
    throughout, so one process serves one dtype.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", dtype == "float64")
    root, folder = _root(), FOLDERS[kind][0]
    for package, path in (
        ("sif2jax", root),
        ("sif2jax.cutest", root / "cutest"),
        (f"sif2jax.cutest.{folder}", root / "cutest" / folder),
    ):
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [str(path)]
    module = importlib.import_module(f"sif2jax.cutest.{folder}.{registered(kind)[name]}")
    problem = getattr(module, name)()
    start, unravel = jax.flatten_util.ravel_pytree(problem.y0)
    if start.size > LARGEST[kind]:
        return None
    start = start.astype(dtype)

    def value(x):
        return problem.objective(unravel(x), problem.args).reshape(())

    slope = jax.grad(value)
    pair = jax.jit(jax.value_and_grad(value))
    times = jax.jit(lambda x, v: jax.jvp(slope, (x,), (v,))[1])

    def both(x):
        f, g = pair(jnp.asarray(x, dtype))
        return float(f), np.asarray(g)

    lower = upper = None
    if kind == "bounded":
        lower, upper = (np.asarray(_filled(side, problem.y0, start.size, dtype)) for side in problem.bounds)
    return Problem(
        name,
        np.dtype(dtype),
        np.asarray(start),
        both,
        lambda x, v: np.asarray(times(jnp.asarray(x, dtype), jnp.asarray(v, dtype))),
        lower,
        upper,
    )


def _filled(side, like, size, dtype):
    import jax
    import jax.numpy as jnp

    spread = jax.tree_util.tree_map(
        lambda bound, x: jnp.broadcast_to(jnp.asarray(bound, dtype), jnp.shape(x)), side, like
    )
    return jax.flatten_util.ravel_pytree(spread)[0].astype(dtype)
