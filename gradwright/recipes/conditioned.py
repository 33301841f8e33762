"""Combinators that condition the gradient: what a recipe is given to see of it."""

from __future__ import annotations

from typing import Literal

from gradwright.core import Chain, chain
from gradwright.core.transform import CONDITION
from gradwright.recipes.combinator import combinator
from gradwright.transforms import Centralize, ClipNorm, ClipUnits, ClipValue, SoftClip


@combinator(
    "Clipped", paper="arXiv:1211.5063", gains="totals", loses="elementwise scale_free", neutral={"max_norm": 1e30}
)
def clipped(base: Chain, max_norm: float = 1.0, nonfinite: Literal["spread", "zero"] = "spread") -> Chain:
    """Clip the norm of all gradients together before the recipe sees them.

    g ← g · min(1, c / ‖g‖), with one norm over all parameters of the optimizer whose recipe is clipped.

    ``max_norm`` c > 0. ``nonfinite`` says what becomes of a norm that is not finite: ``"spread"`` lets it spread, as
    torch does; ``"zero"`` takes all gradients as 0. Clips before anything inside: the outermost combinator acts first.
    """
    return chain(ClipNorm(max_norm, nonfinite), base)


@combinator("ValueClipped", paper="torch.nn.utils.clip_grad_value_", loses="scale_free", neutral={"clip_value": 1e30})
def value_clipped(base: Chain, clip_value: float = 1.0) -> Chain:
    """Clip each entry of the gradient to [−c, c] before the recipe sees it. ``clip_value`` c > 0."""
    return chain(ClipValue(clip_value), base)


@combinator(
    "AdaptivelyClipped",
    paper="arXiv:2102.06171",
    gains="reduces",
    loses="elementwise scale_free",
    neutral={"clip_factor": 1e30},
)
def adaptively_clipped(
    base: Chain, clip_factor: float = 0.01, clip_floor: float = 1e-3, clip_only: str = "!head"
) -> Chain:
    """Adaptive gradient clipping: no unit's gradient is longer than a share of the unit's weights.

    g ← g · min(1, λ max(‖w‖, ε) / ‖g‖) for each output: a row of a matrix, a kernel of a convolution, a whole vector.

    ``clip_factor`` λ > 0 (the paper's; up to about 0.16 for small batches), ``clip_floor`` ε so that weights of zero
    can move (the paper's), ``clip_only`` a selector of the parameters that are clipped (the paper leaves out the head).
    """
    return chain(ClipUnits(clip_factor, clip_floor, clip_only), base)


@combinator(
    "SoftlyClipped", paper="unpublished", gains="reduces", loses="elementwise scale_free", neutral={"clip_factor": 1e30}
)
def softly_clipped(base: Chain, clip_factor: float = 1.0, clip_floor: float = 1e-3, smooth: bool = True) -> Chain:
    """Bound the root mean square of each unit's gradient by that of its weights.

    g ← g / √(1 + (rms(g) / limit)²), or g · min(1, limit / rms(g)) without ``smooth``;  limit = c max(rms(w), ε).

    ``clip_factor`` c > 0, ``clip_floor`` ε > 0 so that weights of zero can move.
    """
    return chain(SoftClip(clip_factor, clip_floor, smooth), base)


@combinator(
    "Centralized", paper="arXiv:2004.01461", gains="reduces", loses="elementwise", neutral={"centralize_only": "!*"}
)
def centralized(base: Chain, centralize_only: str = "!embedding") -> Chain:
    """Gradient centralisation: take its mean out of each unit's gradient, g ← g − mean(g) over dimensions 1, 2, ...

    It acts on what the moments see: after an L2 penalty, as in the authors' code. ``centralize_only`` selects the
    parameters; ``"convolution"`` is the authors' variant for convolutions alone. Vectors are never centralised.

    Raises:
        ValueError: a parameter that would be centralised is complex.
    """
    return chain(base.upto(CONDITION), Centralize(centralize_only), base.beyond(CONDITION))
