"""LowRank: a direction whose state lives in a few directions of the gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from gradwright.core import Context, HostScalar, Nest, ParamSpec, Slot, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import sqrt, where
from gradwright.core.transform import Slots, State, UpdateCoroutine
from gradwright.transforms.matrix.subspace import MATRICES, Subspace, view_of
from gradwright.transforms.step.growth import GrowthLimit

FORMS = ("project", "residual", "channel", "tensor")
BASES = ("svd", "random")


@dataclass(frozen=True)
class LowRank(Nest):
    """Run a direction on what a basis of k vectors sees of a matrix, so that its state is as small as that.

    Every ``gap`` steps of a parameter a basis P is made anew, and what the state holds is read in the new one.
    x = P's view of u: u P (n × k) where the matrix is tall or square, Pᵀ u (k × m) where it is wide;   r = of(x)

    ``"project"``:  u ← s up(r), as GaLore (arXiv:2403.03507)
    ``"residual"``: u ← s up(r) + limited((u − s up(x)) φ), as Fira (arXiv:2410.01623)
    ``"channel"``:  u ← √s limited(φ u), as APOLLO (arXiv:2412.05270);   ``"tensor"``: the same with one φ
    φ = ‖r‖ / ‖x‖ of each row or column that is seen as it is, or of all together

    ``limited`` is :class:`GrowthLimit`. What is no matrix, not picked by ``only``, or no larger than k on its shorter
    side goes through ``of`` as it is.

    Args:
        of: the direction, such as a chain of ``Ema`` and ``Precondition``.
        rank: k, at least 1.
        gap: steps between two bases, at least 1.
        basis: the leading singular vectors of u, which are kept as k vectors of the shorter side; or normal numbers
            that are drawn again at each step from a counter, so that nothing is kept. Signs of singular vectors are
            arbitrary: each points the way of the one before it, so that a momentum means the same.
        form: what is made of r.
        share: s, greater than 0.
        growth: of ``limited``, at least 1.
        only: a selector of the parameters that it applies to.

    Raises:
        ValueError: ``of`` keeps what belongs to the weights, which have no view.
    """

    of: Transform
    rank: int = 128
    gap: int = 200
    basis: Literal["svd", "random"] = "svd"
    form: Literal["project", "residual", "channel", "tensor"] = "project"
    share: float = 1.0
    growth: float = 1.01
    only: str = MATRICES
    bounds: ClassVar = {
        "rank": (1, WHOLE),
        "gap": (1, WHOLE),
        "share": (1e-12, math.inf),
        "growth": (1.0, math.inf),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, known in (("basis", self.basis, BASES), ("form", self.form, FORMS)):
            if value not in known:
                raise ValueError(f"LowRank: {name}={value!r} is unknown; known are {', '.join(known)}")

    @cached_property
    def any_moment(self) -> bool:
        """What is divided by inside has the shape of the view, which later links cannot read."""
        return False

    def view(self, spec: ParamSpec) -> Subspace | None:
        """The view of a parameter; ``None`` where it is taken as it is."""
        return view_of(spec, self.rank, self.only)

    def slots(self, spec: ParamSpec) -> Slots:
        view = self.view(spec)
        if view is None:
            return super().slots(spec)
        inner = _seen(spec, view)
        found: Slots = {key: _of_shape(slot, inner) for key, slot in super().slots(inner).items()}
        if self.basis == "svd":
            found["basis"] = Slot(shape=view.basis)
        return found if self.form == "project" else found | GrowthLimit(self.growth).slots(spec)

    def check(self, spec: ParamSpec) -> None:
        view = self.view(spec)
        inner = spec if view is None else _seen(spec, view)
        super().check(inner)
        kept = [key for key, slot in super().slots(inner).items() if getattr(slot, "start", None) == "param"]
        if view is not None and kept:
            raise ValueError(f"LowRank: {kept[0]} is kept beside the weights of {spec}, of which there is no view")

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        view = self.view(ctx.spec)
        if view is None:
            answer, state, _ = yield from self.run("of", u, state, ctx)
            return answer, state, ctx
        basis = self._basis(u, state, ctx, view)
        x = view.down(u, basis)
        inside = ctx._replace(param=view.down(ctx.param, basis), grad=x, spec=_seen(ctx.spec, view), moment=None)
        r, state, _ = yield from self.run("of", x, state, inside)
        if self.basis == "svd":
            state = {**state, "basis": basis}
        answer, changed = self._answer(u, r, x, basis, view, state, ctx)
        return answer, {**state, **changed}, ctx

    def _basis(self, u: Tensor, state: State, ctx: Context, view: Subspace) -> Tensor:
        turn = (int(ctx.step) - 1) // self.gap
        if self.basis == "random":
            return view.random(ctx.spec, turn, u)
        return state["basis"] if (ctx.step - 1) % self.gap else view.leading(u, state["basis"])

    def _answer(
        self, u: Tensor, r: Tensor, x: Tensor, basis: Tensor, view: Subspace, state: State, ctx: Context
    ) -> tuple[Tensor, Mapping[str, Any]]:
        if self.form == "project":
            return self.share * view.up(r, basis), {}
        dims = (0, 1) if self.form == "tensor" else (1 - view.kept,)
        long = x.norm(dim=dims, keepdim=True)
        size = where(long > 0, r.norm(dim=dims, keepdim=True) / long, torch.zeros_like(long))
        limit = GrowthLimit(self.growth)
        if self.form != "residual":
            sized, length = limit.update(size * u, state, ctx)
            return sqrt(self.share) * sized, length
        rest, length = limit.update(size * (u - self.share * view.up(x, basis)), state, ctx)
        return self.share * view.up(r, basis) + rest, length


def _seen(spec: ParamSpec, view: Subspace) -> ParamSpec:
    return replace(spec, shape=view.seen)


def _of_shape(slot: Slot | HostScalar, inner: ParamSpec) -> Slot | HostScalar:
    """A slot beside a view, as one beside the parameter."""
    if isinstance(slot, HostScalar) or slot.shared or slot.shape is not None:
        return slot
    return replace(
        slot, keep=None, of=None, shape=slot.shape_for(inner), start=0.0 if slot.start == "param" else slot.start
    )
