"""Regularisers: stable decay, constraints, cautious decay, norm loss and the forms of decoupled decay."""

import numpy as np

from tests.reference.age import age


def constrains(p):
    return np.ndim(p) > 1


def sgds(state, p, g, *, lr, momentum, dampening, weight_decay, nesterov):
    """The authors' order: decay, then the step."""
    mu = momentum or 0.0
    p = p * (1 - lr * weight_decay * (1 - dampening) / (1 - mu))
    if momentum is None:
        return p - lr * g
    m = g if "m" not in state else mu * state["m"] + (1 - dampening) * g
    state["m"] = m
    return p - lr * (g + mu * m if nesterov else m)


def adams_together(states, params, gradients, *, lr, betas, eps, weight_decay, amsgrad):
    """All tensors of a step: two passes, with one mean between them."""
    found = []
    for state, g in zip(states, gradients):
        t = age(state)
        state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
        v = state["v"]
        if amsgrad:
            v = state["v_max"] = np.maximum(state.get("v_max", 0.0), v)
        found.append((state["m"] / (1 - betas[0] ** t), v / (1 - betas[1] ** t)))
    mean = sum(np.sum(v) for _, v in found) / sum(np.size(v) for _, v in found)
    share = 0.0 if mean == 0 else min(1.0, lr * weight_decay / (np.sqrt(mean) + eps))
    return [p * (1 - share) - lr * m / (np.sqrt(v) + eps) for p, (m, v) in zip(params, found)]


def adams(state, p, g, **knobs):
    """Of a single tensor."""
    return adams_together([state], [p], [g], **knobs)[0]


def size_of(p, measure):
    if measure == "l2":
        return np.sum(p**2)
    if measure == "l1":
        return np.sum(np.abs(p))
    if measure == "std":
        return np.std(p, ddof=1)
    return np.sum(np.where(np.abs(p) < 1, p**2 / 2, np.abs(p) - 0.5))


def shrunk(p, strength, measure):
    if measure == "l2":
        return p - strength * 2 * p
    if measure == "l1":
        return np.sign(p) * np.maximum(np.abs(p) - strength, 0)
    if measure == "std":
        return p - strength * (p - np.mean(p)) / ((np.size(p) - 1) * np.std(p, ddof=1))
    return p - strength * np.clip(p, -1, 1)


def most(p, measure):
    """The multiplier that takes half."""
    if measure == "l2":
        return 0.25
    if measure == "l1":
        return np.mean(np.abs(p)) / 2
    if measure == "std":
        return 0.5 * (np.size(p) - 1) * np.std(p, ddof=1)
    return 0.5


def cpr(state, before, p, *, method, param, measure, mu, every, memory, rate):
    """``p`` after a step from ``before``, held to its bound; ``state`` is the constraint's own."""
    t = age(state)
    size = size_of(p, measure)
    bound = state.get("bound")
    if method == "uniform":
        bound = param
    if method == "dependent":
        bound = state.setdefault("bound", param * size_of(before, measure))
    if method == "warm_start" and t == param:
        state["bound"] = size
    if method == "inflection_point" and t % every == 0 and bound is None:
        samples = state.setdefault("samples", [])
        samples.append(size if not samples else memory * samples[-1] + (1 - memory) * size)
        slopes = np.diff(samples)
        if len(samples) >= 4 and slopes[-1] < slopes[-2]:
            state["bound"] = size
    if bound is None:
        return p
    gain = mu if measure == "std" else mu / np.size(p)
    raised = max(0.0, state.get("multiplier", 0.0) + gain * (size - bound))
    state["multiplier"] = min(raised, most(p, measure) / rate)
    return shrunk(p, rate * state["multiplier"], measure)


def constrained(
    state,
    p,
    g,
    *,
    base,
    kappa_init_method,
    kappa_init_param,
    reg_function,
    kappa_update,
    reg_step_size,
    reg_ema_decay,
    reg_by_lr=False,
    **knobs,
):
    after = base(state.setdefault("base", {}), p, g, **knobs)
    if not constrains(p):
        return after
    return cpr(
        state.setdefault("constraint", {}),
        p,
        after,
        method=kappa_init_method,
        param=kappa_init_param,
        measure=reg_function,
        mu=kappa_update,
        every=reg_step_size,
        memory=reg_ema_decay,
        rate=knobs["lr"] if reg_by_lr else 1.0,
    )


def cautiously_decayed(state, p, g, *, base, lr, weight_decay, **knobs):
    """The step without decay is found first; ``base`` must take its direction from the gradients alone."""
    step = (p - base(state, p, g, lr=lr, weight_decay=0.0, **knobs)) / lr
    return p - lr * (step + weight_decay * np.where(step * p >= 0, p, 0.0))


def decoupled(state, p, g, *, base, lr, weight_decay, decay_form, peak_lr, rests_first=False, **knobs):
    after = base(state, p, g, lr=lr, weight_decay=0.0, **knobs)
    if rests_first and not state.setdefault("rested", False):
        state["rested"] = True
        return p
    if decay_form == "after":
        return after * (1 - lr * weight_decay)
    if decay_form == "corrected":
        return after - lr**2 / peak_lr * weight_decay * p
    return after - (1.0 if peak_lr is None else lr / peak_lr) * weight_decay * p


def norm_regularized(state, p, g, *, base, lr, norm_strength, **knobs):
    after = base(state, p, g, lr=lr, **knobs)
    if not constrains(p):
        return after
    lengths = np.array([np.linalg.norm(unit) for unit in p]).reshape(-1, *([1] * (p.ndim - 1)))
    return after - lr * norm_strength * 2 * p * (1 - 1 / np.maximum(lengths, 1e-3))
