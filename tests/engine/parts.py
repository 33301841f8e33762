"""Parts such as users write: with words that the graph lacks, with Python decisions, with totals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import HostScalar, Slot, Total, Transform, chain
from gradwright.core.ops import norm, sqrt, total
from gradwright.transforms import Ema, Scale
from tests.runs import as_recipe

Update = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Does(Transform):
    """What a function of the update says; with one slot, ``memory``, if it wants one."""

    what: Update
    remembers: Slot | HostScalar | None = None

    def slots(self, spec: Any) -> Any:
        return {} if self.remembers is None else {"memory": self.remembers}

    def update(self, u: Any, state: Any, ctx: Any) -> Any:
        return self.what(u, state, ctx)


@contextmanager
def recipe_of(*links: Transform) -> Iterator[Any]:
    """A recipe of these links and a size."""

    def Mine(lr=0.1):
        return chain(*links, Scale(lr))

    with as_recipe(Mine) as made:
        yield made


def smooth(u: Any, state: Any, ctx: Any) -> Any:
    """Forget the high frequencies: torch.fft is no word of the graph."""
    spectrum = torch.fft.rfft(u, norm="ortho")
    return torch.fft.irfft(spectrum / 2, n=u.shape[-1], norm="ortho"), state


def whiten(u: Any, state: Any, ctx: Any) -> Any:
    """The polar factor, by a singular value decomposition."""
    left, _, right = torch.linalg.svd(u, full_matrices=False)
    return left @ right, state


def clip_by_norm(u: Any, state: Any, ctx: Any) -> Any:
    """A Python decision on a tensor."""
    length = norm(u)
    return (u / length if length > 1 else u), state


def clip_by_global_norm(u: Any, state: Any, ctx: Any) -> Any:
    """A sum over all parameters."""
    square = yield Total("grad_norm2", u.square().sum())
    return u / torch.clamp(square.sqrt(), min=1.0).to(u.dtype), state


def towards_the_weights(u: Any, state: Any, ctx: Any) -> Any:
    """Reads the weights and the gradient, in words that the graph lacks."""
    return u + 0.1 * torch.fft.rfft(ctx.param).abs().mean() * torch.sinh(ctx.grad), state


def average_of_smooth(u: Any, state: Any, ctx: Any) -> Any:
    """State beside a word that the graph lacks."""
    memory = 0.9 * state["memory"] + 0.1 * torch.sinh(u)
    return memory, {"memory": memory}


def later_otherwise(u: Any, state: Any, ctx: Any) -> Any:
    """From the third step on, a word that the graph lacks."""
    return (u if ctx.step < 3 else torch.sinh(u)), state


def later_by_size(u: Any, state: Any, ctx: Any) -> Any:
    """The same for all tensors at the first step; afterwards it depends on their size."""
    return (u if ctx.step == 1 else u / ctx.spec.numel), state


def plain_math(u: Any, state: Any, ctx: Any) -> Any:
    """Python's own math on the step count."""
    return u / math.sqrt(1 - 0.9**ctx.step), state


def whole_steps(u: Any, state: Any, ctx: Any) -> Any:
    """The step count as a whole number, to index a table with."""
    return u * (1.0, 0.5, 0.25)[int(ctx.step) % 3], state


def masks(u: Any, state: Any, ctx: Any) -> Any:
    """Decisions on entries beside decisions on the step, with and, or and not."""
    agrees = (u * ctx.grad > 0) & (ctx.step > 1)
    return torch.where(agrees | ~(ctx.param < 0), u, 0.5 * u), state


def draws(u: Any, state: Any, ctx: Any) -> Any:
    """Random numbers."""
    return u + torch.rand_like(u), state


def counts(u: Any, state: Any, ctx: Any) -> Any:
    """Decisions in arithmetic."""
    return u * ((u > 0) * 1.0 + (ctx.param > 0) * 0.5), state


AVERAGE = Ema(0.9)


def clipped(u, state, ctx):
    """The update cut to a norm of one over all parameters."""
    square = yield Total("square", total(u * u))
    return u / sqrt(square + 1.0), state


def averaged(u, state, ctx):
    """Two totals of two parts and of one, the second of what the first made; a shared value remembers."""
    squares, count = yield Total("squares", total(u * u), total(torch.ones_like(u)))
    u = u / sqrt(squares / count + 1e-3)
    sizes = yield Total("sizes", total(u.abs()))
    memory = 0.5 * state["memory"] + 0.5 * sizes / count
    return u * memory, {"memory": memory}


CLIPPED, AVERAGED = Does(clipped), Does(averaged, Slot(keep=(), shared=True))
