"""What the layers make in the forward pass of a watched step: by hooks that are there for that step alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gradwright.observe.sample import sampled, wide_type

PASSES = 10
"""For how many watched passes in a row a unit has to be zero to count as dead."""

ENTRIES = 4096
"""How many entries of what a layer makes are looked at; for what is not finite, all are."""

SAMPLES = 512
"""In how many samples of a pass a unit is looked for that is not zero: dead is one in none, ten passes in a row."""

INPUT = "(input)"
"""The name under which the first input of the whole model is kept."""

CUTTING = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Hardswish, nn.Threshold, nn.Mish)
"""Activations whose units can be zero for every sample, or next to it."""

BOUNDED: dict[type[nn.Module], tuple[float, float]] = {
    nn.Tanh: (-1.0, 1.0),
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
}
"""Activations that have a flat part at both ends, with these values."""

EDGE = 0.01
"""Within this share of its range from an end, a bounded activation counts as saturated."""

_MATRIX = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Bilinear, nn.RNNBase)


@dataclass
class Seen:
    """One module in one watched pass; numbers are still where the tensors are.

    Attributes:
        rms, inputs, non_finite: as in ``LayerProbe``.
        saturated: share at the ends; None where the module bounds nothing.
        lowest, highest: of what it read, to tell a bounded activation that is no module.
        reads_data: whether what it read has no history.
    """

    rms: Tensor | None = None
    inputs: Tensor | None = None
    non_finite: Tensor | None = None
    saturated: Tensor | None = None
    lowest: Tensor | None = None
    highest: Tensor | None = None
    reads_data: bool = False
    dead: Tensor | None = None


@dataclass
class ForwardObserver:
    """Hooks on the leaves of a model, put there for a watched step and taken away after it.

    Args:
        model: whose leaves are observed.
        inside: whether they are; otherwise only what goes in and comes out.
    """

    model: nn.Module
    inside: bool = True
    inputs: Tensor | None = None
    outputs: Tensor | None = None
    layers: dict[str, Seen] = field(default_factory=dict)
    alive: dict[str, Tensor] = field(default_factory=dict)
    quiet: dict[str, Tensor] = field(default_factory=dict)
    passes: dict[str, int] = field(default_factory=dict)
    _handles: list[RemovableHandle] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.modular = any(isinstance(module, CUTTING) for module in self.model.modules())

    def listen(self) -> None:
        """Put the hooks there."""
        self.layers, self.alive = {}, {}
        self.inputs = self.outputs = None
        self._handles.append(self.model.register_forward_hook(self._root, with_kwargs=True))
        for name, module in leaves(self.model).items() if self.inside else ():
            self._handles.append(module.register_forward_hook(self._hook(name)))

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def finish(self) -> dict[str, Seen]:
        """End the watched step: count for how many passes each unit has been zero."""
        self.close()
        for name, alive in self.alive.items():
            before = self.quiet.get(name)
            fits = before is not None and before.shape == alive.shape and before.device == alive.device
            quiet = torch.where(alive, 0, (before if fits else torch.zeros_like(alive, dtype=torch.int32)) + 1)
            self.passes[name] = self.passes.get(name, 0) + 1 if fits else 1
            self.quiet[name] = quiet
            if self.passes[name] >= PASSES and name in self.layers:
                self.layers[name].dead = (quiet >= PASSES).to(wide_type(quiet.device)).mean()
        found, self.layers, self.alive = self.layers, {}, {}
        return found

    def _root(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled() or not module.training:
            return
        read, made = first_tensor((args, kwargs)), first_tensor(output)
        self.outputs = None if made is None else made.detach()
        if read is None:
            return
        self.inputs = read.detach()
        if read.is_floating_point():
            with torch.no_grad():
                self.layers[INPUT] = Seen(
                    inputs=rms_of_present(sampled(self.inputs, ENTRIES)), reads_data=not read.requires_grad
                )

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(module: nn.Module, args: Any, output: Any) -> None:
            if torch.compiler.is_compiling() or not torch.is_grad_enabled() or not module.training:
                return
            with torch.no_grad():
                self._see(name, module, first_tensor(args), first_tensor(output))

        return seen

    def _see(self, name: str, module: nn.Module, read: Tensor | None, made: Tensor | None) -> None:
        layer = self.layers.setdefault(name, Seen())
        if made is not None and made.is_floating_point():
            values = made.detach()
            layer.rms = rms(sampled(values, ENTRIES))
            broken = ~values.sum(dtype=wide_type(values.device)).isfinite()  # of finite numbers it is finite
            layer.non_finite = broken if layer.non_finite is None else layer.non_finite | broken
            if isinstance(module, CUTTING):
                self._count_alive(name, values, unit_dim(values, module))
            for kind, (low, high) in BOUNDED.items():
                if isinstance(module, kind):
                    layer.saturated = at_ends(sampled(values, ENTRIES), low, high)
        if isinstance(module, _MATRIX) and read is not None and read.is_floating_point():
            self._see_read(name, module, read, layer)

    def _see_read(self, name: str, module: nn.Module, read: Tensor, layer: Seen) -> None:
        layer.reads_data, values = not read.requires_grad, read.detach()
        few = sampled(values, ENTRIES)
        layer.inputs = rms_of_present(few)
        if layer.reads_data or not values.numel():
            return
        layer.lowest, layer.highest = few.aminmax()
        if not self.modular:
            self._count_alive(name, values, unit_dim(values, module))
        if layer.saturated is None:
            layer.saturated = at_ends_of_either(few, layer.lowest, layer.highest)

    def _count_alive(self, name: str, values: Tensor, dim: int) -> None:
        few = some_samples(values, dim)
        alive = few.abs().amax(0) > 1e-6
        if name in self.alive and self.alive[name].shape == alive.shape:
            alive = alive | self.alive[name]
        self.alive[name] = alive


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a model that do the work, by name: those without children, and whole recurrent layers."""
    found = {name: module for name, module in model.named_modules() if not any(True for _ in module.children())}
    return {plain_name(name): module for name, module in found.items() if name}


