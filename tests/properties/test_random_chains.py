"""Any part combines with any other or refuses with a sentence: chains drawn at random train, save and resume."""

from __future__ import annotations

import copy
import math

import pytest
import torch

import gradwright.transforms as parts
from gradwright.core import Chain, Part, Slot
from tests.properties.random_chains import DRAWN, Draw
from tests.runs import as_recipe

STEPS = 30
FAST, ALL = range(12), range(12, 300)

SIZE_IS_FORGOTTEN = (
    parts.EigenbasisSign,
    parts.EqualizeRows,
    parts.Hyperball,
    parts.LayerRate,
    parts.NormBall,
    parts.Normalize,
    parts.NormalizeGradient,
    parts.Orthogonalize,
    parts.Rescale,
    parts.Sign,
    parts.Sinkhorn,
    parts.TrustRatio,
)
"""After these a step does not depend on how large the update was, only on where it points."""


ONLY_WITH = {
    (parts.AdaptiveMemoryMoment, "size"): "a size that changes: only its ratio to the one before counts",
    (parts.Constrain, "memory"): "the bound inflection_point, which these runs are too short for",
    (parts.DAdaptAdam, "growth"): "a distance that grows within these runs",
    (parts.DAdaptSGD, "growth"): "a distance that grows within these runs",
    (parts.Prodigy, "growth"): "a distance that grows within these runs",
    (parts.Prodigy, "beta3"): "a distance that grows within these runs",
    (parts.DistancePull, "step.beta1"): "debias=True",
    (parts.DistancePull, "step.beta2"): "debias=True",
    (parts.GrowingClip, "power"): "entries above one",
    (parts.PolyakScheduleFree, "beta_end"): "anneal above zero",
    (parts.RelativeStep, "floor"): "scaled=True",
    (parts.ShrinkOnNan, "shrink"): "a gradient with a NaN",
    (parts.SpectralStep, "floor"): "a matrix whose largest singular value is below it",
}
"""Hyper-parameters that act only together with something that is not always drawn."""


NOT_DRAWN = {
    parts.AveragedSideDecay: "it goes behind SideScale, whose factor its decay has",
    parts.BoundedRate: "a moment, a denominator and a rate in one, behind a momentum that is not corrected",
    parts.CompressedEma: "matrices of these runs are no larger than what it keeps",
    parts.CorrectAdam: "it goes behind two averages that are not corrected",
    parts.ClipSpikes: "it goes around a momentum and a moment",
    parts.DivideBySums: "its step grows as the gradient falls, which nothing behind it is made for",
    parts.DualAverage: "it takes the place of Scale, which every drawn chain has",
    parts.FollowRegularizedLeader: "it takes the place of Scale, which every drawn chain has",
    parts.Graft: "it goes around two that make a direction",
    parts.KullbackLeibler: "it is for matrices, and every drawn chain has vectors",
    parts.LowRank: "it goes around all that makes a direction",
    parts.MirrorAverage: "it takes the place of Scale, which every drawn chain has",
    parts.PowerIteration: "it is for matrices, and every drawn chain has vectors",
    parts.QuasiHyperbolic: "it goes behind an average of the gradient",
    parts.ResilientStep: "it takes the place of Scale, which every drawn chain has",
    parts.RestoreUnits: "it goes behind a moment of squares, and is the size of the step",
    parts.Restart: "it goes around what remembers",
    parts.RestartWarmup: "it goes with the restarts of what remembers",
    parts.SideScale: "it takes the place of Scale, which every drawn chain has",
    parts.SurpriseClip: "it goes behind a moment that was divided by",
    parts.TopRows: "it is for matrices, and every drawn chain has vectors",
    parts.Unscale: "its factor is that of a loss that was multiplied before its backward",
    parts.WaningScale: "it takes the place of Scale, which every drawn chain has",
}
"""Parts that mean something only in one place of a chain: the rows of the recipes that have them cover them."""


def network() -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
        ).double()


DATA = torch.randn(32, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = (DATA[:, :3] + 0.3 * DATA[:, 3:]).argmax(1)


class Training:
    """A small network under a chain; batches go round."""

    def __init__(self, chain: Chain, engine: str = "eager") -> None:
        self.model, self.chain = network(), chain

        def Drawn(lr=1.0):
            return chain

        with as_recipe(Drawn) as recipe:
            self.optimizer = recipe(self.model.named_parameters(), engine=engine)
        self.spec = recipe.spec
        self.optimizer.recipe_spec_of = lambda group: self.spec
        self.time = 0

    def steps(self, count: int) -> Training:
        for _ in range(count):
            batch = slice(8 * (self.time % 4), 8 * (self.time % 4) + 8)
            self.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.model(DATA[batch]), LABELS[batch])
            loss.backward()
            self.optimizer.step(loss=loss.detach())
            self.time += 1
        return self

    def weights(self) -> list[torch.Tensor]:
        return [param.detach().clone() for param in self.model.parameters()]

    def outcome(self) -> list[torch.Tensor]:
        """The weights, and those to evaluate with."""
        trained = self.weights()
        with self.optimizer.evaluating():
            return [*trained, *self.weights()]

    def state(self) -> dict[tuple[int, str], object]:
        return {
            (index, key): copy.deepcopy(value)
            for index, param in enumerate(self.model.parameters())
            for key, value in self.optimizer.state[param].items()
        }


