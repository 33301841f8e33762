"""EMO: earth mover's distance between the predicted class and the label, over a space of class embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

from gradwright.losses.batch.precision import full_precision
from gradwright.losses.batch.reduction import Reduction, Terms, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.per_row.curve import index_terms, mixture


def emo(
    logits: Tensor,
    target: Tensor,
    embeddings: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Σₖ pₖ (1 − cos(eₖ, e_y)): how far, on average, the predicted class lies from the label.

    It is 1 − ⟨Σ pₖ êₖ, ê_y⟩, computed so, in O(C D) for each row. A near miss costs less than a wild one; if all
    classes are orthogonal it is 1 − p_y. As its gradient is as small as that one's where p_y is near 0, the authors add
    it to cross-entropy when they train from scratch.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q: then Σₖ Σⱼ pₖ qⱼ (1 − cos(eₖ, eⱼ)).
        embeddings: ``(C, D)``, a vector for each class, for example of the output layer; no gradient flows into it.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Raises:
        ValueError: ``embeddings`` does not have one row for each class; and as :func:`cross_entropy`.

    Reference: arXiv:2310.04691 (Ren et al., ICLR 2024).

    >>> emo(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]), torch.eye(3))
    tensor(0.3348)
    """
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    if embeddings.dim() != 2 or embeddings.shape[0] != batch.logits.shape[-1]:
        raise ValueError(
            f"embeddings has shape {tuple(embeddings.shape)}; it must be ({batch.logits.shape[-1]}, D), "
            "a row for each class"
        )
    unit = torch.nn.functional.normalize(embeddings.detach().to(batch.logits.dtype), dim=-1)
    with full_precision(unit):
        mean = torch.softmax(batch.logits, -1) @ unit
        if batch.label is not None:
            terms = index_terms(1 - (mean * torch.nn.functional.embedding(batch.label, unit)).sum(-1), batch)
        else:
            assert batch.soft is not None, "a target is an index or soft"
            terms = Terms(mixture(batch.soft, 1 - mean @ unit.T, batch), batch.weight)
    return reduce(terms, reduction)
