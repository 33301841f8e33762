"""Parameters as a dict of tensors: one flat tensor to the transforms, a dict to the user's functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.problem.layout import Layout

ANSWERS_LIKE_X = ("grad_fn", "hvp", "gnvp")
"""Extra arguments that are functions from x, or a vector like x, to another vector like x."""


def joined(value: Any, layout: Layout, name: str) -> Tensor:
    """The tensors of a dict as one, with their graph.

    Raises:
        ValueError: it is no dict, or it has other keys or shapes than the parameters.
    """
    if not isinstance(value, Mapping) or set(value) != set(layout.names):
        found = list(value) if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(f"{name} is {found}; params is a dict with the keys {list(layout.names)}, so give such a one")
    for key, shape in zip(layout.names, layout.shapes):
        if value[key].shape != shape:
            raise ValueError(f"{name}: {key} has shape {tuple(value[key].shape)}, params has {tuple(shape)} there")
    return torch.cat([value[key].reshape(-1) for key in layout.names])


def over_one_tensor(extra: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """The extra arguments as functions of one flat tensor."""
    flat = dict(extra)
    if extra.get("value_fn") is not None:
        flat["value_fn"] = lambda x: extra["value_fn"](layout.structured(x))
    for name in ANSWERS_LIKE_X:
        if extra.get(name) is not None:
            flat[name] = _around(extra[name], layout, name)
    if extra.get("grad") is not None:
        flat["grad"] = joined(extra["grad"], layout, "grad")
    return flat


def _around(function: Callable[[Any], Any], layout: Layout, name: str) -> Callable[[Tensor], Tensor]:
    return lambda x: joined(function(layout.structured(x)), layout, name)
