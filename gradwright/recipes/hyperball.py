"""Hyperball: methods whose weights stay on a sphere, so that a step is an angle."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.muon import MATRICES
from gradwright.transforms import AddEps, Ema, Full, Hyperball, Orthogonalize, Precondition


@recipe(paper="arXiv:2606.16899", traits="scale_free relative reduces matrix", only=MATRICES)
def MuonH(
    lr: float = 1.8e-2,
    momentum: float = 0.95,
    nesterov: bool = True,
    coefficients: str = "keller",
    norm: Literal["frobenius", "schatten"] = "frobenius",
    split: int | tuple[int, ...] = 1,
    floor: float = 1e-3,
):
    """Muon on a sphere: every matrix keeps the norm R it began with.

    O as in Muon;   q = p − lr · R O / ‖O‖;   p ← R q / ‖q‖

    lr is the angle of a step, whatever the shape, and there is no weight decay. As in :class:`Muon`, convolutions are
    one matrix, and each matrix of a stack has a sphere of its own. Matrices stored as the rows of one share its
    sphere, as they do in the authors' code; ``split`` concerns O alone. A matrix of zeros gets the radius
    ``floor`` √numel, where the authors' stays zero: start such a matrix otherwise, or choose the floor.

    Args:
        lr: tangent of the angle (that of the public record runs), falling linearly to 0 over the run there.
        momentum: μ in [0, 1).
        nesterov: look one step ahead.
        coefficients: see :class:`Muon`.
        norm: see :class:`Muon`.
        split: see :class:`Muon`.
        floor: the least root mean square of the weights on their sphere.

    Raises:
        ValueError: a parameter is not a matrix, or a matrix is a single number.
    """
    return chain(Ema(momentum, nesterov=nesterov), Orthogonalize(coefficients, norm, split), Hyperball(lr, floor))


@recipe(paper="arXiv:2606.16899", traits="scale_free relative reduces", only=MATRICES)
def AdamH(lr: float = 1.8e-2, betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8, floor: float = 1e-3):
    """Adam on a sphere: every matrix keeps the norm R it began with.

    u = (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) as in Adam;   q = p − lr · R u / ‖u‖;   p ← R q / ‖q‖

    Each matrix of a stack has a sphere of its own. Biases and gains belong to another recipe: their size is what they
    learn. See :class:`MuonH`.

    Args:
        lr: tangent of the angle of a step.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        floor: the least root mean square of the weights on their sphere.

    Raises:
        ValueError: a parameter, or each matrix of a stack, is a single number.
    """
    return chain(Ema(betas[0], debias=True), Precondition(Full(betas[1]), AddEps(eps)), Hyperball(lr, floor))
