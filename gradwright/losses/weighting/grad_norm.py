"""GradNorm: weights of several tasks, moved until all train at a like rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradwright.losses.batch import checks


class GradNorm(nn.Module):
    """Weights wᵢ of task losses Lᵢ, led by the norms of their gradients on shared parameters W.

    nᵢ = ‖∇_W Lᵢ‖,  Gᵢ = wᵢ nᵢ,  rᵢ = (Lᵢ / Lᵢ(0)) / mean,  Tᵢ = mean(G) rᵢ^α
    wᵢ ← wᵢ − lr · nᵢ sign(Gᵢ − Tᵢ), then scaled so that Σ wᵢ is the number of tasks.

    The step is the exact gradient of Σ |Gᵢ − Tᵢ| with T held constant, as the paper says. Gᵢ depends on wᵢ as a factor
    only, so no graph of the gradient is needed: one ordinary gradient for each task, no double backward, and nothing
    is added to ``.grad`` of any parameter.

    Args:
        tasks: how many, at least 1.
        alpha: α ≥ 0, how strongly tasks that lag are favoured; 1.5, as the paper's runs on images. 0 makes all norms
            equal.
        lr: step size of the weights, > 0; 0.025.
        initial: what Lᵢ(0) is: ``"first"``, the losses of the first call, or numbers > 0, one for each task. A C-way
            cross-entropy starts in theory at ln C, which does not depend on a lucky initialisation.
        floor: the least weight, > 0; 1e-3. The paper has none, and a weight may then turn negative.

    Calling it with the losses and the shared parameters (the last shared layer, say) gives Σ wᵢ Lᵢ at the present
    weights and then moves them. In ``eval()``, or without gradients, it only sums. A task with no gradient on W (absent
    from this batch) keeps its weight and is left out of the means. Under an initialised ``torch.distributed`` norms and
    losses are averaged over ranks first, so that weights stay equal. Give losses that are not scaled by a
    ``GradScaler``, or all scaled alike.

    Raises:
        ValueError: settings out of range, as many losses as there are not tasks, an Lᵢ(0) that is not above 0.

    Reference: arXiv:1711.02257 (Chen et al., ICML 2018).

    >>> w = nn.Parameter(torch.ones(2))
    >>> balance = GradNorm(2, initial=[4.0, 4.0])
    >>> total = balance([(4 * w[0]) - 2, w[1] + 2], w)
    >>> balance.weights
    tensor([0.9351, 1.0649])
    """

    weights: Tensor
    initial: Tensor

    def __init__(
        self,
        tasks: int,
        alpha: float = 1.5,
        lr: float = 0.025,
        *,
        initial: Literal["first"] | Sequence[float] | Tensor = "first",
        floor: float = 1e-3,
    ) -> None:
        super().__init__()
        if tasks < 1:
            raise ValueError(f"tasks={tasks} must be at least 1")
        self.tasks = tasks
        self.alpha = checks.number("alpha", alpha, 0.0, math.inf)
        self.lr = checks.number("lr", lr, 0.0, math.inf, open_low=True)
        self.floor = checks.number("floor", floor, 0.0, 1.0, open_low=True)
        if isinstance(initial, str):
            if initial != "first":
                raise ValueError(f"initial={initial!r} is unknown; choose 'first' or give one number for each task")
            start = torch.full((tasks,), math.nan)
        else:
            start = torch.as_tensor(initial, dtype=torch.float32)
            if start.shape != (tasks,):
                raise ValueError(f"initial has shape {tuple(start.shape)}; it must hold {tasks} numbers, one a task")
            self._check_initial(start)
        self.register_buffer("weights", torch.ones(tasks))
        self.register_buffer("initial", start)

    def forward(self, losses: Sequence[Tensor], shared: Tensor | Iterable[Tensor]) -> Tensor:
        """Σ wᵢ Lᵢ; then, in training, one step of the weights."""
        if len(losses) != self.tasks:
            raise ValueError(f"losses holds {len(losses)} numbers; this balances {self.tasks} tasks")
        total = sum(weight * loss for weight, loss in zip(self.weights.clone(), losses))
        assert isinstance(total, Tensor), "there is at least one task"
        if self.training and torch.is_grad_enabled():
            parameters = [shared] if isinstance(shared, Tensor) else list(shared)
            self.update(torch.stack([gradient_norm(loss, parameters) for loss in losses]), torch.stack(list(losses)))
        return total

    @torch.no_grad()
    def update(self, norms: Tensor, losses: Tensor) -> None:
        """One step of the weights, given the norms nᵢ and the losses Lᵢ."""
        norms = norms.detach().to(self.weights).clone()
        losses = losses.detach().to(self.weights).clone()
        if dist.is_available() and dist.is_initialized():
            for values in (norms, losses):
                dist.all_reduce(values)
                values /= dist.get_world_size()
        if bool(self.initial.isnan().any()):
            self._check_initial(losses)
            self.initial.copy_(losses)
        present = (norms > 0) & norms.isfinite() & losses.isfinite()
        if not bool(present.any()):
            return
        norms, losses = torch.where(present, norms, 0.0), torch.where(present, losses, 0.0)
        size = self.weights * norms
        rate = losses / self.initial
        pace = rate[present].mean()
        rate = rate / pace if bool(pace > 0) else torch.ones_like(rate)
        aim = size[present].mean() * rate.clamp(min=0.0) ** self.alpha
        step = torch.where(present, norms * (size - aim).sign(), 0.0)
        moved = (self.weights - self.lr * step).clamp(min=self.floor)
        self.weights.copy_(moved * (self.tasks / moved.sum()))

    @staticmethod
    def _check_initial(start: Tensor) -> None:
        wrong = ~((start > 0) & start.isfinite())
        why = "a starting loss must be above 0 and finite, as rates divide by it; give the numbers as initial"
        checks.refuse(wrong, start, checks.entry("initial"), why)


def gradient_norm(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """‖∇ loss‖ over parameters, in float32 at least; adds nothing to ``.grad`` and leaves the graph in place."""
    grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    square = [grad.detach().float().square().sum() for grad in grads if grad is not None]
    return torch.stack(square).sum().sqrt() if square else loss.new_zeros((), dtype=torch.float32)
