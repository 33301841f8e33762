"""Second-order steps as optax transforms: value_fn, grad_fn and hvp are extra arguments of ``update``. Needs
optax, jax.

import optax
from gradwright.solvers.optax import scale_by_steihaug

transform = scale_by_steihaug()
state = transform.init(params)
updates, state = transform.update(grads, state, params, value_fn=loss)
params = optax.apply_updates(params, updates)

``value_fn`` takes the parameters and returns the loss; ``grad_fn`` (by default its gradient) and ``hvp`` (v ↦
Hv at these
parameters, by default the linearised gradient) may be given where there is a better way. Everything runs under
jit, scan
and vmap, in the dtype of the parameters. Updates are additive steps: nothing has to be negated or scaled after them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

try:
    import jax
    import jax.numpy as jnp
    import optax
    from jax.flatten_util import ravel_pytree
except ImportError as missing:
    raise ImportError(f"gradwright.solvers.optax needs {missing.name}; pip install optax jax") from missing

__all__ = ["cautious_lbfgs", "scale_by_hager_zhang", "scale_by_hessian_free", "scale_by_newton_cg", "scale_by_steihaug"]

Array = Any


def _flat(params: Any, who: str, needs: tuple[str, ...], given: dict[str, Any]) -> tuple[Array, Callable]:
    """The parameters as one vector, after a check that what the transform needs is there."""
    if params is None:
        raise ValueError(f"{who}: params is missing; call update(grads, state, params, ...)")
    for name in needs:
        if given.get(name) is None:
            raise ValueError(f"{who}: {name} is missing; call update(grads, state, params, {name}=...)")
    return ravel_pytree(params)


def _product(params: Any, g: Array, unravel: Callable, hvp, grad_fn, value_fn, who: str) -> Callable[[Array], Array]:
    """v ↦ Hv on vectors: as given, or the gradient linearised once."""
    if hvp is not None:
        return lambda v: ravel_pytree(hvp(unravel(v)))[0].astype(g.dtype)
    if grad_fn is None and value_fn is None:
        raise ValueError(f"{who}: hvp is missing, and so are grad_fn and value_fn to make it from; give one of them")
    slope = grad_fn if grad_fn is not None else jax.grad(value_fn)
    _, times = jax.linearize(slope, params)
    return lambda v: ravel_pytree(times(unravel(v)))[0].astype(g.dtype)


def _eps(x: Array) -> float:
    return float(jnp.finfo(x.dtype).eps)


def _tiny(x: Array) -> float:
    return float(jnp.finfo(x.dtype).tiny)


def scale_by_newton_cg(max_iter: int = 50, forcing: float = 0.5) -> optax.GradientTransformationExtraArgs:
    """d ≈ −H⁻¹g by conjugate gradients, stopped where dᵀHd is not positive; always a direction of descent.

    CG stops at ‖r‖ ≤ min(forcing, √(‖g‖ / ‖g₀‖)) ‖g‖, with g₀ the first gradient seen, so units of the loss
    change nothing.
    At negative curvature in the first iteration the step is −g scaled by ‖g‖² / |gᵀHg|. Follow it with
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
        _, unravel = _flat(params, who, (), {})
        g = ravel_pytree(updates)[0]
        H = _product(params, g, unravel, hvp, grad_fn, value_fn, who)
        size = jnp.linalg.norm(g)
        first = jnp.where(state["first"] > 0, state["first"], size)
        limit = jnp.minimum(forcing, jnp.sqrt(size / jnp.maximum(first, _tiny(g)))) * size

        def going(carry):
            _, r, _, k, stop = carry
            return (k < max_iter) & ~stop & (jnp.linalg.norm(r) > limit)

        def body(carry):
            p, r, d, k, _ = carry
            Hd = H(d)
            kappa, gamma = d @ Hd, r @ r
            positive = kappa > 10 * _eps(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Hd)
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
        x, unravel = _flat(params, who, ("value_fn",), {"value_fn": value_fn})
        g = ravel_pytree(updates)[0]
        H = _product(params, g, unravel, hvp, grad_fn, value_fn, who)
        size = jnp.linalg.norm(g)
        first = jnp.where(state.first > 0, state.first, size)
        Hg = H(g)
        kappa = g @ Hg
        cauchy = jnp.where(kappa > 0, size**3 / jnp.where(kappa > 0, kappa, 1.0), jnp.inf)
        reach = jnp.maximum(1.0, jnp.linalg.norm(x))
        radius = jnp.where(state.radius > 0, state.radius, jnp.clip(cauchy, 1e-3 * reach, 1e3 * reach)).astype(g.dtype)
        limit = jnp.minimum(forcing, jnp.sqrt(size / jnp.maximum(first, _tiny(g)))) * size
        p, predicted, boundary = _truncated(H, g, radius, limit, max_iter)
        f = value_fn(params) if value is None else value
        fresh = value_fn(unravel(x + p))
        noise = 10 * _eps(x) * jnp.maximum(jnp.abs(f), jnp.abs(fresh))
        ratio = (f - fresh + noise) / jnp.maximum(predicted + noise, _tiny(g))
        good = jnp.isfinite(fresh) & jnp.all(jnp.isfinite(p))
        ratio = jnp.where(good, ratio, -1.0).astype(g.dtype)
        accepted = good & (ratio > 1e-4)
        length = jnp.where(jnp.isfinite(p).all(), jnp.linalg.norm(p), radius)
        smaller = 0.25 * jnp.minimum(radius, length)
        larger = jnp.where((ratio > 0.75) & boundary, 2 * radius, radius)
        radius = jnp.where(ratio < 0.25, jnp.maximum(smaller, _tiny(g)), larger).astype(g.dtype)
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
        curved = kappa > 10 * _eps(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Hd)
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
        x, unravel = _flat(params, who, ("value_fn",), {"value_fn": value_fn})
        g = ravel_pytree(updates)[0]
        G = _product(params, g, unravel, gnvp if gnvp is not None else hvp, grad_fn, value_fn, who)
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
        ratio = jnp.where(jnp.isfinite(whole), (whole - f) / jnp.where(q < 0, q, -_tiny(g)), -1.0)
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
        positive = kappa > 10 * _eps(g) * jnp.linalg.norm(d) * jnp.linalg.norm(Ad)
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


