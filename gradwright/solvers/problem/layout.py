"""Layout: the unknowns (a tensor, a dict of tensors, a module's parameters) as one flat vector and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """Names, shapes and order of the unknowns inside the flat vector.

    Attributes:
        names: one per tensor; ``("x0",)`` for a single tensor.
        shapes: their shapes.
        form: ``"tensor"``, ``"dict"`` or ``"parameters"``.
        dtype, device: common to all of them.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    form: str
    dtype: torch.dtype
    device: torch.device

    @property
    def sizes(self) -> list[int]:
        return [shape.numel() for shape in self.shapes]

    @property
    def size(self) -> int:
        """Length n of the flat vector."""
        return sum(self.sizes)

    def split(self, flat: Tensor) -> list[Tensor]:
        """The tensors inside a flat vector, as views that gradients flow through."""
        return [part.view(shape) for part, shape in zip(flat.split(self.sizes), self.shapes)]

    def structured(self, flat: Tensor) -> Any:
        """The flat vector in the user's form: a tensor, a dict, or a list for parameters."""
        parts = self.split(flat)
        if self.form == "tensor":
            return parts[0]
        return dict(zip(self.names, parts)) if self.form == "dict" else parts

    def flatten(self, value: Any, name: str, fill: float | None = None) -> Tensor:
        """A flat vector from something of the user's form; a number stands for all entries where ``fill`` allows it.

        Raises:
            ValueError: keys or shapes differ from those of x0; ``name`` says what it was.
        """
        if value is None and fill is not None:
            return torch.full((self.size,), fill, dtype=self.dtype, device=self.device)
        parts = self._parts(value, name)
        joined = []
        for key, shape, part in zip(self.names, self.shapes, parts):
            part = torch.as_tensor(part, dtype=self.dtype, device=self.device).detach()
            if part.dim() == 0 and fill is not None:
                part = part.expand(shape)
            if part.shape != shape:
                where = "" if self.form == "tensor" else f": {key}"
                raise ValueError(
                    f"{name}{where} has shape {tuple(part.shape)}, but x0 has {tuple(shape)} there; give it that shape"
                )
            joined.append(part.reshape(-1))
        return torch.cat(joined)

    def _parts(self, value: Any, name: str) -> list[Any]:
        if isinstance(value, Mapping):
            if self.form == "tensor" or set(value) != set(self.names):
                raise ValueError(f"{name} has the keys {list(value)}, but x0 has {list(self.names)}; give the same")
            return [value[key] for key in self.names]
        if self.form == "tensor" or isinstance(value, (int, float)):
            return [value] * len(self.names)
        if isinstance(value, (list, tuple)) and len(value) == len(self.names):
            return list(value)
        raise ValueError(f"{name} is a {type(value).__name__}; give it in the form of x0, with {list(self.names)}")


def layout_of(x0: Any) -> tuple[Layout, list[Tensor]]:
    """The layout of ``x0`` and its tensors.

    Args:
        x0: a tensor, a dict of tensors, a module, or an iterable of parameters; real floating point, one dtype and
            one device.

    Raises:
        TypeError: it is something else, or its numbers are not real floating point.
        ValueError: it is empty, or dtypes or devices differ.
    """
    names: tuple[str, ...]
    tensors: list[Tensor]
    if isinstance(x0, nn.Module):
        found = {name: p for name, p in x0.named_parameters() if p.requires_grad}
        names, tensors, form = tuple(found), list(found.values()), "parameters"
    elif isinstance(x0, Tensor):
        names, tensors, form = ("x0",), [x0], "tensor"
    elif isinstance(x0, Mapping):
        names, tensors, form = tuple(x0), list(x0.values()), "dict"
    elif isinstance(x0, Iterable) and not isinstance(x0, (str, bytes)):
        tensors, form = list(x0), "parameters"
        names = tuple(f"parameter {index}" for index in range(len(tensors)))
        if not all(isinstance(tensor, nn.Parameter) for tensor in tensors):
            raise TypeError(
                f"x0 is a {type(x0).__name__} that does not hold parameters; give a tensor such as "
                f"torch.tensor([1.0, 2.0], dtype=torch.float64), a dict of tensors, or a module"
            )
    else:
        raise TypeError(f"x0 is a {type(x0).__name__}; give a tensor, a dict of tensors, or a module")
    _check(names, tensors)
    shapes = tuple(tensor.shape for tensor in tensors)
    return Layout(names, shapes, form, tensors[0].dtype, tensors[0].device), tensors


def _check(names: tuple[str, ...], tensors: list[Any]) -> None:
    if not sum(tensor.numel() for tensor in tensors if isinstance(tensor, Tensor)):
        raise ValueError("x0 holds no numbers to optimise; give at least one")
    for name, tensor in zip(names, tensors):
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = str(tensor.dtype) if isinstance(tensor, Tensor) else type(tensor).__name__
            who = name if name == "x0" else f"x0: {name}"
            raise TypeError(f"{who} is {kind}; give a real floating-point tensor (view_as_real, .double())")
        first = tensors[0]
        if (tensor.dtype, tensor.device) != (first.dtype, first.device):
            raise ValueError(
                f"x0: {name} is {tensor.dtype} on {tensor.device}, but {names[0]} is {first.dtype} on {first.device}; "
                f"give all of them one dtype and one device"
            )
