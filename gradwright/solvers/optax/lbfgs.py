"""Limited-memory BFGS with a cautious memory."""

from __future__ import annotations

from typing import NamedTuple

from gradwright.solvers.optax.arguments import Array, eps_of, flattened, tiny_of
from gradwright.solvers.optax.requirements import jax, jnp, optax, ravel_pytree


class LBFGSState(NamedTuple):
    """A ring of pairs: s, y (memory, n), 1 / sᵀy (0 where empty), the last point and gradient, how many pairs came."""

    s: Array
    y: Array
    rho: Array
    x: Array
    g: Array
    count: Array
    seen: Array


def cautious_lbfgs(memory: int = 10) -> optax.GradientTransformationExtraArgs:
    """d = −Hg by limited-memory BFGS, with pairs kept only where sᵀy > √ε ‖s‖ ‖y‖: H stays positive definite.

    The test has no units. Repeated points and directions of negative curvature leave the memory as it is. The first
    step is −g · min(1, max(1e-2, 1e-2 ‖x‖) / ‖g‖). Follow it with :func:`scale_by_hager_zhang` or an optax line search.

    Args:
        memory: pairs kept.

    Reference: Liu and Nocedal, Math. Program. 45 (1989); Li and Fukushima, SIAM J. Optim. 11 (2001).
    """
    who = "cautious_lbfgs"
    if memory < 1:
        raise ValueError(f"memory={memory} must be at least 1")

    def init(params):
        x = ravel_pytree(params)[0]
        ring = jnp.zeros((memory, x.size), x.dtype)
        none = jnp.zeros((), jnp.int32)
        return LBFGSState(ring, ring, jnp.zeros(memory, x.dtype), x, jnp.zeros_like(x), none, jnp.zeros((), bool))

    def update(updates, state, params=None, **extra):
        del extra
        x, unravel = flattened(params, who, (), {})
        g = ravel_pytree(updates)[0]
        s, y = x - state.x, g - state.g
        sy = s @ y
        good = state.seen & (sy > jnp.sqrt(eps_of(g)) * jnp.linalg.norm(s) * jnp.linalg.norm(y))
        slot = state.count % memory
        put = lambda ring, new: jnp.where(good, ring.at[slot].set(new), ring)  # noqa: E731
        S, Y = put(state.s, s), put(state.y, y)
        rho = put(state.rho, 1 / jnp.where(good, sy, 1.0))
        count = state.count + good.astype(jnp.int32)
        newest = (count - 1) % memory
        gamma = 1 / (rho[newest] * (Y[newest] @ Y[newest]))
        plain = jnp.minimum(
            1.0, jnp.maximum(1e-2, 1e-2 * jnp.linalg.norm(x)) / jnp.maximum(jnp.linalg.norm(g), tiny_of(g))
        )
        gamma = jnp.where(count > 0, gamma, plain)
        order = (count - 1 - jnp.arange(memory)) % memory  # newest first; empty slots have rho = 0 and do nothing

        def back(q, i):
            a = rho[i] * (S[i] @ q)
            return q - a * Y[i], a

        q, a = jax.lax.scan(back, g, order)

        def forth(r, pair):
            i, a = pair
            return r + (a - rho[i] * (Y[i] @ r)) * S[i], None

        r, _ = jax.lax.scan(forth, gamma * q, (order[::-1], a[::-1]))
        return unravel(-r), LBFGSState(S, Y, rho, x, g, count, jnp.ones((), bool))

    return optax.GradientTransformationExtraArgs(init, update)
