"""The recipes that torch.optim has too: the same trajectory in float64, to 1e-12 after 50 steps."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.optim._muon as torch_muon

import gradwright as gw
from tests.runs import SHAPES, distance, gradients, normals, run

STEPS = 50
MATRICES = ((4, 4), (3, 7), (8, 2), (1, 5))


@dataclass(frozen=True)
class Pair:
    ours: Any
    theirs: Any
    knobs: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    renamed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join([self.ours.__name__, *(f"{key}={value}" for key, value in self.knobs.items())])


def pairs(ours, theirs, *settings, **fields):
    return [Pair(ours, theirs, knobs, **fields) for knobs in settings]


PAIRS = [
    *pairs(
        gw.SGD,
        torch.optim.SGD,
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "maximize": True},
    ),
    *pairs(
        gw.Adam,
        torch.optim.Adam,
        {"lr": 0.02},
        {"lr": 0.02, "betas": (0.0, 0.0)},
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-2, "weight_decay": 0.1},
        {"lr": 0.02, "betas": (0.9, 0.5), "amsgrad": True},
        {"lr": 0.02, "weight_decay": 0.1, "maximize": True},
    ),
    *pairs(
        gw.AdamW,
        torch.optim.AdamW,
        {"lr": 0.02},
        {"lr": 0.02, "betas": (0.7, 0.9), "weight_decay": 0.5},
        {"lr": 0.02, "betas": (0.9, 0.5), "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.02, "weight_decay": 0.1, "maximize": True},
    ),
    *pairs(
        gw.NAdam,
        torch.optim.NAdam,
        {"lr": 0.02},
        {"lr": 0.02, "betas": (0.8, 0.95), "momentum_decay": 0.03, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.02, "maximize": True},
    ),
    *pairs(
        gw.RMSprop,
        torch.optim.RMSprop,
        {"lr": 0.02},
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-2, "weight_decay": 0.1},
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1},
        {"lr": 0.02, "centered": True, "alpha": 0.9},
        {"lr": 0.02, "centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True},
    ),
    *pairs(
        gw.Adagrad,
        torch.optim.Adagrad,
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "eps": 0.1, "maximize": True},
    ),
    *pairs(
        gw.Adadelta,
        torch.optim.Adadelta,
        {"lr": 1.0},
        {"lr": 0.5, "rho": 0.95, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 1.0, "maximize": True},
    ),
    *pairs(
        gw.ASGD,
        torch.optim.ASGD,
        {"lr": 0.1},
        {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3.0, "weight_decay": 0.1},
        {"lr": 0.1, "lambd": 0.01, "t0": 10.0, "maximize": True},
    ),
    *pairs(
        gw.Rprop,
        torch.optim.Rprop,
        {"lr": 0.01},
        {"lr": 0.3, "etas": (0.3, 1.5), "step_sizes": (1e-2, 0.5)},
        {"lr": 0.01, "maximize": True},
    ),
    *pairs(
        gw.Adafactor,
        torch.optim.Adafactor,
        {"lr": 0.05, "eps": (1e-7, 1e-3)},
        {"lr": 0.2, "eps": (0.3, 0.1), "d": 1.1, "beta2_decay": -0.5, "weight_decay": 0.1},
        {"lr": 0.05, "eps": (1e-7, 1e-3), "maximize": True},
    ),
    *pairs(
        gw.Muon,
        torch.optim.Muon,
        {"lr": 0.02},
        {"lr": 0.02, "momentum": 0.8, "nesterov": False, "weight_decay": 0.1},
        {"lr": 0.02, "weight_decay": 0.1, "adjust_lr": "match_rms_adamw"},
        shapes=MATRICES,
        renamed={"adjust_lr": "adjust_lr_fn"},
    ),
]


def newton_schulz(grad, ns_coefficients, ns_steps, eps):
    """torch's iteration in the type it is given, where torch.optim.Muon always takes bfloat16."""
    a, b, c = ns_coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


@pytest.fixture
def double_precision(monkeypatch):
    """torch keeps NAdam's running product in the default type, and orthogonalises in bfloat16."""
    monkeypatch.setattr(torch_muon, "_zeropower_via_newtonschulz", newton_schulz)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def trajectories(pair: Pair, changes=None):
    starts, walk = normals(pair.shapes, seed=11), gradients(pair.shapes, STEPS, seed=12)
    own = {"form": "torch"} if pair.ours is gw.Adafactor else {}
    theirs = {pair.renamed.get(key, key): value for key, value in pair.knobs.items()}
    if theirs.get("weight_decay") is None and pair.theirs in (torch.optim.Muon,):
        theirs["weight_decay"] = 0.0  # torch's default is 0.1
    ours = run(pair.ours, starts, walk, changes=changes, **pair.knobs, **own).history
    return ours, run(pair.theirs, starts, walk, changes=changes, **theirs).history


def largest_distance(ours, theirs):
    return max(distance(a, b) for mine, torchs in zip(ours, theirs) for a, b in zip(mine, torchs))


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_trajectory_is_torchs(pair, double_precision):
    assert largest_distance(*trajectories(pair)) < 1e-12


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_trajectory_stays_torchs_while_hyper_parameters_change(pair, double_precision):
    def changes(t):
        changed = {} if pair.ours.spec.initial == {"lr"} else {"lr": pair.knobs["lr"] * (0.4 + (t % 7) / 7)}
        if "betas" in pair.ours.spec.defaults and "amsgrad" not in pair.knobs:
            changed["betas"] = (0.9 - 0.1 * (t % 3), 0.95)
        if pair.knobs.get("momentum") is not None:
            changed["momentum"] = 0.9 - 0.1 * (t % 3)
        if "weight_decay" in pair.knobs:
            changed["weight_decay"] = 0.02 * (t % 5)
        return changed

    assert largest_distance(*trajectories(pair, changes)) < 1e-12