def plain_name(name: str) -> str:
    """A name without what wrappers put before it."""
    for prefix in ("_orig_mod.", "module.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."):
        name = name.replace(prefix, "") if prefix != "module." else name.removeprefix(prefix)
    return name


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in what a module takes or gives: itself, in a sequence, in a mapping."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, dict):
        return next((found for each in value.values() if (found := first_tensor(each)) is not None), None)
    if isinstance(value, (tuple, list)):
        return next((found for each in value if (found := first_tensor(each)) is not None), None)
    return None


def unit_dim(values: Tensor, module: nn.Module) -> int:
    """The dimension of channels of images and signals, the last one of all else."""
    image = values.dim() in (4, 5) or isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    return min(1, values.dim() - 1) if image else values.dim() - 1


def some_samples(values: Tensor, dim: int) -> Tensor:
    """About ``SAMPLES`` of the samples that the units along a dimension have seen, evenly spaced; shape (n, units)."""
    units = values.movedim(dim, -1)
    for at in range(units.dim() - 1):
        seen = math.prod(units.shape[:-1])
        if seen > SAMPLES and (size := units.shape[at]) > 1:
            keep = max(1, min(size, size * SAMPLES // seen))
            units = units[(slice(None),) * at + (slice(None, None, -(-size // keep)),)]
    return units.reshape(-1, values.shape[dim])


def rms(values: Tensor) -> Tensor:
    """Root mean square, 0-d, in single precision."""
    return torch.linalg.vector_norm(values, dtype=_wide(values)) / max(1, values.numel()) ** 0.5


def rms_of_present(values: Tensor) -> Tensor:
    """Root mean square of the entries that are not zero."""
    return torch.linalg.vector_norm(values, dtype=_wide(values)) / (values != 0).sum().clamp(min=1).sqrt()


def at_ends(values: Tensor, low: float | Tensor, high: float) -> Tensor:
    """Share of entries near an end of a range, where all lie in it and reach it by no cut (exact zeros of 0 to 1)."""
    lowest, highest = values.aminmax()
    return _at_ends(values, low, high, lowest, highest)


def at_ends_of_either(values: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """The same for the range from −1 to 1 where there are negative entries, else for that from 0 to 1."""
    return _at_ends(values, -(lowest < 0).to(values.dtype), 1.0, lowest, highest)


def _at_ends(values: Tensor, low: float | Tensor, high: float, lowest: Tensor, highest: Tensor) -> Tensor:
    margin = EDGE * (high - low)
    near = (values > high - margin) | ((values < low + margin) & ((values != 0) | (low != 0)))
    inside = (lowest >= low) & (highest <= high)
    return torch.where(inside, near.to(wide_type(values.device)).mean(), torch.nan)


def _wide(values: Tensor) -> torch.dtype:
    return torch.float32 if values.dtype in (torch.float16, torch.bfloat16) else values.dtype
