"""Regularisers: what pulls the weights back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Total, Transform
from gradwright.core.ops import minimum, total, where
from gradwright.core.transform import CONDITION, STEP, State
from gradwright.transforms.step.size import RelativeStep


@dataclass(frozen=True)
class L2(Transform):
    """The gradient of a penalty, g ← g + λ p: it enters moments and momentum. For decay that does not, ``Decay``."""

    weight_decay: float
    stage: ClassVar[int] = CONDITION

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u + self.weight_decay * ctx.param, state


@dataclass(frozen=True)
class Decay(Transform):
    """Decoupled weight decay, u ← u + λ p.

    Its place in the chain chooses the form:

    - before ``Scale(lr)`` it is p (1 − lr λ), as ``torch.optim.AdamW`` has it;
    - after ``Scale(lr)`` it does not depend on lr, as in the paper (arXiv:1711.05101), where λ follows the schedule;
    - after ``Scale(lr)`` and with ``after`` it is taken from the weights that the step has made, u ← u + λ (p − u), as
      in the CUDA kernels of bitsandbytes: with lr λ for λ, p ← (p − lr u) (1 − lr λ).

    The first two are taken from the weights before the step, so that decaying before the step and with it are one.

    Args:
        weight_decay: λ.
        only: a selector of the parameters that decay: ``"!vector & !scalar"`` leaves out biases and gains.
        after: decay what the step has made.
        lr_power: the power of the learning rate that is in λ, 0 before ``Scale(lr)``.
    """

    weight_decay: float
    only: str = "*"
    after: bool = False
    lr_power: int = 0
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"lr_power": (0, 3)}

    @property
    def rates(self) -> Mapping[str, int]:  # type: ignore[override]
        return {"weight_decay": self.lr_power} if self.lr_power else {}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        if not ctx.spec.matches(self.only):
            return u, state
        return u + self._pull(u, ctx), state

    def _pull(self, u: Any, ctx: Context) -> Any:
        return self.weight_decay * (ctx.param - u if self.after else ctx.param)


@dataclass(frozen=True)
class CautiousDecay(Decay):
    """Weight decay only where the step shrinks the weight as well: u ← u + λ [u · p ≥ 0] p.   arXiv:2510.12402.

    It takes the place of a :class:`Decay` with the same fields, where u is the direction that will be subtracted; with
    ``after`` it is u ← u + λ [u · p ≥ 0] (p − u). An entry whose step is exactly zero decays, as in the paper; some
    ports compare strictly.
    """

    def _pull(self, u: Any, ctx: Context) -> Any:
        # the sign, since a product of two small numbers would underflow to an agreement
        agrees = torch.sign(u) * ctx.param >= 0
        return where(agrees, super()._pull(u, ctx), torch.zeros_like(u))


@dataclass(frozen=True)
class StableDecay(Transform):
    """Stable weight decay: measured by one root mean square of the whole optimizer, u ← u + min(1, ρ / (√v̄ + ε)) p.

    v̄ is the mean of the moment that the chain divides by over all entries of all parameters that have a gradient.
    It comes after ``Precondition`` and ``Scale``.   arXiv:2011.11152.

    Deviations from the authors' code, which divides by zero where all gradients are zero: no decay then, ε beside the
    root, and never past zero.

    Args:
        rate: ρ, the learning rate times λ.
        eps: ε.
    """

    rate: float
    eps: float = 1e-8
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"rate": 1}
    reads_moment: ClassVar[bool] = True

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        v = ctx.moment
        assert v is not None
        entries = torch.zeros_like(u)  # a moment of rows counts once for each entry of the row
        squares, count = yield Total("stable_decay", total(entries + v), total(entries + 1))
        root = torch.sqrt(squares / count)
        share = where(root > 0, minimum(self.rate / (root + self.eps), 1.0), torch.zeros_like(root))
        return u + share * ctx.param, state


@dataclass(frozen=True)
class RelativeDecay(Transform):
    """Adafactor's decay, by the same factor as its step: u ← u + λ αₜ p, with αₜ that of ``step``."""

    weight_decay: float
    step: RelativeStep
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u + self.weight_decay * self.step.factor(ctx) * ctx.param, state


@dataclass(frozen=True)
class ShrinkOnNan(Transform):
    """Where a tensor's gradient holds a NaN, replace its step by a pull of ``1 − shrink`` towards a harmless value.

    p ← (p − c) · shrink + c, with c = 1 for the gains of norm layers and 0 for all else.
    """

    shrink: float = 0.99
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"shrink": (0.0, 1.0 + 1e-12)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        home = 1.0 if "gain" in ctx.spec.roles else 0.0
        pull = (1 - self.shrink) * (ctx.param - home)
        return where(torch.isnan(ctx.grad).any(), pull, u), state
