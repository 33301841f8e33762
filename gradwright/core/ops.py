"""Functions that take a host number, a tensor or an engine's symbol alike.

A transform's arithmetic mixes host scalars (knobs, step counts) with tensors. These helpers spare it from asking
which is which. Everything else in an ``update`` is ordinary torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch

_HOST = (int, float)


def sqrt(x: Any) -> Any:
    return math.sqrt(x) if isinstance(x, _HOST) else torch.sqrt(x)


def exp(x: Any) -> Any:
    return math.exp(x) if isinstance(x, _HOST) else torch.exp(x)


def log(x: Any) -> Any:
    return math.log(x) if isinstance(x, _HOST) else torch.log(x)


def softplus(x: Any) -> Any:
    """log(1 + eˣ), whatever the size of x."""
    if isinstance(x, _HOST):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
    if getattr(x, "is_symbol", False):
        return x.softplus()
    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-torch.abs(x)))


def maximum(x: Any, y: Any) -> Any:
    """The larger of two values; a NaN on either side is kept."""
    if isinstance(x, _HOST) and isinstance(y, _HOST):
        return x if x >= y or x != x else y
    if isinstance(x, _HOST):
        return torch.clamp(y, min=x)
    if isinstance(y, _HOST):
        return torch.clamp(x, min=y)
    return torch.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two values; a NaN on either side is kept."""
    if isinstance(x, _HOST) and isinstance(y, _HOST):
        return x if x <= y or x != x else y
    if isinstance(x, _HOST):
        return torch.clamp(y, max=x)
    if isinstance(y, _HOST):
        return torch.clamp(x, max=y)
    return torch.minimum(x, y)


def where(condition: Any, yes: Any, no: Any) -> Any:
    if isinstance(condition, bool):
        return yes if condition else no
    return torch.where(condition, yes, no)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """``start`` moved towards ``end`` by the share ``weight``."""
    return start + weight * (end - start)


def _reduce(method: str, x: Any, keep: tuple[int, ...]) -> Any:
    if not keep:
        return getattr(x, method)()
    kept = {dim % x.dim() for dim in keep}
    gone = [dim for dim in range(x.dim()) if dim not in kept]
    # torch reads an empty list of dimensions as "all of them"
    return getattr(x, method)(dim=gone, keepdim=True) if gone else x


def total(x: Any, keep: tuple[int, ...] = ()) -> Any:
    """The sum over all dimensions but ``keep``, the summed ones left as 1; 0-d where nothing is kept."""
    return _reduce("sum", x, keep)


def mean(x: Any, keep: tuple[int, ...] = ()) -> Any:
    """The mean over all dimensions but ``keep``; shaped like :func:`total`."""
    return _reduce("mean", x, keep)


def largest(x: Any, keep: tuple[int, ...] = ()) -> Any:
    """The largest entry over all dimensions but ``keep``; shaped like :func:`total`."""
    return _reduce("amax", x, keep)


def norm(x: Any, keep: tuple[int, ...] = ()) -> Any:
    """The Euclidean norm over all dimensions but ``keep``; shaped like :func:`total`."""
    return torch.sqrt(total(x * x, keep))


def rms(x: Any, keep: tuple[int, ...] = ()) -> Any:
    """The root mean square over all dimensions but ``keep``; shaped like :func:`total`."""
    return torch.sqrt(mean(x * x, keep))
