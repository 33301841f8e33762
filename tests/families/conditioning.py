"""What the combinators that condition the gradient make of other recipes."""

from __future__ import annotations

from typing import Any

import gradwright as gw
import gradwright.transforms as parts
from tests import reference
from tests.families.kinds import Contract, Parity, Worked, case, variant
from tests.families.worked import NAN
from tests.reference import conditioning
from tests.runs import SHAPES

SUMS_STAY = "the mean of a row's gradient is most of what a bowl asks for, and it is taken out"
CANCELLED = 10_000  # an entry near the mean of its row keeps the rounding of that mean
ADAMW = {"lr": 0.03, "weight_decay": 0.1}


def _before(
    name: str, combinator: Any, recipe: Any, base: Any, shapes: Any = SHAPES, role: str | None = None, **knobs: Any
) -> Parity:
    method = getattr(conditioning, combinator.__name__)
    label = f"{combinator.__name__}, {name}"
    return Parity(label, combinator(recipe), method, knobs, {"base": base}, shapes, role)


CONTRACT = (
    Contract(gw.clipped(gw.AdamW)),
    Contract(gw.clipped(gw.AdamW), {"max_norm": 0.1, "nonfinite": "zero"}),
    Contract(gw.clipped(gw.SGD), {"momentum": 0.9}),
    Contract(gw.value_clipped(gw.AdamW)),
    Contract(gw.adaptively_clipped(gw.AdamW)),
    Contract(gw.adaptively_clipped(gw.SGD), {"momentum": 0.9, "clip_factor": 0.16}),
    Contract(gw.softly_clipped(gw.AdamW)),
    Contract(gw.softly_clipped(gw.AdamW), {"smooth": False}),
    Contract(gw.centralized(gw.AdamW), ulps=CANCELLED),
    Contract(gw.centralized(gw.Adam), {"weight_decay": 0.01}, {"descends_on_a_bowl": SUMS_STAY}, ulps=CANCELLED),
    Contract(gw.clipped(gw.centralized(gw.Lion)), {}, {"descends_on_a_bowl": SUMS_STAY}, ulps=CANCELLED),
)

PARITY = (
    _before("adamw", gw.clipped, gw.AdamW, reference.adamw, ((4, 3),), **ADAMW),
    _before("sgd", gw.clipped, gw.SGD, reference.sgd, ((5,),), lr=0.05, momentum=0.9, max_norm=0.7),
    _before("adamw", gw.value_clipped, gw.AdamW, reference.adamw, clip_value=0.4, **ADAMW),
    _before("adamw", gw.adaptively_clipped, gw.AdamW, reference.adamw, **ADAMW),
    _before("sgd", gw.adaptively_clipped, gw.SGD, reference.sgd, SHAPES[1:], lr=0.05, momentum=0.9, clip_factor=0.5),
    _before("adamw", gw.softly_clipped, gw.AdamW, reference.adamw, clip_factor=0.5, **ADAMW),
    _before("hard", gw.softly_clipped, gw.AdamW, reference.adamw, smooth=False, **ADAMW),
    _before("adamw", gw.centralized, gw.AdamW, reference.adamw, **ADAMW),
    _before("convolutions alone", gw.centralized, gw.AdamW, reference.adamw, centralize_only="convolution", **ADAMW),
    Parity(
        "centralized, sgd with a penalty",
        gw.centralized(gw.SGD),
        conditioning.centralized_sgd,
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    ),
)

AGC_WEIGHTS, AGC_GRADIENT = [[1, 2, 2], [0, 0, 0]], [[0.3, 0, 0.4], [0.001, 0, 0]]
TWENTYFOLD = [[6, 0, 8], [0.02, 0, 0]]
KERNELS = [[[[0.5, 0.5], [0.5, 0.5]]], [[[0.001, 0.001], [0.001, 0.001]]]]
KERNEL_GRADIENTS = [[[[0.02, 0.02], [0.02, 0.02]]], [[[0.001, 0.001], [0.001, 0.001]]]]
KERNELS_CLIPPED = [[[[0.005, 0.005], [0.005, 0.005]]], [[[1e-5, 1e-5], [1e-5, 1e-5]]]]


def _one_step(name: str, recipe: Any, weights: Any, gradient: Any, answer: Any, **knobs: Any) -> Worked:
    """With lr = 1 the weights lose the conditioned gradient."""
    after = _less(weights, answer)
    return Worked(name, recipe, {"lr": 1.0, **knobs}, weights, [gradient], {1: after}, tolerance=1e-12)


def _less(weights: Any, answer: Any) -> Any:
    if isinstance(weights, list):
        return [_less(w, a) for w, a in zip(weights, answer)]
    return weights - answer


