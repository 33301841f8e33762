"""SOAP turns with its matrix, and AdamW² keeps the spectral norm in check."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright.transforms.matrix.eigenbasis import turned_basis
from gradwright.transforms.matrix.spectral import spectral_norm
from tests.runs import gradients, normals, run

STEPS = 8
SQUARE = ((5, 5),)


def orthogonal(size, seed):
    return np.linalg.qr(np.random.RandomState(seed).standard_normal((size, size)))[0]


def test_soap_turns_with_its_matrix():
    """Rows and columns in other coordinates: the steps are the same steps there."""
    left, right = orthogonal(5, 1), orthogonal(5, 2)
    start, steps = normals(SQUARE, 3), gradients(SQUARE, STEPS, 4)
    knobs = {"lr": 0.1, "precondition_frequency": 2}
    plain = run(gw.SOAP, start, steps, **knobs).last[0]
    turned = run(gw.SOAP, [left @ start[0] @ right], [[left @ g @ right] for (g,) in steps], **knobs).last[0]
    np.testing.assert_allclose(turned, left @ plain @ right, rtol=1e-8, atol=1e-9)


def test_soap_without_a_basis_is_adam_that_skips_a_step():
    start, steps = normals(SQUARE, 3), gradients(SQUARE, STEPS, 4)
    knobs = {"lr": 0.1, "betas": (0.9, 0.95), "eps": 0.0, "weight_decay": 0.0}
    found = run(gw.SOAP, start, steps, max_precond_dim=1, **knobs)
    np.testing.assert_allclose(found.last[0], run(gw.Adam, start, steps[1:], **knobs).last[0], rtol=1e-12)
    assert np.array_equal(found.history[0][0], start[0])


def test_the_first_step_of_soap_decays_nothing():
    start, steps = normals(SQUARE, 3), gradients(SQUARE, 1, 4)
    assert np.array_equal(run(gw.SOAP, start, steps, weight_decay=0.5).last[0], start[0])


def test_soap_keeps_eigenvectors_of_the_sides_that_are_small_enough():
    walk = run(gw.SOAP, normals([(7, 3)], 1), gradients([(7, 3)], 3, 2), max_precond_dim=5)
    state = walk.optimizer.state[walk.params[0]]
    shapes = {key: tuple(value.shape) for key, value in state.items() if "eigenbasis_adam.gram" in key}
    assert shapes == {"eigenbasis_adam.gram1": (3, 3)}
    basis = walk.state("eigenbasis_adam.basis1")
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)


def test_orthogonal_iteration_finds_the_eigenvectors_and_sorts_them():
    turn = orthogonal(4, 1)
    matrix = torch.tensor(turn @ np.diag([1.0, 9.0, 3.0, 27.0]) @ turn.T)
    basis = torch.eye(4, dtype=torch.float64)
    for _ in range(60):
        basis, _ = turned_basis(matrix, basis)
    torch.testing.assert_close(basis.mT @ matrix @ basis, torch.diag(matrix.new_tensor([27.0, 9.0, 3.0, 1.0])))


def test_soap_goes_on_after_a_first_gradient_that_is_not_finite():
    bad = np.full((5, 5), np.nan)
    walk = run(gw.SOAP, normals(SQUARE, 3), [[bad]])
    assert np.isfinite(walk.last[0]).all()


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 4), (4, 1), (2, 4, 3)], ids=str)
def test_the_power_iteration_finds_the_largest_singular_value(shape):
    matrix = torch.tensor(normals([shape], 5)[0])
    start = torch.zeros((*shape[:-2], shape[-1]), dtype=torch.float64)
    found, vector = spectral_norm(matrix, start, 300)
    torch.testing.assert_close(found, torch.linalg.matrix_norm(matrix, 2))
    again, _ = spectral_norm(matrix, vector, 1)
    torch.testing.assert_close(again, found)


def test_the_power_iteration_answers_from_below_and_at_least_the_heaviest_row():
    matrix = torch.tensor([[0.0, 0.0, 7.0], [1.0, 2.0, 0.0]], dtype=torch.float64)
    stuck = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)  # a right singular vector, of the smaller value
    assert spectral_norm(matrix, stuck, 3)[0].item() == 7.0
    nothing, vector = spectral_norm(torch.zeros(2, 3), torch.ones(3), 3)
    assert nothing.item() == 0.0
    assert not vector.any()


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_no_step_of_adamw2_adds_more_than_its_share_to_the_spectral_norm(scale):
    start, steps = [scale * p for p in normals([(6, 4)], 1)], gradients([(6, 4)], STEPS, 2)
    knobs = {"lr": 10.0, "weight_decay": 0.0, "iterations": 50, "floor": 0.0}
    at = [start[0], *(after[0] for after in run(gw.AdamW2, start, steps, **knobs).history)]
    for before, after in pairwise(at):
        grown = np.linalg.norm(after - before, 2) / np.linalg.norm(before, 2)
        assert grown == pytest.approx(1e-2, rel=1e-4)


def test_adamw2_that_is_never_bound_is_adamw():
    start, steps = normals([(6, 4), (3,)], 1), gradients([(6, 4), (3,)], STEPS, 2)
    found = run(gw.AdamW2, start, steps, lr=0.01, tau=1e6).last
    for mine, its in zip(found, run(gw.AdamW, start, steps, lr=0.01).last):
        np.testing.assert_allclose(mine, its, rtol=1e-12)
