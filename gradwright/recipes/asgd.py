"""ASGD: stochastic gradient descent with a falling rate, and the average of its weights."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import L2, Decay, LateMean, WaningScale, WeightAverage


@recipe(
    paper="Polyak & Juditsky 1992; torch.optim.ASGD",
    traits="elementwise rows averages coupled_decay",
    torch_state={"eta": "waning_scale.eta", "ax": "weight_average.average"},
)
def ASGD(
    lr: float = 1e-2,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0.0,
):
    """Averaged stochastic gradient descent, as ``torch.optim.ASGD``.

    g ← g + λ p;   p ← p − ηₜ (g + κ p);   x̄ ← x̄ + (p − x̄) / max(1, t − 1 − t₀)
    η₁ = lr,   ηₜ₊₁ = lr / (1 + κ lr t)^α

    Evaluate at the average with :meth:`~gradwright.Optimizer.evaluating`, which torch leaves to its users. At the
    default t₀ it does not begin before a million steps, and until then x̄ is p: set t₀ to where the run has come close,
    or use ``averaged(SGD)``, whose average begins at once.

    A schedule of lr acts a step late, as in torch. The average is kept in float32 at least.

    Args:
        lr: η₁ (torch's default).
        lambd: κ ≥ 0, how fast η falls, and a decoupled weight decay of the same size (torch's).
        alpha: α ≥ 0, the power of that fall (torch's).
        t0: t₀ ≥ 0, after how many steps the average begins (torch's).
        weight_decay: λ ≥ 0, an L2 penalty.
    """
    return chain(L2(weight_decay), Decay(lambd), WaningScale(lr, lambd, alpha), WeightAverage(LateMean(t0)))
