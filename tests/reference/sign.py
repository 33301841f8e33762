"""Sign methods: Lion, and Tiger as its author's micro-step loop."""

import numpy as np


def lion_direction(state, g, betas):
    m = state.get("m", 0.0)
    state["m"] = betas[1] * m + (1 - betas[1]) * g
    return np.sign(betas[0] * m + (1 - betas[0]) * g)


def lion(state, p, g, *, lr, betas, weight_decay):
    return p * (1 - lr * weight_decay) - lr * lion_direction(state, g, betas)


def signum(state, p, g, *, lr, momentum, weight_decay):
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    return p - lr * (np.sign(m) + weight_decay * p)


def tiger(state, p, g, *, lr, momentum, weight_decay, accumulate, shrink, floor, lazy, kind):
    """``kind`` is what the author tells by the parameter's name: kernel, embedding, bias or gain."""
    t = state.get("micro", 0)
    state["micro"] = t + 1
    broken = bool(np.isnan(g).any())
    keep = momentum if t % accumulate == 0 and not broken else 1.0
    gathered = np.zeros_like(g) if broken else g
    m = state["m"] = keep * state.get("m", 0.0) + (1 - momentum) / accumulate * gathered
    if broken:
        home = 1.0 if kind == "gain" else 0.0
        return (p - home) * shrink + home
    if (t + 1) % accumulate != 0:
        return p
    if kind in ("bias", "gain"):
        return p - 0.5 * lr * np.sign(m)
    size = np.sqrt(np.mean(p**2, axis=-1, keepdims=True)) if kind == "embedding" else np.sqrt(np.mean(p**2))
    moved = p - lr * np.maximum(size, floor) * (np.sign(m) + weight_decay * p)
    if lazy and kind == "embedding":
        return np.where(np.any(g != 0, axis=-1, keepdims=True), moved, p)
    return moved


def focus(state, p, g, *, lr, betas, gamma, weight_decay):
    seen = state.setdefault("seen", [])
    seen.append(p)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    weights = betas[1] ** np.arange(len(seen))[::-1]
    a = sum(w * x for w, x in zip(weights, seen)) / weights.sum() if len(seen) > 1 else p
    return p - lr * (np.sign(m) + gamma * np.sign(p - a) + weight_decay * a)
