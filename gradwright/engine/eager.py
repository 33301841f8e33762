"""The eager engine: plain torch, one tensor after another. It is the definition that other engines are held to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.core import Context, Number, Slot
from gradwright.core.transform import Slots, walk
from gradwright.engine.step import StepCoroutine, TensorStep


def run(tensor_step: TensorStep) -> StepCoroutine:
    """Step one tensor: read, compute in float32 or more, write once at the end."""
    spec = tensor_step.spec
    slots = tensor_step.chain.slots(spec)
    target = as_real(tensor_step.param)
    param = target.to(spec.computing_dtype)
    grad = as_real(tensor_step.grad).to(spec.computing_dtype)
    if tensor_step.maximize:
        grad = -grad
    before = {key: _load(tensor_step.state[key], slot, param, tensor_step.step) for key, slot in slots.items()}
    ctx = Context(param, grad, tensor_step.step, tensor_step.clock, tensor_step.loss, spec)
    u, after, _ = yield from walk(tensor_step.chain, grad, before, ctx)
    _check_shape(u, target.shape, "the update", tensor_step)
    moved = param - u
    _store(after, slots, tensor_step)
    target.copy_(moved)
    return {key: after[key] for key, slot in slots.items() if isinstance(slot, Slot) and slot.shared}


def as_real(tensor: Tensor) -> Tensor:
    """A complex tensor as its real parts, in place; any other as it is."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def _load(value: Any, slot: Slot | Number, param: Tensor, step: float) -> Any:
    if isinstance(slot, Number):
        return value
    if slot.start == "param" and step == 1:
        return param
    if value.dtype in (torch.float16, torch.bfloat16):
        return value.to(param.dtype)
    return value


def _store(after: dict[str, Any], slots: Slots, tensor_step: TensorStep) -> None:
    """Write the new state, after all of it is known to fit."""
    writes: list[tuple[Tensor, Tensor]] = []
    held = {_memory(value) for value in tensor_step.state.values() if isinstance(value, Tensor)}
    for key, slot in slots.items():
        value, old = after[key], tensor_step.state[key]
        if isinstance(slot, Number) or slot.shared or value is old:
            continue
        if slot.fixed and tensor_step.step > 1:
            continue
        _check_shape(value, old.shape, f"the state {key!r}", tensor_step)
        # an update may hand one slot's old value to another, so what is still to be read is copied first
        aliases = _memory(value) in held
        writes.append((old, value.clone() if aliases else value))
    for old, value in writes:
        old.copy_(value)
    for key, slot in slots.items():
        if isinstance(slot, Number):
            tensor_step.state[key] = float(after[key])
    tensor_step.state["step"] = tensor_step.step


def _memory(tensor: Tensor) -> int:
    """What tells whether two tensors share memory; of one that stands for others, such as shards, which it is."""
    try:
        return tensor.untyped_storage().data_ptr()
    except RuntimeError:
        return id(tensor)


def _check_shape(value: Any, shape: torch.Size, what: str, tensor_step: TensorStep) -> None:
    if tuple(value.shape) != tuple(shape):
        raise RuntimeError(
            f"{what} of {tensor_step.spec} came back with shape {tuple(value.shape)}, expected {tuple(shape)}; "
            "an update() must keep shapes"
        )
