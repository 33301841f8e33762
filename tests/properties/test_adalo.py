"""AdaLo: the step follows the loss, within bounds, and never a loss that means nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import arrays, shapes
from tests.runs import run

losses = st.lists(st.floats(0, 1e6), min_size=1, max_size=8)
kappas = st.sampled_from([0.3, 1.0, 3.0])


@given(losses=losses, kappa=kappas)
def test_the_adversarial_step_never_exceeds_half_of_one_over_kappa(losses, kappa):
    walk = run(gw.AdaLo, [0.0], [[1.0]] * len(losses), losses=losses, betas=(0.0, 0.5), weight_decay=0, kappa=kappa)
    moved = -np.diff([0.0, *(step[0].item() for step in walk.history)])
    assert (moved <= 0.5 / kappa).all()
    assert (moved > 0).all()


@given(losses=losses, kappa=kappas)
def test_the_compliant_step_lies_between_half_and_all_of_one_over_kappa(losses, kappa):
    knobs = {"betas": (0.0, 0.5), "weight_decay": 0, "kappa": kappa, "mode": "compliant"}
    walk = run(gw.AdaLo, [0.0], [[1.0]] * len(losses), losses=losses, **knobs)
    moved = -np.diff([0.0, *(step[0].item() for step in walk.history)])
    assert (moved >= 0.5 / kappa * (1 - 1e-9)).all()
    assert (moved <= 1 / kappa * (1 + 1e-9)).all()


@pytest.mark.parametrize("mode", ["adversarial", "compliant"])
def test_a_larger_loss_makes_the_step_smaller_or_larger(mode):
    knobs = {"mode": mode, "betas": (0.0, 0.0), "weight_decay": 0}
    moved = [-run(gw.AdaLo, [0.0], [[1.0]], losses=[loss], **knobs).last[0].item() for loss in (0.1, 1.0, 10.0)]
    assert moved == sorted(moved, reverse=mode == "adversarial")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, -2.0, -5.0])
def test_a_loss_without_meaning_leaves_the_average_alone(bad):
    before = run(gw.AdaLo, [1.0], [[1.0]] * 2, losses=[2.0, 1.0])
    after = run(gw.AdaLo, [1.0], [[1.0]] * 3, losses=[2.0, 1.0, bad])
    assert after.state("loss_scale") == before.state("loss_scale")
    assert np.isfinite(after.last[0])


@given(g=arrays(shapes(1, 2)))
def test_one_average_serves_all_tensors(g):
    walk = run(gw.AdaLo, [g, 2 * g], [[g, g]] * 2, losses=[2.0, 1.0])
    first, second = (walk.optimizer.state[param]["loss_scale"] for param in walk.params)
    assert first is second
    assert first.dtype == torch.float64


def test_a_loss_given_as_a_number_keeps_all_its_digits():
    knobs = {"betas": (0.0, 0.0), "weight_decay": 0}
    moved = -run(gw.AdaLo, [0.0], [[1.0]], losses=[2.3], **knobs).last[0].item()
    assert moved == pytest.approx(1 / (3 * 4.3), rel=1e-15)


def test_the_least_step_holds_where_the_loss_is_huge():
    walk = run(gw.AdaLo, [0.0], [[1.0]], losses=[1e30], betas=(0.0, 0.0), weight_decay=0, eps=1e-3)
    assert walk.last[0].item() == pytest.approx(-1e-3)
