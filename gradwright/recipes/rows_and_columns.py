"""Rows and columns of one length: SinkGD and RACS, with no state or next to none."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.muon import MATRICES
from gradwright.transforms import Decay, GrowthLimit, RowColumnScale, Scale, Sinkhorn


@recipe(paper="arXiv:2502.06742", traits="scale_free reduces matrix low_memory", only=MATRICES)
def SinkGD(lr: float = 2e-3, weight_decay: float = 0.0, iterations: int = 5):
    """The gradient with rows and columns of one length, and no state at all.

    X ← √m X / ‖row‖, then X ← √n X / ‖column‖, L times, of an n × m matrix;   p ← p − lr (X + λ p)

    Every step has the root mean square lr, so that a lr of AdamW's size suits. Vectors, embeddings and heads belong to
    another recipe (the paper: Adam): see :func:`gradwright.route`. There is no code of the authors; rows come first, as
    in the paper's listing. Rows and columns of zeros stay.

    Args:
        lr: learning rate (ours).
        weight_decay: λ ≥ 0, decoupled (ours).
        iterations: L, from 1 to 100 (the paper's).

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return chain(Sinkhorn(iterations), Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:2502.07752", traits="reduces matrix low_memory", only=MATRICES)
def RACS(
    lr: float = 2e-2,
    beta: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    alpha: float = 0.05,
    growth: float = 1.01,
):
    """The gradient over averages of its rows and of its columns, and a limit to how fast steps may grow.

    s ← β s + (1 − β) mean over columns of g², from 0;   q ← β q + (1 − β) mean over rows of g², from 1
    u = g / (√(s + ε) √(q + ε)), of which the length grows by at most γ from step to step;   p ← p − lr (α u + λ p)

    There is no code of the authors. This is the form that other libraries have; the paper finds s and q by a
    fixed-point iteration. As they begin at 0 and at 1 and nothing corrects that, the first step depends on the
    gradient's size. State: one number a row and one a column.

    Args:
        lr: learning rate.
        beta: β in [0, 1) (the paper's).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, decoupled (ours).
        alpha: α > 0 (the paper's).
        growth: γ ≥ 1 (the paper's).

    Raises:
        ValueError: a parameter is not a matrix.
    """
    even = chain(RowColumnScale(beta, eps), GrowthLimit(growth))
    return chain(even, Scale(lr * alpha), Decay(lr * weight_decay, lr_power=1))
