"""Schedule-free methods: an average of the iterates takes the place of learning-rate decay."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.recipe import recipe
from gradwright.transforms import AddEps, Decay, Full, Precondition, ScheduleFree


@recipe(paper="arXiv:2405.15682", traits="elementwise scale_free averages")
def ScheduleFreeAdamW(
    lr: float = 2.5e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    warmup_steps: float = 0.0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
):
    """AdamW without a schedule: gradients are taken between a fast iterate and its running average.

    η = lr min(1, t / warmup);   w = tʳ (largest η)ᵖ;   c = w / Σ w;   v ← β₂ v + (1 − β₂) g²
    u = g / (√(v / (1 − β₂ᵗ)) + ε) + λ y;   z ← z − η u;   x ← (1 − c) x + c z;   y ← β₁ x + (1 − β₁) z

    The parameters hold y while training. Evaluate, and save weights to keep, at x:
    ``with optimizer.evaluating(): ...`` or ``optimizer.eval()`` and ``optimizer.train()``. BatchNorm statistics belong
    to y; recompute them at x.

    Args:
        lr: learning rate (the authors' default; 1 to 10 times AdamW's).
        betas: β₁, the share of x in y, in (0, 1); β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, taken at y.
        warmup_steps: steps over which η rises; the authors advise some.
        r: power of t in the averaging weights.
        weight_lr_power: power p of the learning rate in the averaging weights.
    """
    return chain(
        Precondition(Full(betas[1]), AddEps(eps)),
        Decay(weight_decay),
        ScheduleFree(lr, betas[0], warmup_steps, r, weight_lr_power),
    )
