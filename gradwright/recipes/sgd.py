"""Stochastic gradient descent."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import L2, HeavyBall, Scale


@recipe(
    paper="Sutskever et al. 2013; torch.optim.SGD",
    traits="elementwise rows coupled_decay",
    torch_state={"momentum_buffer": "heavy_ball.m"},
    cycled="momentum",
)
def SGD(
    lr: float = 1e-3,
    momentum: float | None = None,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
):
    """Stochastic gradient descent with momentum, Nesterov momentum and an L2 penalty, as ``torch.optim.SGD``.

    g ← g + λ p;   m ← μ m + (1 − d) g, m₁ = g;   p ← p − lr m, or p − lr (g + μ m) with ``nesterov``.

    Args:
        lr: learning rate (torch's default).
        momentum: μ in [0, 1). ``None``, the default, and 0.0 are the same: they keep no buffer, and a group shows 0.0.
            Set above 0 later, the buffer is made then. As with ``torch.optim.SGD``, ``OneCycleLR`` and ``CyclicLR``
            switch it on unless they are given ``cycle_momentum=False``.
        dampening: d ≥ 0; needs momentum.
        weight_decay: λ ≥ 0, part of the gradient.
        nesterov: look one step ahead; needs momentum and no dampening.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> w.grad = torch.tensor([0.5])
        >>> SGD([w], lr=0.1, momentum=0.9).step()
        >>> w.data
        tensor([0.9500])
    """
    if momentum is None:
        if nesterov or dampening:
            ignored = "nesterov=True" if nesterov else f"dampening={dampening:g}"
            raise ValueError(f"SGD: {ignored} needs momentum, such as momentum=0.9")
        return chain(L2(weight_decay), Scale(lr))
    if nesterov and dampening:
        raise ValueError(f"SGD: nesterov=True needs dampening=0, not dampening={dampening:g}")
    return chain(L2(weight_decay), HeavyBall(momentum, dampening, nesterov), Scale(lr))