WORKED = (
    _one_step("AGC, rows", gw.adaptively_clipped(gw.SGD), AGC_WEIGHTS, AGC_GRADIENT, [[0.018, 0, 0.024], [1e-5, 0, 0]]),
    _one_step("AGC, convolution", gw.adaptively_clipped(gw.SGD), KERNELS, KERNEL_GRADIENTS, KERNELS_CLIPPED),
    _one_step("AGC, bias", gw.adaptively_clipped(gw.SGD), [3, 4], [0.3, 0.4], [0.03, 0.04]),
    # the row of zeros is bounded by the floor, where the form without one answers 1.7e-12
    _one_step(
        "soft clip, hard form",
        gw.softly_clipped(gw.SGD),
        AGC_WEIGHTS,
        TWENTYFOLD,
        [[1.8, 0, 2.4], [3**0.5 * 1e-3, 0, 0]],
        smooth=False,
    ),
    _one_step("soft clip, bias", gw.softly_clipped(gw.SGD), [3, 4], [30, 40], [3, 4], smooth=False),
    _one_step(
        "centralisation",
        gw.centralized(gw.SGD),
        [[0, 0, 0], [0, 0, 0]],
        [[1, 2, 6], [0, 0, 3]],
        [[-2, -1, 3], [-1, -1, 2]],
    ),
    _one_step("clipped norm", gw.clipped(gw.SGD), [0, 0], [3, 4], [0.6, 0.8]),
)

PUBLISHED = {
    gw.clipped(gw.SGD): {"max_norm": 1.0},
    gw.adaptively_clipped(gw.SGD): {"clip_factor": 0.01, "clip_floor": 1e-3, "clip_only": "!head"},
}

GOLDEN = {
    "ClippedAdamW": variant(gw.clipped(gw.AdamW)),
    "ClippedSGD": variant(gw.clipped(gw.SGD), momentum=0.9, max_norm=0.5),
    "ValueClippedAdamW": variant(gw.value_clipped(gw.AdamW), clip_value=0.3),
    "AdaptivelyClippedAdamW": variant(gw.adaptively_clipped(gw.AdamW)),
    "SoftlyClippedAdamW": variant(gw.softly_clipped(gw.AdamW)),
    "SoftlyClippedSGD, hard": variant(gw.softly_clipped(gw.SGD), momentum=0.9, smooth=False, clip_factor=0.3),
    "CentralizedAdamW": variant(gw.centralized(gw.AdamW)),
    "CentralizedSGD": variant(gw.centralized(gw.SGD), momentum=0.9, weight_decay=0.1),
}

PARTS = (
    case(parts.Centralize(), [[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]], [[-2.0, -1.0, 3.0], [-1.0, -1.0, 2.0]]),
    case(parts.Centralize(), [1.0, 3.0], [1.0, 3.0]),
    case(parts.Centralize(), [[1.0], [3.0]], [[1.0], [3.0]]),
    case(parts.Centralize(), [[1.0, 3.0]], [[1.0, 3.0]], role="embedding"),
    case(parts.Centralize("convolution"), [[1.0, 3.0]], [[1.0, 3.0]]),
    case(parts.Centralize(), [[[1.0, 3.0], [5.0, 7.0]]], [[[-3.0, -1.0], [1.0, 3.0]]]),
    case(parts.ClipUnits(0.1), [[0.3, 0.4], [0.03, 0.04]], [[0.03, 0.04], [0.03, 0.04]], param=[[0.0, 0.5]] * 2),
    case(parts.ClipUnits(0.1), [[[3.0], [4.0]]], [[[0.3], [0.4]]], param=[[[3.0], [4.0]]]),
    case(parts.ClipUnits(0.1), [[3.0, 4.0]], [[3.0, 4.0]], param=[[3.0, 4.0]], role="head"),
    case(parts.ClipUnits(0.1, 0.01), [3.0, 4.0], [0.0006, 0.0008]),
    case(parts.ClipUnits(), [0.0, 0.0], [0.0, 0.0]),
    case(parts.SoftClip(2.0), [6.0], [6.0 / 10**0.5], param=[1.0]),
    case(parts.SoftClip(2.0, smooth=False), [6.0], [2.0], param=[1.0]),
    case(parts.SoftClip(2.0, smooth=False), [1.0], [1.0], param=[1.0]),
    case(parts.SoftClip(0.5, 0.1), [0.0], [0.0]),
    case(parts.SoftClip(only="!vector"), [9.0], [9.0], param=[1.0]),
    case(parts.ClipNorm(2.5), [3.0, 4.0], [1.5, 2.0]),
    case(parts.ClipNorm(5.0), [3.0, 4.0], [3.0, 4.0]),
    case(parts.ClipNorm(nonfinite="zero"), [NAN, 4.0], [0.0, 0.0]),
    case(parts.ClipTensor(2.5), [3.0, 4.0], [1.5, 2.0]),
    case(parts.ClipTensor(5.0), [3.0, 4.0], [3.0, 4.0]),
    case(parts.Unscale(4.0), [3.0, -2.0], [0.75, -0.5]),
    case(parts.ClipValue(0.5), [-3.0, -0.2, 0.0, 0.5, 7.0], [-0.5, -0.2, 0.0, 0.5, 0.5]),
)

STAGES = {0: {"Centralize", "ClipNorm", "ClipTensor", "ClipUnits", "ClipValue", "SoftClip", "Unscale"}}

DEFAULTS = (
    (parts.Centralize(), parts.Centralize("!embedding")),
    (parts.ClipNorm(), parts.ClipNorm(1.0, "spread")),
    (parts.ClipTensor(), parts.ClipTensor(1.0)),
    (parts.Unscale(), parts.Unscale(1.0)),
    (parts.ClipUnits(), parts.ClipUnits(0.01, 1e-3, "!head")),
    (parts.ClipValue(), parts.ClipValue(1.0)),
    (parts.SoftClip(), parts.SoftClip(1.0, 1e-3, True, "*")),
)
