"""What is said about input that does not fit: the argument, the first place that is wrong, and the way out.

Shapes are always looked at. Values are looked at where that is free of harm: on the host by default, on an
accelerator only when asked, because there a look waits for the device. Under ``torch.compile`` and ``torch.func``
transforms nothing is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

Where = Literal["never", "host", "everywhere"]
Name = Callable[[tuple[int, ...]], str]

_where: Where = "host"


@contextmanager
def checking(where: Where) -> Iterator[None]:
    """Say where the values of inputs are checked, for the length of a ``with`` block.

    Args:
        where: ``"never"``, ``"host"`` (the default: tensors in ordinary memory) or ``"everywhere"``, which makes an
            accelerator wait at every call and is meant for finding a fault.

    Raises:
        ValueError: ``where`` is none of these.

    >>> with checking("never"):
    ...     pass
    """
    global _where
    if where not in ("never", "host", "everywhere"):
        raise ValueError(f"where={where!r} is unknown; choose never, host or everywhere")
    before, _where = _where, where
    try:
        yield
    finally:
        _where = before


def visible(*tensors: Tensor | None) -> bool:
    """Whether the values of these tensors may be looked at now."""
    if _where == "never":
        return False
    given = [tensor for tensor in tensors if tensor is not None]
    return all(map(real, given)) and (_where == "everywhere" or all(tensor.is_cpu for tensor in given))


def real(tensor: Tensor) -> bool:
    """Whether a tensor has values now: it is no wrapper of a transform, no fake, no shard, and nothing is traced."""
    return (
        not torch.compiler.is_compiling()
        and type(tensor) in (Tensor, torch.nn.Parameter, torch.nn.Buffer)
        and not tensor.is_meta
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def differentiated(tensor: Tensor) -> bool:
    """Whether something is to be differentiated by this tensor, backward or, outside ``torch.func``, forward."""
    return (tensor.requires_grad and torch.is_grad_enabled()) or has_tangent(tensor)


def has_tangent(tensor: Tensor) -> bool:
    """Whether a tensor with values carries a tangent of ``torch.autograd.forward_ad``."""
    return forward() and real(tensor) and forward_ad.unpack_dual(tensor).tangent is not None


def forward() -> bool:
    """Whether something is differentiated forward, in ``torch.func`` too."""
    return not torch.compiler.is_compiling() and forward_ad._current_level >= 0


def first(wrong: Tensor) -> tuple[int, ...] | None:
    """The index of the first true entry; None if there is none."""
    if not bool(wrong.any()):
        return None
    return tuple(int(i) for i in wrong.nonzero()[0])


def entry(name: str, dim: int | None = None) -> Name:
    """How an entry is called in a message; ``dim`` is where its last index belongs in the user's own layout."""

    def call(index: tuple[int, ...]) -> str:
        if dim is not None and index:
            places = list(index[:-1])
            places.insert(dim if dim >= 0 else len(index) + dim, index[-1])
            index = tuple(places)
        return f"{name}[{', '.join(map(str, index))}]" if index else name

    return call


def refuse(wrong: Tensor, values: Tensor, call: Name, why: str) -> None:
    """Raise for the first true entry of ``wrong``, with its value."""
    if (index := first(wrong)) is not None:
        raise ValueError(f"{call(index)} is {values[index].item():g}: {why}")


def logits_are_numbers(logits: Tensor, valid: Tensor | None, dim: int, each: bool = False) -> None:
    """No NaN and no +inf where it counts. −inf is a class that is shut out, which is fine for all but one of a row.

    ``valid`` tells rows that count from others; with ``each``, entries, each of which is a question of its own.
    """
    if not visible(logits, valid):
        return
    # one pass in the good case: a NaN or +inf anywhere spoils the sum
    if math.isfinite(logits.detach().sum(dtype=torch.promote_types(logits.dtype, torch.float32)).item()):
        return
    wrong = logits.isnan() | logits.isposinf()
    if valid is not None:
        wrong = wrong & (valid if each else valid.unsqueeze(-1))
    why = "logits must be numbers below inf; look for a division by zero or too large a step before the loss"
    refuse(wrong, logits, entry("logits", dim), why)
    if each or not logits.numel():
        return
    empty = (logits == -math.inf).all(-1)
    if (index := first(empty if valid is None else empty & valid)) is not None:
        raise ValueError(
            f"{entry('logits', dim)((*index, 0))} and all other classes of its sample are -inf: at least one must be "
            "possible; leave the sample out by sample_weight or ignore_index"
        )


def indices_are_classes(
    target: Tensor, valid: Tensor | None, classes: int, ignore_index: int | None, name: str = "target"
) -> None:
    """Every index that counts names a class."""
    if not visible(target, valid):
        return
    wrong = (target < 0) | (target >= classes)
    if valid is not None:
        wrong = wrong & valid
    extra = f" or ignore_index={ignore_index}" if ignore_index is not None else ""
    refuse(wrong, target, entry(name), f"it must name one of {classes} classes, 0 to {classes - 1}{extra}")


def rows_are_distributions(target: Tensor, valid: Tensor | None, dim: int) -> None:
    """Soft targets are not negative and sum to one."""
    if not visible(target, valid):
        return
    target = target.detach()
    negative = ~(target >= 0)
    negative = negative if valid is None else negative & valid.unsqueeze(-1)
    refuse(negative, target, entry("target", dim), "probabilities must be between 0 and 1")
    total = target.sum(-1, dtype=torch.promote_types(target.dtype, torch.float32))
    wrong = ~((total - 1).abs() <= max(1e-4, 4 * torch.finfo(target.dtype).eps))
    if valid is not None:
        wrong = wrong & valid
    if (index := first(wrong)) is not None:
        where = entry("target", dim)(()) if not index else f"target's row {index if len(index) > 1 else index[0]}"
        raise ValueError(
            f"{where} sums to {total[index].item():g}: a soft target must sum to 1; divide it by its sum, "
            "or use a multi-label loss if several classes can be right at once"
        )


def entries_are_shares(target: Tensor, mask: Tensor | None, dim: int) -> None:
    """Multi-hot and soft multi-label targets lie in [0, 1]."""
    if not visible(target, mask):
        return
    wrong = ~((target >= 0) & (target <= 1))
    if mask is not None:
        wrong = wrong & mask
    refuse(wrong, target, entry("target", dim), "multi-label targets must be between 0 and 1")


def at_least_zero(values: Tensor, call: Name, why: str) -> None:
    """No entry is negative or NaN."""
    if visible(values):
        refuse(~(values >= 0), values, call, why)


def number(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> float:
    """A finite setting in [low, high], or in (low, high]."""
    value = float(value)
    if not math.isfinite(value) or value < low or value > high or (open_low and value == low):
        left = "(" if open_low else "["
        right = ")" if high == math.inf else "]"
        raise ValueError(f"{name}={value:g} is outside {left}{low:g}, {high:g}{right}; give a number in that range")
    return value
