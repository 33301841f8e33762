"""The probability of :mod:`~gradwright.losses.orthant.quadrature` straight from logits, compiled, in one pass each way.

As in :mod:`gradwright.losses.orthant.binning`, a row is reduced to the sums of 1, v, v², ... over the classes in each
interval of d. Here the intervals are few and the powers many, so that a row's sums and tables stay in the nearest
cache. The backward pass reads the logits again: nothing of their size is kept. A second derivative takes the plain
path. The C++ is ``kernel.cpp`` beside this file.
"""

from __future__ import annotations

import ctypes
import math
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from gradwright.engine import select
from gradwright.losses.batch import checks
from gradwright.losses.orthant.binning import polynomials
from gradwright.losses.orthant.quadrature import gauss_hermite, orthant
from gradwright.losses.pairwise.margins import conditions
from gradwright.native import build
from gradwright.native.maths import math_source
from gradwright.native.threads import threads_for

LANES = 16
"""Numbers taken at once."""


class _Grid(NamedTuple):
    """How d is divided, from −reach to reach: so finely that ln Φ is met to 6e-9, in double precision to 1e-13."""

    word: str
    reach: float
    intervals: int
    terms: int


_GRIDS = {torch.float32: _Grid("float", 9.6, 16, 8), torch.float64: _Grid("double", 12.0, 24, 16)}


def serves(logits: Tensor) -> bool:
    """Whether there is a kernel for these logits: they are values on the CPU, and there is a compiler.

    There is none for derivatives in forward mode.

    Where there is none, one warning says so. ``GRADWRIGHT_ENGINE`` may name another engine, which has no kernel.
    """
    if logits.dtype not in _GRIDS or not logits.is_cpu or not checks.real(logits) or checks.has_tangent(logits):
        return False
    if select.asked("auto") not in ("auto", "cpp") or select.chosen("auto") != "cpp":
        return False
    try:
        _library(logits.dtype)
    except build.NoCompiler as why:
        select.give_up("auto", why)
        return False
    return True


def probability(logits: Tensor, labels: Tensor, sigma: float, margin: float | None, nodes: int) -> Tensor:
    """P(d) for several labels of each row, d their :func:`~gradwright.losses.pairwise.margins.conditions`.

    A class that the label leads by more than 9.6 σ (12 σ in float64) is left out, one that is as far ahead is taken to
    be just there: in P either is less than 1e-11.

    Args:
        logits: z, ``(..., C)``, which the kernel :func:`serves`.
        labels: ``(..., L)``.
        sigma, margin: σ > 0 and r > 0; None: no margin.
        nodes: of the Gauss-Hermite rule.

    Returns:
        ``(..., L)``.
    """
    return _Probability.apply(logits, labels, sigma, margin, nodes)[0]


class _Probability(torch.autograd.Function):
    """P, and with it the terms of its sum over the nodes, which is all that the backward pass needs to be told."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, sigma: float, margin: float | None, nodes: int
    ) -> tuple[Tensor, Tensor]:
        rule = _rule(nodes, logits.dtype)
        p = logits.new_empty(labels.shape)
        mass = logits.new_empty((*labels.shape, len(rule.log_w)))
        _call("forward", logits, labels, sigma, margin, mass, (rule.table, rule.log_w), (p, mass))
        ctx.save_for_backward(logits, labels, mass)
        ctx.settings = sigma, margin, nodes
        ctx.mark_non_differentiable(mass)
        return p, mass

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, mass = ctx.saved_tensors
        sigma, margin, nodes = ctx.settings
        if torch.is_grad_enabled():  # somebody may want a second derivative: say where the slope comes from
            p = orthant(conditions(logits, labels, sigma, margin), nodes)
            (slope,) = torch.autograd.grad(p, logits, upstream, create_graph=True)
        else:
            slope = torch.empty_like(logits, memory_format=torch.contiguous_format)
            table = _rule(nodes, logits.dtype).slope_table
            _call("backward", logits, labels, sigma, margin, mass, (table, mass, upstream.contiguous()), (slope,))
        return slope, None, None, None, None


def _call(
    name: str,
    logits: Tensor,
    labels: Tensor,
    sigma: float,
    margin: float | None,
    mass: Tensor,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
) -> None:
    """Hand a kernel its arguments, in the order in which it declares them."""
    z, y = logits.resolve_neg().contiguous(), labels.contiguous()
    classes = z.shape[-1]
    getattr(_library(z.dtype), name)(
        z.data_ptr(),
        y.data_ptr(),
        z.numel() // classes,
        classes,
        y.shape[-1],
        mass.shape[-1],
        *map(Tensor.data_ptr, inputs),
        min(1 / sigma, torch.finfo(z.dtype).max / 1e3),  # 0 · ∞ would make equal scores NaN
        math.inf if margin is None else margin,
        *map(Tensor.data_ptr, outputs),
        threads_for(y.numel() * classes),
    )


class _Rule(NamedTuple):
    """A quadrature and the polynomials of ln Φ(d + t) at its nodes: whole lanes of them, the last of no weight."""

    log_w: Tensor
    table: Tensor
    """Coefficients, ``(intervals, terms, nodes)``."""
    slope_table: Tensor
    """Those of the derivative in d times v, ``(nodes, terms, intervals)``."""


@lru_cache(maxsize=16)
def _rule(nodes: int, dtype: torch.dtype) -> _Rule:
    t, w = gauss_hermite(nodes, dtype)
    grid = _GRIDS[dtype]
    spare = -len(t) % LANES
    table = pad(polynomials(t, -grid.reach, grid.reach, grid.intervals, grid.terms), (0, spare))
    degree = torch.arange(grid.terms).reshape(-1, 1, 1)
    slope_table = table * degree * (grid.intervals / grid.reach)
    log_w = pad(torch.tensor(w, dtype=torch.float64).log(), (0, spare), value=-math.inf)
    return _Rule(
        log_w.to(dtype),
        table.permute(1, 0, 2).contiguous().to(dtype),
        slope_table.permute(2, 0, 1).contiguous().to(dtype),
    )


@lru_cache(maxsize=2)
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    grid = _GRIDS[dtype]
    single = dtype == torch.float32
    head = (
        f"#define SINGLE {single:d}\n"
        f"typedef {grid.word} F;\n"
        f"constexpr int L = {LANES}, N = {grid.intervals}, M = {grid.terms};\n"
        f"constexpr double REACH = {grid.reach};\n"
    )
    source = files(__package__).joinpath("kernel.cpp").read_text(encoding="utf-8")
    library = build.load(head + math_source({"exp"}, single) + source)
    pointers, counts, numbers = ([kind] for kind in (ctypes.c_void_p, ctypes.c_longlong, ctypes.c_double))
    library.forward.argtypes = pointers * 2 + counts * 4 + pointers * 2 + numbers * 2 + pointers * 2 + counts
    library.backward.argtypes = pointers * 2 + counts * 4 + pointers * 3 + numbers * 2 + pointers + counts
    library.forward.restype = library.backward.restype = None
    return library
