"""SAM and ASAM: the gradient at the worst point of a ball around the weights, to first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Chain, Context, Total, chain
from gradwright.core.second_look import SecondLook
from gradwright.core.transform import State
from gradwright.recipes.combinator import combinator
from gradwright.sharpness.dot import dot


@dataclass(frozen=True)
class Sam(SecondLook):
    """Look again at θ + ρ g / ‖g‖ and step by the gradient there; ‖·‖ runs over all parameters that look twice."""

    rho: float
    same_on_all_ranks: ClassVar[bool] = False

    def perturb(self, g: Tensor, state: State, ctx: Context) -> Any:
        squares = yield Total("perturbation_norm2", dot(g, g))
        return g * (self.rho / (squares.sqrt() + 1e-12)).to(g)

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        return second, {}


@dataclass(frozen=True)
class Asam(Sam):
    """Look again at θ + ρ T² g / ‖T g‖, T = |θ| + η for what multiplies the input, and 1 for biases and the like."""

    floor: float = 0.01

    def perturb(self, g: Tensor, state: State, ctx: Context) -> Any:
        scale: Any = ctx.param.abs() + self.floor if _multiplies(ctx) else 1.0
        scaled = scale * g
        squares = yield Total("perturbation_norm2", dot(scaled, scaled))
        return scale * scaled * (self.rho / (squares.sqrt() + 1e-16)).to(g)


def _multiplies(ctx: Context) -> bool:
    """Whether a parameter is a weight: of two or more dimensions, a gain, or called so."""
    return len(ctx.spec.shape) > 1 + ctx.spec.is_complex or "gain" in ctx.spec.roles or "weight" in ctx.spec.name


@combinator("SAM", paper="arXiv:2010.01412", gains="totals", loses="elementwise", neutral={"rho": 0.0})
def sam(base: Chain, rho: float = 0.05) -> Chain:
    """Sharpness-aware minimisation: step by the gradient at the worst point nearby.

    e = ρ g / (‖g‖ + 1e-12),   u = ∇f(θ + e),   θ ← base(θ, u).   ``step(closure)``; see :mod:`gradwright.sharpness`.

    ``rho`` ≥ 0: the radius; 0.05 is the paper's for CIFAR, 0.1 to 0.2 were used for vision transformers. ‖·‖ runs over
    all parameters whose recipe looks twice, whatever their group; each group has its own ``rho``. Parameters of other
    recipes take the second gradient and are not perturbed. A gradient of zero is an ordinary step. Two gradients a
    step; while it is taken, a copy of the weights and one of the first gradient.

    Weight decay acts on the unperturbed weights, and an L2 penalty is added to u (the authors' JAX code has it in the
    loss, so that it bends e as well). Clipping acts on u.

    Raises:
        ValueError: the recipe looks twice already.
    """
    return chain(Sam(rho), base)


@combinator("ASAM", paper="arXiv:2102.11600", gains="totals", loses="elementwise", neutral={"rho": 0.0})
def asam(base: Chain, rho: float = 0.5, asam_floor: float = 0.01) -> Chain:
    """Adaptive SAM: a radius relative to the weights, so that rescaled layers are perturbed alike.

    T = |θ| + η,   e = ρ T² g / (‖T g‖ + 1e-16),   u = ∇f(θ + e),   θ ← base(θ, u).   ``step(closure)``; see
    :mod:`gradwright.sharpness`.

    ``rho`` ≥ 0 is about ten times SAM's: 0.5 for CIFAR-10 and 1.0 for CIFAR-100 in the paper; ``asam_floor`` ≥ 0 is η,
    which lets entries of zero move. T is 1 for parameters of one dimension, but for gains and those called a weight:
    the authors' code asks whether the name contains "weight". The widespread form e = ρ θ² g / ‖θ g‖ without η, of all
    tensors, is not this one: it never moves an entry of zero.

    Raises:
        ValueError: the recipe looks twice already.
    """
    return chain(Asam(rho, asam_floor), base)
