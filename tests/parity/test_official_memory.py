"""SM3 beside optax, and PNM, AdaPNM and SOAP beside pytorch_optimizer, where those follow the papers."""

from importlib import metadata

import numpy as np
import pytest

import gradwright as gw
from tests.runs import distance, gradients, normals, run

STEPS = 30
SHAPES = ((5,), (4, 3), (3, 5), (2, 3, 4))


def largest_distance(ours, theirs):
    return max(distance(a, b) for mine, its in zip(ours, theirs) for a, b in zip(mine, its))


def test_sm3_is_that_of_optax():
    """With its ε of 1e-8 and its momentum. optax keeps no accumulator for a single number, so there is none here."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    shapes = ((5,), (4, 3))  # each operation of each shape is compiled, which takes its time
    starts, walk = normals(shapes, 1), gradients(shapes, STEPS, 2)
    found = run(gw.SM3, starts, walk, lr=0.1, momentum=0.9, eps=1e-8).history
    with jax.enable_x64(True):
        optimizer = optax.sm3(0.1, momentum=0.9)
        at = [jax.numpy.asarray(start) for start in starts]
        state, theirs = optimizer.init(at), []
        for gs in walk:
            updates, state = optimizer.update([jax.numpy.asarray(g) for g in gs], state, at)
            at = optax.apply_updates(at, updates)
            theirs.append([np.asarray(p) for p in at])
    assert largest_distance(found, theirs) < 1e-12


def test_pnm_is_that_of_pytorch_optimizer():
    package = pytest.importorskip("pytorch_optimizer")
    starts, walk = normals(SHAPES, 1), gradients(SHAPES, STEPS, 2)
    found = run(gw.PNM, starts, walk, lr=0.1, weight_decay=0.1).history
    theirs = run(package.PNM, starts, walk, lr=0.1, weight_decay=0.1, betas=(0.9, 1.0)).history
    assert largest_distance(found, theirs) < 1e-12


def test_adapnm_is_that_of_pytorch_optimizer_but_for_its_eps():
    """It adds ε before the root is corrected, and 1e-15 under the root."""
    package = pytest.importorskip("pytorch_optimizer")
    starts, walk = normals(SHAPES, 1), gradients(SHAPES, STEPS, 2)
    found = run(gw.AdaPNM, starts, walk, lr=0.1, weight_decay=0.1, eps=1e-14).history
    theirs = run(package.AdaPNM, starts, walk, lr=0.1, weight_decay=0.1, eps=1e-14).history
    assert largest_distance(found, theirs) < 1e-5


def test_soap_is_that_of_pytorch_optimizer():
    """To rounding until the first QR decomposition, for which it goes to float32."""
    package = pytest.importorskip("pytorch_optimizer")
    if tuple(map(int, metadata.version("pytorch_optimizer").split(".")[:2])) < (4, 1):
        pytest.skip("its counter was off by one")
    shapes = ((5,), (4, 4), (4, 3), (2, 3, 4))
    starts, walk = normals(shapes, 1), gradients(shapes, STEPS, 2)
    knobs = {"lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.95)}
    found, theirs = (run(recipe, starts, walk, **knobs).history for recipe in (gw.SOAP, package.SOAP))
    assert largest_distance(found[:11], theirs[:11]) < 1e-12
    assert largest_distance(found, theirs) < 1e-6