def scale_by_hager_zhang(
    delta: float = 0.1, sigma: float = 0.9, max_trials: int = 30, expand: float = 5.0
) -> optax.GradientTransformationExtraArgs:
    """Multiply an additive step d by a length α that satisfies Wolfe's conditions, or the approximate ones.

    Wolfe: φ(α) ≤ φ(0) + δαφ'(0) and φ'(α) ≥ σφ'(0). Approximate: (2δ − 1)φ'(0) ≥ φ'(α) ≥ σφ'(0) where φ(α) ≤
    φ(0) + ε, with
    ε the rounding of φ(0): it works on where values can no longer be told apart. The first trial is α = 1. A bracket is
    grown, then cut by secants, safeguarded by bisection. What is not finite is too far. Where no trial satisfies the
    conditions the best one is taken; α = 0 only where none improves.

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
        x, unravel = _flat(params, who, ("value_fn",), {"value_fn": value_fn})
        d = ravel_pytree(updates)[0]
        slope_fn = grad_fn if grad_fn is not None else jax.grad(value_fn)
        g = ravel_pytree(slope_fn(params) if grad is None else grad)[0]
        f0 = jnp.asarray(value_fn(params) if value is None else value, d.dtype)
        s0 = g @ d
        noise = 10 * _eps(x) * jnp.abs(f0)

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

    The test has no units. Repeated points and directions of negative curvature leave the memory as it is. The
    first step is
    −g · min(1, max(1e-2, 1e-2 ‖x‖) / ‖g‖). Follow it with :func:`scale_by_hager_zhang` or an optax line search.

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
        x, unravel = _flat(params, who, (), {})
        g = ravel_pytree(updates)[0]
        s, y = x - state.x, g - state.g
        sy = s @ y
        good = state.seen & (sy > jnp.sqrt(_eps(g)) * jnp.linalg.norm(s) * jnp.linalg.norm(y))
        slot = state.count % memory
        put = lambda ring, new: jnp.where(good, ring.at[slot].set(new), ring)  # noqa: E731
        S, Y = put(state.s, s), put(state.y, y)
        rho = put(state.rho, 1 / jnp.where(good, sy, 1.0))
        count = state.count + good.astype(jnp.int32)
        newest = (count - 1) % memory
        gamma = 1 / (rho[newest] * (Y[newest] @ Y[newest]))
        plain = jnp.minimum(
            1.0, jnp.maximum(1e-2, 1e-2 * jnp.linalg.norm(x)) / jnp.maximum(jnp.linalg.norm(g), _tiny(g))
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
