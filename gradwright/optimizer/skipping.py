"""Skipping: a step with a gradient that is not finite is not taken, by any parameter, as if it had not been asked for.

Gradients in the memory of the host are looked at before anything is written. Those of a GPU are looked at there, and
what was found stays there: every write of the step asks for it, and the host, which has counted the step meanwhile,
learns of it when the next one begins and takes its count back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.core.number import shown
from gradwright.core.warn import warn_user
from gradwright.engine import GroupStep, capturing, rows
from gradwright.engine.collective import any_rank, local
from gradwright.engine.step import note
from gradwright.optimizer.full_weights import FullWeights
from gradwright.optimizer.tracked import TrackedState

IN_A_ROW = 100
"""After so many skipped steps without one taken, a warning says that nothing is being trained."""


class Provisional:
    """A step that the host has counted, and of which the device knows whether it was taken.

    Args:
        good: on the device, whether all gradients are finite.
        steps: what was asked of the groups; made before they run.
    """

    def __init__(self, good: Tensor, steps: Iterable[GroupStep]) -> None:
        self._good, self._copied = good, None
        if good.device.type == "cuda":
            self._good = torch.empty((), dtype=torch.bool, device="cpu", pin_memory=True).copy_(good, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(good.device))
        states = [step.states[at] for step in steps for at in step.members]
        self._numbers = [(state, {k: v for k, v in state.items() if isinstance(v, float)}) for state in states]

    def taken(self) -> bool:
        """Whether it was; waits for what the device was asked before that step, and for nothing later."""
        if self._copied is not None:
            self._copied.synchronize()
        return bool(self._good)

    def take_back(self) -> None:
        """Let the host's numbers be those of before the step."""
        for state, numbers in self._numbers:
            for key, value in numbers.items():
                note(state, key, value)
            if isinstance(state, TrackedState):
                state.changes.note()  # whoever remembers how old they are is wrong


class Skipping(FullWeights):
    """What an optimizer knows of steps that it did not take."""

    skip_nonfinite: bool = False
    _skipped: int = 0
    _row: int = 0
    _provisional: Provisional | None = None
    perturbed: bool = False
    """Whether the weights are elsewhere for a moment: within the second evaluation of ``step(closure)``."""

    @property
    def skipped(self) -> int:
        """How many steps were not taken since the optimizer was made, for a gradient that was not finite.

        Of steps on a GPU it waits for the last one.
        """
        self.catch_up()
        return self._skipped

    @property
    def stepped(self) -> bool | None:
        """Whether the last step was taken; ``None`` where only the device knows."""
        return None if self._provisional is not None else self._row == 0

    def catch_up(self) -> None:
        """Learn whether the last step was taken, and take its count back if it was not.

        Raises:
            RuntimeError: the weights are not those of any step, within the closure of one.
        """
        if self.perturbed:
            raise RuntimeError(
                "within the closure of a step that looks twice, the weights are perturbed; step, save, load and "
                "evaluate after step() has returned"
            )
        if self._provisional is None:
            return
        last, self._provisional = self._provisional, None
        if last.taken():
            self._row = 0
            return
        last.take_back()
        for group in self.param_groups:
            group["clock"] -= 1
        self._count()

    def verdict(self, loss: Any) -> bool | Tensor | None:
        """Whether the step that is asked for is to be taken; a tensor where only the device knows.

        Args:
            loss: the step's, where a recipe uses it: one that is not finite counts as such a gradient.

        Raises:
            RuntimeError: the step is being captured in a CUDA graph.
        """
        if not self.skip_nonfinite:
            return None
        if capturing():
            raise RuntimeError(
                "skip_nonfinite=True within a CUDA graph, whose replays count steps before anyone knows whether they "
                "are taken; step outside of the graph, or use a GradScaler"
            )
        every = [param for group in self.param_groups for param in group["params"]]
        params = [param for param in every if param.grad is not None]
        grads: list[Tensor] = [param.grad for param in params if param.grad is not None]
        bad = nonfinite([*grads, *_as_tensors(loss)], every)
        if self._decides_on_host(params, grads):
            good = not bool(bad)
            self._row = 0 if good else self._row
            if not good:
                self._count()
            return good
        return ~bad

    def _decides_on_host(self, params: Sequence[Tensor], grads: Sequence[Tensor]) -> bool:
        """Whether the host knows before the step: nothing is on a GPU, or the step waits for one anyway.

        It does where several kinds of devices have to agree, and where rows that a gradient touches are counted.
        """
        kinds = {param.device.type for param in params}
        by_rows = any(grad.layout != torch.strided for grad in grads)
        return kinds != {"cuda"} or by_rows or any(rows.AGES in self.state.get(param, {}) for param in params)

    def _count(self) -> None:
        self._skipped += 1
        self._row += 1
        if self._row % IN_A_ROW == 0:
            warn_user(
                f"the last {self._row} steps were all skipped, since a gradient was not finite in each: nothing is "
                "being trained. gradwright.observe.Watch names the layer from which it comes"
            )


def checked_flag(value: Any) -> bool:
    """``skip_nonfinite``, if it is a flag.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"skip_nonfinite={shown(value)} is a {type(value).__name__}; give True or False")
    return value


def _as_tensors(loss: Any) -> list[Tensor]:
    """A loss as one tensor, or none where it cannot be one, which the step will refuse."""
    try:
        return (
            []
            if loss is None
            else [(loss if isinstance(loss, Tensor) else torch.as_tensor(loss, device="cpu")).detach()]
        )
    except (TypeError, ValueError, RuntimeError):
        return []


def nonfinite(tensors: Iterable[Tensor], params: Iterable[Tensor]) -> Tensor:
    """Whether there is an entry that is not finite; every rank gets the same answer.

    Args:
        tensors: what is looked at, on this rank.
        params: the parameters, some of which may be spread over ranks.
    """
    return any_rank(_broken(tensors), params)


def _broken(tensors: Iterable[Tensor]) -> Tensor:
    """Whether an entry of these is not finite, on the device of the first; one pass over each."""
    by_kind: dict[Any, list[Tensor]] = {}
    for tensor in map(_entries, tensors):
        if tensor.numel() and tensor.is_floating_point():
            by_kind.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    # the largest magnitude is not finite where an entry is not, and never overflows, as a sum would
    found = [torch.stack(torch._foreach_norm(some, torch.inf)).isfinite().all() for some in by_kind.values()]
    if not found:
        return torch.zeros((), dtype=torch.bool, device="cpu")
    return ~torch.stack([one.to(found[0].device, non_blocking=True) for one in found]).all()


def _entries(tensor: Tensor) -> Tensor:
    """What this rank holds of a gradient, as real numbers; of a sparse one the rows that it has."""
    tensor = local(tensor.detach())
    if tensor.layout != torch.strided:
        tensor = tensor._values() if tensor.is_sparse else tensor.values()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
