"""LARS, LAMB and Newton-Schulz beside timm's, and Signum beside pytorch_optimizer's, where these are installed.

Deliberate deviations, switched off here: timm's LAMB clips the gradient inside and, without decay, does not scale; its
LARS has an ε of 1e-8 in the ratio; both scale vectors too, which ours leave out.
"""

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright.transforms.matrix.orthogonalize import COEFFICIENTS, newton_schulz
from tests.parity.timm_optimizers import timm_optimizer
from tests.runs import distance, gradients, normals, run

STEPS = 30
MATRICES = ((6, 4), (4, 9), (8, 4), (3, 2, 2, 2))
LARS = {"weight_decay": 0.1, "momentum": 0.8}
LAMB = {"betas": (0.8, 0.95), "eps": 1e-4}


def apart(ours, theirs):
    """The largest distance of two runs."""
    return max(distance(a, b) for mine, its in zip(ours.history, theirs.history) for a, b in zip(mine, its))


def changing(lr):
    return lambda t: {"lr": lr * (1 + t % 5)}


@pytest.mark.parametrize("nesterov", [False, True])
def test_lars_in_timms_form_is_timms(nesterov):
    lars = timm_optimizer("lars", "Lars")
    given = normals(MATRICES, 1), gradients(MATRICES, STEPS, 2)
    ours = run(gw.Lars, *given, form="timm", nesterov=nesterov, changes=changing(0.5), **LARS)
    theirs = run(lars, *given, trust_coeff=1e-3, eps=0.0, nesterov=nesterov, changes=changing(0.5), **LARS)
    assert apart(ours, theirs) < 1e-14


@pytest.mark.parametrize("bias_correction", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_lamb_is_timms_without_its_clip(weight_decay, bias_correction):
    lamb = timm_optimizer("lamb", "Lamb")
    given = normals(MATRICES, 1), gradients(MATRICES, STEPS, 2)
    knobs = {**LAMB, "weight_decay": weight_decay, "bias_correction": bias_correction, "changes": changing(0.01)}
    theirs = run(lamb, *given, max_grad_norm=None, always_adapt=True, **knobs)
    assert apart(run(gw.Lamb, *given, **knobs), theirs) < 1e-13


@pytest.mark.parametrize("name", ["you", "keller"])
def test_the_iteration_is_timms_in_double_precision(name):
    iteration = timm_optimizer("muon", "zeropower_via_newtonschulz")
    for shape in MATRICES[:3]:
        g = torch.tensor(np.random.RandomState(0).standard_normal(shape))
        rows = list(COEFFICIENTS[name])
        theirs = iteration(g, len(rows), rows, eps=0.0, dtype=torch.float64)
        torch.testing.assert_close(newton_schulz(g, COEFFICIENTS[name]), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_signum_is_pytorch_optimizers(weight_decay):
    theirs = pytest.importorskip("pytorch_optimizer").SignSGD
    given = normals(MATRICES, 1), gradients(MATRICES, STEPS, 2)
    knobs = {"momentum": 0.8, "weight_decay": weight_decay, "changes": changing(0.01)}
    assert apart(run(gw.Signum, *given, **knobs), run(theirs, *given, **knobs)) < 1e-14
