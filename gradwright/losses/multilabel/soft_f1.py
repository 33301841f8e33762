"""Soft F1: the F score of a batch with counts made of probabilities (S7)."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.rows import binary_rows


def soft_f1(
    probabilities: Tensor,
    target: Tensor,
    beta: float = 1.0,
    *,
    mask: Tensor | None = None,
    average: str = "micro",
    dim: int = -1,
) -> Tensor:
    """S7: 1 − (1 + β²) Σ p y / (Σ p + β² Σ y), one minus the F score that the probabilities would have as soft counts.

    It belongs to the whole batch and is no mean over samples, so there is no ``reduction``: gradients of small batches
    do not average to that of a large one.

    Args:
        probabilities: of each label in [0, 1]: ``torch.sigmoid(logits)``, or a softmax.
        target: labels in [0, 1], same shape.
        beta: β > 0, by which recall counts more than precision; 1.
        mask: True where an entry counts.
        average: ``"micro"`` counts over all entries, ``"macro"`` averages the loss of each class along ``dim``.
        dim: the dimension of the classes, for ``"macro"``.

    Returns:
        A number in [0, 1]; 0 where there are neither labels nor probability.

    Raises:
        ValueError: probabilities or targets outside [0, 1], an unknown average.

    >>> soft_f1(torch.tensor([0.9, 0.2, 0.4]), torch.tensor([1.0, 0.0, 1.0]))
    tensor(0.2571)
    """
    checks.number("beta", beta, 0.0, float("inf"), open_low=True)
    if average not in ("micro", "macro"):
        raise ValueError(f"average={average!r} is unknown; choose micro or macro")
    p, y, _, _ = binary_rows(probabilities, target, mask, dim)
    if checks.visible(p):
        wrong = (p < 0) | (p > 1)
        checks.refuse(wrong, p, checks.entry("probabilities", dim), "give probabilities, such as torch.sigmoid(logits)")
    classes = p.shape[-1] if average == "macro" and p.dim() else 1
    hit, said, true = (v.reshape(-1, classes).sum(0) for v in (p * y, p, y))
    below = said + beta**2 * true
    none = below == 0
    score = (1 + beta**2) * hit / below.masked_fill(none, 1.0)
    return torch.where(none, 0.0 * below, 1 - score).mean()
