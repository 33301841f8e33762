"""AdaLo, with the squashed loss as its authors' code spells it."""

import math


def adalo(state, p, g, *, lr, betas, weight_decay, kappa, eps, mode, loss):
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    squashed = (math.tanh(-math.log1p(loss) / 2) + 1) / 2
    e = state["e"] = betas[1] * state.get("e", 0.0) + (1 - betas[1]) * squashed
    size = lr * max((e if mode == "adversarial" else 1 - e) / kappa, eps)
    return p * (1 - size * weight_decay) - size * m
