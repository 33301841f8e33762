"""Precision: the type in which a model of a comparison is held, for the sake of what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.core.policy import Policy
from gradwright.study.tasks.unknown import unknown

HALVES = ("bf16", "fp16")
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def read_precision(precision: str | Iterable[str] | None) -> list[str]:
    """The precisions that are asked for; none where models stay as tasks make them.

    Raises:
        ValueError: one is unknown, or named twice, or the list is empty.
    """
    if precision is None:
        return []
    given = precision.split(",") if isinstance(precision, str) else precision
    found = [str(each).strip() for each in given]
    for each in found:
        if each not in TYPES:
            raise unknown("precision", each, TYPES)
    if not found:
        raise ValueError(f"precision is empty: give one or several of {', '.join(TYPES)}")
    if len(set(found)) < len(found):
        raise ValueError(f"precision={','.join(found)} names one twice: name it once")
    return found


def read_formats(state: str | None, weights: str | None, precisions: list[str]) -> dict[str, str]:
    """How recipes shall hold their state and their weights, where that is asked for.

    Raises:
        ValueError: there is no such format, or weights are asked to be held apart that are not in half precision.
    """
    found = {key: value for key, value in (("state", state), ("weights", weights)) if value is not None}
    Policy(**found)
    if found.get("weights", "plain") != "plain" and set(precisions) <= {"fp32"}:
        raise ValueError(f"weights={weights!r} is for models in half precision: give precision='bf16' with it")
    return found


def hold_in(model: nn.Module, precision: str) -> None:
    """Convert a model's parameters and buffers, in place: each layer computes in that type, on inputs that are rounded
    to it, and what the model answers is float32 again, so that losses and metrics are computed as ever.

    There is no autocast and no scaler; the first weights are those of the same seed in float32, rounded.
    """
    dtype = TYPES[precision]
    model.to(dtype)
    for layer in model.modules():
        if next(layer.parameters(recurse=False), None) is not None or hasattr(layer, "parametrizations"):
            layer.register_forward_pre_hook(
                lambda _, args, kwargs: (_converted(args, dtype), _converted(kwargs, dtype)), with_kwargs=True
            )
    model.register_forward_hook(lambda _module, _inputs, answer: _converted(answer, torch.float32))


def _converted(value: Any, dtype: torch.dtype) -> Any:
    """All floating tensors in a value in another type."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _converted(each, dtype) for key, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_converted(each, dtype) for each in value)
    return value
