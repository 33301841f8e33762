"""Two passes: what ``step(closure)`` does for methods that ask for a gradient elsewhere, beside the one at the weights.

The weights are put back by value, whatever happens, since θ + e − e is not θ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradwright.core import Chain, Context, ParamSpec, Slot
from gradwright.core.second_look import SecondLook
from gradwright.engine import run
from gradwright.engine.access import as_real
from gradwright.engine.step import StepCoroutine
from gradwright.optimizer.arrays import values_of
from gradwright.optimizer.replay import RandomState, frozen_statistics
from gradwright.optimizer.skipping import Skipping, nonfinite

Evaluate = Callable[[], Any]


class Looked(NamedTuple):
    """A parameter whose recipe looks twice."""

    param: Tensor
    group: dict[str, Any]
    link: SecondLook
    name: str
    spec: ParamSpec

    @property
    def sign(self) -> float:
        """Turns its gradient uphill in what the group makes small."""
        return -1.0 if self.group["maximize"] else 1.0


def second_look_of(chain: Chain) -> tuple[str, SecondLook] | None:
    """The link of a chain that looks twice, with its name; ``None`` where there is none."""
    found = [(name, link) for name, link in chain.children().items() if isinstance(link, SecondLook)]
    return found[0] if found else None


class TwoPasses:
    """One step of an optimizer of which some recipe looks twice.

    Args:
        optimizer: whose step.
        model: whose running statistics the second pass leaves alone; of all modules that it calls if not given.
        first_pass: within what the first pass runs, such as ``model.no_sync``.

    Raises:
        ValueError: recipes look twice in several ways, or ``first_pass`` does not go with theirs.
        RuntimeError: gradients are released, or this is within the closure of another step.
    """

    def __init__(
        self,
        optimizer: Skipping,
        model: nn.Module | None = None,
        first_pass: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self.optimizer, self.model = optimizer, model
        self.first_pass = first_pass or nullcontext
        self.looked = list(_looked(optimizer))
        self.first: dict[Tensor, Tensor] = {}
        self.losses: list[Any] = []
        self.broken = False
        self._good: Tensor | None = None
        self._changed: list[tuple[Looked, dict[str, Any]]] = []
        kinds = {type(one.link): one for one in self.looked}
        if len(kinds) > 1:
            names = " and ".join(sorted(one.group["recipe"] for one in kinds.values()))
            raise ValueError(f"{names} look twice in different ways; all that do in one optimizer do it alike")
        if first_pass is not None and any(one.link.same_on_all_ranks for one in self.looked):
            raise ValueError(
                f"{self.looked[0].group['recipe']} keeps more of the first gradient than where to look again, so that "
                "ranks with first gradients of their own would part; leave out first_pass"
            )

    @property
    def every(self) -> list[Tensor]:
        """All parameters of the optimizer, in order."""
        return [param for group in self.optimizer.param_groups for param in group["params"]]

    def evaluate(self, evaluate: Evaluate, inverse: float = 1.0, wait: bool = False) -> Any:
        """Evaluate at the weights, and once more where the recipes say; returns what the first came to.

        Args:
            evaluate: leaves gradients and returns the loss.
            inverse: what gradients are multiplied by to be those of the loss.
            wait: whether to ask a device if the first gradients are finite, and not to look again if not.
        """
        before = RandomState(self.every)
        with self.first_pass():
            loss = evaluate()
        self.losses = [loss]
        self._take_first(inverse)
        if (wait or self.optimizer.skip_nonfinite) and self._stops(wait):
            return loss
        if not any(one.link.looks(one.group["clock"] + 1.0) for one in self.looked):
            return loss
        after = RandomState(self.every)
        try:
            before.restore()
            self._look_again(evaluate)
        finally:
            after.restore()
        return loss

    @torch.no_grad()
    def _stops(self, wait: bool) -> bool:
        """Whether the step is not to be taken for its first gradients; where only a device knows, it has to ask it."""
        bad = nonfinite(list(self.first.values()), self.every)
        if wait or bad.device.type == "cpu":
            self.broken = bool(bad)
        else:
            self._good = ~bad
        return self.broken

    @torch.no_grad()
    def _take_first(self, inverse: float) -> None:
        """Copies of the gradients, which backward will write again."""
        for one in self.looked:
            grad = one.param.grad
            if grad is None:
                continue
            if grad.layout != torch.strided:
                raise ValueError(
                    f"{one.group['recipe']}: the gradient of {one.spec} is sparse, and rows that rest cannot be looked "
                    "at twice; use nn.Embedding(sparse=False), or give the table a recipe that does not look twice"
                )
            copy = as_real(grad).to(one.spec.computing_dtype, copy=True)
            factor = inverse * one.sign
            self.first[one.param] = copy.mul_(factor) if factor != 1.0 else copy

    def _look_again(self, evaluate: Evaluate) -> None:
        """Evaluate at the perturbed weights; they stand as before afterwards, bit for bit, whatever is raised."""
        moved = self._perturbations()
        held = [(param, param.detach().clone()) for param, _ in moved]
        self.optimizer.perturbed = True
        try:
            with torch.no_grad():
                for param, e in moved:
                    as_real(param.detach()).add_(e)
                for param in self.every:
                    param.grad = None
            moved.clear()
            with frozen_statistics(self.model):
                self.losses.append(evaluate())
        finally:
            self.optimizer.perturbed = False
            with torch.no_grad():
                for param, value in held:
                    param.copy_(value)

    @torch.no_grad()
    def _perturbations(self) -> list[tuple[Tensor, Tensor]]:
        answers: list[tuple[Tensor, Tensor]] = []

        def one(looked: Looked) -> StepCoroutine:
            g = self.first[looked.param]
            e = yield from _walked(looked.link.perturb(g, self._state(looked), self._context(looked, g)))
            if self._good is not None:  # the step will not be taken, and the closure shall not meet weights of NaN
                e = torch.where(self._good.to(e.device), e, 0.0)
            answers.append((looked.param, e))
            return {}

        run(one(looked) for looked in self.looked if looked.param in self.first)
        return answers

    @property
    def second_loss(self) -> Any:
        """What the second evaluation came to; ``None`` where there was none."""
        return self.losses[1] if len(self.losses) > 1 else None

    @torch.no_grad()
    def combine(self) -> None:
        """Let gradients be what the recipes make of both; they and new state are kept apart until the step is taken."""
        if self.broken:
            return
        again = len(self.losses) > 1
        second = {one.param: one.param.grad for one in self.looked} if again else {}

        def one(looked: Looked) -> StepCoroutine:
            first, later = self.first.pop(looked.param), second.get(looked.param)
            if again and later is None:
                return {}  # the loss did not reach it there
            g = None if later is None else looked.sign * as_real(later).to(looked.spec.computing_dtype)
            answer = looked.link.combine(first, g, self._state(looked), self._context(looked, first))
            u, changed = yield from _walked(answer)
            if u is not g:  # gradients may be somebody else's, or of one number at all places
                looked.param.grad = _like(looked.sign * u, looked.param)
            self._changed.append((looked, changed))
            return {}

        run([one(looked) for looked in self.looked if looked.param in self.first])

    @torch.no_grad()
    def keep(self, good: Tensor | None) -> None:
        """The step is taken: write what the recipes remember of both gradients.

        Args:
            good: on a device, whether it is; ``None`` if so.
        """
        for looked, changed in self._changed:
            state, slots = self.optimizer.state[looked.param], looked.link.slots(looked.spec)
            for key, value in changed.items():
                slot = slots[key]
                assert isinstance(slot, Slot)
                names = slot.arrays_for(f"{looked.name}.{key}", looked.spec)
                for name, array in zip(names, slot.storage_for(looked.spec).encode(value)):
                    now = as_real(state[name])
                    now.copy_(array if good is None else torch.where(good, array.to(now.dtype), now))

    def _state(self, looked: Looked) -> dict[str, Any]:
        """What the link keeps, by its own names."""
        slots = looked.link.slots(looked.spec)
        if slots and any(f"{looked.name}.{key}" not in self.optimizer.state.get(looked.param, {}) for key in slots):
            chain = self.optimizer.chain_of(looked.group)
            self.optimizer.settle_in(looked.param, looked.group, chain)
        return {key: as_real(values_of(self.optimizer.state[looked.param], f"{looked.name}.{key}")) for key in slots}

    def _context(self, looked: Looked, g: Tensor) -> Context:
        param = as_real(looked.param.detach()).to(looked.spec.computing_dtype)
        age = self.optimizer.state.get(looked.param, {}).get("step", 0.0) + 1.0
        return Context(param, g, age, looked.group["clock"] + 1.0, None, looked.spec)


def _like(u: Tensor, param: Tensor) -> Tensor:
    """An update as a gradient of its parameter."""
    return torch.view_as_complex(u.contiguous()).to(param.dtype) if param.is_complex() else u.to(param.dtype)


def _walked(answer: Any) -> Any:
    """What a pure function answers, whether it yields totals or not."""
    if hasattr(answer, "send"):
        answer = yield from answer
    return answer


def _looked(optimizer: Skipping) -> Iterator[Looked]:
    for group in optimizer.param_groups:
        if (found := second_look_of(optimizer.chain_of(group))) is not None:
            name, link = found
            shaped = [param for param in group["params"] if not is_lazy(param)]
            yield from (Looked(param, group, link, name, optimizer.spec_of(param)) for param in shaped)
