"""Clipping beside the functions of torch and optax."""

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (5,), (2, 3, 2, 2))
STARTS, STEPS = normals(SHAPES, 1), gradients(SHAPES, 12, 2)


def after_clipping(clip):
    """torch's SGD on gradients that ``clip`` has changed in place."""
    params = [torch.nn.Parameter(torch.tensor(start)) for start in STARTS]
    optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9)
    for step in STEPS:
        for param, g in zip(params, step):
            param.grad = torch.tensor(g)
        clip(params)
        optimizer.step()
    return [param.detach().numpy() for param in params]


def test_the_norm_is_clipped_as_torch_does():
    """Deliberately without the 1e-6 that torch adds to the norm."""
    expected = after_clipping(lambda params: torch.nn.utils.clip_grad_norm_(params, 0.7))
    found = run(gw.clipped(gw.SGD), STARTS, STEPS, lr=0.1, momentum=0.9, max_norm=0.7).last
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


def test_values_are_clipped_as_torch_does():
    expected = after_clipping(lambda params: torch.nn.utils.clip_grad_value_(params, 0.3))
    found = run(gw.value_clipped(gw.SGD), STARTS, STEPS, lr=0.1, momentum=0.9, clip_value=0.3).last
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_units_are_clipped_as_optax_does():
    """In single precision, which is jax's; a linear layer lies the other way round there, and a vector is one unit."""
    optax = pytest.importorskip("optax")
    clip = optax.adaptive_grad_clip(0.1, eps=1e-3)
    weights, grads = (
        {"matrix": pair[0].T.astype(np.float32), "vector": pair[1].astype(np.float32)} for pair in (STARTS, STEPS[0])
    )
    expected, _ = clip.update(grads, clip.init(weights), weights)
    found = run(gw.adaptively_clipped(gw.SGD), STARTS[:2], [STEPS[0][:2]], lr=1.0, clip_factor=0.1).last
    for key, start, end in zip(("matrix", "vector"), STARTS, found):
        np.testing.assert_allclose((start - end).T, np.asarray(expected[key]), rtol=1e-4, atol=1e-6)
