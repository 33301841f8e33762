"""Stochastic gradient descent: heavy ball and Nesterov, both as sums of gradients."""

from tests.reference.age import age


def momentum_sum(state, g, momentum, dampening, nesterov):
    """The direction of torch's momentum; its buffer starts as the whole first gradient."""
    if momentum is None:
        return g
    first = age(state) == 1
    state["buffer"] = g if first else momentum * state["buffer"] + (1 - dampening) * g
    return g + momentum * state["buffer"] if nesterov else state["buffer"]


def sgd(state, p, g, *, lr, momentum, dampening, weight_decay, nesterov):
    g = g + weight_decay * p
    return p - lr * momentum_sum(state, g, momentum, dampening, nesterov)
