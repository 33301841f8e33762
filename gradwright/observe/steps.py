"""What steps are made of: weights before and after, gradients, moments; sampled at watched steps by optimizer hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradwright.observe.sample import sampled
from gradwright.observe.settings import DecayFactors, Decays, decays_of, second_moment

EARLY = 8
"""How many watched gradients make the mean that later ones are compared with."""


@dataclass
class Sampled:
    """One parameter at one watched step; samples are of the same entries."""

    grad: Tensor | None = None
    before: Tensor | None = None
    after: Tensor | None = None
    square: Tensor | None = None
    eps: float = 0.0
    decay: DecayFactors = field(default_factory=DecayFactors)
    whole: Tensor | None = None
    """The gradient itself, for its norm; let go with the window."""


@dataclass
class Past:
    """What is kept of one parameter between watched steps: samples of its gradients and of its last change."""

    grad: Tensor | None = None
    grad_step: int = 0
    change: Tensor | None = None
    after: Tensor | None = None
    """The weights at the last watched step, of parameters that no watched optimizer holds."""
    first: Tensor | None = None
    last: Tensor | None = None
    seen: int = 0

    def remember(self, grad: Tensor, step: int) -> None:
        """A gradient that is not watched itself, for the one of the next step."""
        self.grad, self.grad_step = grad.clone(), step


def average(pasts: Sequence[Past], grads: Sequence[Tensor]) -> None:
    """Add to the means of the first gradients, or let the means of the last ones forget a quarter."""
    by_age: dict[int, list[int]] = {}
    for at, past in enumerate(pasts):
        past.seen += 1
        by_age.setdefault(min(past.seen, EARLY + 8), []).append(at)
    for members in by_age.values():
        some, new, seen = [pasts[at] for at in members], [grads[at] for at in members], pasts[members[0]].seen
        if seen == 1:
            _set(some, "first", torch._foreach_mul(new, 1.0))
        elif seen <= EARLY:
            torch._foreach_lerp_([past.first for past in some], new, 1 / seen)
        elif seen == EARLY + 1:
            _set(some, "last", torch._foreach_mul(new, 1.0))
        else:
            torch._foreach_lerp_([past.last for past in some], new, max(0.125, 1 / (seen - EARLY)))


def _set(pasts: Sequence[Past], name: str, values: Sequence[Tensor]) -> None:
    for past, value in zip(pasts, values):
        setattr(past, name, value)


@dataclass
class StepObserver:
    """Listens to optimizers. Where nothing is watched, a step costs the look at one number.

    Args:
        optimizers: whose steps are seen.
        limit: entries of a sample.
        on_step: called after each step with the optimizer.
    """

    optimizers: list[torch.optim.Optimizer]
    limit: int
    on_step: Callable[[torch.optim.Optimizer], None]
    watching: bool = False
    listening: bool = False
    """Whether the step to come is the one before a watched one, whose gradient is kept."""
    step: int = 0
    found: dict[Tensor, Sampled] = field(default_factory=dict)
    past: dict[Tensor, Past] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._handles = [
            handle
            for optimizer in self.optimizers
            for handle in (
                optimizer.register_step_pre_hook(self._before),
                optimizer.register_step_post_hook(self._after),
            )
        ]

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    @torch._disable_dynamo
    @torch.no_grad()
    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self.watching:
            return
        for _, param in held(optimizer):
            if param not in self.found:  # a second step before the same report is part of the same change
                self.found[param] = Sampled(before=sampled(param, self.limit).clone())

    @torch._disable_dynamo
    @torch.no_grad()
    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if getattr(optimizer, "stepped", None) is False:  # it was asked to, and left the step out
            return
        self.taken[id(optimizer)] = self.taken.get(id(optimizer), 0) + 1
        if self.watching:
            decays = [decays_of(optimizer, group) for group in optimizer.param_groups]
            for decay, group in zip(decays, optimizer.param_groups):
                for param in taking_part(group):
                    self._sample(optimizer, group, param, decay)
        elif self.listening:
            for _, param in held(optimizer):
                if param.grad is not None:
                    self.past.setdefault(param, Past()).remember(sampled(param.grad, self.limit), self.step)
        self.on_step(optimizer)

    def _sample(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], param: Tensor, decay: Decays) -> None:
        found = self.found.setdefault(param, Sampled())
        found.after = sampled(param, self.limit).clone()
        if param.grad is None:
            return
        found.whole, found.grad = param.grad.detach(), sampled(param.grad, self.limit).clone()
        second = second_moment(optimizer, group, param, self.taken[id(optimizer)])
        if second is not None:
            found.square, found.eps = sampled(second.square, self.limit).float() * second.factor, second.eps
        found.decay = decay.of(optimizer, param)

    @torch.no_grad()
    def bystanders(self, params: list[Tensor]) -> None:
        """Add parameters that no optimizer has stepped: the step was skipped, or none that is watched holds them."""
        for param in params:
            if param in self.found and self.found[param].after is not None:
                continue
            past, after = self.past.setdefault(param, Past()), sampled(param, self.limit).clone()
            seen = self.found[param] = Sampled(before=past.after, after=after)
            if param.grad is not None:
                seen.whole, seen.grad = param.grad.detach(), sampled(param.grad, self.limit).clone()
            past.after = after

    def finish(self) -> dict[Tensor, Sampled]:
        """What was sampled since the last call."""
        found, self.found = self.found, {}
        return found


def held(optimizer: torch.optim.Optimizer) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Each group with each of its parameters that has a shape and takes part."""
    for group in optimizer.param_groups:
        for param in taking_part(group):
            yield group, param


def taking_part(group: dict[str, Any]) -> Iterator[Tensor]:
    """The parameters of a group that have a shape and are trained."""
    return (p for p in group["params"] if p.requires_grad and not torch.nn.parameter.is_lazy(p))
