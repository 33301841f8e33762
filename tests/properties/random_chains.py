"""Random chains: parts drawn across the axes of the design, with random hyper-parameters.

An axis is what a part does: condition the gradient, remember it, divide it, turn it into a direction, regularise, size
the step, move the weights. A chain has parts of several axes, in the order of their stages, and at most one of those
that bring a momentum, a size or weights of their own.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import gradwright.transforms as parts
from gradwright.core import Chain, Part, Transform, chain
from gradwright.transforms import Denominator, Moment

CONDITIONS = (
    parts.AmplifySlow,
    parts.Centralize,
    parts.ClipPeaks,
    parts.ClipNorm,
    parts.ClipTensor,
    parts.ClipUnits,
    parts.ClipValue,
    parts.L2,
    parts.NormalizeGradient,
    parts.ReduceVariance,
    parts.SoftClip,
    parts.SteadyNorm,
)
MOMENTA = (
    parts.AccumulatingEma,
    parts.AdaptiveMemory,
    parts.AggregateMomentum,
    parts.ConditionalAverage,
    parts.ConfidentEma,
    parts.Ema,
    parts.FastAndSlow,
    parts.HeavyBall,
    parts.NesterovDebiased,
    parts.NesterovSchedule,
    parts.PositiveNegative,
    parts.SquareEma,
    parts.TwoSpeed,
)
CORES = (
    parts.AdaptiveInertia,
    parts.AdaptiveMemoryMoment,
    parts.DAdaptAdam,
    parts.DifferenceMomentum,
    parts.EigenbasisAdam,
    parts.FractionalMemory,
    parts.Prodigy,
)
"""A momentum and a moment in one."""


def _all_of(base: type[Any]) -> tuple[type[Any], ...]:
    public = (getattr(parts, name) for name in parts.__all__)
    return tuple(found for found in public if isinstance(found, type) and issubclass(found, base) and found is not base)


MOMENTS, DENOMINATORS = _all_of(Moment), _all_of(Denominator)
DIRECTIONS = (
    parts.Cautious,
    parts.ClipRms,
    parts.EigenbasisSign,
    parts.EqualizeRows,
    parts.FaceGradient,
    parts.FaceMomentum,
    parts.Friction,
    parts.GrowingClip,
    parts.GrowthLimit,
    parts.KroneckerEigen,
    parts.KroneckerRoot,
    parts.LayerRate,
    parts.NeuronNorm,
    parts.NormBall,
    parts.Normalize,
    parts.Orthogonalize,
    parts.Rescale,
    parts.RestoreNorm,
    parts.RowColumnScale,
    parts.ShapeScale,
    parts.Sign,
    parts.Sinkhorn,
    parts.TrustRatio,
)
DECAYS = (
    parts.CautiousDecay,
    parts.Decay,
    parts.NormLoss,
    parts.ProjectedDecay,
    parts.ProximalDecay,
    parts.RelativeDecay,
    parts.StableDecay,
)
SIZES = (
    parts.Attract,
    parts.DistanceOverGradients,
    parts.EveryKth,
    parts.InverseTime,
    parts.Lazy,
    parts.LossScaled,
    parts.ModelOrientedStep,
    parts.RelativeStep,
    parts.RestFirst,
    parts.ShrinkOnNan,
    parts.SpectralStep,
    parts.UntunedWarmup,
    parts.WeightScale,
    parts.WeightedDistance,
)
WEIGHTS = (
    parts.Constrain,
    parts.DAdaptSGD,
    parts.Hyperball,
    parts.Lookahead,
    parts.PolyakScheduleFree,
    parts.ScheduleFree,
    parts.SelfScaled,
    parts.WeightAverage,
)
INSIDE = (parts.Debias, parts.DistancePull, parts.OnceTrusted, parts.PullBack, parts.Rectify)
"""Parts that mean something only around or behind a certain other one; drawn together with it."""

DRAWN = {*CONDITIONS, *MOMENTA, *CORES, *MOMENTS, *DENOMINATORS, *DIRECTIONS, *DECAYS, *SIZES, *WEIGHTS, *INSIDE}
DRAWN |= {parts.Precondition, parts.Scale, Moment, Denominator}

KNOBS = {
    "size": (0.003, 0.03),
    "weight_decay": (0.01, 0.2),
    "rate": (0.01, 0.2),
    "strength": (0.05, 0.3),
    "alpha": (0.3, 0.9),
    "slow": (0.95, 0.99),
    "gamma": (0.3, 0.9),
    "difference": (0.3, 0.9),
    "momentum": (0.3, 0.9),
    "memory": (0.3, 0.9),
    "eps": (1e-6, 1e-2),
    "d0": (1e-3, 1e-2),
    "kappa": (0.05, 0.2),
    "decay": (0.4, 0.9),
}
"""Where the hyper-parameters of each name are drawn from; any other beta is from 0.3 to 0.95."""


class Draw:
    """One chain, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def chain(self) -> Chain:
        dice = self.dice
        links: list[Transform] = [self.part(kind) for kind in dice.sample(CONDITIONS, dice.choice((0, 0, 1, 2)))]
        links += self.core()
        links += [self.part(kind) for kind in dice.sample(DIRECTIONS, dice.choice((0, 0, 1, 2)))]
        links += [self.part(kind) for kind in dice.sample(DECAYS, dice.choice((0, 1, 1)))]
        links += [self.part(kind) for kind in dice.sample(SIZES, dice.choice((0, 0, 1)))]
        dice.shuffle(links) if dice.random() < 0.2 else None
        links.sort(key=lambda link: link.stage)
        links.append(parts.Scale(dice.uniform(*KNOBS["size"])))
        links += [self.part(kind) for kind in dice.sample(WEIGHTS, dice.choice((0, 0, 1)))]
        return chain(*links)

    def core(self) -> list[Transform]:
        """Nothing, a momentum, a moment, both in either order, or a part that is both."""
        dice, what = self.dice, self.dice.randrange(7)
        momentum, moment = self.part(dice.choice(MOMENTA)), self.precondition()
        if what == 0:
            return self.both(dice.choice(CORES))
        if what == 1:
            kind = dice.choice((parts.OnceTrusted, parts.Rectify))
            # a shorter memory than this is never trusted
            return [momentum, self.part(kind, of=moment, beta=dice.uniform(0.9, 0.99))]
        if what == 2 and dice.random() < 0.3:
            return [self.part(parts.PullBack, of=parts.Ema(self.knob("beta")))]
        if what == 2:
            beta = self.knob("beta")
            return [parts.Ema(beta), parts.Debias(beta)]
        return [[], [momentum], [momentum, moment], [moment, momentum]][what - 3]

    def both(self, kind: type[Any]) -> list[Transform]:
        """A momentum and a moment in one; half of the distances with the decay that goes with them."""
        links = [self.part(kind)]
        if kind in (parts.Prodigy, parts.DAdaptAdam) and self.dice.random() < 0.5:
            of = "prodigy" if kind is parts.Prodigy else "dadapt_adam"
            links.append(parts.DistancePull(parts.Decay(self.knob("weight_decay")), links[0].step, of))
        return links

    def precondition(self) -> parts.Precondition:
        return parts.Precondition(self.part(self.dice.choice(MOMENTS)), self.part(self.dice.choice(DENOMINATORS)))

    def part(self, kind: type[Any], **given: Any) -> Any:
        """A part with its hyper-parameters drawn and its structure, mostly, as it comes."""
        fields: dict[str, Any] = dict(given)
        for field in dataclasses.fields(kind):
            if field.name in fields:
                continue
            needed = field.default is dataclasses.MISSING
            drawn = needed or field.name == "kappa" or (field.name in KNOBS and self.dice.random() < 0.5)
            if field.type in ("float", float) and drawn:
                fields[field.name] = self.within(kind, field.name)
            elif needed:
                fields[field.name] = self.structure(kind, field)
            elif kind is parts.Constrain and field.name == "bound":
                fields[field.name] = "uniform"  # the others set the bound later than these runs last
            elif field.type == "bool" and self.dice.random() < 0.5:
                fields[field.name] = self.dice.random() < 0.5
        return kind(**fields)

    def structure(self, kind: type[Any], field: Any) -> Any:
        name = str(field.type)
        if name == "Moment":
            return self.part(self.dice.choice((parts.Full, parts.Full, parts.PerTensor)))
        if name == "Denominator":
            return parts.AddEps(1e-6)
        if name == "DistanceStep":
            # a smaller multiplier leaves the distance where it starts
            return parts.DistanceStep(self.dice.uniform(0.5, 1.0), debias=self.dice.random() < 0.5)
        if name == "RelativeStep":
            return parts.RelativeStep(self.knob("size"))
        if name == "Window":
            return self.part(self.dice.choice((parts.Exponential, parts.PolynomialDecay, parts.PowerFunction)))
        if name == "Transform":
            return parts.Scale(self.knob("size")) if kind is parts.UntunedWarmup else self.precondition()
        if name == "ScheduleFree":
            return parts.ScheduleFree(self.knob("size"), self.knob("beta"), r=1.0, power=0.0)
        raise AssertionError(f"{kind.__name__} has a field {field.name}: {name} that no draw knows")

    def within(self, kind: type[Part], name: str) -> float:
        low, high = kind.bounds.get(name, (0.0, float("inf")))
        drawn = self.knob(name)
        return drawn if low <= drawn < high else min(max(drawn, low + 0.5), high)

    def knob(self, name: str) -> float:
        return self.dice.uniform(*KNOBS.get(name, (0.3, 0.95)))
