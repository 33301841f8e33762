"""Hager and Zhang's line search along the step of what comes before."""

from __future__ import annotations

from gradwright.solvers.optax.arguments import eps_of, flattened
from gradwright.solvers.optax.requirements import jax, jnp, optax, ravel_pytree


def scale_by_hager_zhang(
    delta: float = 0.1, sigma: float = 0.9, max_trials: int = 30, expand: float = 5.0
) -> optax.GradientTransformationExtraArgs:
    """Multiply an additive step d by a length α that satisfies Wolfe's conditions, or the approximate ones.

    Wolfe: φ(α) ≤ φ(0) + δαφ'(0) and φ'(α) ≥ σφ'(0). Approximate: (2δ − 1)φ'(0) ≥ φ'(α) ≥ σφ'(0) where
    φ(α) ≤ φ(0) + ε, with ε the rounding of φ(0): it works on where values can no longer be told apart. The first trial
    is α = 1. A bracket is grown, then cut by secants, safeguarded by bisection. What is not finite is too far. Where no
    trial satisfies the conditions the best one is taken; α = 0 only where none improves.

    Args:
        delta, sigma: δ and σ.
        max_trials: evaluations at most.
        expand: growth of the first bracket.

    Extra arguments of update: value_fn (always), grad_fn, grad (at params; computed if missing), value.

    Reference: Hager and Zhang, SIAM J. Optim. 16 (2005).
    """
    who = "scale_by_hager_zhang"

    def init(params):
        return {"alpha": jnp.ones((), ravel_pytree(params)[0].dtype)}

    def update(updates, state, params=None, *, value_fn=None, grad_fn=None, grad=None, value=None, **extra):
        del extra, state
        x, unravel = flattened(params, who, ("value_fn",), {"value_fn": value_fn})
        d = ravel_pytree(updates)[0]
        slope_fn = grad_fn if grad_fn is not None else jax.grad(value_fn)
        g = ravel_pytree(slope_fn(params) if grad is None else grad)[0]
        f0 = jnp.asarray(value_fn(params) if value is None else value, d.dtype)
        s0 = g @ d
        noise = 10 * eps_of(x) * jnp.abs(f0)

        def phi(alpha):
            there = unravel(x + alpha * d)
            return value_fn(there).astype(d.dtype), ravel_pytree(slope_fn(there))[0] @ d

        zero, huge = jnp.zeros((), d.dtype), jnp.asarray(jnp.inf, d.dtype)
        # low, slope there; high, slope there (NaN unless it may serve a secant); next trial; best; found; count
        carry = (zero, s0, huge, huge * 0, zero + 1, zero, f0, jnp.zeros((), bool), jnp.zeros((), jnp.int32))

        def going(carry):
            return ~carry[7] & (carry[8] < max_trials)

        def body(carry):
            low, slope_low, high, slope_high, alpha, best, f_best, _, k = carry
            f, s = phi(alpha)
            usable = jnp.isfinite(f) & jnp.isfinite(s)
            down = usable & (f <= f0 + noise)
            curvature = s >= sigma * s0
            wolfe = (f <= f0 + delta * alpha * s0) & curvature
            found = usable & (wolfe | (down & curvature & ((2 * delta - 1) * s0 >= s)))
            better = usable & (f < f_best)
            best, f_best = jnp.where(better | found, alpha, best), jnp.where(better, f, f_best)
            rises = ~down | (s >= 0)
            low, slope_low = jnp.where(rises, low, alpha), jnp.where(rises, slope_low, s)
            slope_high = jnp.where(rises, jnp.where(usable & (s >= 0), s, jnp.nan), slope_high)
            high = jnp.where(rises, alpha, high)
            secant = (low * slope_high - high * slope_low) / (slope_high - slope_low)
            width = high - low
            inside = (secant > low + 0.05 * width) & (secant < high - 0.05 * width)
            middle = jnp.where(usable | ~rises, low + 0.5 * width, low + 0.2 * width)
            within = jnp.where(jnp.isfinite(secant) & inside & (k % 3 != 2), secant, middle)
            alpha = jnp.where(jnp.isfinite(high), within, expand * alpha)
            return low, slope_low, high, slope_high, alpha, best, f_best, found, k + 1

        carry = jax.lax.while_loop(lambda c: going(c) & (s0 < 0), body, carry)
        alpha = carry[5]
        return unravel(alpha * d), {"alpha": alpha}

    return optax.GradientTransformationExtraArgs(init, update)
