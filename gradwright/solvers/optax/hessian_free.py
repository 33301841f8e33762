"""Martens' Hessian-free step."""

from __future__ import annotations

from typing import NamedTuple

from gradwright.solvers.optax.arguments import Array, eps_of, flattened, product_of, tiny_of
from gradwright.solvers.optax.requirements import jax, jnp, optax, ravel_pytree


class HessianFreeState(NamedTuple):
    """damping λ and the last CG solution, where the next CG starts."""

    damping: Array
    last: Array
    accepted: Array


def scale_by_hessian_free(
    damping: float = 1.0, max_iter: int = 100, decay: float = 0.95
) -> optax.GradientTransformationExtraArgs:
    """Martens' Hessian-free step: CG on the damped curvature, its own stopping rule, backtracking, and λ by trust.

    CG minimises q(δ) = gᵀδ + ½δᵀ(G + λI)δ from ``decay`` times the last solution, and stops at iteration i where q has
    gained less than k · 5e-4 of itself over the last k = max(10, i / 10). The step is then halved until value_fn falls
    (Armijo, at most ten times). ρ = (f⁺ − f) / q: λ × 3/2 below ¼, × 2/3 above ¾. A rejected step keeps the parameters,
    raises λ, and clears the start of CG.

    Args:
        damping: λ at the start.
        max_iter: products at most.
        decay: of the last solution.

    Extra arguments of update: value_fn (always); gnvp, v ↦ Gv with the Gauss-Newton matrix, or hvp; value.
    Without either the Hessian is used, and CG stops where its curvature is not positive.

    Reference: Martens, ICML 2010.
    """
    who = "scale_by_hessian_free"

    def init(params):
        x = ravel_pytree(params)[0]
        return HessianFreeState(jnp.asarray(damping, x.dtype), jnp.zeros_like(x), jnp.zeros((), bool))

    def update(updates, state, params=None, *, value_fn=None, grad_fn=None, hvp=None, gnvp=None, value=None, **extra):
        del extra
        x, unravel = flattened(params, who, ("value_fn",), {"value_fn": value_fn})
        g = ravel_pytree(updates)[0]
        G = product_of(params, g, unravel, gnvp if gnvp is not None else hvp, grad_fn, value_fn, who)
        A = lambda v: G(v) + state.damping * v  # noqa: E731
        delta, q = _martens_cg(A, g, decay * state.last, max_iter)
        f = value_fn(params) if value is None else value
        slope = g @ delta

        def too_long(carry):
            alpha, fresh, k = carry
            return (k < 10) & ~(fresh <= f + 1e-2 * alpha * slope)

        def halve(carry):
            alpha, _, k = carry
            return 0.5 * alpha, value_fn(unravel(x + 0.5 * alpha * delta)).astype(g.dtype), k + 1

        whole = value_fn(unravel(x + delta)).astype(g.dtype)
        one = jnp.ones((), g.dtype)
        alpha, fresh, _ = jax.lax.while_loop(too_long, halve, (one, whole, jnp.zeros((), jnp.int32)))
        accepted = jnp.isfinite(fresh) & (fresh <= f) & (slope < 0)
        ratio = jnp.where(jnp.isfinite(whole), (whole - f) / jnp.where(q < 0, q, -tiny_of(g)), -1.0)
        λ = state.damping * jnp.where(ratio > 0.75, 2 / 3, jnp.where(ratio < 0.25, 1.5, 1.0))
        step = jnp.where(accepted, alpha * delta, jnp.zeros_like(delta))
        last = jnp.where(accepted, delta, jnp.zeros_like(delta))
        return unravel(step), HessianFreeState(λ.astype(g.dtype), last, accepted)

    return optax.GradientTransformationExtraArgs(init, update)


def _martens_cg(A, g, start, max_iter):
    """δ and q(δ) by CG with the stopping rule of relative progress; q_i = ½(r_i + g)ᵀδ_i with r = Aδ + g."""

    def going(carry):
        _, r, _, _, past, k, stop = carry
        window = jnp.maximum(10, k // 10)
        before = past[jnp.maximum(k - window, 0)]
        now = past[k]
        slow = (k > window) & (now < 0) & ((now - before) / jnp.where(now < 0, now, -1.0) < window * 5e-4)
        return (k < max_iter) & ~stop & ~slow & (r @ r > 0)

    def body(carry):
        delta, r, d, gamma, past, k, _ = carry
        Ad = A(d)
        kappa = d @ Ad
        positive = kappa > 10 * eps_of(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Ad)
        alpha = jnp.where(positive, gamma / jnp.where(positive, kappa, 1.0), 0.0)
        delta, r = delta + alpha * d, r + alpha * Ad
        fresh = r @ r
        d = -r + fresh / jnp.where(gamma > 0, gamma, 1.0) * d
        return delta, r, d, fresh, past.at[k + 1].set(0.5 * (r + g) @ delta), k + 1, ~positive

    r = A(start) + g
    past = jnp.zeros(max_iter + 1, g.dtype).at[0].set(0.5 * (r + g) @ start)
    carry = (start, r, -r, r @ r, past, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    delta, _, _, _, past, k, _ = jax.lax.while_loop(going, body, carry)
    down = (g @ delta < 0) & jnp.isfinite(delta).all()
    return jnp.where(down, delta, -g), jnp.where(down, past[k], -0.5 * g @ g)
