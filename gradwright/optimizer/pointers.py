"""PointerCache: the one answer to "may this pointer be used"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_, itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.collective import is_spread, local, spread_like
from gradwright.native.known import look_at_gradients_in_python
from gradwright.native.tensors import Known, Verdict, extent, look, look_at_gradients, stretches
from gradwright.optimizer.tracked import TrackedState

State = dict[str, Any]


class PointerCache:
    """A group's parameters and their state, and where they lie; of what is spread over ranks, where this rank's part.

    A pointer may be used only if, at this step, the tensor is the one that was looked at, or another that is just like
    it: same shape, strides, type and device, and a storage that is large enough. All of that is asked of every tensor
    at every step, since anybody may move, cut, replace or empty any of them in between.

    Args:
        params: the parameters that have state.
        states: their state.
        keys: for each, the slots that are tensors of its own.

    Attributes:
        version: another number whenever state lies elsewhere than before.
        shared: the parameters that share memory with others, or with state.
        odd: the parameters that have no memory of their own.
        unfit: the parameters whose gradients cannot be read where they lie.
        alone: the parameters that only plain torch can step with the gradients that there are, one after another.
        present: which parameters have a gradient; ``None`` where all have.
    """

    def __init__(self, params: Sequence[Tensor], states: Sequence[State], keys: Sequence[Sequence[str]]) -> None:
        self.params, self.states = list(params), list(states)
        self.odd = frozenset(at for at, param in enumerate(params) if not _is_plain(local(param)))
        self.version = 0
        self.unfit: frozenset[int] = frozenset()
        self.alone: frozenset[int] = frozenset()
        self.present: np.ndarray | None = None
        self._served = [at for at in range(len(params)) if at not in self.odd]
        self._spread = [k for k, at in enumerate(self._served) if is_spread(params[at])]
        """Those among them that are spread over ranks."""
        self._own = params if not self.odd else [params[at] for at in self._served]
        self._holders: dict[str, list[int]] = {}
        for at in self._served:
            for key in keys[at]:
                self._holders.setdefault(key, []).append(at)
        tellers = {state.changes if isinstance(state, TrackedState) else None for state in states}
        self.changes = tellers.pop() if len(tellers) == 1 else None
        if self.changes is not None:
            self.changes.held.clear()
        self._columns = [(itemgetter(key), [states[at] for at in found]) for key, found in self._holders.items()]
        self._whose = np.concatenate([self._served, *self._holders.values()]).astype(np.int64)
        self._held: Any = self._tensors()
        self._known = Known(self._held)
        self._items = np.array([dtype.itemsize for dtype, *_ in self._known.shapes], np.int64)
        self._devices = [device for _, device, _, _ in self._known.shapes]
        self._gradients = Known(self._held[: len(self._own)])
        self._places: dict[str, np.ndarray] = {}
        self._looked: int | None = None
        self._place()
        self.shared = self._overlapping()

    def _tensors(self) -> list[Tensor]:
        """Parameters and state, as they stand now."""
        kept = None if self.changes is None else self.changes.held.get(id(self))
        if kept is not None:
            return kept
        found = list(self._own)
        for get, states in self._columns:
            found += map(get, states)
        if self._spread:
            return list(map(local, found))  # which others may exchange without a word
        if self.changes is not None:
            self.changes.held[id(self)] = found
        return found

    @property
    def unchanged(self) -> int | None:
        """A number that is the same for as long as nobody changes an entry of the state; ``None`` if nobody tells."""
        return None if self.changes is None else self.changes.count

    def _place(self) -> None:
        """Where everything lies, by name and parameter."""
        pointers, count = self._known.pointers, len(self.params)
        self._owners = pointers[: len(self._own)].copy()
        begin = 0
        for name, holders in (("param", self._served), *self._holders.items()):
            place = np.zeros(count, np.int64)
            place[holders] = pointers[begin : begin + len(holders)]
            self._places[name] = place
            begin += len(holders)
        self._begins = pointers.copy()
        self._ends = pointers + np.array(self._known.bytes, np.int64)
        self._written = stretches(self._begins, self._ends)

    def _overlapping(self) -> frozenset[int]:
        """The parameters of which some memory, their own or of their state, is another's too, or lies askew."""
        owners, begins, ends = self._whose, self._begins, self._ends
        askew = frozenset(owners[begins % self._items != 0].tolist())
        order = np.argsort(begins, kind="stable")
        order = order[ends[order] > begins[order]]
        reach = np.maximum.accumulate(ends[order]) if len(order) else ends[order]
        inside = begins[order][1:] < reach[:-1]
        if not inside.any():
            return askew
        found: set[int] = set()
        for device in set(self._devices):  # addresses of two devices have nothing to do with each other
            last, whose = -1, -1
            for at in order.tolist():
                if self._devices[at] != device:
                    continue
                if begins[at] < last:
                    found |= {whose, int(owners[at])}
                if ends[at] > last:
                    last, whose = int(ends[at]), int(owners[at])
        return askew | found

    def still(self) -> bool:
        """Whether all pointers may be used, after those of state that moved were brought up to date."""
        try:
            found = self._tensors()
            again = self._looked == self.unchanged is not None and not self._spread
            self._looked = self.unchanged
            verdict = look(self._known, found, again)
            self._held = found
        except (KeyError, AttributeError, TypeError):  # an entry is gone, or no tensor
            return False
        if verdict == Verdict.SAME:
            return True
        if verdict == Verdict.OTHER or self._known.verdicts[: len(self._own)].any():
            return False
        self._place()
        self.version += 1
        return self._overlapping() == self.shared

    def look_at_gradients(self, refuse: Callable[[Tensor, Tensor], None]) -> None:
        """Find out which parameters have a gradient, and which of these must be copied before a kernel reads them.

        Args:
            refuse: raises where a gradient cannot belong to a parameter; asked of those that are unlike theirs.
        """
        verdict, grads = self._look_at_gradients()
        self._held = self._held, grads
        self.unfit = self.alone = frozenset()
        self.present = None
        if verdict == Verdict.SAME and not self.odd:
            return
        verdicts = np.full(len(self.params), Verdict.OTHER, np.uint8)
        verdicts[self._served] = self._gradients.verdicts
        for at in self.odd:
            verdicts[at] = Verdict.MISSING if self.params[at].grad is None else Verdict.OTHER
        unlike = np.flatnonzero(verdicts == Verdict.OTHER).tolist()
        for at in unlike:
            refuse(self.params[at], self.gradient(at))
        self.unfit = frozenset(unlike)
        if any(self._lies_in_others(local(self.gradient(at)), at) for at in unlike):
            self.alone = frozenset(range(len(self.params)))  # what one step writes, the next reads
        else:
            self.alone = frozenset(at for at in unlike if _is_rounded(self.gradient(at), self.params[at]))
        if (verdicts == Verdict.MISSING).any():
            self.present = np.flatnonzero(verdicts != Verdict.MISSING)

    def _look_at_gradients(self) -> tuple[int, Any]:
        """The gravest verdict of all gradients, and what must be held for as long as their pointers are used."""
        if not self._spread:
            impls = self._known.impls[: len(self._own)] if self._looked is not None else None
            return look_at_gradients(self._gradients, self._own, self._owners, self._written, impls)
        grads = [param.grad for param in self._own]
        other = [grad is not None and not _is_alike(grad, param) for grad, param in zip(grads, self._own)]
        shards = [None if grad is None or odd else local(grad) for grad, odd in zip(grads, other)]
        look_at_gradients_in_python(self._gradients, shards, self._owners, self._written)
        self._gradients.verdicts[other] = Verdict.OTHER
        return int(self._gradients.verdicts.max(initial=0)), (grads, shards)

    def _lies_in_others(self, grad: Tensor, at: int) -> bool:
        """Whether a gradient shares memory with another parameter than its own, or that one's state."""
        if not has_memory(grad):
            return False
        begin = grad.data_ptr()
        end = begin + extent(grad) * grad.element_size()
        return bool(((self._begins < end) & (self._ends > begin) & (self._whose != at)).any())

    def let_go(self) -> None:
        """The step is over: what it held, lest somebody frees it meanwhile, may be freed."""
        self._held = None

    def gradient(self, at: int) -> Tensor:
        """The gradient of a parameter that has one."""
        grad = self.params[at].grad
        assert grad is not None
        return grad

    def local_gradient(self, at: int) -> Tensor:
        """This rank's part of a gradient, spread as its parameter is."""
        grad, param = self.gradient(at), self.params[at]
        return local(spread_like(grad, param)) if is_spread(param) else grad

    def gradient_pointers(self, members: np.ndarray | None) -> np.ndarray:
        """Where gradients lie that are not unfit; ``members`` are all where it is ``None``."""
        if self.odd:
            pointers = np.zeros(len(self.params), np.int64)
            pointers[self._served] = self._gradients.pointers
        else:
            pointers = self._gradients.pointers
        return pointers if members is None else pointers[members]

    def pointers(self, name: str, members: np.ndarray | None) -> np.ndarray:
        """Where ``param`` or a slot lies; ``members`` are all where it is ``None``."""
        return self._places[name] if members is None else self._places[name][members]


