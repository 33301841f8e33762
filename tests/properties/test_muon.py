"""Muon: what orthogonalisation must not notice, and what it must keep."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.transforms.matrix import orthogonalize
from gradwright.transforms.matrix.orthogonalize import COEFFICIENTS, newton_schulz
from tests.properties.draws import arrays, seeds, shapes
from tests.runs import run

MATRICES = arrays(shapes(2, 2, 7))
names = st.sampled_from(sorted(COEFFICIENTS))
norms = st.sampled_from(orthogonalize.NORMS)


def amplified(name):
    """By how much a set multiplies what stands beside singular values of zero: rounding errors, that is."""
    return math.prod(a for a, b, c in COEFFICIENTS[name])


def orthogonalised(matrix, name, norm="frobenius"):
    return newton_schulz(torch.as_tensor(np.asarray(matrix)), COEFFICIENTS[name], norm).numpy()


@given(g=MATRICES, name=names, norm=norms, scale=st.sampled_from([1e-300, 1e-30, 1e-8, 1.0, 1e4, 1e200]))
def test_the_size_of_a_matrix_does_not_matter(g, name, norm, scale):
    found, expected = orthogonalised(scale * g, name, norm), orthogonalised(g, name, norm)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14 * amplified(name))


@given(g=MATRICES, name=names, norm=norms, scale=st.sampled_from([1e-36, 1e-8, 1.0, 1e4, 1e30]))
def test_nor_does_it_in_single_precision(g, name, norm, scale):
    """A constant of 1e-7 in the norm would turn 1e-8 g; a norm of squares would overflow or vanish at the ends."""
    single = g.astype(np.float32)
    scaled = (scale * single.astype(np.float64)).astype(np.float32)
    found, expected = orthogonalised(scaled, name, norm), orthogonalised(single, name, norm)
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * amplified(name))


@given(g=MATRICES, name=names, norm=norms)
def test_transposing_commutes(g, name, norm):
    found, expected = orthogonalised(g.T, name, norm), orthogonalised(g, name, norm).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * amplified(name))


@given(g=MATRICES, name=names, norm=norms)
def test_iterating_on_the_gram_matrix_is_the_same(g, name, norm):
    found = {}
    for oblong in (0.0, math.inf):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(orthogonalize, "OBLONG", oblong)
            found[oblong] = orthogonalised(g, name, norm)
    np.testing.assert_allclose(found[0.0], found[math.inf], rtol=0, atol=1e-13 * amplified(name))


@given(g=MATRICES, name=names, norm=norms, seed=seeds)
def test_rotating_commutes(g, name, norm, seed):
    n, m = g.shape
    stream = np.random.RandomState(seed)
    left, _ = np.linalg.qr(stream.standard_normal((n, n)))
    right, _ = np.linalg.qr(stream.standard_normal((m, m)))
    found, expected = orthogonalised(left @ g @ right, name, norm), left @ orthogonalised(g, name, norm) @ right
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * amplified(name))


@given(u=arrays(shapes(1, 1, 7)), v=arrays(shapes(1, 1, 7)), name=names, norm=norms)
def test_a_matrix_of_rank_one_keeps_its_direction(u, v, name, norm):
    """Polynomials whose value at one is negative would climb here."""
    g = np.outer(u, v)
    direction = g / np.linalg.norm(g)
    assert np.sum(orthogonalised(g, name, norm) * direction) > 0.69


@given(g=MATRICES, name=names)
def test_singular_values_come_close_to_one(g, name):
    sigma = np.linalg.svd(g, compute_uv=False)
    found = np.linalg.svd(orthogonalised(g, name), compute_uv=False)
    kept = sigma / np.linalg.norm(sigma) > 0.01
    assert (found <= (1.31 if name == "cubic" else 1.21)).all()
    assert (found[: kept.sum()] > 0.67).all()


@pytest.mark.parametrize("name", sorted(COEFFICIENTS))
def test_zero_stays_zero(name):
    assert np.array_equal(orthogonalised(np.zeros((3, 5)), name), np.zeros((3, 5)))


@pytest.mark.parametrize("rank", [1, 3, 40])
@pytest.mark.parametrize("shape", [(40, 60), (40, 200), (200, 40), (40, 40)], ids=str)
@pytest.mark.parametrize("name", sorted(COEFFICIENTS))
def test_single_precision_keeps_three_digits_at_every_rank(name, shape, rank):
    """Where the iteration runs on the Gram matrix, its null space is the hard case.

    ``cans`` has a slope of 26 at a singular value of one, and ``deepseek_v4`` amplifies rounding errors by 8e4: they
    keep two digits, the plain iteration as well.
    """
    digits = 1e-2 if name in ("cans", "deepseek_v4") else 1e-3
    stream = np.random.RandomState(rank)
    g = stream.standard_normal((shape[0], rank)) @ stream.standard_normal((rank, shape[1]))
    single, double = (
        orthogonalised(g.astype(np.float32), name),
        orthogonalised(g.astype(np.float32).astype(float), name),
    )
    assert np.linalg.norm(single - double) < digits * np.linalg.norm(double)


@given(g=arrays(shapes(3, 3, 4)), name=names)
def test_a_stack_is_its_matrices(g, name):
    expected = np.stack([orthogonalised(matrix, name) for matrix in g])
    np.testing.assert_allclose(orthogonalised(g, name), expected, rtol=0, atol=1e-14 * amplified(name))


def test_a_stack_in_muon_is_scaled_by_the_shape_of_its_matrices():
    g = np.random.RandomState(0).standard_normal((2, 8, 3))
    together = run(gw.Muon, [0 * g], [[g]], lr=1.0).last[0]
    apart = run(gw.Muon, [0 * g[0], 0 * g[1]], [[g[0], g[1]]], lr=1.0).last
    np.testing.assert_allclose(together, np.stack(apart), rtol=0, atol=1e-12)


RULES = ("original", "match_rms_adamw", "spectral", "unit_rms_norm")
SCALES = {  # √max(1, n / m), 0.2 √max(n, m), √max(n, m), √(n / m)
    (4, 4): (1.0, 0.4, 2.0, 1.0),
    (9, 4): (1.5, 0.6, 3.0, 1.5),
    (4, 9): (1.0, 0.6, 3.0, 2 / 3),
    (16, 2, 2, 1): (2.0, 0.8, 4.0, 2.0),
    (256, 16, 3, 3): (4 / 3, 3.2, 16.0, 4 / 3),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", SCALES, ids=str)
def test_the_step_is_scaled_to_the_flattened_shape(shape, rule):
    g = np.random.RandomState(0).standard_normal(shape)
    moved = -run(gw.Muon, [0 * g], [[g]], lr=1.0, coefficients="you", adjust_lr=rule).last[0]
    flat = orthogonalised(g.reshape(shape[0], -1), "you").reshape(shape)
    np.testing.assert_allclose(moved, SCALES[shape][RULES.index(rule)] * flat, rtol=1e-9, atol=1e-12)


def test_matching_adamw_makes_steps_of_its_usual_size():
    """A root mean square of 0.2 for every shape, up to what five iterations leave of the singular values."""
    for shape in ((64, 64), (32, 128), (128, 32)):
        g = np.random.RandomState(0).standard_normal(shape)
        step = run(gw.Muon, [0 * g], [[g]], lr=1.0, coefficients="you", adjust_lr="match_rms_adamw").last[0]
        assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2, rel=0.02)


EXPERTS = np.random.RandomState(0).standard_normal((2, 3, 4))


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_lazy_leaves_an_expert_without_tokens_where_it_is(engine):
    """Muon's step has its full size however small the momentum, so an idle expert would move as far as a busy one."""
    idle = np.stack([EXPERTS[0], 0 * EXPERTS[1]])
    first, second = run(
        gw.Muon, [EXPERTS], [[EXPERTS], [idle]], lr=0.1, weight_decay=0.1, lazy=True, engine=engine
    ).history
    plain = run(gw.Muon, [EXPERTS], [[EXPERTS], [idle]], lr=0.1, weight_decay=0.1, engine=engine).history
    assert np.array_equal(first[0], plain[0][0])
    np.testing.assert_allclose(second[0][0], plain[1][0][0], rtol=1e-12)
    assert np.array_equal(second[0][1], first[0][1])
    assert np.abs(plain[1][0][1] - plain[0][0][1]).max() > 0.01


