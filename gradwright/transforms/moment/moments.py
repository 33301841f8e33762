"""Moments: estimates of E[g²], and how much of them is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from gradwright.core import Context, ParamSpec, Part, Slot
from gradwright.core.ops import maximum, mean, sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


class Estimate:
    """An estimate of E[g²], as whichever of square and root the moment makes naturally.

    A factored estimate is a product that can underflow where its root does not, so denominators ask for the root.

    Args:
        square: the uncorrected estimate, or None where only the root is representable.
        root: its square root.
        correction: the factor 1 − βᵗ by which a start from zero makes the square too small.
    """

    def __init__(self, square: Any = None, root: Any = None, correction: Any = 1.0) -> None:
        self._square, self._root, self.correction = square, root, correction

    @property
    def raw_square(self) -> Any:
        return self._root * self._root if self._square is None else self._square

    @property
    def raw_root(self) -> Any:
        return sqrt(self._square) if self._root is None else self._root

    @property
    def square(self) -> Any:
        """E[g²], corrected."""
        return self.raw_square / self.correction

    @property
    def root(self) -> Any:
        """√E[g²], corrected."""
        return self.raw_root / sqrt(self.correction)


@dataclass(frozen=True)
class Moment(Part):
    """How E[g²] is estimated and stored: a field of ``Precondition``, not a transform."""

    def slots(self, spec: ParamSpec) -> Slots:
        return {}

    def check(self, spec: ParamSpec) -> None:
        """Refuse, with a ``ValueError``, a parameter that this moment cannot serve."""

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        raise NotImplementedError

    def gather(self, g: Any, state: State) -> State:
        """The state with the square of a micro-batch's gradient in it; see :meth:`Transform.gather`."""
        return {}


@dataclass(frozen=True)
class Full(Moment):
    """One number per entry: v ← β v + (1 − β) g², corrected by 1 − βᵗ."""

    beta: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        v = self.beta * state["v"] + (1 - self.beta) * (ctx.grad * ctx.grad)
        return Estimate(v, correction=1 - self.beta**ctx.step), {"v": v}

    def gather(self, g: Any, state: State) -> State:
        return {"v": state["v"] + (1 - self.beta) / self.beta * (g * g)}


@dataclass(frozen=True)
class Belief(Moment):
    """AdaBelief's moment: the variance of the gradient around its average, which must arrive as ``u``, uncorrected.

    s ← β s + (1 − β) (g − m)² + ε, corrected by 1 − βᵗ. ε is stored, so it gathers to ε / (1 − β).
    """

    beta: float
    eps: float
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"s": Slot(role="square")}

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        surprise = ctx.grad - u
        s = self.beta * state["s"] + (1 - self.beta) * (surprise * surprise) + self.eps
        return Estimate(s, correction=1 - self.beta**ctx.step), {"s": s}


@dataclass(frozen=True)
class MaxOverTime(Moment):
    """AMSGrad: divide by the largest estimate so far.

    The maximum is taken over the uncorrected estimate and then corrected by the current 1 − βᵗ, as in torch. While the
    uncorrected estimate still grows from zero that changes nothing.

    Args:
        of: the moment.
        corrected: take the maximum over the corrected estimate, as optax does; it binds from the second step on.
    """

    of: Moment
    corrected: bool = False

    def slots(self, spec: ParamSpec) -> Slots:
        return {**self.of.slots(spec), "v_max": Slot(role="square")}

    def check(self, spec: ParamSpec) -> None:
        self.of.check(spec)

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        estimate, changed = self.of.estimate(u, state, ctx)
        v_max = maximum(state["v_max"], estimate.square if self.corrected else estimate.raw_square)
        correction = 1.0 if self.corrected else estimate.correction
        return Estimate(v_max, correction=correction), {**changed, "v_max": v_max}


@dataclass(frozen=True)
class Factored(Moment):
    """Adafactor's moment: row and column means of a matrix instead of its entries.

    s = g² + ε,   βₜ = 1 − t^(−decay)
    R ← βₜ R + (1 − βₜ) mean over columns of s,   C ← βₜ C + (1 − βₜ) mean over rows of s
    E[g²]ᵢⱼ ≈ Rᵢ Cⱼ / mean(R)

    The root is formed as √(Rᵢ / mean R) · √Cⱼ: each factor is representable where the product of a dead row and a
    dead column is not. Tensors of fewer than two dimensions keep every entry.

    Args:
        decay: the exponent, 0.8 in the paper.
        eps: ε, 1e-30 in the paper.
        clamp: put ε where ``torch.optim.Adafactor`` has it: s = g², mean(R) ≥ ε and √E[g²] ≥ ε.
        axes: which two dimensions to factor where there are more: the two ``"largest"`` (for a convolution the
            channels) or the ``"last"`` two (paper, torch).
    """

    decay: float = 0.8
    eps: float = 1e-30
    clamp: bool = False
    axes: Literal["largest", "last"] = "largest"

    def slots(self, spec: ParamSpec) -> Slots:
        if spec.own_ndim < 2:
            return {"v": Slot(keep=tuple(range(spec.ndim)))}
        rows, columns = self.factored(spec)
        every = range(spec.ndim)
        return {
            "row": Slot(keep=tuple(d for d in every if d != columns)),
            "column": Slot(keep=tuple(d for d in every if d != rows)),
        }

    def check(self, spec: ParamSpec) -> None:
        if spec.is_complex and spec.own_ndim > 1:
            raise ValueError(f"Factored: {spec} is complex; factor its torch.view_as_real parts apart")

    def factored(self, spec: ParamSpec) -> tuple[int, int]:
        """The two dimensions that are factored, in order."""
        if self.axes == "last":
            return spec.ndim - 2, spec.ndim - 1
        by_size = sorted(range(spec.ndim), key=lambda dim: -spec.shape[dim])
        return min(by_size[:2]), max(by_size[:2])

    def estimate(self, u: Any, state: State, ctx: Context) -> tuple[Estimate, State]:
        keep_old = 1 - ctx.step ** (-self.decay)
        s = ctx.grad * ctx.grad
        if not self.clamp:
            s = s + self.eps
        if ctx.spec.own_ndim < 2:
            v = keep_old * state["v"] + (1 - keep_old) * s
            root = sqrt(v)
            return Estimate(root=maximum(root, self.eps) if self.clamp else root), {"v": v}
        row, column, row_mean = self.averages(s, state, keep_old, ctx.spec)
        if self.clamp:
            row_mean = maximum(row_mean, self.eps)
        root = sqrt(row / row_mean) * sqrt(column)
        if self.clamp:
            root = maximum(root, self.eps)
        return Estimate(root=root), {"row": row, "column": column}

    def averages(self, s: Any, state: State, keep_old: Any, spec: ParamSpec) -> tuple[Any, Any, Any]:
        """R, C and the mean of R, after they have taken the means of s in."""
        rows, columns = self.factored(spec)
        without_columns = tuple(d for d in range(spec.ndim) if d != columns)
        without_rows = tuple(d for d in range(spec.ndim) if d != rows)
        row = keep_old * state["row"] + (1 - keep_old) * mean(s, without_columns)
        column = keep_old * state["column"] + (1 - keep_old) * mean(s, without_rows)
        return row, column, mean(row, without_rows)
