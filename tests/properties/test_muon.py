"""Muon: what orthogonalisation must not notice, and what it must keep."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.transforms.orthogonalize import COEFFICIENTS, newton_schulz
from tests.properties.draws import arrays, seeds, shapes
from tests.runs import run

MATRICES = arrays(shapes(2, 2, 7))
names = st.sampled_from(sorted(COEFFICIENTS))


def orthogonalised(matrix, name):
    return newton_schulz(torch.as_tensor(np.asarray(matrix)), COEFFICIENTS[name]).numpy()


@given(g=MATRICES, name=names, scale=st.sampled_from([1e-300, 1e-30, 1e-8, 1.0, 1e4, 1e200]))
def test_the_size_of_a_matrix_does_not_matter(g, name, scale):
    np.testing.assert_allclose(orthogonalised(scale * g, name), orthogonalised(g, name), rtol=1e-9, atol=1e-12)


@given(g=MATRICES, name=names, scale=st.sampled_from([1e-36, 1e-8, 1.0, 1e4, 1e30]))
def test_nor_does_it_in_single_precision(g, name, scale):
    """A constant of 1e-7 in the norm would turn 1e-8 g; a norm of squares would overflow or vanish at the ends."""
    single = g.astype(np.float32)
    scaled = (scale * single.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(orthogonalised(scaled, name), orthogonalised(single, name), rtol=0, atol=2e-3)


@given(g=MATRICES, name=names)
def test_transposing_commutes(g, name):
    np.testing.assert_allclose(orthogonalised(g.T, name), orthogonalised(g, name).T, rtol=0, atol=1e-12)


@given(g=MATRICES, name=names, seed=seeds)
def test_rotating_commutes(g, name, seed):
    n, m = g.shape
    stream = np.random.RandomState(seed)
    left, _ = np.linalg.qr(stream.standard_normal((n, n)))
    right, _ = np.linalg.qr(stream.standard_normal((m, m)))
    np.testing.assert_allclose(
        orthogonalised(left @ g @ right, name), left @ orthogonalised(g, name) @ right, rtol=0, atol=1e-10
    )


@given(u=arrays(shapes(1, 1, 7)), v=arrays(shapes(1, 1, 7)), name=names)
def test_a_matrix_of_rank_one_keeps_its_direction(u, v, name):
    """Polynomials whose value at one is negative would climb here."""
    g = np.outer(u, v)
    direction = g / np.linalg.norm(g)
    assert np.sum(orthogonalised(g, name) * direction) > 0.69


@given(g=MATRICES, name=names)
def test_singular_values_come_close_to_one(g, name):
    sigma = np.linalg.svd(g, compute_uv=False)
    found = np.linalg.svd(orthogonalised(g, name), compute_uv=False)
    kept = sigma / np.linalg.norm(sigma) > 0.01
    assert (found <= 1.21).all()
    assert (found[: kept.sum()] > 0.67).all()


@pytest.mark.parametrize("name", sorted(COEFFICIENTS))
def test_zero_stays_zero(name):
    assert np.array_equal(orthogonalised(np.zeros((3, 5)), name), np.zeros((3, 5)))


@pytest.mark.parametrize("rank", [1, 3, 40])
@pytest.mark.parametrize("shape", [(40, 60), (40, 200), (200, 40), (40, 40)], ids=str)
@pytest.mark.parametrize("name", sorted(COEFFICIENTS))
def test_single_precision_keeps_three_digits_at_every_rank(name, shape, rank):
    """Where the iteration runs on the Gram matrix, its null space is the hard case."""
    stream = np.random.RandomState(rank)
    g = stream.standard_normal((shape[0], rank)) @ stream.standard_normal((rank, shape[1]))
    single, double = (
        orthogonalised(g.astype(np.float32), name),
        orthogonalised(g.astype(np.float32).astype(float), name),
    )
    assert np.linalg.norm(single - double) < 1e-3 * np.linalg.norm(double)


@given(g=arrays(shapes(3, 3, 4)), name=names)
def test_a_stack_is_its_matrices(g, name):
    expected = np.stack([orthogonalised(matrix, name) for matrix in g])
    np.testing.assert_allclose(orthogonalised(g, name), expected, rtol=0, atol=1e-12)


def test_a_stack_in_muon_is_scaled_by_the_shape_of_its_matrices():
    g = np.random.RandomState(0).standard_normal((2, 8, 3))
    together = run(gw.Muon, [0 * g], [[g]], lr=1.0).last[0]
    apart = run(gw.Muon, [0 * g[0], 0 * g[1]], [[g[0], g[1]]], lr=1.0).last
    np.testing.assert_allclose(together, np.stack(apart), rtol=0, atol=1e-12)


SCALES = {  # of √max(1, n / m), and of 0.2 √max(n, m)
    (4, 4): (1.0, 0.4),
    (9, 4): (1.5, 0.6),
    (4, 9): (1.0, 0.6),
    (16, 2, 2, 1): (2.0, 0.8),
    (256, 16, 3, 3): (4 / 3, 3.2),
}


@pytest.mark.parametrize("rule", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", SCALES, ids=str)
def test_the_step_is_scaled_to_the_flattened_shape(shape, rule):
    g = np.random.RandomState(0).standard_normal(shape)
    moved = -run(gw.Muon, [0 * g], [[g]], lr=1.0, coefficients="you", adjust_lr=rule).last[0]
    flat = orthogonalised(g.reshape(shape[0], -1), "you").reshape(shape)
    np.testing.assert_allclose(moved, SCALES[shape][rule != "original"] * flat, rtol=1e-9, atol=1e-12)


def test_matching_adamw_makes_steps_of_its_usual_size():
    """A root mean square of 0.2 for every shape, up to what five iterations leave of the singular values."""
    for shape in ((64, 64), (32, 128), (128, 32)):
        g = np.random.RandomState(0).standard_normal(shape)
        step = run(gw.Muon, [0 * g], [[g]], lr=1.0, coefficients="you", adjust_lr="match_rms_adamw").last[0]
        assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2, rel=0.02)
