"""Arrays: the tensors in which a parameter's state is held, made and carried over from one format to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from gradwright.core import HostScalar, ParamSpec, Slot
from gradwright.core.blockwise import Companded, SquareRoot
from gradwright.core.half_weights import Split24, Split32
from gradwright.core.policy import HALVES, Policy
from gradwright.core.spec import WEIGHTS
from gradwright.core.storage import Buffer, Plain, Storage
from gradwright.core.warn import warn_user
from gradwright.engine.access import as_real
from gradwright.engine.collective import filled, is_spread, local, placements_beside, spread_alike, spread_full
from gradwright.optimizer.pointers import has_memory
from gradwright.optimizer.refusals import is_locked

State = Mapping[str, Any]
Slots = Mapping[str, Slot | HostScalar]


def tell_of_change(recipe: str, old: Policy, new: Policy) -> None:
    """Say what becomes of state and weights whose format was changed during a run."""
    parts = [
        f"{name}={getattr(old, name)!r} became {getattr(new, name)!r}"
        for name in ("state", "weights")
        if getattr(old, name) != getattr(new, name)
    ]
    lost = "; what rounding took from the weights is dropped" if new.weights in ("plain", "stochastic") else ""
    lost = lost if old.weights in ("split24", "split32") else ""
    warn_user(f"{recipe}: {' and '.join(parts)} during the run: what is kept is converted{lost}")


def arrays_of(slots: Slots, spec: ParamSpec) -> Iterator[tuple[str, Buffer, bool]]:
    """Every array in a parameter's state: its name, what it is like, and whether all parameters share it."""
    for key, slot in slots.items():
        if isinstance(slot, Slot):
            yield from ((name, buffer, slot.shared) for name, buffer in slot.arrays_for(key, spec).items())
    yield from ((name, buffer, False) for name, buffer in spec.weight_arrays.items())


def fresh(param: Tensor, buffer: Buffer, start: float = 0.0) -> Tensor:
    """An array beside a parameter, laid out and spread as that is where it has its shape.

    What keeps some of the dimensions is spread along those; what is smaller is whole on every rank.
    """
    like = as_real(param.detach())
    dtype = torch.float32 if buffer.dtype == torch.float64 and like.device.type == "mps" else buffer.dtype
    if tuple(like.shape) == buffer.shape:
        return torch.full_like(like, start, dtype=dtype, memory_format=torch.preserve_format)
    placements = placements_beside(param, buffer.shape)
    if placements is not None:
        return spread_full(buffer.shape, start, dtype, param, placements)
    return torch.full(buffer.shape, start, dtype=dtype, device=like.device)


def new_arrays(param: Tensor, key: str, slot: Slot, spec: ParamSpec) -> dict[str, Tensor]:
    """The arrays of a slot, at its starting value."""
    storage = slot.storage_for(spec)
    start = 0.0 if slot.start == "param" else slot.start
    if isinstance(storage, Plain) or start == 0.0:
        return {name: fresh(param, buffer, start) for name, buffer in slot.arrays_for(key, spec).items()}
    values = torch.full(slot.shape_for(spec), start, dtype=torch.float32, device=param.device)
    return encoded(param, key, slot, spec, values)


def encoded(param: Tensor, key: str, slot: Slot, spec: ParamSpec, values: Tensor) -> dict[str, Tensor]:
    """The arrays of a slot that hold these values."""
    made = slot.storage_for(spec).encode(values)
    arrays = slot.arrays_for(key, spec).items()
    return {name: filled(fresh(param, buffer), one) for (name, buffer), one in zip(arrays, made)}


def fits(value: Tensor, param: Tensor, buffer: Buffer) -> bool:
    """Whether an array is where its parameter is, of the right type, and laid out alike."""
    if value.device != param.device or value.dtype != buffer.dtype or tuple(value.shape) != buffer.shape:
        return False
    if value.is_neg() or has_memory(param) > has_memory(value) or is_locked(value):
        return False
    if not spread_alike(value, param):
        return False
    value = local(value)
    alike = torch.empty_like(as_real(local(param).detach()), device="meta")
    return value.is_contiguous() if value.shape != alike.shape else value.stride() == alike.stride()


def held_as(state: State, key: str) -> Storage | None:
    """The format in which the value called ``key`` is held, known by its arrays; ``None`` where it is not there."""
    value, scale, low = state.get(key), state.get(f"{key}:scale"), state.get(f"{key}:low")
    if not isinstance(value, Tensor):
        return None
    if isinstance(scale, Tensor) and value.dtype in (torch.int8, torch.uint8):
        return Companded() if value.dtype == torch.int8 else SquareRoot()
    if isinstance(low, Tensor) and value.dtype in HALVES:
        return Split32() if low.dtype == torch.int16 else Split24(value.dtype)
    return Plain(value.dtype)


def names_of(key: str, state: State) -> list[str]:
    """The arrays of a value, in whatever format it is held."""
    return [name for name in state if name == key or name.startswith(f"{key}:")]


def values_of(state: State, key: str) -> Any:
    """The value called ``key`` as an update sees it, whatever its format."""
    storage = held_as(state, key)
    if storage is None or isinstance(storage, Plain):
        return state.get(key)
    return storage.decode(*(state[key + suffix] for suffix in storage.suffixes))


def weights_of(param: Tensor, state: State, spec: ParamSpec) -> Tensor:
    """A parameter as it is stepped: of a split one all that is known of it, in float32."""
    storage, weights = spec.weights, param.detach()
    rest = [state.get(name) for name in spec.weight_arrays]
    if not rest or any(one is None for one in rest):
        return weights
    return storage.decode(weights, *rest)


def set_weights(param: Tensor, state: State, spec: ParamSpec, values: Tensor) -> None:
    """Let a parameter be these values, and what is kept beside it the rest of them."""
    storage = spec.weights
    first, *rest = storage.encode(values.to(param.device, spec.computing_dtype))
    param.copy_(first)
    for name, one in zip(spec.weight_arrays, rest):
        state[name].copy_(one)


def convert_weights(param: Tensor, state: dict[str, Any], spec: ParamSpec) -> None:
    """Hold a parameter as its spec says, with what is known of its rest; nothing is lost that the format can hold."""
    old = held_as({WEIGHTS: param.detach(), **state}, WEIGHTS)
    arrays = spec.weight_arrays
    known = old if isinstance(old, (Split24, Split32)) and state[f"{WEIGHTS}:low"].shape == param.shape else None
    same = known is not None and type(known) is type(spec.weights)
    low = state.get(f"{WEIGHTS}:low")
    values = known.decode(param.detach(), low.to(param.device)) if known is not None and low is not None else None
    for name in names_of(WEIGHTS, state):
        if name not in arrays:
            del state[name]
    for name, buffer in arrays.items():
        state[name] = fresh(param, buffer)
    if values is None or not arrays:
        return
    if same:
        state[f"{WEIGHTS}:low"].copy_(low)
    else:
        set_weights(param, state, spec, values)


def refuse_spread(param: Tensor, spec: ParamSpec, slots: Slots) -> None:
    """Refuse a parameter that is spread over ranks, whose state or weights would be held in more than one array.

    Raises:
        ValueError: it is such a one; says what to do.
    """
    if not is_spread(param):
        return
    storages = [spec.weights, *(slot.storage_for(spec) for slot in slots.values() if isinstance(slot, Slot))]
    if any(not isinstance(storage, Plain) for storage in storages):
        raise ValueError(
            f"{spec} is spread over ranks, beside which state={spec.policy.state!r} and weights="
            f"{spec.policy.weights!r} are not implemented; use state='auto' or 'float32', and weights='plain'"
        )
