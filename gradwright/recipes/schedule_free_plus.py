"""ScheduleFree+: neither a schedule nor a learning rate."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, Ema, Full, PolyakScheduleFree, Precondition


@recipe(paper="arXiv:2605.19095", traits="reduces needs_loss averages shared totals", signed="f_star")
def ScheduleFreePlus(
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.95),
    sf_beta1: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    f_star: float = 0.0,
    polyak_beta: float = 0.0,
    c_warmup: float = 0.0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    sf_beta1_max: float = 0.965,
    sf_beta1_anneal_steps: float = 0.0,
):
    """ScheduleFree+: Adam without schedule and learning rate; the loss says how far to go.

    e ← b e + (1 − b) √(π/2) ‖g‖₁;   η = lr max(0, f − f* + β ⟨g, z − x⟩) / (e / (1 − bᵗ))
    z ← z − η m̂ / (√v̂ + ε) − η² λ y;   x ← (1 − c) x + c z;   y ← β x + (1 − β) z
    c = 1 in the first ``c_warmup`` steps, then w / Σ w with w = tʳ (largest η)ᵖ
    β goes from ``sf_beta1`` to ``sf_beta1_max`` over ``sf_beta1_anneal_steps``, evenly in log(1 − β)

    Norm and inner product are over all parameters. Call ``step(loss=loss)`` with the loss of this batch, and in data
    parallel training with its mean over all ranks. Evaluate at x: ``with optimizer.evaluating(): ...``.

    f* = 0 is the authors' choice. For a loss with a floor (label smoothing, language) a better ``f_star`` keeps η from
    staying large at the end. Deviations from the authors' code: lr is not held above ε, so that lr = 0 rests; x is not
    stored; steps are counted for the optimizer, and m and v are corrected for each parameter's own age; with
    ``polyak_beta`` > 0, e is an average, where the code goes on from the value that it has corrected for show, so that
    early steps are divided by too much: at a constant ‖g‖₁ its second step by 1 / (1 − b²) times as much.

    Args:
        lr: a multiplier; a warm-up multiplies it (the authors').
        betas: decay rates of m and v, in [0, 1) (the authors').
        sf_beta1: β, the share of x in y, in (0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, of the order of 20 to 50 in training large networks, since η² is small there.
        f_star: f*, the least loss; may be negative.
        polyak_beta: b in [0, 1), the decay rate of e.
        c_warmup: steps before the averaging begins; the authors advise one or two times the warm-up of lr.
        r: power of t in the averaging weights.
        weight_lr_power: power p of η in the averaging weights.
        sf_beta1_max: what β goes to, in (0, 1).
        sf_beta1_anneal_steps: steps over which it does; 0 for a constant β.
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(Full(betas[1]), AddEps(eps)),
        PolyakScheduleFree(
            lr,
            sf_beta1,
            sf_beta1_max,
            sf_beta1_anneal_steps,
            polyak_beta,
            f_star,
            weight_decay,
            c_warmup,
            r,
            weight_lr_power,
        ),
    )
