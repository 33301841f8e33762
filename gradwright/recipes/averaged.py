"""Combinators that average the weights of any recipe, to evaluate with."""

from __future__ import annotations

from typing import Literal

from gradwright.core import Chain, chain
from gradwright.recipes.combinator import combinator
from gradwright.transforms import Exponential, PolynomialDecay, PowerFunction, WeightAverage, WeightTrack
from gradwright.transforms.weights.average import gamma_of_width


@combinator(
    "Averaged", paper="exponential moving average of the weights", gains="averages", loses="low_memory", neutral={}
)
def averaged(
    base: Chain, average_beta: float = 0.999, average_start: Literal["debias", "ramp", "power", "none"] = "debias"
) -> Chain:
    """Evaluate at an exponential moving average of the weights; training does not notice.

    x̄ ← βₜ x̄ + (1 − βₜ) p.   ``average_beta`` is β in [0, 1): 0.999 for thousands of steps, 0.9999 for more.
    ``average_start`` keeps the first weights from counting too long: ``"debias"`` corrects as Adam does,
    βₜ = β (1 − βᵗ⁻¹) / (1 − βᵗ); ``"ramp"`` is TensorFlow's min(β, (1 + t) / (10 + t)); ``"power"`` timm's
    min(β, 1 − t^(−2/3)); ``"none"`` leaves βₜ = β.

    ``with optimizer.evaluating(): ...`` puts the average into the model, and a checkpoint holds both. BatchNorm
    statistics belong to the weights of training: :func:`gradwright.training.recompute_batch_norm`.
    """
    return chain(base, WeightAverage(Exponential(average_beta, average_start)))


@combinator("PowerAveraged", paper="arXiv:2312.02696", gains="averages", loses="low_memory", neutral={})
def power_averaged(base: Chain, sigma_rel: float = 0.1, second_sigma_rel: float | None = None) -> Chain:
    """Evaluate at an average whose width is a fixed share of the run so far; training does not notice.

    x̄ ← (1 − 1/t)^(γ + 1) x̄ + (1 − (1 − 1/t)^(γ + 1)) p, so that the weights of step τ count as τ^γ.
    ``sigma_rel`` in (0, 0.288] is the standard deviation of that profile relative to the run: 0.05 and 0.1 in the
    paper. ``second_sigma_rel`` keeps a second average beside it: with snapshots of two widths an average of any other
    width is found after training, see :func:`gradwright.training.power_mixture`.

    Raises:
        ValueError: a width is outside that range.
    """
    second = () if second_sigma_rel is None else (WeightTrack(PowerFunction(gamma_of_width(second_sigma_rel))),)
    return chain(base, *second, WeightAverage(PowerFunction(gamma_of_width(sigma_rel))))


@combinator("PolynomialAveraged", paper="Shamir and Zhang, ICML 2013", gains="averages", loses="low_memory", neutral={})
def polynomial_averaged(base: Chain, average_gamma: float = 8.0) -> Chain:
    """Evaluate at a polynomial-decay average of the weights; training does not notice.

    x̄ ← (1 − w) x̄ + w p,   w = (1 + γ) / (t + γ).   ``average_gamma`` is γ ≥ 0: 8 in the paper of DoG, 0 for the mean
    of all steps.
    """
    return chain(base, WeightAverage(PolynomialDecay(average_gamma)))
