"""Surefoot: a default that needs no tuning."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, ClipRms, Full, Precondition, ScheduleFree, SelfScaled

TINY = 1e-30
"""No ε to speak of: it stands where a gradient has always been zero."""


@recipe(paper="gradwright's own", traits="scale_free relative reduces totals averages")
def Surefoot(
    lr: float = 1.0,
    betas: tuple[float, float] = (0.8, 0.999),
    relative_step: float = 0.04,
    rate: float = 0.03,
    down: float = 0.35,
    release: float = 0.25,
    cap: float = 0.1,
    cap_steps: float = 400.0,
    keep: float = 0.25,
    split: int = 1,
):
    """No learning rate to find, no schedule, no warm-up: every size is found in training.

    v ← β₂ v + (1 − β₂) g²;   u = g / √(v / (1 − β₂ᵗ));   u ← u / max(1, rms u)
    G = exp(mean over all matrices of log max(rms y, 1e-3)), over all tensors where there is no matrix
    k ← k + rate · (up if ⟨g, y − z⟩ > 0, −down if < 0);   up = 1, or n ^ release where k < 0
    n: the entries of the tensor;   s = min(lr · relative_step · eᵏ, cap · min(1, √(cap_steps / t)))
    d = min(½, keep / 2 · (s G rms(u) / max(rms y, 1e-3, G))²)
    z ← z − s G u − d z;   x ← (1 − c) x + c z, c = t² / Σ i²;   y ← β₁ x + (1 − β₁) z

    ``Surefoot(model.parameters())`` is meant to be all. The parameters hold y while training; evaluate, and save
    weights to keep, at x: ``with optimizer.evaluating(): ...``. BatchNorm statistics belong to y; recompute them at x
    (:func:`gradwright.training.recompute_batch_norm`).

    A step is relative to one scale of the whole model, times a factor eᵏ that each tensor learns: y − z points from the
    iterate to its average, and a gradient along it says that the iterate goes on in the right direction. Each matrix
    of a stack has a k of its own, found in the state as ``self_scaled.k``. The steps depend neither on the scale of the
    loss nor on a common factor of all weights; scale, cap and averaging know no horizon. State: z and v, 8 bytes a
    parameter. What it was measured on, and where it falls short, is in docs/no_tuning.md.

    Args:
        lr: a multiplier of the steps that it finds, not of the cap; leave it at 1. A schedule may turn it, for which
            there is no need.
        betas: β₁, the share of x in y, in (0, 1); β₂ in [0, 1).
        relative_step: the first step, relative to G.
        rate: how fast k follows the signs.
        down: how much a gradient against y − z counts, relative to one along it.
        release: in [0, 1], the power of n by which one along it counts while k is below 0, so that a tensor which
            noise has slowed is soon free again.
        cap: the longest step, relative to G.
        cap_steps: steps after which the cap falls as 1 / √t.
        keep: in [0, 1], how much of the growth of the weights by steps at a right angle to them is taken back.
        split: how many equal blocks of rows a matrix consists of: 3 for query, key and value weights of one shape, 6
            for (512, 128, 128) rows, 4 for the gates of an LSTM.

    Raises:
        ValueError: ``split`` does not share out the rows of a parameter, or that is no matrix.
    """
    averaging = ScheduleFree(lr, betas[0], r=2.0, power=0.0)
    return chain(
        Precondition(Full(betas[1]), AddEps(TINY)),
        ClipRms(1.0, each_matrix=True, split=split),
        SelfScaled(averaging, relative_step, rate, down, release, cap, cap_steps, keep, split),
    )
