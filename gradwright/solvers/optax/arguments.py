"""What a transform is given: parameters as one vector, and products with their Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradwright.solvers.optax.requirements import jax, jnp, ravel_pytree

Array = Any


def flattened(params: Any, who: str, needs: tuple[str, ...], given: dict[str, Any]) -> tuple[Array, Callable]:
    """The parameters as one vector, after a check that what the transform needs is there."""
    if params is None:
        raise ValueError(f"{who}: params is missing; call update(grads, state, params, ...)")
    for name in needs:
        if given.get(name) is None:
            raise ValueError(f"{who}: {name} is missing; call update(grads, state, params, {name}=...)")
    return ravel_pytree(params)


def product_of(params: Any, g: Array, unravel: Callable, hvp, grad_fn, value_fn, who: str) -> Callable[[Array], Array]:
    """v ↦ Hv on vectors: as given, or the gradient linearised once."""
    if hvp is not None:
        return lambda v: ravel_pytree(hvp(unravel(v)))[0].astype(g.dtype)
    if grad_fn is None and value_fn is None:
        raise ValueError(f"{who}: hvp is missing, and so are grad_fn and value_fn to make it from; give one of them")
    slope = grad_fn if grad_fn is not None else jax.grad(value_fn)
    _, times = jax.linearize(slope, params)
    return lambda v: ravel_pytree(times(unravel(v)))[0].astype(g.dtype)


def eps_of(x: Array) -> float:
    return float(jnp.finfo(x.dtype).eps)


def tiny_of(x: Array) -> float:
    return float(jnp.finfo(x.dtype).tiny)
