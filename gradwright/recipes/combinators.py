"""Combinators: recipe -> recipe. They cut a chain at a stage and put a part there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gradwright.core import Chain, Part, chain
from gradwright.core.transform import CONDITION, DIRECTION, STEP
from gradwright.recipes.combinator import combinator
from gradwright.transforms import AmplifySlow, Cautious, Lookahead, Moment, PullBack, RestoreNorm, UntunedWarmup
from gradwright.transforms.weights.lookahead import has_momentum


@combinator("Cautious", paper="arXiv:2411.16085", gains="reduces", loses="elementwise")
def cautious(base: Chain) -> Chain:
    """Move only where the direction agrees with the gradient; the mean step of a tensor is kept.

    The mask goes after the direction, and after a momentum that comes later (Adafactor's, Lars's); before decay.

    Raises:
        ValueError: the optimizer is made without a momentum, so that direction and gradient never disagree, as of SGD,
            Adafactor and SM3 at their defaults and of schedule-free methods.
    """
    moved = [at for at, link in enumerate(base.upto(STEP).links, start=1) if has_momentum(link)]
    cut = max(len(base.upto(DIRECTION).links), *moved, 0)
    return chain(*base.links[:cut], Cautious(), *base.links[cut:])


@combinator("Lookahead", paper="arXiv:1907.08610", gains="clock", loses="low_memory", neutral={"alpha": 1.0})
def lookahead(
    base: Chain, k: int = 5, alpha: float = 0.5, pullback_momentum: Literal["none", "reset", "pullback"] = "none"
) -> Chain:
    """Every k steps, go back to a point on the way from slow weights to the fast ones.

    φ ← φ + α (θ − φ);   θ ← φ.   ``k`` ≥ 1 steps in a cycle, ``alpha`` in [0, 1] how far the slow weights follow.
    ``pullback_momentum`` says what becomes of a momentum m then: ``"none"`` keeps it, ``"reset"`` makes it zero, and
    ``"pullback"`` takes it back as the weights, m ← m̄ + α (m − m̄), m̄ ← m, at the cost of a second momentum. BatchNorm
    statistics belong to the fast weights; evaluate after a k-th step. An average that the recipe keeps sees the
    weights after that.

    Deviations from the authors' code: its α is 0.8; its m̄ is no copy but m itself from the first cycle on, so that
    ``"pullback"`` does nothing after that, and here it acts in every cycle; it knows SGD's momentum alone, and here
    every first moment goes back, while second moments and step counts stay; φ is the weights before the first step
    rather than at construction, and is part of the checkpoint.

    Raises:
        ValueError: a momentum shall go back and the recipe has none; or, where the optimizer is made, the recipe's
            weights mean something only where it keeps them, as on a sphere or between two iterates.
    """
    if pullback_momentum not in ("none", "reset", "pullback"):
        raise ValueError(f"pullback_momentum={pullback_momentum!r} is unknown; known are none, reset, pullback")
    stepping = [link for link in base.links if not link.observes]
    observing = [link for link in base.links if link.observes]
    if pullback_momentum == "none":
        return chain(*stepping, Lookahead(k, alpha), *observing)
    to: Literal["slow", "zero"] = "zero" if pullback_momentum == "reset" else "slow"
    pulled = [PullBack(link, k, alpha, to) if has_momentum(link) else link for link in stepping]
    if pulled == stepping:
        raise ValueError(f"pullback_momentum={pullback_momentum!r} needs a momentum, and the recipe keeps none")
    return chain(*pulled, Lookahead(k, alpha), *observing)


@combinator("Grokfast", paper="arXiv:2405.20233", loses="low_memory", neutral={"grokfast_lamb": 0.0})
def grokfast(base: Chain, grokfast_alpha: float = 0.98, grokfast_lamb: float = 2.0) -> Chain:
    """Amplify the slow part of the gradients before the method sees them (Grokfast-EMA).

    μ₁ = g₁,   μ ← α μ + (1 − α) g;   ĝ = g + λ μ.   ``grokfast_alpha`` in [0, 1) and ``grokfast_lamb`` ≥ 0 have the
    authors' values. It acts before all else, an L2 penalty too. A scale-free method such as Adam sees the change of
    direction and not that gradients are 1 + λ times as large. The authors' variant with a window of past gradients is
    left out: it keeps a hundred of them.
    """
    return chain(AmplifySlow(grokfast_alpha, grokfast_lamb), base)


@combinator("AdaNorm", paper="arXiv:2210.06364", gains="reduces", loses="elementwise sign", neutral={"gamma": 0.0})
def adanorm(base: Chain, gamma: float = 0.95) -> Chain:
    """Let a gradient that is shorter than usual enter the momentum at the usual length.

    e ← γ e + (1 − γ) ‖g‖;   s = g e / ‖g‖ where e > ‖g‖ > 0.   Second moments see the plain gradient. ``gamma`` in
    [0, 1) is the paper's; the norm is that of the tensor. In the authors' RadamNorm e is set to 0 at every step, so
    that it is RAdam; here it is kept. Their AdaBeliefNorm measures surprise as s − m, this one as g − m.
    """
    return chain(base.upto(CONDITION), RestoreNorm(gamma), base.beyond(CONDITION))


@combinator("UntunedWarmup", paper="arXiv:1910.04209", loses="rows")
def untuned_warmup(base: Chain) -> Chain:
    """Warm up for as long as the recipe's own second moment needs, with nothing to tune.

    lr is multiplied by 1 − exp(−(1 − β₂) t) wherever the recipe has it, with β₂ of the recipe: 0.63 after
    1 / (1 − β₂) steps. It is the recipe under that schedule and nothing else. Each parameter is warmed up by its own
    age.

    >>> import gradwright
    >>> gradwright.untuned_warmup(gradwright.AdamW).chain(betas=(0.9, 0.95)).links[-1]
    UntunedWarmup(of=Scale(size=0.001), beta=0.95, shape='exponential')

    Raises:
        ValueError: the recipe has no second moment with a decay rate.
    """
    rates = [moment.knobs()[name] for moment in _moments(base) for name in moment.knobs() if name.endswith("beta")]
    if not rates:
        raise ValueError("untuned_warmup: this recipe has no second moment to tell the length from; use LinearLR")
    return chain(*(UntunedWarmup(link, rates[0]) if link.all_rates() else link for link in base.links))


def _moments(part: Part) -> Iterator[Moment]:
    """The second moments in a part, in order."""
    if isinstance(part, Moment):
        yield part
    else:
        for child in part.children().values():
            yield from _moments(child)
