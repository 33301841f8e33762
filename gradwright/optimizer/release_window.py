"""ReleaseWindow: one step, parts of which are taken while backward still makes gradients for the rest.

It lasts from the first gradient that arrives to the end of ``step()``. Which gradients are handed to it, and under
which conditions, is the business of :mod:`gradwright.training.release`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gradwright.core import Chain, Transform
from gradwright.core.gathering import Form, Gathering
from gradwright.engine.capture import capturing
from gradwright.engine.collective import Early
from gradwright.engine.step import note
from gradwright.optimizer.release_terms import Terms, square

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer
    from gradwright.optimizer.pointers import PointerCache

EARLY = Early()


class ReleaseWindow:
    """What has become of the gradients of a step.

    Attributes:
        attached: whether there are hooks that hand gradients over.
        terms: the conditions.
        norm: the norm of all gradients of the step before, unscaled; ``None`` where it is not known.
        gathering: the form in which the gradients that come now are gathered in state; ``None`` where they are used.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.attached = False
        self.terms = Terms(0)
        self.norm: float | Tensor | None = None
        self.gathering: Form | None = None
        self._lock = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self._waiting: dict[Tensor, tuple[Tensor, int]] = {}
        self._held = 0
        self._stepped: set[Tensor] = set()
        self._gathered: set[Tensor] = set()
        self._now: set[Tensor] | None = None
        self._squares: list[Tensor] = []
        self._conditions: tuple[Transform, ...] | None = None
        self._interrupted = False
        self._gatherings = 0

    def attach(self, terms: Terms) -> None:
        """Hooks hand gradients over from here on, under these conditions."""
        self.terms, self.attached, self._conditions = terms, True, None

    @property
    def is_open(self) -> bool:
        """Whether a gradient of a step that is not finished has been used, or waits to be."""
        return bool(self._waiting or self._stepped or self._gathered)

    def arrive(self, param: Tensor) -> None:
        """Take a gradient that is complete: it waits for others, is used with them, and is freed.

        Raises:
            RuntimeError: the parameter has had one since the last step, or a CUDA graph is being captured.
        """
        with self._lock:
            if self._interrupted:
                self._begin()
            grad = param.grad
            assert grad is not None
            waiting, _ = self._waiting.pop(param, (None, 0))
            if param in self._stepped or (waiting is grad and self.gathering != "exact"):
                raise RuntimeError(self._second(param))
            if waiting is not None:  # it was dropped, or this one has been added to it
                self._held -= waiting.nbytes
            if capturing():
                raise RuntimeError("release: a CUDA graph is being captured; capture steps without release")
            if self._held + grad.nbytes > self.terms.hold:
                self.flush()
            self._waiting[param] = grad, grad._version
            self._held += grad.nbytes

    def gather(self, how: Form) -> None:
        """From here on, and until ``gathering`` is ``None`` again, gradients are gathered in state.

        Raises:
            RuntimeError: gradients of this step have been used already.
        """
        if self._waiting or self._stepped:
            raise RuntimeError(
                "release: accumulating() behind a backward outside of it, by whose gradients parameters have moved; "
                "the last micro-batch is the one outside, and optimizer.step() follows it"
            )
        self.gathering = how

    def _second(self, param: Tensor) -> str:
        return (
            f"release: {self._named([param])} has a second gradient before optimizer.step(), and has been moved by the "
            "first. Call optimizer.step() after each backward (a GradScaler that skips it cannot be used); put "
            "backwards of micro-batches but the last into `with released.accumulating():`; give checkpoint() "
            "use_reentrant=False where weights are tied; or begin anew with released.abandon()"
        )

    @torch.no_grad()
    def flush(self) -> None:
        """Use what waits, and free it."""
        with self._lock:
            now = {param for param in self._waiting if param.grad is not None}
            if not now:
                return
            if self.gathering is None:
                self._measure(now)
            self._now = now
            self._gatherings += self.gathering is not None
            try:
                self.optimizer._take(None, EARLY)
            finally:
                self._now = None
            (self._stepped if self.gathering is None else self._gathered).update(now)
            if self.gathering is not None:
                self._keep_ages(now)
            self._free(now)

    def _keep_ages(self, params: Iterable[Tensor]) -> None:
        """Gathering is no step, though the engine counted one."""
        for param in params:
            state = self.optimizer.state[param]
            note(state, "step", state["step"] - 1.0)
            state.changes.note()  # whoever remembers how old they are is wrong

    def _free(self, params: Iterable[Tensor]) -> None:
        for param in params:
            param.grad = None
            self._waiting.pop(param, None)
        self._held = 0

    def _measure(self, params: Iterable[Tensor]) -> None:
        if self.terms.clip_by == "previous" and self.terms.clip_norm is not None:
            for param in params:
                if param.grad is not None and param.numel():
                    self._squares.append(square(param.grad))

    def share(self, index: int, chain: Chain, memory: PointerCache) -> tuple[Hashable, Chain, np.ndarray | None, int]:
        """Which chain which parameters of a group run now, what tells that from other turns of the group, and what
        tells its random bits from theirs.

        Args:
            index: which group it is.
            chain: its recipe's.
            memory: its parameters.
        """
        turn: Hashable = index
        if self.attached or self.is_open:
            if self._conditions is None:  # found late, since it may wait for a device
                self._conditions = self.terms.conditions(self.norm)
            chain = Chain((*self._conditions, *chain.links))
        if self._now is None:
            return turn, chain, memory.present, 0
        if self.gathering is not None:
            turn, chain = (index, "gathering"), Gathering.of(chain)
        now = self._now
        members = np.array([at for at, param in enumerate(memory.params) if param in now], np.int64)
        return turn, chain, members, 0 if self.gathering is None else self._gatherings

    def before_step(self) -> None:
        """Get ready for ``step()``, which takes what is left.

        Raises:
            RuntimeError: a gradient that waits has been changed, as a clip or a scaler would, after others were used.
        """
        self.refuse_gathering("optimizer.step()")
        if self._interrupted:
            return
        if self.is_open and _within_scaler():
            self.refuse_scaler()
        for param, (grad, version) in self._waiting.items():
            if param.grad is not None and (param.grad is not grad or grad._version != version):
                raise RuntimeError(
                    f"release: the gradient of {self._named([param])} was changed after backward, when "
                    f"{len(self._stepped)} other parameters had moved by theirs. Clipping and GradScaler need all "
                    "gradients at once: use release(clip_norm=..., clip_by='tensor' or 'previous') and "
                    "release(scale=...), or leave release out. optimizer.zero_grad() drops what is left"
                )
        for param in self._gathered - self._stepped:
            if param.grad is None:  # the last micro-batch did not reach it
                param.grad = torch.zeros_like(param)
                self._waiting[param] = param.grad, param.grad._version
        if self.is_open:
            self._measure(param for group in self.optimizer.param_groups for param in group["params"])

    def after_step(self) -> None:
        """Free what was used, and be ready for the next step."""
        self._free(list(self._waiting))
        if self._squares:
            device = self._squares[0].device
            total = torch.stack([square.to(device) for square in self._squares]).sum()
            self.norm = total.sqrt() / self.terms.scale
        self._begin()

    def abandon(self) -> None:
        """Forget the step that has begun, and drop the gradients that wait: parameters stay where they are."""
        self._free(list(self._waiting))
        self._begin()

    def interrupt(self, error: BaseException) -> None:
        """Backward failed: say in its error how far the step came."""
        if self.is_open and not self._interrupted:
            self._interrupted = True
            error.add_note(
                f"release: {_count(self._stepped, 'had moved already')}, {_count(self._waiting, 'had not')} and "
                f"{_count(self._gathered, 'had gathered micro-batches in their state')}. Training may go on: "
                "optimizer.step() uses the gradients that are there and counts the step, optimizer.zero_grad() drops "
                "them"
            )

    def refuse_other_terms(self, terms: Terms) -> None:
        """Refuse to change the conditions of a step that has begun; ``hold`` is none.

        Raises:
            RuntimeError: a step has begun, and these are others.
        """
        if self.is_open and not self._interrupted and terms._replace(hold=0) != self.terms._replace(hold=0):
            raise RuntimeError(
                f"release: a step has begun under other terms ({self.terms}); call optimizer.step() before changing "
                "them"
            )

    def refuse_gathering(self, what: str) -> None:
        """Refuse ``what`` while micro-batches are gathered.

        Raises:
            RuntimeError: they are.
        """
        if self.gathering is not None:
            raise RuntimeError(f"release: {what} within `with released.accumulating():`; leave that block first")

    def refuse_half_a_step(self, what: str) -> None:
        """Refuse ``what`` while some parameters are a step ahead of others.

        Raises:
            RuntimeError: they are.
        """
        if self.is_open and not self._interrupted:
            raise RuntimeError(
                f"release: {what} in the middle of a step, when {len(self._stepped) + len(self._gathered)} parameters "
                "have used their gradients and others have not; call optimizer.step() first"
            )

    def refuse_scaler(self) -> None:
        """Refuse a GradScaler, whose step may not take place.

        Raises:
            RuntimeError: gradients are released.
        """
        if self.attached or self.is_open:
            raise RuntimeError(
                "release: a GradScaler may find a gradient that is not finite when others have been used, and skip "
                "a step that cannot be taken back; use release(scale=...), a fixed scale, or leave release out"
            )

    def _named(self, params: Iterable[Tensor]) -> str:
        return ", ".join(str(self.optimizer.spec_of(param)) for param in params)


@contextmanager
def ending(window: ReleaseWindow | None) -> Iterator[None]:
    """What ``step()`` does within is the end of the step that a window has begun, where there is one."""
    if window is None:
        yield
        return
    window.before_step()
    yield
    window.after_step()


def _within_scaler() -> bool:
    """Whether a GradScaler calls: it divides gradients in place, which their version counter does not tell."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "torch.amp.grad_scaler":
            return True
    return False


def _count(params: Mapping[Tensor, Any] | set[Tensor], what: str) -> str:
    return f"{len(params)} parameters {what}"
