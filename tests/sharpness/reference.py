"""Independent float64 forms of the methods: one function of a gradient, a point and settings to the points of a run."""

import numpy as np


def descent(lr, momentum=0.0):
    """Gradient descent with torch's momentum, as a function from (x, gradient) to the next x."""
    held = {}

    def step(x, u):
        held["b"] = momentum * held["b"] + u if "b" in held else u
        return x - lr * held["b"]

    return step


def adamw(lr, weight_decay, betas=(0.9, 0.999), eps=1e-8):
    held = {"t": 0, "m": 0.0, "v": 0.0}

    def step(x, u):
        held["t"] += 1
        held["m"] = betas[0] * held["m"] + (1 - betas[0]) * u
        held["v"] = betas[1] * held["v"] + (1 - betas[1]) * u * u
        m, v = (held[key] / (1 - beta ** held["t"]) for key, beta in zip("mv", betas))
        return x * (1 - lr * weight_decay) - lr * m / (np.sqrt(v) + eps)

    return step


def length(x):
    return np.sqrt(np.sum(x * x))


def sam(gradient, x, base, rho):
    while True:
        g = gradient(x)
        x = base(x, gradient(x + rho * g / (length(g) + 1e-12)))
        yield x


def asam(gradient, x, base, rho, weights, floor=0.01):
    while True:
        t = np.where(weights, np.abs(x) + floor, 1.0)
        g = gradient(x)
        x = base(x, gradient(x + rho * t * t * g / (length(t * g) + 1e-16)))
        yield x


def gsam(gradient, x, base, rho, alpha):
    while True:
        g0 = gradient(x)
        g1 = gradient(x + rho * g0 / (length(g0) + 1e-12))
        cos = np.sum(g0 * g1) / (length(g0) * length(g1) + 1e-12)
        x = base(x, g1 - alpha * (g0 - cos * length(g0) * g1 / (length(g1) + 1e-12)))
        yield x


def wsam(gradient, x, base, rho, gamma, lr=None):
    """Decoupled where ``lr`` is given."""
    alpha = gamma / (1 - gamma)
    while True:
        g0 = gradient(x)
        g1 = gradient(x + rho * g0 / (length(g0) + 1e-12))
        x = base(x, alpha * g1 + (1 - alpha) * g0) if lr is None else base(x, g0) - lr * alpha * (g1 - g0)
        yield x


def looksam(gradient, x, base, rho, k, alpha):
    direction, t = 0.0, 0
    while True:
        u = g0 = gradient(x)
        if t % k == 0:
            u = gradient(x + rho * g0 / (length(g0) + 1e-12))
            v = u - np.sum(u * g0) / (np.sum(g0 * g0) + 1e-12) * g0
            direction = v / length(v)
        else:
            u = g0 + alpha * length(g0) * direction
        x, t = base(x, u), t + 1
        yield x


def friendly_sam(gradient, x, base, rho, sigma, beta):
    average = None
    while True:
        g = gradient(x)
        d = g if average is None else g - sigma * average
        average = g if average is None else beta * average + (1 - beta) * g
        x = base(x, gradient(x + rho * d / (length(d) + 1e-12)))
        yield x
