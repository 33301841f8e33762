"""From the samples of a watched step to numbers: computed where the tensors are, brought to the host later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.observe.probes import SUMS, StepSamples, Sums, histogram_bins, largest, probe, sums
from gradwright.observe.ranks import over_ranks
from gradwright.observe.record import Histogram, ParameterProbe
from gradwright.observe.sample import local, rows, wide_type
from gradwright.observe.settings import DecayFactors
from gradwright.observe.steps import Past, Sampled, average

ROWS = 256
"""How many parameters are measured at once: a bound on temporary memory."""


@dataclass(frozen=True)
class Measured:
    """Some parameters of one device at one watched step, still on it.

    Attributes:
        names: of the parameters.
        decay: of each.
        scale: of each, how many entries one of the sample stands for.
        absent: of each, whether it had no gradient.
        moved: of each, whether its weights before the step are known.
        numbers: sums, largest entry and the three products of early and late gradients, shape (names, len(SUMS) + 4).
        bins: histograms of weight, gradient and change, shape (3, names, 129); None where they are not wanted.
    """

    names: tuple[str, ...]
    decay: tuple[DecayFactors, ...]
    scale: tuple[float, ...]
    absent: tuple[bool, ...]
    moved: tuple[bool, ...]
    numbers: Tensor
    bins: Tensor | None


def measure(
    found: dict[Tensor, Sampled],
    past: dict[Tensor, Past],
    names: dict[Tensor, str],
    step: int,
    *,
    histograms: bool,
) -> list[Measured]:
    """The numbers of a watched step, some parameters at a time; the past moves on to this step."""
    measured = []
    by_device: dict[torch.device, list[Tensor]] = {}
    for param in names:
        if param in found and found[param].after is not None:
            by_device.setdefault(found[param].after.device, []).append(param)  # type: ignore[union-attr]
    for device, params in by_device.items():
        for some in _alike_in_size(params):
            samples = [found[param] for param in some]
            pasts = [past.setdefault(param, Past()) for param in some]
            measured.append(_measured(some, samples, pasts, [names[p] for p in some], device, step, histograms))
            _move_on(samples, pasts, step)
    return measured


def _alike_in_size(params: Sequence[Tensor]) -> list[list[Tensor]]:
    """Parameters that differ in size by less than four times, so that rows are not mostly padding.

    By their global sizes, so that the ranks of a distributed run make the same groups.
    """
    classes: dict[int, list[Tensor]] = {}
    for param in params:
        classes.setdefault(min(param.numel(), 1 << 14).bit_length() // 2, []).append(param)
    return [some[at : at + ROWS] for some in classes.values() for at in range(0, len(some), ROWS)]


def _measured(
    params: Sequence[Tensor],
    samples: Sequence[Sampled],
    pasts: Sequence[Past],
    names: Sequence[str],
    device: torch.device,
    step: int,
    histograms: bool,
) -> Measured:
    width = max(1, max(sample.after.numel() for sample in samples))  # type: ignore[union-attr]
    seen = _samples(samples, pasts, width, device, step)
    averages = _early_and_late(pasts, width, device)
    numbers = torch.cat([sums(seen), averages.to(seen.grad.dtype)], 1)
    most = largest(seen.grad)
    numbers, most = over_ranks(numbers, most, params)
    bins = None
    if histograms:
        shown = (seen.after, seen.grad, seen.after - seen.before)
        bins = torch.stack([histogram_bins(each, seen.entries) for each in shown])
    return Measured(
        tuple(names),
        tuple(sample.decay for sample in samples),
        tuple(_entries(param) / max(1, sample.after.numel()) for param, sample in zip(params, samples)),  # type: ignore[union-attr]
        tuple(sample.grad is None for sample in samples),
        tuple(sample.before is not None for sample in samples),
        torch.cat([numbers, most[:, None].to(numbers.dtype)], 1),
        bins,
    )


def _entries(param: Tensor) -> int:
    return local(param).numel()


def _samples(
    samples: Sequence[Sampled], pasts: Sequence[Past], width: int, device: torch.device, step: int
) -> StepSamples:
    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=wide_type(device), device=device)[:, None]

    last = [p.grad if p.grad_step == step - 1 and _alike(p.grad, s.grad) else None for p, s in zip(pasts, samples)]
    change = [p.change if _alike(p.change, s.after) else None for p, s in zip(pasts, samples)]
    grad = rows([sample.grad for sample in samples], width, device)
    return StepSamples(
        entries=column([float(sample.after.numel()) for sample in samples]),  # type: ignore[union-attr]
        before=rows([sample.after if sample.before is None else sample.before for sample in samples], width, device),
        after=rows([sample.after for sample in samples], width, device),
        grad=grad,
        square=rows([sample.square for sample in samples], width, device),
        eps=column([sample.eps for sample in samples]),
        coupled=column([sample.decay.coupled for sample in samples]),
        last_grad=rows(last, width, device),
        last_change=rows(change, width, device),
        norm=norms([sample.whole for sample in samples], grad),
    )


def norms(grads: Sequence[Tensor | None], like: Tensor) -> Tensor:
    """Σ g² of whole gradients, shape (rows, 1); 0 where there is none."""
    found = torch.zeros(len(grads), 1, dtype=like.dtype, device=like.device)
    there = [at for at, grad in enumerate(grads) if grad is not None]
    if there:
        whole = [local(grads[at]) for at in there]  # type: ignore[arg-type]
        sizes = torch._foreach_norm(whole, dtype=like.dtype)
        found[torch.tensor(there, device=like.device), 0] = torch.stack(list(sizes)).square()
    return found


def _alike(past: Tensor | None, now: Tensor | None) -> bool:
    return past is not None and now is not None and past.shape == now.shape and past.device == now.device


def _early_and_late(pasts: Sequence[Past], width: int, device: torch.device) -> Tensor:
    """⟨a, b⟩, ⟨a, a⟩ and ⟨b, b⟩ of the mean gradients of the first and of the last watched steps; shape (rows, 3)."""
    there = [each.first is not None and each.last is not None and each.first.device == device for each in pasts]
    if not any(there):
        return torch.full((len(pasts), 3), math.nan, device=device)
    first = rows([each.first if has else None for each, has in zip(pasts, there)], width, device)
    last = rows([each.last if has else None for each, has in zip(pasts, there)], width, device)
    found = torch.stack([torch.linalg.vecdot(a, b) for a, b in ((first, last), (first, first), (last, last))], 1)
    return found if all(there) else torch.where(torch.tensor(there, device=device)[:, None], found, math.nan)


def _move_on(samples: Sequence[Sampled], pasts: Sequence[Past], step: int) -> None:
    for sample in samples:
        sample.whole = None
    seen = [(past, sample.grad) for sample, past in zip(samples, pasts) if sample.grad is not None]
    for past, grad in seen:
        past.grad, past.grad_step = grad, step
    if seen:
        average([past for past, _ in seen], [grad.float() for _, grad in seen])
    moved = [(p, s.after, s.before) for s, p in zip(samples, pasts) if s.before is not None and s.after is not None]
    if moved:
        changes = torch._foreach_sub([after.float() for _, after, _ in moved], [before.float() for *_, before in moved])
        for (past, *_), change in zip(moved, changes):
            past.change = change


@dataclass
class Whole:
    """What all parameters of a step come to together."""

    norm: float = math.nan
    slope: float = math.nan
    alike: float = math.nan
    kept: float = math.nan


def read(measured: Measured, numbers: list[list[float]]) -> dict[str, ParameterProbe]:
    """The probes of some parameters from their numbers on the host."""
    found = {}
    for at, name in enumerate(measured.names):
        *these, _, _, _, most = numbers[at]
        found[name] = (
            ParameterProbe(absent=True, weight=_weight(these))
            if measured.absent[at]
            else probe(Sums(*these), most, *measured.decay[at], moved=measured.moved[at])
        )
    return found


def _weight(these: list[float]) -> float:
    found = Sums(*these)
    return math.sqrt(found.weight_after / found.entries) if found.entries and found.weight_after >= 0 else math.nan


def whole(pieces: Sequence[tuple[Measured, list[list[float]]]]) -> Whole:
    """Norm and cosines over all parameters; each sample counts for the entries that it stands for."""
    total = dict.fromkeys(("norm", "slope", "product", "square", "last", "kept", "first", "late"), 0.0)
    for measured, numbers in pieces:
        for at, row in enumerate(numbers):
            found, scale = Sums(*row[: len(SUMS)]), measured.scale[at]
            if not measured.absent[at]:
                total["norm"] += found.norm
                total["slope"] += scale * found.slope if measured.moved[at] else 0.0
            if found.last_grad > 0:
                _add(total, scale, product=found.with_last_grad, square=found.grad_square, last=found.last_grad)
            kept, first, late = row[len(SUMS) : len(SUMS) + 3]
            _add(total, scale, kept=kept, first=first, late=late)
    return Whole(
        math.sqrt(total["norm"]) if total["norm"] >= 0 else math.nan,
        total["slope"],
        _cosine(total["product"], total["square"], total["last"]),
        _cosine(total["kept"], total["first"], total["late"]),
    )


def _add(total: dict[str, float], scale: float, **values: float) -> None:
    if not any(math.isnan(value) for value in values.values()):
        for name, value in values.items():
            total[name] += scale * value


def _cosine(product: float, a: float, b: float) -> float:
    return product / math.sqrt(a * b) if a > 0 and b > 0 else math.nan


def histogram(counts: Sequence[int]) -> Histogram:
    """From the 129 counts of one parameter."""
    half = len(counts) // 2
    return Histogram(tuple(counts[:half]), counts[half], tuple(counts[half + 1 :]))
