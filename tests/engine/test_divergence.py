"""A run that diverges: all engines meet the first weight that is not finite at the same step."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import pytest
import torch

import gradwright as gw
from gradwright.core import Transform, chain
from tests.runs import as_recipe

LONGEST = 400
DIVERGING = {
    "SGD": (gw.SGD, {"lr": 3.0}),
    "SGD far too large": (gw.SGD, {"lr": 1e20}),
    "AdamW": (gw.AdamW, {"lr": 30.0, "weight_decay": 0.1}),
    "AdamW long memory": (gw.AdamW, {"lr": 1.0, "weight_decay": 3.0, "betas": (0.9, 1 - 1e-10)}),
    "AdamW tiny eps": (gw.AdamW, {"lr": 1.0, "weight_decay": 3.0, "eps": 1e-30}),
    "Lamb": (gw.Lamb, {"lr": 3.0}),
    "Adafactor": (gw.Adafactor, {"lr": 1.0, "weight_decay": 4.0}),
    "Muon": (gw.Muon, {"lr": 30.0, "weight_decay": 0.1}),
    "Lion": (gw.Lion, {"lr": 1.0, "weight_decay": 4.0}),
    "clipped AdamW": (gw.clipped(gw.AdamW), {"lr": 1.0, "weight_decay": 3.0}),
    "LDoG": (gw.LDoG, {"lr": 100.0}),
}
SCALES = {
    torch.float32: (1e-40, 1e-20, 1.0, 1e18, 1e30),
    torch.bfloat16: (1e-20, 1e30),
    torch.float16: (1e-3, 1e3),
}


def first_not_finite(recipe: Any, knobs: dict[str, Any], engine: str, dtype: torch.dtype, scale: float) -> int | None:
    """At which step of the descent on half a square the first weight is infinite or no number."""
    start = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * scale
    param = torch.nn.Parameter(start.to(dtype))
    optimizer = recipe([param], engine=engine, **knobs)
    for step in range(1, LONGEST + 1):
        param.grad = param.detach().clone()
        optimizer.step()
        if not param.isfinite().all():
            return step
    return None


@pytest.mark.parametrize("dtype", SCALES, ids=str)
@pytest.mark.parametrize("name", DIVERGING)
def test_engines_diverge_at_the_same_step(name, dtype, compiler):
    recipe, knobs = DIVERGING[name]
    ends = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of numbers that are too large for a kernel
        warnings.filterwarnings("ignore", "(?s).*steps are lost in float16")
        for scale in SCALES[dtype]:
            end = first_not_finite(recipe, knobs, "eager", dtype, scale)
            assert first_not_finite(recipe, knobs, "cpp", dtype, scale) == end, f"at scale {scale:g}"
            ends.append(end)
    assert any(ends), "no run diverged"


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Lamb", "Adafactor"])
def test_plain_torch_diverges_with_them(name):
    recipe, knobs = DIVERGING[name]
    for scale in (1e-20, 1e18):
        ends = {first_not_finite(recipe, knobs, engine, torch.float32, scale) for engine in ("eager", "torch")}
        assert len(ends) == 1


def test_parts_of_totals_overflow_in_the_precision_of_their_tensor(compiler):
    """Kernels hand over a tensor's part of a total in its own precision. In torch a product of two single numbers is
    double where one of them is, such as a shared distance times a sum: eager holds parts beyond 3.4e38, which is where
    a run is lost anyway."""
    knobs = {"lr": 1e3}
    kernels = first_not_finite(gw.DAdaptAdam, knobs, "cpp", torch.float32, 1e18)
    assert kernels is not None
    eager = first_not_finite(gw.DAdaptAdam, knobs, "eager", torch.float32, 1e18)
    assert kernels < eager <= kernels + 5


@dataclass(frozen=True)
class Over(Transform):
    by: float = 1.0

    def update(self, u, state, ctx):
        return u / self.by, {}


def over(by: float = 1.0):
    return chain(Over(by))


@pytest.mark.parametrize(
    ("by", "agree"),
    [
        (1e30, True),
        (3e38, True),
        (1e-30, True),
        (3e-39, True),
        (1e-40, False),  # kernels multiply by a reciprocal taken once, and that of less than 2.94e-39 is infinite
    ],
)
def test_division_by_a_knob(by, agree, compiler):
    with as_recipe(over) as recipe:
        for numerator in (1e-40, 1e-30, 1.0, 1e30):
            ends = []
            for engine in ("eager", "cpp"):
                param = torch.nn.Parameter(torch.zeros(20))
                param.grad = torch.full((20,), numerator)
                recipe([param], engine=engine, by=by).step()
                ends.append(bool(param.isfinite().all()))
            assert not ends[1] or ends[0], "kernels are finite where eager is not"
            assert ends[0] == ends[1] or not agree, f"{numerator:g} / {by:g}"
