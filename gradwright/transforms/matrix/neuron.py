"""NeuronNorm: even out the rows of an orthogonal update, one number of memory for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import mean, norm, sqrt, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.matrices import Split, check_matrix, check_split, is_stack, per_block, row_dimensions


@dataclass(frozen=True)
class NeuronNorm(Transform):
    """NorMuon's second moment, of rows instead of entries: every output neuron moves about equally far.

    v ← β v + (1 − β) mean over columns of u²;   N = u / (√v + ε);   u ← N ‖u‖ / ‖N‖

    The last factor keeps the norm of each matrix, so v needs no correction for its start. Zero stays zero. It follows
    :class:`Orthogonalize`, after which ``u`` no longer depends on the size of the gradient.

    Args:
        beta: β, in [0, 1).
        eps: ε ≥ 0.
        split: the blocks of rows that are matrices of their own; see :class:`Orthogonalize`.
    """

    beta: float = 0.95
    eps: float = 1e-10
    split: Split = 1
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_split("NeuronNorm", self.split)

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(keep=row_dimensions(spec))}

    def check(self, spec: ParamSpec) -> None:
        check_matrix("NeuronNorm", spec, self.split)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        v = self.beta * state["v"] + (1 - self.beta) * mean(u * u, row_dimensions(ctx.spec))
        even = u / (sqrt(v) + self.eps)
        if self.split == 1 and not is_stack(ctx.spec):
            return _as_long_as(even, u), {"v": v}
        return per_block(_each_as_long_as, ctx.spec, self.split, even, u), {"v": v}


def _as_long_as(x: Any, model: Any, keep: tuple[int, ...] = ()) -> Any:
    length = norm(x, keep)
    return where(length == 0, torch.zeros_like(x), x * (norm(model, keep) / length))


def _each_as_long_as(x: Any, model: Any) -> Any:
    return _as_long_as(x, model, tuple(range(x.dim() - 2)))
