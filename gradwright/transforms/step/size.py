"""Sizes: how far to go along the direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import maximum, minimum, rms, where
from gradwright.core.transform import STEP, Slots, State


@dataclass(frozen=True)
class Scale(Transform):
    """u ← size · u: the learning rate."""

    size: float
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return self.size * u, state


@dataclass(frozen=True)
class RelativeStep(Transform):
    """Adafactor's step, relative to the size of the tensor: u ← ρₜ max(ε, rms(p)) u.

    ρₜ = size, or min(size, 1 / √t) with ``decaying``.

    Args:
        size: the relative step.
        floor: ε, so that a tensor of zeros can move; 1e-3 in the paper.
        decaying: cap the step at 1 / √t.
        scaled: multiply by max(ε, rms(p)); otherwise ρₜ alone.
    """

    size: float
    floor: float = 1e-3
    decaying: bool = True
    scaled: bool = True
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}

    def factor(self, ctx: Context) -> Any:
        rho = minimum(self.size, ctx.step**-0.5) if self.decaying else self.size
        return rho * maximum(rms(ctx.param), self.floor) if self.scaled else rho

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u * self.factor(ctx), state


@dataclass(frozen=True)
class WeightScale(Transform):
    """Tiger's step, relative to the weights: u ← rms(p) u.

    Vectors and single numbers (biases, gains) take one half instead, and an embedding is measured row by row.

    Args:
        floor: the least factor, so that a matrix of zeros can move; 0 in the original code.
    """

    floor: float = 0.0
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if ctx.spec.own_ndim < 2 or ctx.spec.matches("bias | gain"):
            return 0.5 * u, state
        rows = tuple(range(ctx.spec.own_ndim - 1)) if "embedding" in ctx.spec.roles else ()
        return u * maximum(rms(ctx.param, rows), self.floor), state


@dataclass(frozen=True)
class EveryKth(Transform):
    """Let every k-th update of the optimizer through and hold the others still."""

    every: int = 1
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"every": (1, WHOLE)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return (u if ctx.clock % self.every == 0 else torch.zeros_like(u)), state


@dataclass(frozen=True)
class LossScaled(Transform):
    """AdaLo's step, which follows an average of the loss L.

    s = 1 / (2 + L)   (that is (tanh(−log(1 + L) / 2) + 1) / 2)
    e ← β e + (1 − β) s,   e₀ = 0, not corrected
    u ← max(e / κ, ε) u            ``adversarial``: a larger loss makes a smaller step
    u ← max((1 − e) / κ, ε) u      ``compliant``: a larger loss makes a larger step

    A loss that is not finite or at most −1, where s has no meaning, leaves e as it was.

    Args:
        beta: β, in [0, 1).
        kappa: κ, greater than 0.
        eps: the least step.
        mode: which of the two.
    """

    beta: float = 0.999
    kappa: float = 3.0
    eps: float = 1e-8
    mode: Literal["adversarial", "compliant"] = "adversarial"
    stage: ClassVar[int] = STEP
    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    bounds: ClassVar = {"beta": (0.0, 1.0), "kappa": (1e-12, math.inf)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in ("adversarial", "compliant"):
            raise ValueError(f"LossScaled: mode={self.mode!r} is unknown; known are adversarial, compliant")

    def slots(self, spec: ParamSpec) -> Slots:
        return {"loss_scale": Slot(keep=(), shared=True)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        old, loss = state["loss_scale"], ctx.loss
        assert loss is not None, "declared in needs"
        new = self.beta * old + (1 - self.beta) / (2 + loss)
        e = where(torch.isfinite(loss) & (loss > -1), new, old)
        share = e if self.mode == "adversarial" else 1 - e
        return u * maximum(share / self.kappa, self.eps), {"loss_scale": e}
