"""Saved formats: what a checkpoint holds of a parameter, read bit for bit, or converted where it was held otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.core import ParamSpec, Slot
from gradwright.core.spec import WEIGHTS
from gradwright.core.storage import Buffer, Plain, Storage
from gradwright.core.warn import warn_user
from gradwright.engine.collective import filled
from gradwright.optimizer.arrays import encoded, fresh, held_as


@dataclass(frozen=True)
class SavedEntry:
    """What was saved beside one parameter, and what becomes of it.

    Args:
        param: the parameter.
        spec: what it is, and how its state is held now.
        found: what was saved.
        converted: for the telling: what is converted, from and to which format.
    """

    param: Tensor
    spec: ParamSpec
    found: Mapping[str, Any]
    converted: dict[str, tuple[str, str]]

    def slot(self, key: str, slot: Slot) -> dict[str, Tensor]:
        """The arrays of a slot.

        Raises:
            ValueError: what was saved does not fit.
        """
        now, saved = slot.storage_for(self.spec), held_as(self.found, key)
        if isinstance(saved, Plain) and saved.dtype in (torch.int8, torch.uint8) and slot.dtype != saved.dtype:
            raise ValueError(
                f"state_dict lacks {key + ':scale'!r} of {self.spec.name}, without which its codes say nothing; the "
                "checkpoint is damaged"
            )
        if saved is not None and not _holds(now, saved):
            self.converted.setdefault(key, (str(saved), str(now)))
        if saved is None or _alike(saved, now):
            return {name: self._array(name, buffer) for name, buffer in slot.arrays_for(key, self.spec).items()}
        shape = slot.shape_for(self.spec)
        return encoded(self.param, key, slot, self.spec, self._values(key, saved, shape))

    def _values(self, key: str, saved: Storage, shape: tuple[int, ...]) -> Tensor:
        if not isinstance(saved, Plain):
            return saved.decode(*(self._array(key + one.suffix, one) for one in saved.buffers(shape)))
        return self._array(key, Buffer("", shape, torch.float32))

    def weights(self) -> dict[str, Tensor]:
        """The arrays that hold the rest of a split weight."""
        now, name = self.spec.weights, f"{WEIGHTS}:low"
        if name not in self.found and not self.spec.weight_arrays:
            return {}
        saved = held_as({WEIGHTS: self.param.detach(), **self.found}, WEIGHTS)
        if saved is not None and _alike(saved, now):
            return {one: self._array(one, buffer) for one, buffer in self.spec.weight_arrays.items()}
        self.converted.setdefault("the weights", (str(saved), str(now)))
        rest = {one: fresh(self.param, buffer) for one, buffer in self.spec.weight_arrays.items()}
        if rest and saved is not None and name in self.found:
            low = self._array(name, saved.buffers(self.spec.shape)[1])
            rest[name].copy_(now.encode(saved.decode(self.param.detach(), low))[1])
        return rest

    def _array(self, name: str, buffer: Buffer) -> Tensor:
        if name not in self.found:
            raise ValueError(f"state_dict lacks {name!r} of {self.spec.name}; the checkpoint is damaged")
        return saved_tensor(self.spec.name, name, self.found[name], like=fresh(self.param, buffer))


def _alike(one: Storage, other: Storage) -> bool:
    """Whether two formats are the same arrays, but for the type of a single one."""
    counts = len(one.suffixes), len(other.suffixes)
    return counts == (1, 1) or type(one) is type(other)


def _holds(now: Storage, saved: Storage) -> bool:
    """Whether nothing is lost, and nobody need be told, when what was saved in one format is held in another."""
    if not _alike(now, saved) or type(now) is type(saved) is not Plain:
        return type(now) is type(saved)
    mine, its = (storage.buffers(())[0].dtype for storage in (now, saved))
    return mine == its or mine.itemsize > its.itemsize


def tell_of_conversions(converted: Mapping[str, tuple[str, str]]) -> None:
    """Say which state was saved in another format than it is kept in."""
    if not converted:
        return
    parts = [f"{key} from {old} to {new}" for key, (old, new) in list(converted.items())[:3]]
    more = f" and {len(converted) - 3} more" if len(converted) > 3 else ""
    warn_user(
        "state_dict holds state in another format than this optimizer keeps, and is converted: "
        f"{', '.join(parts)}{more}"
    )


def saved_tensor(name: str, key: str, value: Any, like: Tensor) -> Tensor:
    """What was saved, copied into ``like``.

    Args:
        name: of the parameter, for the errors.
        key: of the entry.
        value: what was saved.
        like: where it goes.

    Raises:
        ValueError: it is none, or of another shape or kind.
    """
    what = f"state_dict: {key!r} of {name}"
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} is a {type(value).__name__}, expected a tensor")
    if value.shape != like.shape:
        raise ValueError(f"{what} has shape {tuple(value.shape)}, expected {tuple(like.shape)}")
    if value.layout != torch.strided or value.is_quantized:
        kind = "quantised" if value.is_quantized else str(value.layout)
        raise ValueError(f"{what} is {kind}, expected a dense tensor; convert it with to_dense() or dequantize()")
    if value.is_meta and not like.is_meta:
        raise ValueError(f"{what} is on the device meta and holds no numbers; load the checkpoint onto a real device")
    if (value.is_complex(), value.is_floating_point()) != (like.is_complex(), like.is_floating_point()):
        raise ValueError(f"{what} holds {value.dtype}, expected {like.dtype}")
    with torch.no_grad():
        return filled(like, value)
