"""The probes of a step, as sums over entries: they add up over the ranks of a distributed run.

Each row of a matrix is one parameter; rows end in zeros where they are shorter than the matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from gradwright.observe.record import HISTOGRAM_EDGES, NAN, ParameterProbe

TOP = 0.01
"""The share of entries that counts as the tail."""


@dataclass(frozen=True)
class StepSamples:
    """What a step was made of, a row a parameter and the same entries in each matrix; zeros where there is nothing.

    Attributes:
        entries: how many each row has, shape (rows, 1).
        before, after: weights around the step.
        grad: as the optimizer saw it.
        square: the debiased second moment v̂.
        eps: of each row, shape (rows, 1).
        coupled: the factor of the weight that was added to the gradient (L2), shape (rows, 1).
        last_grad: the gradient of the step before.
        last_change: the change of the watched step before.
        norm: Σ g² over all entries, of the sample or not, shape (rows, 1).
    """

    entries: Tensor
    before: Tensor
    after: Tensor
    grad: Tensor
    square: Tensor
    eps: Tensor
    coupled: Tensor
    last_grad: Tensor
    last_change: Tensor
    norm: Tensor


@dataclass(frozen=True)
class Sums:
    """Sums over the entries of each row, in this order in a vector."""

    entries: float
    weight: float
    weight_after: float
    grad: float
    grad_square: float
    grad_cube: float
    grad_fourth: float
    change: float
    slope: float
    present: float
    lost: float
    eps: float
    squares: float
    with_decay: float
    last_grad: float
    with_last_grad: float
    last_change: float
    with_last_change: float
    tail: float
    hill: float
    ranks: float
    non_finite: float
    norm: float


SUMS = tuple(each.name for each in fields(Sums))


def sums(step: StepSamples) -> Tensor:
    """The sums of each row, shape (rows, len(SUMS))."""
    grad, change = step.grad, step.after - step.before
    square, present, with_v = grad * grad, grad != 0, step.square > 0
    tail, hill = tails(grad, step.entries)
    found = Sums(
        entries=step.entries,
        weight=_dot(step.before, step.before),
        weight_after=_dot(step.after, step.after),
        grad=_sum(grad),
        grad_square=_sum(square),
        grad_cube=_dot(square, grad),
        grad_fourth=_dot(square, square),
        change=_dot(change, change),
        slope=_dot(grad, change),
        present=_sum(present),
        lost=_sum(present & (change == 0)),
        eps=_sum(with_v & (step.square < step.eps.square())),
        squares=_sum(with_v),
        with_decay=_sum((grad + step.coupled * step.before).square()),
        last_grad=_dot(step.last_grad, step.last_grad),
        with_last_grad=_dot(grad, step.last_grad),
        last_change=_dot(step.last_change, step.last_change),
        with_last_change=_dot(change, step.last_change),
        tail=tail.nan_to_num(0),
        hill=hill.nan_to_num(0, 0, 0),
        ranks=tail.isfinite(),
        non_finite=_sum(~(grad.isfinite() & step.after.isfinite())),
        norm=step.norm,
    )  # type: ignore[arg-type]
    return torch.cat([getattr(found, name).to(grad.dtype) for name in SUMS], 1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Of each two rows, shape (rows, 1)."""
    return torch.linalg.vecdot(a, b)[:, None]


def _sum(values: Tensor) -> Tensor:
    return values.sum(1, keepdim=True)


def largest(grad: Tensor) -> Tensor:
    """max |g| of each row, shape (rows,)."""
    return grad.abs().amax(1)


def tails(grad: Tensor, entries: Tensor) -> tuple[Tensor, Tensor]:
    """The share of Σ g² in the largest 1 % of a row's entries and Hill's index of these; shape (rows, 1)."""
    size = grad.abs()
    most = min(math.ceil(TOP * grad.shape[1]) + 1, grad.shape[1])
    ordered = size.topk(most, 1).values
    count = (entries * TOP).ceil().clamp(min=1)
    top = torch.arange(most, device=grad.device) < count
    share = _sum(torch.where(top, ordered, 0).square()) / _dot(
        size, size
    )  # NaN of nothing, as on a rank without entries
    threshold = ordered.gather(1, count.long().clamp(max=most - 1))
    logs = torch.where(top & (threshold > 0), (ordered / threshold).log(), 0)
    return share, count / _sum(logs)


def probe(
    found: Sums, largest_entry: float, decoupled: float = 0.0, coupled: float = 0.0, *, moved: bool = True
) -> ParameterProbe:
    """The probes of one parameter from its sums.

    Args:
        found: over all ranks.
        largest_entry: max |g|.
        decoupled: the factor of the weight that the step took away beside the gradient (lr · weight decay).
        coupled: the factor of the weight that was added to the gradient (L2).
        moved: whether the weights before the step are known.
    """
    weight = _rms(found.weight if moved else found.weight_after, found.entries)
    at_least_once = ParameterProbe(
        weight=weight,
        gradient=_rms(found.grad_square, found.entries),
        largest=largest_entry,
        zero=_over(found.entries - found.present, found.entries),
        non_finite=found.non_finite,
        eps=_over(found.eps, found.squares),
        alike=_cosine(found.with_last_grad, found.grad_square, found.last_grad),
        kurtosis=_kurtosis(found),
        tail=_over(found.tail, found.ranks),
        hill=_over(found.hill, found.ranks) or NAN,
    )
    if not moved:
        return at_least_once
    update = _rms(found.change, found.entries)
    return replace(
        at_least_once,
        update=update,
        relative_update=_over(update, weight or _rms(found.weight_after, found.entries)),
        slope=found.slope,
        lost=_over(found.lost, found.present),
        decay=_decay(found, decoupled, coupled),
        turn=_cosine(found.with_last_change, found.change, found.last_change),
    )


def _decay(found: Sums, decoupled: float, coupled: float) -> float:
    """How much of the step is weight decay: of the change where it is decoupled, of the gradient where it is L2."""
    if decoupled:
        share = _over(decoupled**2 * found.weight, found.change)
    elif coupled:
        share = _over(coupled**2 * found.weight, found.with_decay)
    else:
        share = 0.0
    return share if math.isnan(share) else min(1.0, math.sqrt(share))


def _rms(total: float, entries: float) -> float:
    return math.sqrt(total / entries) if entries and total >= 0 else NAN


def _over(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN


def _cosine(product: float, a: float, b: float) -> float:
    return product / math.sqrt(a * b) if a > 0 and b > 0 else NAN


def _kurtosis(found: Sums) -> float:
    if not found.entries:
        return NAN
    first, second, third, fourth = (
        each / found.entries for each in (found.grad, found.grad_square, found.grad_cube, found.grad_fourth)
    )
    spread = second - first**2
    if not spread > 0:
        return NAN
    return (fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4) / spread**2


def histogram_bins(values: Tensor, entries: Tensor) -> Tensor:
    """Counts of each row on the symmetric logarithmic axis: negative, zero, positive; shape (rows, 129)."""
    half = len(HISTOGRAM_EDGES) - 1
    lowest = round(math.log10(HISTOGRAM_EDGES[0]) * 2)
    place = (values.abs().log10() * 2 - lowest).floor().nan_to_num(0).clamp(0, half - 1).long()
    index = torch.where(values > 0, half + 1 + place, torch.where(values < 0, place, half))
    counts = torch.zeros(values.shape[0], 2 * half + 1, device=values.device, dtype=torch.int32)
    counts.scatter_add_(1, index, values.isfinite().int())
    counts[:, half] -= (values.shape[1] - entries[:, 0]).int()
    return counts
