"""Restarts: averages that are thrown away from time to time, and what goes with that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, HostScalar, Nest, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import sqrt, where
from gradwright.core.transform import STEP, Slots, State, UpdateCoroutine

FULL = 0.99
"""How much of a step is left out right after a restart."""


def _phase(step: Any, every: int) -> Any:
    """Steps since the last restart, at which it is 0; ``None`` before the first."""
    return step % every if step >= every else None


@dataclass(frozen=True)
class Restart(Nest):
    """Begin what a part keeps anew at every k-th step of a parameter, before that step.

    Args:
        of: the part.
        every: k, at least 1.
        age: count its steps from there too, so that what it corrects for a start from zero is corrected again.
    """

    of: Transform
    every: int = 500
    age: bool = True
    bounds: ClassVar = {"every": (1, WHOLE)}

    @property
    def stage(self) -> int:  # type: ignore[override]
        return self.of.stage

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        phase = _phase(ctx.step, self.every)
        if phase is not None and phase == 0:
            slots = self.slots(ctx.spec)
            state = {**state, **{key: _fresh(slot, state[key], ctx) for key, slot in slots.items()}}
        inside = ctx._replace(step=phase + 1) if phase is not None and self.age else ctx
        u, state, after = yield from self.run("of", u, state, inside)
        return u, state, after._replace(step=ctx.step)


def _fresh(slot: Slot | HostScalar, value: Any, ctx: Context) -> Any:
    if isinstance(slot, HostScalar):
        return slot.start
    return ctx.param if slot.start == "param" else torch.full_like(value, slot.start)


@dataclass(frozen=True)
class ClipSpikes(Nest):
    """SPAM's clip of single entries: g ← sign(g) √(θ v) where g² > θ v > 0, with v of before.

    v is the moment of the part inside, uncorrected, which then sees the clipped gradient, as its momentum does. After
    the start and after each restart it is left to fill for ``wait`` steps. Where v is zero nothing is known, and
    nothing is clipped: the authors' code makes the first gradient of such an entry zero, and with it all that follow.

    Args:
        of: a part with one slot called ``v``, such as a chain of ``Ema`` and ``Precondition``.
        threshold: θ.
        every: steps between two restarts.
        wait: steps without a clip.

    Raises:
        ValueError: ``of`` has no slot ``v``, or several.
    """

    of: Transform
    threshold: float = 5000.0
    every: int = 500
    wait: int = 20
    bounds: ClassVar = {"every": (1, WHOLE), "wait": (0, WHOLE)}

    def check(self, spec: ParamSpec) -> None:
        super().check(spec)
        self._key(spec)

    def _key(self, spec: ParamSpec) -> str:
        found = [key for key in self.slots(spec) if key.rpartition(".")[2] == "v"]
        if len(found) != 1:
            raise ValueError(
                f"ClipSpikes: of={type(self.of).__name__} has {len(found)} moments called v; it compares with just one"
            )
        return found[0]

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        if ctx.step >= self.wait and ctx.step % self.every >= self.wait:
            limit = self.threshold * state[self._key(ctx.spec)]
            u = where((u * u > limit) & (limit > 0), torch.sign(u) * sqrt(limit), u)
        answer = yield from self.run("of", u, state, ctx._replace(grad=u))
        return answer


@dataclass(frozen=True)
class RestartWarmup(Transform):
    """Steps that begin small after each restart: u ← w u,   w = 1 − 0.99 · ½ (1 + cos(π k / (T + 1))) for k < T.

    k counts the steps since the last one, at which w is 0.01. Before the first restart, and from k = T on, w is 1.

    Args:
        every: steps between two restarts.
        warmup: T.
    """

    every: int = 500
    warmup: int = 150
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"every": (1, WHOLE), "warmup": (0, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"cosine": HostScalar(1.0), "sine": HostScalar(0.0)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        phase = _phase(ctx.step, self.every)
        if phase is None or phase >= self.warmup:
            return u, state
        # turned by π / (T + 1) a step: a cosine of a step count would be another kernel at each
        angle = math.pi / (self.warmup + 1)
        c, s = (1.0, 0.0) if phase == 0 else (state["cosine"], state["sine"])
        cosine = c * math.cos(angle) - s * math.sin(angle)
        sine = c * math.sin(angle) + s * math.cos(angle)
        return (1 - FULL * 0.5 * (1 + c)) * u, {"cosine": cosine, "sine": sine}
