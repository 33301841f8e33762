"""The eager engine: plain torch, one tensor after another. It is the definition that other engines are held to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Context, HostScalar, ParamSpec, Slot
from gradwright.core.spec import WEIGHTS
from gradwright.core.storage import Plain
from gradwright.core.transform import Slots, walk
from gradwright.engine.access import DIRECT, Access, Masked
from gradwright.engine.collective import local, whole
from gradwright.engine.step import StepCoroutine, TensorStep, note


def run(tensor_step: TensorStep, access: Access = DIRECT) -> StepCoroutine:
    """Step one tensor: read, compute in float32 or more, write once at the end.

    Args:
        tensor_step: what to do.
        access: how its tensors are read and written.
    """
    spec, good = tensor_step.spec, tensor_step.good
    access = access if good is None else Masked(access, good)
    slots = tensor_step.chain.slots(spec)
    param = _weights(tensor_step, access).to(spec.computing_dtype)
    grad = access.read(tensor_step.grad).to(spec.computing_dtype)
    if good is not None:  # what nobody will keep shall not stop torch's linear algebra
        grad = torch.where(good, grad, 0.0)
    if tensor_step.maximize:
        grad = -grad
    state = {key: _read(tensor_step.state, key, slot, spec, access) for key, slot in slots.items()}
    before = {key: _load(state[key], slot, param, tensor_step.step) for key, slot in slots.items()}
    ctx = Context(param, grad, tensor_step.step, tensor_step.clock, tensor_step.loss, spec)
    u, after, _ = yield from walk(tensor_step.chain, grad, before, ctx)
    check_shape(u, spec.shape, "the update", tensor_step)
    moved = spec.weights.encode(param - u, tensor_step.key(WEIGHTS))
    _store(after, state, slots, tensor_step, access)
    access.write(tensor_step.param, moved[0])
    for name, array in zip(spec.weight_arrays, moved[1:]):
        access.write(tensor_step.state[name], array)
    return {key: whole(after[key]) for key, slot in slots.items() if isinstance(slot, Slot) and slot.shared}


def _weights(tensor_step: TensorStep, access: Access) -> Tensor:
    """The parameter, with what is kept beside it."""
    spec = tensor_step.spec
    rest = (access.read(tensor_step.state[name]) for name in spec.weight_arrays)
    return spec.weights.decode(access.read(tensor_step.param), *rest)


def _read(state: dict[str, Any], key: str, slot: Slot | HostScalar, spec: ParamSpec, access: Access) -> Any:
    if isinstance(slot, HostScalar):
        return state[key]
    storage = slot.storage_for(spec)
    arrays = [state[key + suffix] for suffix in storage.suffixes]
    return storage.decode(*(one if one.ndim == 0 else access.read(one) for one in arrays))


def _load(value: Any, slot: Slot | HostScalar, param: Tensor, step: float) -> Any:
    if isinstance(slot, HostScalar):
        return value
    if slot.start == "param" and step == 1:
        return param
    if value.dtype in (torch.float16, torch.bfloat16):
        return value.to(param.dtype)
    return value


def _store(
    after: dict[str, Any], before: dict[str, Any], slots: Slots, tensor_step: TensorStep, access: Access
) -> None:
    """Write the new state, after all of it is known to fit."""
    writes: list[tuple[Tensor, Tensor]] = []
    spec = tensor_step.spec
    held = {_memory(value) for value in tensor_step.state.values() if isinstance(value, Tensor)}
    for key, slot in slots.items():
        value, old = after[key], tensor_step.state[key]
        if isinstance(slot, HostScalar) or slot.shared or value is before[key]:
            continue
        if slot.fixed and tensor_step.step > 1:
            continue
        check_shape(value, old.shape, f"the state {key!r}", tensor_step)
        storage = slot.storage_for(spec)
        if isinstance(storage, Plain):
            # an update may hand one slot's old value to another, so what is still to be read is copied first
            aliases = _memory(value) in held
            writes.append((old, value.clone() if aliases else value))
        else:
            arrays = storage.encode(value, tensor_step.key(key))
            writes += ((tensor_step.state[key + suffix], one) for suffix, one in zip(storage.suffixes, arrays))
    for old, value in writes:
        access.write(old, value)
    for key, slot in slots.items():
        if isinstance(slot, HostScalar):
            note(tensor_step.state, key, float(after[key]))
    note(tensor_step.state, "step", tensor_step.step)


def _memory(tensor: Tensor) -> int:
    """What tells whether two tensors share memory on this rank; of one that has none of its own, which it is."""
    try:
        return local(tensor).untyped_storage().data_ptr()
    except RuntimeError:
        return id(tensor)


def check_shape(value: Any, shape: Sequence[int], what: str, tensor_step: TensorStep) -> None:
    """Refuse what an update returned in another shape than that of what it stands for."""
    if tuple(value.shape) != tuple(shape):
        raise RuntimeError(
            f"{what} of {tensor_step.spec} came back with shape {tuple(value.shape)}, expected {tuple(shape)}; "
            "an update() must keep shapes"
        )
