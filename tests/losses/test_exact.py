"""EXACT against the orthant integral, closed forms and worked numbers."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.stats import norm

from gradwright.losses import GeometricSchedule, GradientNormalizer, exact, soft_accuracy
from gradwright.losses.orthant.quadrature import log_orthant, orthant


def _quadrature(d):
    """P and its gradient by an adaptive rule in scipy, from the definition."""
    d = np.asarray(d, float)

    def inside(t, skip=None):
        logs = norm.logcdf(d + t)
        rest = logs.sum() if skip is None else np.delete(logs, skip).sum() + norm.logpdf(d[skip] + t)
        return math.exp(rest) * norm.pdf(t)

    value = integrate.quad(inside, -12, 12, epsabs=1e-13, limit=400, points=[0.0, 2.0, 4.0])[0]
    return value, [
        integrate.quad(inside, -12, 12, args=(j,), epsabs=1e-13, limit=400)[0] for j in range(min(3, len(d)))
    ]


def _genz(d, samples, rng):
    """P = Pr(N(d, I + 11ᵀ) > 0) by sequential conditioning on the Cholesky factor (Genz), with its standard error."""
    d = np.sort(np.asarray(d, float))
    factor = np.linalg.cholesky(np.eye(len(d)) + 1)
    assert np.allclose(np.tril(factor, -1), np.tril(np.ones_like(factor), -1) * factor[-1])  # columns are constant
    so_far, weight = np.zeros(samples), np.ones(samples)
    for i in range(len(d)):
        survival = norm.sf((-d[i] - so_far) / factor[i, i])
        weight *= survival
        so_far += factor[-1, i] * norm.isf(rng.uniform(size=samples) * survival)
    return weight.mean(), weight.std() / math.sqrt(samples)


def _both(d):
    d = torch.tensor(d, dtype=torch.float64).requires_grad_()
    p = orthant(d)
    return p.item(), torch.autograd.grad(p, d)[0].tolist()


GOLDEN = [
    ([1.0], 0.7602499389, [0.2196956447]),
    ([4.0], 0.9976611325, None),
    ([0.0, 0.0], 1 / 3, [0.1410473959] * 2),
    ([0.0, 0.0, 0.0], 1 / 4, [0.08578128108] * 3),
    ([1.0, -0.5, 2.0], 0.3261878431, [0.04373496126, 0.21887399175, 0.00829843412]),
    ([-8.0], 7.7e-9, None),
]


@pytest.mark.parametrize(("d", "p", "gradient"), GOLDEN)
def test_worked_numbers(d, p, gradient):
    value, slope = _both(d)
    assert value == pytest.approx(p, rel=1e-2 if p < 1e-8 else 3e-10)
    if gradient is not None:
        assert slope == pytest.approx(gradient, rel=3e-9)


def test_far_behind():
    _, slope = _both([-8.0, 3.0, 1.0])
    assert slope[1:] == pytest.approx([1.2836e-16, 4.3004e-13], rel=2e-2)


def test_against_adaptive_integration():
    rng = np.random.default_rng(0)
    for classes in (2, 5, 40):
        d = rng.normal(1.0, 1.5, classes)
        value, slope = _both(d.tolist())
        expected, expected_slope = _quadrature(d)
        assert value == pytest.approx(expected, abs=1e-10)
        assert slope[:3] == pytest.approx(expected_slope, abs=1e-10)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_against_the_orthant_form_at_a_thousand_classes(spread):
    rng = np.random.default_rng(1)
    d = rng.normal(3.0, spread, 999)
    by_sampling, error = _genz(d, 4000, rng)
    dense = orthant(torch.tensor(d), 300).item()
    assert abs(dense - by_sampling) < 5 * error + 1e-6
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor(d, dtype=dtype).requires_grad_()
        y = torch.tensor(d).requires_grad_()
        p, q = orthant(x), orthant(y, 300)
        assert abs(p.item() - dense) < 1e-5
        slope, expected = torch.autograd.grad(p, x)[0], torch.autograd.grad(q, y)[0]
        torch.testing.assert_close(slope.double(), expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("centre", [-3.0, 0.0, 2.5, 2.963, 3.4, 6.0, 11.0])
def test_the_table_of_sums_is_as_good_as_the_sums(centre):
    """Equal margins are the worst case: errors of all classes add up."""
    d = torch.full((4, 999), centre) + torch.arange(4.0).unsqueeze(-1) * 0.0237
    x, y = d.requires_grad_(), d.detach().double().requires_grad_()
    p, q = orthant(x), orthant(y, 300)
    torch.testing.assert_close(p.double(), q, rtol=0, atol=2e-6)
    slope, expected = torch.autograd.grad(p.sum(), x)[0], torch.autograd.grad(q.sum(), y)[0]
    torch.testing.assert_close(slope.double(), expected, rtol=4e-4, atol=1e-8)


def test_memory_of_the_graph_is_linear_in_classes():
    kept = []
    z = torch.randn(8, 500, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        exact(z, torch.zeros(8, dtype=torch.long))
    assert sum(kept) < 12 * z.numel()


def test_log_form():
    two = torch.tensor([-60.0], dtype=torch.float64).requires_grad_()
    value = log_orthant(two)
    assert value.item() == pytest.approx(-904.6672642912, abs=1e-8)
    assert value.item() == pytest.approx(norm.logcdf(-60 / math.sqrt(2)), rel=1e-12)
    x = torch.special.log_ndtr(two / math.sqrt(2))
    torch.testing.assert_close(torch.autograd.grad(value, two), torch.autograd.grad(x, two))
    many = torch.randn(4, 999, dtype=torch.float64) + 3
    torch.testing.assert_close(log_orthant(many).exp(), orthant(many, 300), rtol=5e-6, atol=0)


def test_margin():
    z = torch.tensor([[0.0, -3.0, 1.0, -0.2]], dtype=torch.float64, requires_grad=True)
    loss = exact(z, torch.tensor([0]), 0.5, margin=0.5)
    assert 1 - loss.item() == pytest.approx(0.0701188799, rel=1e-8)
    slope = torch.autograd.grad(loss, z)[0][0]
    assert slope[1:].tolist() == pytest.approx([0.0, 0.1740089570, 0.0182126900], rel=1e-8)
    assert slope.sum().item() == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("classes", "ratio", "floor"),
    [(10, 0.5, 0.8007774859), (10, 5.0, 0.0016578596), (100, 5.0, 0.0118322084), (2, 0.5, 0.3618368049)],
)
def test_floor_of_the_margin(classes, ratio, floor):
    z = torch.zeros(1, classes, dtype=torch.float64)
    z[0, 0] = 1e4
    assert exact(z, torch.tensor([0]), 2.0, margin=2 * ratio).item() == pytest.approx(floor, rel=1e-7)


def test_two_classes_are_a_probit():
    z = torch.randn(20, 2, dtype=torch.float64)
    gap = (z[:, 0] - z[:, 1]) / (0.7 * math.sqrt(2))
    expected = 1 - torch.special.ndtr(gap)
    torch.testing.assert_close(exact(z, torch.zeros(20, dtype=torch.long), 0.7, reduction="none"), expected)


def test_soft_targets_are_linear():
    z, q = torch.randn(5, 4, dtype=torch.float64), torch.rand(5, 4, dtype=torch.float64).softmax(-1)
    each = torch.stack([exact(z, torch.full((5,), k), reduction="none") for k in range(4)], -1)
    torch.testing.assert_close(exact(z, q, reduction="none"), (q * each).sum(-1))


def test_standardised_as_the_authors_do():
    z, y = torch.randn(6, 4, dtype=torch.float64) * 7 + 3, torch.randint(4, (6,))
    torch.testing.assert_close(exact(z, y, standardize=True), exact((z - z.mean()) / (z.std() + 1e-6), y))
    assert exact(torch.ones(2, 4), torch.tensor([0, 1]), standardize=True).isfinite()


def _minimum(x, y, sigma, start):
    """The best threshold b of the classifier x − b on a fine grid."""
    grid = torch.linspace(start - 1.5, start + 1.5, 3001, dtype=torch.float64)
    f = x - grid.unsqueeze(-1)
    z = torch.stack([torch.zeros_like(f), f], -1)
    loss = exact(z, y.expand(len(grid), -1), sigma, reduction="none").sum(-1)
    return grid[loss.argmin()].item()


def test_toys_where_cross_entropy_and_hinge_miss_the_best_accuracy():
    x, y = torch.tensor([-0.25, 0.0, 0.25], dtype=torch.float64), torch.tensor([0, 0, 1])
    assert _minimum(x, y, 0.1, 0.0) == pytest.approx(0.1283, abs=6e-4)
    assert _minimum(x, y, 0.05, 0.0) == pytest.approx(0.125, abs=6e-4)
    assert _minimum(x, y, 1.0, 0.0) > 1.4  # without annealing the threshold runs away: 2/3
    x, y = torch.tensor([-6.0, -5.0, -4.0, 0.0, 2.0], dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    assert _minimum(x, y, 0.3, -5.0) == pytest.approx(-5.5007, abs=1e-3)


def test_schedule_and_normalizer():
    schedule = GeometricSchedule(10.0, math.sqrt(1.0), 4)
    assert [schedule(e) ** 2 for e in range(4)] == pytest.approx([100, 31.6227766, 10, 3.16227766])
    p = torch.nn.Parameter(torch.zeros(2))
    normalize = GradientNormalizer()
    p.grad = torch.tensor([3.0, 4.0])
    normalize([p])
    p.grad = torch.tensor([30.0, 40.0])
    normalize([p])
    assert p.grad.norm().item() == pytest.approx(50 / (0.9 * 5 + 0.1 * 50))
    p.grad = torch.tensor([math.inf, 0.0])
    normalize([p])
    assert normalize.average.item() == pytest.approx(9.5)
    again = GradientNormalizer()
    again.load_state_dict(normalize.state_dict())
    assert again.average == normalize.average


def test_gumbel_noise_would_make_it_a_softmax():
    generator = torch.Generator().manual_seed(0)
    z = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64)
    noise = -torch.empty(400_000, 3, dtype=torch.float64).exponential_(generator=generator).log()
    won = ((z + noise).argmax(-1) == 0).double().mean()
    assert soft_accuracy(z.unsqueeze(0), torch.tensor([0])).item() == pytest.approx(1 - won.item(), abs=3e-3)


@pytest.mark.parametrize("form", ["probability", "log"])
def test_second_derivatives_in_every_mode(form):
    """Forward over forward too, where a function with a rule of its own would silently leave terms out."""
    z, y = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), torch.tensor(1)
    forward, reverse = torch.func.jacfwd, torch.func.jacrev
    expected = reverse(reverse(lambda z: exact(z, y, form=form)))(z)
    for outer, inner in ((forward, reverse), (forward, forward), (reverse, forward)):
        found = outer(inner(lambda z: exact(z, y, form=form)))(z)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_normalizer_that_starts_from_infinity_waits():
    p, normalize = torch.nn.Parameter(torch.zeros(2)), GradientNormalizer()
    p.grad = torch.tensor([math.inf, 3.0])
    normalize([p])
    assert p.grad[1] == 3
    assert normalize.average is None
    p.grad = torch.tensor([3.0, 4.0])
    normalize([p])
    assert p.grad.norm().item() == pytest.approx(1)
