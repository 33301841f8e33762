"""The Adam-like recipes beside torch.optim, timm and pytorch_optimizer, where those have them.

Compared are float64 trajectories of 50 steps. Where the other package deviates on purpose or by mistake, the row says
so, and the tolerance is the size of that deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import pytest
import torch

import gradwright as gw
from gradwright.core import chain
from gradwright.transforms import Ema, Floor, GrowingClip, Lagged, Precondition, Scale
from tests.families.kinds import MATRICES
from tests.parity.timm_optimizers import timm_optimizer
from tests.runs import SHAPES, as_recipe, distance, gradients, normals, run

STEPS = 50
EXACT = 1e-12


def of_torch(name: str) -> Callable[[], Any]:
    return lambda: getattr(torch.optim, name)


def of_timm(module: str, name: str) -> Callable[[], Any]:
    return lambda: timm_optimizer(module, name)


def of_kozistr(name: str) -> Callable[[], Any]:
    """Of kozistr's pytorch_optimizer, whose older versions had other bugs."""

    def find() -> Any:
        package = pytest.importorskip("pytorch_optimizer")
        if tuple(int(part) for part in version("pytorch_optimizer").split(".")[:2]) < (4, 1):
            pytest.skip("pytorch_optimizer is older than 4.1")
        return getattr(package, name)

    return find


@dataclass(frozen=True)
class Pair:
    """``knobs`` go to both, ``own`` to ours and ``their`` to the other."""

    name: str
    ours: Any
    theirs: Callable[[], Any]
    knobs: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    their: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    within: float = EXACT


DECAY = {"weight_decay": 0.1}
QUICK = {"betas": (0.8, 0.9)}
WARM = {"alpha_warmup": 20.0, "beta3_warmup": 20.0}

PAIRS = [
    Pair("torch RAdam", gw.RAdam, of_torch("RAdam")),
    Pair("torch RAdam, penalty", gw.RAdam, of_torch("RAdam"), {**QUICK, **DECAY}),
    Pair("torch RAdam, decay", gw.RAdam, of_torch("RAdam"), {**DECAY, "decoupled_weight_decay": True, "eps": 1e-3}),
    Pair("torch RAdam, climbing", gw.RAdam, of_torch("RAdam"), {"maximize": True}),
    Pair("torch Adamax", gw.Adamax, of_torch("Adamax"), {**QUICK, **DECAY, "eps": 1e-3}),
    Pair("torch AMSGrad", gw.AMSGrad, of_torch("Adam"), {"betas": (0.9, 0.5), **DECAY}, {}, {"amsgrad": True}),
    Pair("timm Adan", gw.Adan, of_timm("adan", "Adan"), DECAY, {}, {"no_prox": False}),
    Pair("timm Adan, no prox", gw.Adan, of_timm("adan", "Adan"), {**DECAY, "no_prox": True}),
    # timm's default betas are (0.9, 0.99); vectors are AdamW's there
    Pair(
        "timm MARS", gw.MARS, of_timm("mars", "Mars"), {**DECAY, "betas": (0.95, 0.99)}, {"form": "timm"}, {}, MATRICES
    ),
    Pair(
        "timm AdaBelief, rectified",
        gw.AdaBelief,
        of_timm("adabelief", "AdaBelief"),
        {**DECAY, "eps": 1e-8, "rectify": True},
    ),
    Pair("timm AdaBelief", gw.AdaBelief, of_timm("adabelief", "AdaBelief"), {"eps": 1e-8, "rectify": False}),
    Pair("kozistr RAdam", gw.RAdam, of_kozistr("RAdam"), {"degenerated_to_sgd": True}),
    Pair("kozistr Adan", gw.Adan, of_kozistr("Adan"), DECAY, {}, {"weight_decouple": False}),
    Pair("kozistr AdaMax", gw.Adamax, of_kozistr("AdaMax")),
    Pair("kozistr AdEMAMix", gw.AdEMAMix, of_kozistr("AdEMAMix"), {"alpha": 5.0}),
    Pair(
        "kozistr AdEMAMix, warming up", gw.AdEMAMix, of_kozistr("AdEMAMix"), {"alpha": 5.0}, WARM, {"t_alpha_beta3": 20}
    ),
    # 1e-15 more inside the root
    Pair("kozistr DiffGrad", gw.DiffGrad, of_kozistr("DiffGrad"), within=1e-8),
    # the first gradient is corrected by 0; norms are taken apart from ours by an eps of 1e-6
    Pair("kozistr MARS", gw.MARS, of_kozistr("MARS"), DECAY, shapes=MATRICES, within=1e-5),
]


def largest_distance(pair: Pair, theirs: Any) -> float:
    starts, walk = normals(pair.shapes, seed=11), gradients(pair.shapes, STEPS, seed=12)
    ours = run(pair.ours, starts, walk, lr=0.02, **pair.knobs, **pair.own).history
    other = run(theirs, starts, walk, lr=0.02, **pair.knobs, **pair.their).history
    return max(distance(a, b) for mine, its in zip(ours, other) for a, b in zip(mine, its))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_trajectory_is_that_of_the_other_package(pair):
    assert largest_distance(pair, pair.theirs()) < pair.within


def test_timms_adopt_clips_nearly_at_the_cube_root():
    def CubeRootAdopt(lr=1e-3):
        return chain(Precondition(Lagged(0.9999), Floor(1e-6)), GrowingClip(0.333), Ema(0.9), Scale(lr))

    with as_recipe(CubeRootAdopt) as recipe:
        assert largest_distance(Pair("", recipe, of_timm("adopt", "Adopt")), timm_optimizer("adopt", "Adopt")) < EXACT
    assert largest_distance(Pair("", gw.ADOPT, of_timm("adopt", "Adopt")), timm_optimizer("adopt", "Adopt")) > 1e-3


@pytest.mark.parametrize(("ours", "theirs"), [(gw.RAdam, torch.optim.RAdam), (gw.Adamax, torch.optim.Adamax)])
def test_torchs_checkpoints_load_and_go_on_alike(ours, theirs):
    def with_gradient(param, t):
        param.grad = torch.full_like(param, 0.3) * (-1) ** t + 0.1 * param.detach()

    mine, its = (torch.nn.Parameter(torch.arange(1.0, 7.0, dtype=torch.float64)) for _ in range(2))
    trained = theirs([its], lr=0.02)
    for t in range(8):
        with_gradient(its, t)
        trained.step()
    with torch.no_grad():
        mine.copy_(its)
    resumed = ours([mine], lr=0.02, engine="eager")
    resumed.load_state_dict(trained.state_dict())
    for t in range(8):
        for param, optimizer in ((mine, resumed), (its, trained)):
            with_gradient(param, t)
            optimizer.step()
    torch.testing.assert_close(mine, its, rtol=1e-12, atol=0)
