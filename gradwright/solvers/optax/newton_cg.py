"""Newton steps by conjugate gradients."""

from __future__ import annotations

from gradwright.solvers.optax.arguments import eps_of, flattened, product_of, tiny_of
from gradwright.solvers.optax.requirements import jax, jnp, optax, ravel_pytree


def scale_by_newton_cg(max_iter: int = 50, forcing: float = 0.5) -> optax.GradientTransformationExtraArgs:
    """d ≈ −H⁻¹g by conjugate gradients, stopped where dᵀHd is not positive; always a direction of descent.

    CG stops at ‖r‖ ≤ min(forcing, √(‖g‖ / ‖g₀‖)) ‖g‖, with g₀ the first gradient seen, so units of the loss change
    nothing. At negative curvature in the first iteration the step is −g scaled by ‖g‖² / |gᵀHg|. Follow it with
    :func:`scale_by_hager_zhang` or an optax line search.

    Args:
        max_iter: products at most.
        forcing: largest relative residual.

    Extra arguments of update: hvp, or grad_fn, or value_fn.
    """
    who = "scale_by_newton_cg"

    def init(params):
        return {"first": jnp.zeros((), ravel_pytree(params)[0].dtype)}

    def update(updates, state, params=None, *, value_fn=None, grad_fn=None, hvp=None, **extra):
        del extra
        _, unravel = flattened(params, who, (), {})
        g = ravel_pytree(updates)[0]
        H = product_of(params, g, unravel, hvp, grad_fn, value_fn, who)
        size = jnp.linalg.norm(g)
        first = jnp.where(state["first"] > 0, state["first"], size)
        limit = jnp.minimum(forcing, jnp.sqrt(size / jnp.maximum(first, tiny_of(g)))) * size

        def going(carry):
            _, r, _, k, stop = carry
            return (k < max_iter) & ~stop & (jnp.linalg.norm(r) > limit)

        def body(carry):
            p, r, d, k, _ = carry
            Hd = H(d)
            kappa, gamma = d @ Hd, r @ r
            positive = kappa > 10 * eps_of(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Hd)
            alpha = gamma / jnp.where(kappa == 0, 1.0, jnp.abs(kappa))
            forward = positive | (k == 0)
            p = jnp.where(forward, p + alpha * d, p)
            fresh = r + alpha * Hd
            d = jnp.where(positive, -fresh + (fresh @ fresh) / jnp.where(gamma > 0, gamma, 1.0) * d, d)
            return p, fresh, d, k + 1, ~positive

        zero = jnp.zeros_like(g)
        p, *_ = jax.lax.while_loop(going, body, (zero, g, -g, jnp.zeros((), jnp.int32), jnp.zeros((), bool)))
        p = jnp.where(jnp.all(jnp.isfinite(p)) & (p @ g < 0), p, -g)
        return unravel(p), {"first": first}

    return optax.GradientTransformationExtraArgs(init, update)
