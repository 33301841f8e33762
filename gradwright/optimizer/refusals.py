"""Refusals: tensors that cannot be stepped as they lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.core import ParamSpec
from gradwright.core.storage import Buffer
from gradwright.core.warn import warn_once
from gradwright.optimizer.pointers import room
from gradwright.recipe.spec import RecipeSpec

STEPPED = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.complex64, torch.complex128)
"""The types of weights that can be stepped."""


def refuse_weights(group: dict[str, Any], spec: ParamSpec, param: Tensor) -> None:
    """Refuse what torch would not write in place either."""
    has, needs = room(param)
    whole = has >= needs and (param.is_contiguous() or 0 not in param.stride())
    if whole and param.dtype in STEPPED and not param.is_conj() and not is_locked(param):
        return
    name = f"{group['recipe']}: {spec}"
    refuse_empty(name, param)
    if any(stride == 0 and size > 1 for size, stride in zip(param.shape, param.stride())):
        raise RuntimeError(
            f"{name} has entries that share memory (its strides are {param.stride()}); give each its own with "
            "param.data = param.data.clone()"
        )
    if param.is_conj():
        raise RuntimeError(f"{name} is a conjugate view; write it out with param.data = param.data.resolve_conj()")
    if param.dtype not in STEPPED:
        raise RuntimeError(f"{name} holds {param.dtype}, in which torch does not compute; use one of {STEPPED}")
    if is_locked(param):
        raise RuntimeError(f"{name} was made under torch.inference_mode(), which alone may write it; step there too")


def refuse_state(group: dict[str, Any], spec: ParamSpec, key: str, buffer: Buffer, value: Any) -> None:
    """Refuse an array of a parameter's state that is none, or not as it must be."""
    if isinstance(value, Tensor) and value.layout == torch.strided and value.shape == buffer.shape:
        has, needs = room(value)
        if has >= needs:
            return
    name = f"{group['recipe']}: the state {key!r} of {spec}"
    if not isinstance(value, Tensor):
        raise RuntimeError(f"{name} is {value!r}, a {type(value).__name__}, expected a tensor")
    if value.layout != torch.strided:
        raise RuntimeError(f"{name} is laid out as {value.layout}, expected torch.strided; use value.to_dense()")
    if tuple(value.shape) != buffer.shape:
        raise RuntimeError(
            f"{name} has shape {tuple(value.shape)}, expected {buffer.shape}: one of the two was "
            "given another shape. Copy into state instead of replacing it; for a parameter that is another now, "
            "let its state begin anew with optimizer.state.pop(param)"
        )
    refuse_empty(name, value)


def is_locked(tensor: Tensor) -> bool:
    """Whether torch refuses to write a tensor here."""
    return tensor.is_inference() and not torch.is_inference_mode_enabled()


def refuse_empty(name: str, tensor: Tensor) -> None:
    """Refuse what reaches farther than its storage."""
    has, needs = room(tensor)
    if has < needs:
        raise RuntimeError(
            f"{name} needs {needs} bytes and its storage has {has}; bring back what was offloaded or resized before "
            "stepping"
        )


def refuse_sparse(name: str, recipe_spec: RecipeSpec, grad: Tensor) -> None:
    """Refuse a sparse gradient that is none of rows, or whose recipe cannot step rows apart.

    Raises:
        ValueError: it is one; says which recipes take it.
    """
    if "rows" not in recipe_spec.traits:
        raise ValueError(
            f"{name} is sparse, and {recipe_spec.name} cannot leave the other rows at rest; build its Embedding with "
            "sparse=False, or give it to a recipe that can, such as SGD, Adagrad, RMSprop, Adam, AdamW or Lion (all "
            "that can: gradwright list --trait rows)"
        )
    if grad.layout != torch.sparse_coo or grad.sparse_dim() != 1:
        raise ValueError(
            f"{name} is sparse in {grad.sparse_dim()} dimensions, and rows are those of the first alone, as the "
            "gradient of an Embedding has them; make it dense with to_dense()"
        )


def warn_of_late(recipe_spec: RecipeSpec, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Tell whoever changes what counts at the first step only that the step is behind."""
    for name in sorted(recipe_spec.initial):
        if old.get(name) != new[name]:
            warn_once(
                f"{recipe_spec.name}: {name} was changed, which has no effect any more: it counts at a parameter's "
                "first step only; leave out what changes it, such as a scheduler"
            )
