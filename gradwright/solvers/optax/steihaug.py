"""Steps inside a trust region."""

from __future__ import annotations

from typing import NamedTuple

from gradwright.solvers.optax.arguments import Array, eps_of, flattened, product_of, tiny_of
from gradwright.solvers.optax.requirements import jax, jnp, optax, ravel_pytree


class SteihaugState(NamedTuple):
    """radius (0 before the first step), first gradient norm, the ratio of actual to predicted decrease, acceptance."""

    radius: Array
    first: Array
    ratio: Array
    accepted: Array


def scale_by_steihaug(
    max_iter: int = 50, forcing: float = 0.1, first_radius: float | None = None
) -> optax.GradientTransformationExtraArgs:
    """A whole trust-region step: Steihaug's truncated CG, the test of the step, and the radius; zero if it is rejected.

    The decrease that the model predicts is summed from CG's recurrence, so it is positive in any precision. A step is
    accepted where ρ = (f − f⁺ + ε_f) / (pred + ε_f) > 1e-4 with ε_f = 10 ε max(|f|, |f⁺|); a value that is not finite
    rejects it. ρ < ¼ quarters the radius, ρ > ¾ at the boundary doubles it.

    Args:
        max_iter: products at most.
        forcing: largest relative residual of CG.
        first_radius: the radius to begin with (the length of the Cauchy step, at least max(1, ‖x‖) / 1000).

    Extra arguments of update: value_fn (always); grad_fn or hvp where they are better than its derivatives; value.
    """
    who = "scale_by_steihaug"

    def init(params):
        dtype = ravel_pytree(params)[0].dtype
        zero = jnp.zeros((), dtype)
        return SteihaugState(zero + (first_radius or 0.0), zero, zero, jnp.zeros((), bool))

    def update(updates, state, params=None, *, value_fn=None, grad_fn=None, hvp=None, value=None, **extra):
        del extra
        x, unravel = flattened(params, who, ("value_fn",), {"value_fn": value_fn})
        g = ravel_pytree(updates)[0]
        H = product_of(params, g, unravel, hvp, grad_fn, value_fn, who)
        size = jnp.linalg.norm(g)
        first = jnp.where(state.first > 0, state.first, size)
        Hg = H(g)
        kappa = g @ Hg
        cauchy = jnp.where(kappa > 0, size**3 / jnp.where(kappa > 0, kappa, 1.0), jnp.inf)
        reach = jnp.maximum(1.0, jnp.linalg.norm(x))
        radius = jnp.where(state.radius > 0, state.radius, jnp.clip(cauchy, 1e-3 * reach, 1e3 * reach)).astype(g.dtype)
        limit = jnp.minimum(forcing, jnp.sqrt(size / jnp.maximum(first, tiny_of(g)))) * size
        p, predicted, boundary = _truncated(H, g, radius, limit, max_iter)
        f = value_fn(params) if value is None else value
        fresh = value_fn(unravel(x + p))
        noise = 10 * eps_of(x) * jnp.maximum(jnp.abs(f), jnp.abs(fresh))
        ratio = (f - fresh + noise) / jnp.maximum(predicted + noise, tiny_of(g))
        good = jnp.isfinite(fresh) & jnp.all(jnp.isfinite(p))
        ratio = jnp.where(good, ratio, -1.0).astype(g.dtype)
        accepted = good & (ratio > 1e-4)
        length = jnp.where(jnp.isfinite(p).all(), jnp.linalg.norm(p), radius)
        smaller = 0.25 * jnp.minimum(radius, length)
        larger = jnp.where((ratio > 0.75) & boundary, 2 * radius, radius)
        radius = jnp.where(ratio < 0.25, jnp.maximum(smaller, tiny_of(g)), larger).astype(g.dtype)
        step = jnp.where(accepted, p, jnp.zeros_like(p))
        return unravel(step), SteihaugState(radius, first, ratio, accepted)

    return optax.GradientTransformationExtraArgs(init, update)


def _truncated(H, g, radius, limit, max_iter):
    """Steihaug's path to its end: the step, the decrease of the model along it, whether it ended at the boundary."""

    def going(carry):
        _, r, _, _, k, stop = carry
        return (k < max_iter) & ~stop & (jnp.linalg.norm(r) > limit)

    def body(carry):
        p, r, d, fall, k, _ = carry
        Hd = H(d)
        kappa, gamma = d @ Hd, r @ r
        curved = kappa > 10 * eps_of(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Hd)
        alpha = jnp.where(curved, gamma / jnp.where(curved, kappa, 1.0), 0.0)
        leaves = ~curved | (jnp.linalg.norm(p + alpha * d) >= radius)
        dd, pd = d @ d, p @ d
        room = jnp.maximum(radius**2 - p @ p, 0.0)
        root = jnp.sqrt(jnp.maximum(pd**2 + dd * room, 0.0))
        nonzero = jnp.where(pd > 0, pd + root, dd)  # two forms of one root, each without cancellation
        edge = jnp.where(pd > 0, room, root - pd) / jnp.where(nonzero > 0, nonzero, 1.0)
        tau = jnp.where(leaves, edge, alpha)
        fall = fall + tau * gamma - 0.5 * tau**2 * kappa
        fresh = r + tau * Hd
        turned = -fresh + (fresh @ fresh) / jnp.where(gamma > 0, gamma, 1.0) * d
        return p + tau * d, fresh, turned, fall, k + 1, leaves

    zero = jnp.zeros_like(g)
    start = (zero, g, -g, jnp.zeros((), g.dtype), jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    p, _, _, fall, _, boundary = jax.lax.while_loop(going, body, start)
    return p, fall, boundary
