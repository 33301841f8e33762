"""Tensors as they were and as they are: whether each still has its shape, type and memory, and where it lies.

What looks at thousands of tensors at every step has to be fast, so it is compiled where that is possible. The functions
in Python are the definition: the compiled ones are compared with them on tensors of many kinds before they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from gradwright.native.known import (
    Known,
    Verdict,
    extent,
    look_at_gradients_in_python,
    look_in_python,
    stretches,
)
from gradwright.native.libtorch import Native

__all__ = ["Known", "Native", "Verdict", "extent", "look", "look_at_gradients", "native", "stretches"]


def look(known: Known, tensors: Sequence[Tensor], again: bool = False) -> int:
    """Look at all ``tensors``, which stand where those of ``known`` stood.

    Args:
        known: what they were.
        tensors: what they are.
        again: whether they are the same objects as at the last look, and were alive since.

    Returns:
        The gravest verdict; all of them, and where the tensors lie, are then in ``known``.
    """
    compiled = native()
    if compiled is not None:
        return compiled.look(known, tensors, again)
    return look_in_python(known, tensors)


def look_at_gradients(
    known: Known,
    params: Sequence[Tensor],
    owners: np.ndarray,
    written: np.ndarray,
    impls: np.ndarray | None = None,
) -> tuple[int, Sequence[Tensor | None] | None]:
    """Look at the gradients of ``params``, of which ``known`` says what they should be like.

    Args:
        known: what the parameters are.
        params: whose gradients.
        owners: where the parameters lie.
        written: where parameters and state lie, as :func:`stretches` of memory.
        impls: what torch's own code knows the parameters by, where that was looked up before.

    Returns:
        The gravest verdict, and the gradients where they had to be fetched.
    """
    compiled = native()
    if compiled is not None:
        return compiled.look_at_gradients(known, params, owners, written, impls), None
    grads = list(map(Tensor.grad.__get__, params))  # type: ignore[attr-defined]
    return look_at_gradients_in_python(known, grads, owners, written), grads


@lru_cache(maxsize=1)
def native() -> Native | None:
    """The compiled functions; ``None`` where they cannot be had, or do not say what those in Python say."""
    try:
        found = Native()
        return found if _agrees(found) else None
    except (RuntimeError, OSError, AttributeError, TypeError, StopIteration, KeyError, ValueError):
        return None


def _agrees(found: Native) -> bool:
    """Compare with the definition, on tensors that stayed, moved, were cut, turned, emptied and given other types."""
    zeros = partial(torch.zeros, device="cpu")

    def changed() -> list[Tensor]:
        tensors = [zeros(4, 6) for _ in range(10)]
        tensors[1].data = zeros(4, 6)
        tensors[2].data = tensors[2][:2]
        tensors[3].data = zeros(6, 4).t()
        tensors[4].untyped_storage().resize_(0)
        tensors[5].data = zeros(4, 6, dtype=torch.float64)
        tensors[6].data = zeros(25)[1:].view(4, 6)
        tensors[7].data = zeros(4, 6, 1)
        tensors[8].data = zeros(0, 6)
        tensors[9].data = torch._neg_view(tensors[9])
        return tensors

    def same(one: Known, other: Known) -> bool:
        usable = one.verdicts < Verdict.OTHER
        pointers = np.array_equal(one.pointers[usable], other.pointers[usable])
        return pointers and np.array_equal(one.verdicts, other.verdicts)

    before = [zeros(4, 6) for _ in range(10)]
    after = changed()
    mine, its = Known(before), Known(before)
    if found.look(mine, after) != look_in_python(its, after) or not same(mine, its):
        return False
    params = [zeros(4, 6, requires_grad=True) for _ in after]
    for param, grad in zip(params, after):
        if grad.shape == param.shape and grad.dtype == param.dtype and grad is not after[4]:
            param.grad = grad
    params[8].grad = zeros(4, 6, dtype=torch.complex64).conj().imag
    params[9].grad = params[9].detach()
    params[0].grad = params[9].detach()
    mine, its = Known(params), Known(params)
    grads = [param.grad for param in params]
    written = stretches(mine.pointers, mine.pointers + np.array(mine.bytes))
    one = found.look_at_gradients(mine, params, mine.pointers.copy(), written)
    other = look_at_gradients_in_python(its, grads, its.pointers.copy(), written)
    return one == other and same(mine, its)