class StateTable:
    """Which dictionaries of state belong to which parameters, and how to see that nobody exchanged one."""

    def __init__(self, state: dict[Tensor, State]) -> None:
        self._params, self._states = list(state), list(state.values())

    def still(self, state: dict[Tensor, State]) -> bool:
        return (
            len(state) == len(self._params)
            and all(map(is_, state, self._params))
            and all(map(is_, state.values(), self._states))
        )


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own, rather than stand for others as a distributed one does."""
    plain = type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__
    return plain and tensor.layout == torch.strided and tensor.device.type != "meta"


def _is_rounded(grad: Tensor, param: Tensor) -> bool:
    """Whether a gradient would lose digits that count in a copy of its parameter's type."""
    return grad.dtype != param.dtype and param.element_size() < 4


def _is_alike(grad: Any, param: Any) -> bool:
    """Whether a gradient is spread as its parameter is."""
    if is_spread(grad) != is_spread(param):
        return False
    return not is_spread(param) or (grad.placements == param.placements and grad.device_mesh == param.device_mesh)


def _is_plain(param: Tensor) -> bool:
    """Whether the pointers of a parameter and of its gradient are what the tensor says they are."""
    return has_memory(param) and type(param).grad is Tensor.grad


def room(tensor: Tensor) -> tuple[int, int]:
    """The bytes that a tensor's storage has, and those that the tensor reaches into it."""
    if not has_memory(tensor):
        return 0, 0
    reach = tensor.storage_offset() + extent(tensor) if tensor.numel() else 0
    return tensor.untyped_storage().nbytes(), reach * tensor.element_size()
