"""AdaGrad, RMSprop and AdaDelta, the sums in closed form where there is one."""

import numpy as np

from tests.reference.age import age
from tests.reference.sgd import momentum_sum


def adagrad(state, p, g, *, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
    g = g + weight_decay * p
    t = age(state)
    seen = state.setdefault("seen", [])
    seen.append(g**2)
    root = np.sqrt(initial_accumulator_value + np.sum(seen, axis=0))
    return p - lr / (1 + (t - 1) * lr_decay) * g / (root + eps)


def rmsprop(state, p, g, *, lr, alpha, eps, weight_decay, momentum, centered):
    g = g + weight_decay * p
    seen = state.setdefault("seen", [])
    seen.append(g)
    weights = (1 - alpha) * alpha ** np.arange(len(seen))[::-1]
    square = sum(w * x**2 for w, x in zip(weights, seen))
    middle = sum(w * x for w, x in zip(weights, seen)) if centered else 0.0
    u = g / (np.sqrt(square - middle**2) + eps)
    return p - lr * momentum_sum(state, u, momentum, 0.0, False)


def adadelta(state, p, g, *, lr, rho, eps, weight_decay):
    g = g + weight_decay * p
    v = state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g**2
    before = state.get("steps", 0.0)
    u = np.sqrt((before + eps) / (v + eps)) * g
    state["steps"] = rho * before + (1 - rho) * u**2
    return p - lr * u


def kate(state, p, g, *, lr, eta, eps, weight_decay):
    g = g + weight_decay * p
    b = state["b"] = state.get("b", 0.0) + g**2
    m = state["m"] = state.get("m", 0.0) + eta * g**2 + g**2 / (b + eps)
    return p - lr * np.sqrt(m) * g / (b + eps)
