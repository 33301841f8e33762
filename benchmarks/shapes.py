"""Sets of tensors that the benchmarks step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Shape = tuple[int, ...]


def gpt(width: int = 768, layers: int = 6, vocabulary: int = 8192, context: int = 256) -> list[Shape]:
    """A GPT's parameters with biases and a tied head: 76 tensors and 49 million numbers as it stands."""
    block = [
        *[(width,), (width,)],
        *[(3 * width, width), (3 * width,), (width, width), (width,)],
        *[(width,), (width,)],
        *[(4 * width, width), (4 * width,), (width, 4 * width), (width,)],
    ]
    return [(vocabulary, width), (context, width), *(layers * block), (width,), (width,)]


@dataclass(frozen=True)
class Sets:
    """The sets of one run.

    Attributes:
        large: equal matrices that fill the memory bus.
        gpt: a model.
        many: small matrices, whose number is what costs.
        matrices: the two-dimensional ones of the model.
        small_matrices: what batching is for.
    """

    large: list[Shape]
    gpt: list[Shape]
    many: list[Shape]
    small_matrices: list[Shape]

    @property
    def matrices(self) -> list[Shape]:
        return [shape for shape in self.gpt if len(shape) == 2]


FULL = Sets([(1024, 1024)] * 24, gpt(), [(64, 64)] * 1000, [(64, 64)] * 200)
SMOKE = Sets([(64, 64)] * 3, gpt(32, 1, 64, 16), [(8, 8)] * 20, [(8, 8)] * 5)


def parameters(shapes: list[Shape], device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Leaves with gradients, normal numbers of the size that training has."""
    stream = torch.Generator().manual_seed(0)
    found = []
    for shape in shapes:
        values, gradient = (0.02 * torch.randn(shape, generator=stream) for _ in range(2))
        param = values.to(device, dtype).requires_grad_()
        param.grad = gradient.to(device, dtype)
        found.append(param)
    return found


def numbers(shapes: list[Shape]) -> int:
    """How many numbers a set holds."""
    return sum(torch.Size(shape).numel() for shape in shapes)


def backward(params: list[Tensor]) -> None:
    """Drop the gradients and let autograd make new ones."""
    for param in params:
        param.grad = None
    torch.stack([(param * param).sum() for param in params]).sum().backward()
