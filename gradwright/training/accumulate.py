"""Gradient accumulation that is one large batch: ragged micro-batches, several ranks, and losses that are not finite.

A mean over micro-batches of means over tokens gives the tokens of a short micro-batch more weight. The gradient of the
large batch is Σ ∇(sum of losses) / N, with N all targets that count in the window, over micro-batches and ranks::

    window = Window(model.parameters())
    for inputs, labels in micro_batches:
        losses = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        window.backward(losses, count_targets(labels))
    result = window.close()              # gradients are right from here on: clip, step
    optimizer.step()

Dropout and batch statistics are still those of the micro-batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor


def count_targets(labels: Tensor, *, ignore_index: int = -100, shift: bool = False) -> int:
    """How many labels count.

    Args:
        labels: class indices of any shape; with ``shift`` the last dimension is time.
        ignore_index: the label that does not count, as in ``torch.nn.functional.cross_entropy``.
        shift: the model compares position t with label t + 1 inside, as language models do that are given the inputs as
            labels: the first column is then no target of anything.

    Raises:
        ValueError: ``labels`` is a single number and ``shift`` is asked for.

    Example:
        >>> labels = torch.tensor([[5, 6, 7, -100], [8, 9, -100, -100]])
        >>> count_targets(labels), count_targets(labels, shift=True)
        (5, 3)
    """
    if shift:
        if labels.dim() == 0:
            raise ValueError("count_targets: shift=True needs labels with a time dimension, got a single number")
        labels = labels[..., 1:]
    return int((labels != ignore_index).sum())


class Closed(NamedTuple):
    """What a window held, over all ranks.

    Attributes:
        loss: the mean loss of a target that counted; NaN where there was none.
        targets: how many counted.
        skipped: micro-batches that were left out because their loss was not finite.
    """

    loss: float
    targets: int
    skipped: int


class Window:
    """Accumulates the gradient of one large batch in ``p.grad`` from micro-batches of any size.

    Begin with clear gradients, call :meth:`backward` for each micro-batch and :meth:`close` once, then clip and step.
    The optimizer must not step in between, and gradients must not be clipped in between: the norm is that of the
    window only at its end.

    On several ranks each calls ``backward`` equally often. ``gradients`` says what has become of them then:

    - ``"averaged"``: each backward averages over the ranks, as DistributedDataParallel and FSDP do. Ranks agree on
      every micro-batch whether to leave it out, since one that left it out alone would keep the others waiting.
    - ``"summed"``: the same, where each backward sums over the ranks.
    - ``"local"``: nothing has happened, as where the whole window runs within ``no_sync``. :meth:`close` sums them, and
      each rank leaves out its own micro-batches alone. This is the way to communicate once a window: with ``no_sync``
      around all micro-batches but the last, gradients would never meet where the last is left out.

    Args:
        params: the parameters, for the weights that :meth:`close` corrects.
        planned: N, where it is known beforehand, over all ranks: gradients then have their final size from the start,
            which half types and optimizers without a gradient buffer need. Otherwise sums are divided at the end.
        gradients: what happens across ranks; plays no part on a single one.
        group: the process group of the ranks; the default group if not given.

    Raises:
        ValueError: ``planned`` or ``gradients`` make no sense.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        planned: float | None = None,
        *,
        gradients: Literal["averaged", "summed", "local"] = "averaged",
        group: Any = None,
    ) -> None:
        if planned is not None and not 0 < planned < math.inf:
            raise ValueError(f"Window: planned={planned} must be a finite number of targets above 0")
        if gradients not in ("averaged", "summed", "local"):
            raise ValueError(f"Window: gradients={gradients!r} is unknown; known are averaged, summed, local")
        self.params = list(params)
        if not self.params or not all(isinstance(param, Tensor) for param in self.params):
            raise TypeError("Window: params must be the model's parameters, such as model.parameters()")
        self.planned, self.gradients, self.group = planned, gradients, group
        self.ranks = dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1
        self._loss, self._targets, self._skipped, self._closed = 0.0, 0.0, 0, False

    @property
    def weight(self) -> float:
        """What a sum of losses is multiplied by before its backward."""
        averaged = self.ranks if self.gradients == "averaged" else 1
        return averaged / (1.0 if self.planned is None else self.planned)

    def backward(self, losses: Tensor, targets: float, *, scale: Callable[[Tensor], Tensor] | None = None) -> bool:
        """Add the gradient of one micro-batch.

        Args:
            losses: the *sum* of its losses, 0-d and differentiable. A loss that is a mean by itself (the balance
                of a mixture of experts) is added as ``mean * targets``.
            targets: over how many targets it is the sum; may be 0.
            scale: applied before backward; give a ``GradScaler``'s ``scale``.

        Returns:
            Whether the micro-batch was taken. One whose loss is not finite is counted as skipped; its targets count
            nowhere.

        Raises:
            RuntimeError: the window is closed.
            ValueError: ``losses`` is no single number, or ``targets`` no number from 0 on.
        """
        if self._closed:
            raise RuntimeError("Window.backward: this window is closed; make a new one for the next step")
        if losses.numel() != 1:
            raise ValueError(
                f"Window.backward: losses has shape {tuple(losses.shape)}; give their sum, as reduction='sum' makes it"
            )
        if not 0 <= targets < math.inf:
            raise ValueError(f"Window.backward: targets={targets} must be a number from 0 on; see count_targets")
        value = float(losses.detach())
        broken = float(not math.isfinite(value))
        if self.ranks > 1 and self.gradients != "local":
            [agreed] = self._summed(broken)
        else:
            agreed = broken
        if agreed:
            self._skipped += int(broken)
            return False
        weighted = losses.reshape(()) * self.weight
        (weighted if scale is None else scale(weighted)).backward()
        self._loss += value
        self._targets += float(targets)
        return True

    @torch.no_grad()
    def close(self) -> Closed:
        """Give the gradients their final weights; with ``gradients="local"`` sum them over the ranks as well.

        Raises:
            RuntimeError: the window is closed already.
        """
        if self._closed:
            raise RuntimeError("Window.close: this window is closed already; its gradients have their weights")
        self._closed = True
        loss, targets, skipped = self._loss, self._targets, float(self._skipped)
        if self.ranks > 1:
            loss, targets, skipped = self._summed(loss, targets, skipped)
            if self.gradients == "local":
                self._sum_gradients()
        present = 1.0 if self.planned is None else self.planned
        if targets > 0 and targets != present:
            found = [param.grad for param in self.params if param.grad is not None]
            if found:
                torch._foreach_mul_(found, present / targets)
        return Closed(loss / targets if targets else math.nan, round(targets), int(skipped))

    def _summed(self, *values: float) -> list[float]:
        """Each value summed over the ranks, in float64 where the device has it."""
        device = self.params[0].device
        wide = torch.float32 if device.type == "mps" else torch.float64
        both = torch.tensor(values, dtype=wide, device=device)
        dist.all_reduce(both, group=self.group)
        return both.tolist()

    def _sum_gradients(self) -> None:
        for param in self.params:
            if param.requires_grad:
                # a rank whose micro-batches never reached a parameter takes part all the same
                if param.grad is None:
                    param.grad = torch.zeros_like(param)
                dist.all_reduce(param.grad, group=self.group)