def test_a_number_that_is_not_one_is_not_hidden():
    """It makes the whole matrix NaN, and no other."""
    g = EXPERTS.copy()
    g[0, 1, 2] = np.nan
    found = run(gw.Muon, [EXPERTS], [[g]], lr=0.1).last[0]
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize(
    "shape", [(40, 56), (56, 40), (48, 48), (24, 96), (96, 24), (3, 40, 56), (2, 3, 16, 40)], ids=str
)
@pytest.mark.parametrize("room", [0, 2**24], ids=["in place", "with room"])
def test_newton_schulz_may_work_in_the_memory_of_its_matrix(shape, room, monkeypatch):
    monkeypatch.setattr(orthogonalize, "ROOM", room)
    monkeypatch.setattr(orthogonalize, "_workspace", lambda entries, squares: entries + 10**9 if not room else 0)
    monkeypatch.setattr(orthogonalize, "STRIP", 500)
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = orthogonalize.coefficients_of("keller")
    with monkeypatch.context() as plain:
        plain.setattr(orthogonalize, "_workspace", lambda entries, squares: 0)
        expected = orthogonalize.newton_schulz(matrix, rows)
    before = matrix.clone()
    assert torch.equal(orthogonalize.newton_schulz(matrix, rows), orthogonalize.newton_schulz(before, rows))
    assert torch.equal(matrix, before)
    answer = orthogonalize.newton_schulz(matrix, rows, overwrite=True)
    assert answer.data_ptr() == matrix.data_ptr()
    torch.testing.assert_close(answer, expected, rtol=1e-11, atol=1e-12)
