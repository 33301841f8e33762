"""Twelve steps on a loss that is not quadratic, against independent float64 forms of the methods."""

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright import sharpness
from tests.sharpness import reference

MIX = np.random.default_rng(3).normal(size=(6, 9))
START = np.random.default_rng(4).normal(size=9)
WEIGHTS = np.arange(9) < 6


def gradient(x):
    """Of Σ log cosh(M x) + Σ x⁴/40."""
    return MIX.T @ np.tanh(MIX @ x) + x**3 / 10


class Run:
    """The same loss of a matrix and a vector in torch."""

    def __init__(self, recipe, **knobs):
        x = torch.from_numpy(START)
        self.params = [x[:6].view(2, 3).clone().requires_grad_(), x[6:].clone().requires_grad_()]
        self.optimizer = recipe(self.params, **knobs)

    @property
    def x(self):
        return torch.cat([param.flatten() for param in self.params])

    def closure(self):
        self.optimizer.zero_grad()
        loss = torch.log(torch.cosh(torch.from_numpy(MIX) @ self.x)).sum() + (self.x**4).sum() / 40
        loss.backward()
        return loss


BASES = {
    "sgd": (gw.SGD, {"lr": 0.02}, lambda: reference.descent(0.02)),
    "momentum": (gw.SGD, {"lr": 0.02, "momentum": 0.9}, lambda: reference.descent(0.02, 0.9)),
    "adamw": (gw.AdamW, {"lr": 0.03, "weight_decay": 0.1}, lambda: reference.adamw(0.03, 0.1)),
}
METHODS = {
    "sam": ({"rho": 0.3}, {"rho": 0.3}),
    "asam": ({"rho": 0.8}, {"rho": 0.8, "weights": WEIGHTS}),
    "gsam": ({"rho": 0.3, "gsam_alpha": 0.6}, {"rho": 0.3, "alpha": 0.6}),
    "wsam": ({"rho": 0.3, "wsam_gamma": 0.7, "decoupled": False}, {"rho": 0.3, "gamma": 0.7}),
    "looksam": ({"rho": 0.3, "looksam_k": 3, "looksam_alpha": 0.4}, {"rho": 0.3, "k": 3, "alpha": 0.4}),
    "friendly_sam": (
        {"rho": 0.3, "friendly_sigma": 0.9, "friendly_beta": 0.6},
        {"rho": 0.3, "sigma": 0.9, "beta": 0.6},
    ),
}


def follow(recipe, knobs, expected):
    run = Run(recipe, **knobs)
    for _ in range(12):
        run.optimizer.step(run.closure)
        np.testing.assert_allclose(run.x.detach().numpy(), next(expected), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", METHODS)
def test_steps(method, base):
    (recipe, knobs, step), (own, its) = BASES[base], METHODS[method]
    combined = getattr(sharpness, method)(recipe)
    follow(combined, {**knobs, **own}, getattr(reference, method)(gradient, START, step(), **its))


@pytest.mark.parametrize("base", BASES)
def test_sharpness_past_the_base(base):
    recipe, knobs, step = BASES[base]
    expected = reference.wsam(gradient, START, step(), 0.3, 0.7, knobs["lr"])
    follow(sharpness.wsam(recipe), {**knobs, "rho": 0.3, "wsam_gamma": 0.7}, expected)


def test_the_chosen_parts_of_each_gradient():
    """SAM is GSAM with α = 0, coupled WSAM with γ = ½, LookSAM with k = 1 and Friendly SAM with σ = 0."""
    runs = [
        Run(recipe, lr=0.05, momentum=0.9, rho=0.4, **knobs)
        for recipe, knobs in (
            (sharpness.sam(gw.SGD), {}),
            (sharpness.gsam(gw.SGD), {"gsam_alpha": 0.0}),
            (sharpness.wsam(gw.SGD), {"wsam_gamma": 0.5, "decoupled": False}),
            (sharpness.looksam(gw.SGD), {"looksam_k": 1}),
            (sharpness.friendly_sam(gw.SGD), {"friendly_sigma": 0.0}),
        )
    ]
    for _ in range(5):
        for run in runs:
            run.optimizer.step(run.closure)
    for run in runs[1:]:
        torch.testing.assert_close(run.x, runs[0].x, rtol=1e-13, atol=1e-13)


def test_ascent_is_descent_on_the_other_side():
    down, up = Run(sharpness.gsam(gw.AdamW), rho=0.4), Run(sharpness.gsam(gw.AdamW), rho=0.4, maximize=True)

    def negative():
        loss = up.closure()
        for param in up.params:
            param.grad.neg_()
        return loss

    for _ in range(4):
        down.optimizer.step(down.closure)
        up.optimizer.step(negative)
    assert torch.equal(down.x, up.x)


def test_the_engines_agree(compiler):
    runs = [Run(sharpness.wsam(gw.AdamW), rho=0.4, engine=engine) for engine in ("eager", "cpp")]
    for _ in range(4):
        for run in runs:
            run.optimizer.step(run.closure)
    torch.testing.assert_close(runs[0].x, runs[1].x, rtol=1e-13, atol=1e-13)