def drawn(seed: int) -> Chain:
    """The chain of a seed; a refusal has to be a sentence that names what it refuses."""
    chain = Draw(seed).chain()
    try:
        Training(chain)
    except ValueError as found:
        refusal = str(found)
    else:
        return chain
    assert len(refusal.split()) >= 6, refusal
    pytest.skip(f"refused: {refusal}")


def equal(ones, others) -> bool:
    return all(torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(ones, others))


def seeds(fast, slow):
    return pytest.mark.parametrize("seed", [*fast, *(pytest.param(seed, marks=pytest.mark.slow) for seed in slow)])


@seeds(FAST, ALL)
def test_it_trains_and_every_slot_moves(seed):
    chain = drawn(seed)
    training = Training(chain)
    before, weights = training.state(), training.weights()
    training.steps(STEPS)
    assert not equal(weights, training.weights()), f"{chain} moves no weight"
    after, slots = training.state(), {}
    for param in training.model.parameters():
        slots |= chain.slots(training.optimizer.spec_of(param))
    for key, slot in slots.items():
        if isinstance(slot, Slot) and slot.fixed:
            continue
        held = [at for at in before if at[1] == key]
        still = all(torch.equal(torch.as_tensor(before[at]), torch.as_tensor(after[at])) for at in held)
        assert not still, f"{chain} never writes {key}"


@seeds(FAST, ALL)
def test_it_resumes_bit_for_bit(seed):
    chain = drawn(seed)
    whole, begun, resumed = Training(chain).steps(STEPS), Training(chain).steps(STEPS // 2), Training(chain)
    resumed.model.load_state_dict(begun.model.state_dict())
    resumed.optimizer.load_state_dict(copy.deepcopy(begun.optimizer.state_dict()))
    resumed.time = begun.time
    resumed.steps(STEPS - STEPS // 2)
    assert equal(whole.weights(), resumed.weights())


def others(part: Part, name: str, value: float) -> list[float]:
    """Other values of a knob, some of them extreme, within its bounds."""
    low, high = type(part).bounds.get(name, (0.0, math.inf))
    tried = (value / 2, 2 * value + 0.1, 1e-3, 0.5, 1.01, 30.0, 1e4)
    return [other for other in tried if low <= other < high and other != value]


def moved(chain: Chain, knob: str, value: float) -> Chain:
    return chain.map_knobs(lambda name, old: value if name == knob else old)


def hidden(chain: Chain, index: int) -> bool:
    """Whether a later link forgets what the size of the update was."""
    return any(isinstance(link, SIZE_IS_FORGOTTEN) for link in chain.links[index + 1 :])


def owner(part: Part, dotted: str) -> tuple[Part, str]:
    *path, name = dotted.split(".")
    for step in path:
        part = part.children()[step]
    return part, name


@seeds(FAST[:4], [*FAST[4:], *ALL])
def test_every_knob_has_an_effect(seed):
    chain = drawn(seed)
    base = Training(chain).steps(STEPS).outcome()
    for index, (link_name, link) in enumerate(chain.children().items()):
        for dotted, value in link.knobs().items():
            part, name = owner(link, dotted)
            if (type(part), name) in ONLY_WITH or (type(link), dotted) in ONLY_WITH:
                continue
            effective = any(
                not equal(base, Training(moved(chain, f"{link_name}.{dotted}", other)).steps(STEPS).outcome())
                for other in others(part, name, value)
            )
            assert effective or hidden(chain, index), f"{link_name}.{dotted} = {value} has no effect in {chain}"


@pytest.mark.usefixtures("compiler")
@seeds(FAST[:4], [*FAST[4:], *ALL[:90]])
def test_the_fused_engine_agrees(seed):
    chain = drawn(seed)
    fused, eager = Training(chain, engine="cpp"), Training(chain)
    for _ in range(3):
        fused.steps(1)
        eager.steps(1)
        for mine, its in zip(fused.weights(), eager.weights()):
            torch.testing.assert_close(mine, its, rtol=1e-8, atol=1e-8, equal_nan=True)


def test_every_part_can_be_drawn():
    """A new part is added to an axis of ``random_chains.py``."""
    public = {getattr(parts, name) for name in parts.__all__}
    inner = {parts.DistanceStep, parts.Exponential, parts.PolynomialDecay, parts.PowerFunction}
    inner |= {parts.LateMean, parts.Rectification, parts.WeightTrack}
    concrete = {found for found in public if isinstance(found, type) and issubclass(found, Part)}
    assert concrete <= DRAWN | inner | NOT_DRAWN.keys()
    assert not DRAWN & NOT_DRAWN.keys()
