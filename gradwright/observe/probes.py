"""The probes of a step, as sums over entries: they add up over the ranks of a distributed run.

Each row of a matrix is one parameter. Entries beyond the end of a row are marked by a mask; what is not finite
within it counts as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gradwright.observe.record import HISTOGRAM_EDGES, NAN, ParameterProbe

TOP = 0.01
"""The share of entries that counts as the tail."""


@dataclass(frozen=True)
class StepSamples:
    """What a step was made of, a row a parameter and the same entries in each matrix; NaN where there is nothing.

    Attributes:
        mask: which entries are there.
        before, after: weights around the step.
        grad: as the optimizer saw it.
        square: the debiased second moment v̂.
        eps: of each row, shape (rows, 1).
        coupled: the factor of the weight that was added to the gradient (L2), shape (rows, 1).
        last_grad: the gradient of the step before.
        last_change: the change of the watched step before.
        norm: Σ g² over all entries, of the sample or not, shape (rows, 1).
    """

    mask: Tensor
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
    zero: float
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
    square, present = grad * grad, step.mask & (grad != 0) & grad.isfinite()
    with_v = step.square > 0
    tail, hill = tails(grad, step.mask)
    found = Sums(
        entries=step.mask,
        weight=step.before * step.before,
        weight_after=step.after * step.after,
        grad=grad,
        grad_square=square,
        grad_cube=square * grad,
        grad_fourth=square * square,
        change=change * change,
        slope=grad * change,
        zero=step.mask & (grad == 0),
        present=present,
        lost=present & (change == 0),
        eps=with_v & (step.square.sqrt() < step.eps),
        squares=with_v,
        with_decay=(grad + step.coupled * step.before).square(),
        last_grad=step.last_grad.square(),
        with_last_grad=grad * step.last_grad,
        last_change=step.last_change.square(),
        with_last_change=change * step.last_change,
        tail=tail,
        hill=hill,
        ranks=torch.ones_like(tail),
        non_finite=step.mask & ~(grad.isfinite() & step.after.isfinite()),
        norm=step.norm,
    )  # type: ignore[arg-type]
    return torch.stack([_summed(getattr(found, name), step.mask) for name in SUMS], 1)


def largest(grad: Tensor, mask: Tensor) -> Tensor:
    """max |g| of each row, shape (rows,)."""
    return torch.where(mask, grad.abs(), 0).amax(1)


def tails(grad: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The share of Σ g² in the largest 1 % of a row's entries and Hill's index of these; shape (rows, 1)."""
    size = torch.where(mask, grad.abs().nan_to_num(0, 0, 0), 0)
    ordered = size.sort(1, descending=True).values
    count = (mask.sum(1, keepdim=True) * TOP).ceil().clamp(min=1)
    top = torch.arange(size.shape[1], device=size.device) < count
    energy = ordered.square()
    share = (energy * top).sum(1, keepdim=True) / energy.sum(1, keepdim=True)
    threshold = ordered.gather(1, (count.long()).clamp(max=size.shape[1] - 1))
    logs = torch.where(top & (threshold > 0), (ordered / threshold).log(), 0)
    return share, count / logs.sum(1, keepdim=True)


def _summed(values: Tensor, mask: Tensor) -> Tensor:
    if values.shape[1] == 1:
        return values[:, 0].to(torch.float64 if values.device.type != "mps" else torch.float32)
    return torch.where(mask, values, 0).sum(1, dtype=torch.float64 if values.device.type != "mps" else None)


def probe(found: Sums, largest_entry: float, decoupled: float = 0.0, coupled: float = 0.0) -> ParameterProbe:
    """The probes of one parameter from its sums.

    Args:
        found: over all ranks.
        largest_entry: max |g|.
        decoupled: the factor of the weight that the step took away beside the gradient (lr · weight decay).
        coupled: the factor of the weight that was added to the gradient (L2).
    """
    weight, update = _rms(found.weight, found.entries), _rms(found.change, found.entries)
    begun = max(weight, _rms(found.weight_after, found.entries)) if weight == 0 else weight
    return ParameterProbe(
        weight=weight,
        gradient=_rms(found.grad_square, found.entries),
        update=update,
        relative_update=_over(update, begun),
        slope=found.slope,
        largest=largest_entry,
        zero=_over(found.zero, found.entries),
        non_finite=found.non_finite,
        lost=NAN if math.isnan(found.change) else _over(found.lost, found.present),
        eps=_over(found.eps, found.squares),
        decay=_decay(found, decoupled, coupled),
        turn=_cosine(found.with_last_change, found.change, found.last_change),
        alike=_cosine(found.with_last_grad, found.grad_square, found.last_grad),
        kurtosis=_kurtosis(found),
        tail=_over(found.tail, found.ranks),
        hill=_over(found.hill, found.ranks),
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


def histogram_bins(values: Tensor, mask: Tensor) -> Tensor:
    """Counts of each row on the symmetric logarithmic axis: negative, zero, positive; shape (rows, 129)."""
    half = len(HISTOGRAM_EDGES) - 1
    lowest = round(math.log10(HISTOGRAM_EDGES[0]) * 2)
    place = (values.abs().log10() * 2 - lowest).floor().nan_to_num(0).clamp(0, half - 1).long()
    index = torch.where(values > 0, half + 1 + place, torch.where(values < 0, place, half))
    counts = torch.zeros(values.shape[0], 2 * half + 1, device=values.device, dtype=torch.int32)
    return counts.scatter_add_(1, index, (mask & values.isfinite()).int())
