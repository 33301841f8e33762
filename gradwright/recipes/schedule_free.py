"""Schedule-free methods: an average of the iterates takes the place of learning-rate decay."""

from __future__ import annotations

from gradwright.core import Chain, Transform, chain
from gradwright.core.dry_run import remembers
from gradwright.core.transform import DIRECTION
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.combinator import combinator
from gradwright.recipes.muon import MATRICES
from gradwright.transforms import (
    AddEps,
    Decay,
    Ema,
    Full,
    HeavyBall,
    NeuronNorm,
    OnceTrusted,
    Orthogonalize,
    Precondition,
    Rectification,
    Rescale,
    Scale,
    ScheduleFree,
)


@recipe(paper="arXiv:2405.15682", traits="elementwise rows scale_free averages")
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
    to y; recompute them at x (:func:`gradwright.training.recompute_batch_norm`).

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


@recipe(paper="arXiv:2405.15682", traits="elementwise rows averages")
def ScheduleFreeSGD(
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    warmup_steps: float = 0.0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
):
    """SGD without a schedule, and with an average in the place of momentum.

    z ← z − η (g + λ y);   x ← (1 − c) x + c z;   y ← β x + (1 − β) z;   η and c as in :class:`ScheduleFreeAdamW`

    Args:
        lr: learning rate (the authors' default; 10 to 50 times SGD's).
        momentum: β, the share of x in y, in (0, 1).
        weight_decay: λ ≥ 0, taken at y.
        warmup_steps: steps over which η rises; the authors advise some.
        r: power of t in the averaging weights.
        weight_lr_power: power p of the learning rate in the averaging weights.
    """
    return chain(Decay(weight_decay), ScheduleFree(lr, momentum, warmup_steps, r, weight_lr_power))


@recipe(paper="arXiv:2405.15682; authors' RAdamScheduleFree", traits="elementwise rows averages")
def ScheduleFreeRAdam(
    lr: float = 2.5e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    silent_sgd_phase: bool = True,
):
    """Schedule-free RAdam: rectification takes the place of the warm-up too.

    ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ),   ρ∞ = 2 / (1 − β₂) − 1
    η = lr √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ)), u = g / (√(v / (1 − β₂ᵗ)) + ε) + λ y      once ρ > 4
    η = 0, or lr without ``silent_sgd_phase``, u = g + λ y                                          before that

    c, z, x and y as in :class:`ScheduleFreeAdamW`, which see. With β₂ = 0.999 the first four steps are silent: v
    gathers, weights rest.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, the share of x in y, in (0, 1); β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, taken at y.
        r: power of t in the averaging weights.
        weight_lr_power: power p of the learning rate in the averaging weights.
        silent_sgd_phase: rest until v can be trusted; otherwise step along the plain gradient.
    """
    return chain(
        OnceTrusted(Precondition(Full(betas[1]), AddEps(eps)), betas[1]),
        Decay(weight_decay),
        ScheduleFree(
            lr, betas[0], r=r, power=weight_lr_power, rectify=Rectification(betas[1], silent=silent_sgd_phase)
        ),
    )


@recipe(paper="arXiv:2605.23061", traits="scale_free matrix reduces averages", only=MATRICES)
def ScheduleFreeNorMuon(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.95, 0.95),
    sf_beta: float = 0.9,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    warmup_steps: float = 0.0,
    coefficients: str = "you",
    r: float = 0.0,
    weight_lr_power: float = 2.0,
):
    """SF-NorMuon: orthogonal steps evened out by rows, without a schedule.

    m ← β₁ m + (1 − β₁) g;   O ≈ U Vᵀ of m;   v ← β₂ v + (1 − β₂) mean over columns of O²;   N = O / (√v + ε)
    z ← z − η (0.2 √(rows · columns) N / ‖N‖ + λ z);   x ← (1 − c) x + c z;   y ← β x + (1 − β) z

    η, c as in :class:`ScheduleFreeAdamW`, and what it says of evaluation holds. The decay is taken at z, which the
    authors call essential. For hidden matrices, as :class:`Muon`. The equations are reconstructed from second-hand
    reports of the paper, as no code of its authors was found.

    Args:
        lr: learning rate; a step has a root mean square of 0.2 lr, so that AdamW's suits.
        betas: β₁ of the momentum, β₂ of v, in [0, 1).
        sf_beta: β, the share of x in y, in (0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, taken at z.
        warmup_steps: steps over which η rises.
        coefficients: see :class:`Muon`.
        r: power of t in the averaging weights.
        weight_lr_power: power p of the learning rate in the averaging weights.

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return chain(
        Ema(betas[0]),
        Orthogonalize(coefficients),
        NeuronNorm(betas[1], eps),
        Rescale(0.2, "rms"),
        ScheduleFree(lr, sf_beta, warmup_steps, r, weight_lr_power, weight_decay),
    )


@combinator(
    "ScheduleFreeWrapped",
    paper="arXiv:2405.15682",
    gains="averages",
    loses="sign low_memory",
    hides="momentum dampening nesterov",
    sets={"momentum": 0.0},
)
def schedule_free(
    base: Chain, momentum: float = 0.9, warmup_steps: float = 0.0, r: float = 0.0, weight_lr_power: float = 2.0
) -> Chain:
    """Schedule-free learning around any recipe that has no momentum of its own, or can do without.

    η = lr min(1, t / warmup);   w = tʳ (largest η)ᵖ;   c = w / Σ w
    z ← z − η u;   x ← (1 − c) x + c z;   y ← β x + (1 − β) z

    ``u`` is what the recipe makes of the gradient at y, its decay taken at y too. ``momentum`` is β in (0, 1), in the
    place of the recipe's own, which is switched off; ``warmup_steps`` are the steps over which η rises. Evaluate at x:
    ``with optimizer.evaluating(): ...``. What is known with a first and a second moment has a recipe of its own:
    :class:`ScheduleFreeAdamW`, and so have orthogonal steps: :class:`ScheduleFreeNorMuon`.

    Raises:
        ValueError: the recipe cannot do without momentum, or does not end with its learning rate.
    """
    *before, last = (link for link in base.links if not _rests(link))
    if not isinstance(last, Scale):
        raise ValueError(
            f"the recipe ends with {type(last).__name__}, not with Scale(lr), so that the learning rate cannot weigh "
            "the average"
        )
    if remembers(base.upto(DIRECTION)):
        raise ValueError(
            "the recipe remembers earlier gradients, as with a momentum, and the average takes the place of that; "
            "take a recipe that can do without, or ScheduleFreeAdamW"
        )
    if any(isinstance(link, Orthogonalize) for link in before):
        raise ValueError(
            "the recipe remembers earlier gradients before it makes a step orthogonal; of a single one, noise would be "
            "as large as the rest, and no average afterwards takes that back; take ScheduleFreeNorMuon"
        )
    return chain(*before, ScheduleFree(last.size, momentum, warmup_steps, r, weight_lr_power))


def _rests(link: Transform) -> bool:
    """Whether a link is a momentum that is switched off: it changes nothing, and would keep a buffer for that."""
    if isinstance(link, Ema):
        return link.beta == 0
    return isinstance(link, HeavyBall) and link.momentum == 0 and link.dampening == 0
