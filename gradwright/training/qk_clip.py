"""qk_clip: keep attention logits bounded by shrinking query and key weights after a step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def qk_clip(
    query: Tensor | Sequence[Tensor],
    key: Tensor | Sequence[Tensor] | None,
    scores: Tensor,
    threshold: float = 100.0,
) -> Tensor:
    """Shrink, in place, the query and key weights of each head whose largest attention logit exceeded ``threshold``.

    γₕ = min(1, τ / Sₕ);   W_qʰ ← √γₕ W_qʰ,   W_kʰ ← √γₕ W_kʰ;   W_qʰ ← γₕ W_qʰ without ``key``

    The logits of a head are bilinear in its weights, so that Sₕ > τ becomes τ. Call it after ``optimizer.step()``, with
    the largest logits of that step's forward pass; MuonClip is Muon with ``adjust_lr="match_rms_adamw"``,
    ``weight_decay=0.1`` and this. Optimizer state is left as it is.

    Keys that several heads share (grouped queries) have no γ of their own: leave them out, and the query takes all of
    it. So do the rotary queries of multi-head latent attention, whose keys all heads share; its other queries and keys
    are given as a pair. Of a fused weight, give the slices. A bias is scaled with its weight: give both.

    Args:
        query: the weight (heads · d, ...), or a sequence of weights and biases with those rows.
        key: likewise; ``None`` where it is shared.
        scores: Sₕ, the largest q · k / √d of each head over batch and positions, shape (heads,). All-reduce it by its
            maximum first where ranks see different data. A head whose score is NaN or infinite is left as it is.
        threshold: τ > 0 (the paper's 100).

    Returns:
        γ, shape (heads,).

    Raises:
        ValueError: the heads do not share the rows of a weight evenly, a key has other rows than the query, ``scores``
            is not one number for each head, or the threshold is not positive.

    >>> query, key = torch.ones(4, 3), torch.ones(4, 3)
    >>> qk_clip(query, key, torch.tensor([150.0, 20.0]))
    tensor([0.6667, 1.0000])
    >>> query[:, 0]
    tensor([0.8165, 0.8165, 1.0000, 1.0000])

    Reference: Kimi K2, arXiv:2507.20534.
    """
    if not threshold > 0:
        raise ValueError(f"qk_clip: threshold={threshold} must be greater than 0, such as 100.0")
    if scores.dim() != 1 or not len(scores):
        raise ValueError(
            f"qk_clip: scores has the shape {tuple(scores.shape)}; give one number for each head, the largest over "
            "batch and positions"
        )
    queries, keys = _listed(query), [] if key is None else _listed(key)
    _check(queries, keys, len(scores))
    exceeds = torch.isfinite(scores) & (scores > threshold)
    gamma = torch.where(exceeds, threshold / scores, torch.ones_like(scores))
    share = gamma if key is None else gamma.sqrt()
    for weight in (*queries, *keys):
        heads = weight.unflatten(0, (len(scores), -1))
        heads.mul_(share.to(weight).view(-1, *[1] * (heads.dim() - 1)))
    return gamma


def _listed(weights: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [weights] if isinstance(weights, Tensor) else list(weights)


def _check(queries: list[Tensor], keys: list[Tensor], heads: int) -> None:
    for name, weights in (("query", queries), ("key", keys)):
        for weight in weights:
            if weight.dim() == 0 or weight.shape[0] % heads:
                raise ValueError(
                    f"qk_clip: {name} has the shape {tuple(weight.shape)}, whose rows {heads} heads do not share "
                    "evenly; scores must have one number for each head of the query"
                )
            if weight.shape[0] != queries[0].shape[0]:
                raise ValueError(
                    f"qk_clip: {name} has {weight.shape[0]} rows beside a query of {queries[0].shape[0]}; give "
                    "key=None where several heads share a key"
                )
