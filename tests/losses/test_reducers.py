"""Reducers: worked numbers, and what makes them robust and fit to train with."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import beta
from scipy.stats.mstats import hdquantiles

from gradwright.losses import (
    HarrellDavis,
    HuberMean,
    MedianOfMeans,
    SoftMedian,
    TopMean,
    TrimmedMean,
    cross_entropy,
)
from gradwright.losses.weighting.beta import beta_cdf
from gradwright.losses.weighting.reducers import Robust

ALL = (
    SoftMedian(),
    SoftMedian(0.25, kernel="uniform"),
    SoftMedian(0.2, q=0.9),
    TrimmedMean(0.1, 0.2),
    TopMean(0.3),
    HarrellDavis(),
    HuberMean(),
    MedianOfMeans(3),
)

ROBUST = (SoftMedian(), SoftMedian(0.25, kernel="uniform"), TrimmedMean(0.1, 0.2), HuberMean(), MedianOfMeans(9))


def test_every_reducer_is_tried():
    assert {type(reducer) for reducer in ALL} == set(Robust.__subclasses__())


def _of(reducer, values, weights=None):
    x = torch.tensor(values, dtype=torch.float64)
    w = torch.ones_like(x) if weights is None else torch.tensor(weights, dtype=torch.float64)
    return reducer(x, w).item()


OUTLIER = [1, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1000]


@pytest.mark.parametrize(
    ("reducer", "values", "expected"),
    [
        (SoftMedian(), [1, 2], 1.5),
        (SoftMedian(), [1, 2, 3], 2),
        (SoftMedian(), [1, 2, 3, 4], 2.5),
        (SoftMedian(), [1, 2, 3, 100], 2.5),
        (SoftMedian(), OUTLIER, 1.01),
        (SoftMedian(0.25), OUTLIER, 1.01125),
        (SoftMedian(), [-3, -2, -1, -0.5], -1.5),
        (SoftMedian(0.1, q=0.9), list(range(1, 11)), 9.5),
        (SoftMedian(), [5], 5),
        (TrimmedMean(0.25, 0.25), [1, 2, 3, 100], 2.5),
        (TrimmedMean(0.125, 0.0), [1, 2, 3, 4], (0.5 * 1 + 2 + 3 + 4) / 3.5),
        (TopMean(0.25), [1, 2, 3, 100], 100),
        (MedianOfMeans(3), [1, 2, 3, 1, 2, 3000], 2),
    ],
)
def test_worked_numbers(reducer, values, expected):
    assert _of(reducer, [float(v) for v in values]) == pytest.approx(expected, rel=1e-12)


def test_weighted_median():
    assert _of(SoftMedian(), [1.0, 2.0, 3.0], [1.0, 1.0, 2.0]) == pytest.approx(2.375)
    assert _of(SoftMedian(), [1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 0.0]) == pytest.approx(2)


def test_effective_samples_grow_with_the_batch():
    x = torch.arange(100.0, dtype=torch.float64, requires_grad=True)
    (share,) = torch.autograd.grad(SoftMedian(0.1)(x, torch.ones_like(x)), x)
    assert (1 / share.square().sum()).item() == pytest.approx(15.04, abs=0.01)


def test_harrell_davis():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64, requires_grad=True)
    (share,) = torch.autograd.grad(HarrellDavis()(x, torch.ones_like(x)), x)
    assert share.tolist() == pytest.approx([0.126585, 0.373415, 0.373415, 0.126585], abs=1e-6)


QUANTILES = (1e-6, 0.001, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.9999)


@pytest.mark.parametrize("n", [2, 3, 4, 6, 7, 11, 37, 100, 1000])
def test_harrell_davis_is_scipys(n):
    """At every quantile, those included whose Beta density has poles: (n + 1) q < 1."""
    values = torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    expected = hdquantiles(values.numpy(), prob=list(QUANTILES))
    found = [HarrellDavis(q)(values, torch.ones(n)).item() for q in QUANTILES]
    assert found == pytest.approx(list(expected), abs=1e-6)


def test_harrell_davis_of_equal_weights_is_that_of_none():
    values = torch.randn(6, generator=torch.Generator().manual_seed(0))
    for q in (0.05, 0.5, 0.95):
        assert HarrellDavis(q)(values, torch.full((6,), 3.7)) == pytest.approx(HarrellDavis(q)(values, torch.ones(6)))


@pytest.mark.parametrize("a", [2e-6, 0.35, 1.0, 1.7, 40.0, 5e5])
@pytest.mark.parametrize("b", [2e-6, 0.35, 1.0, 1.7, 40.0, 5e5])
def test_beta_distribution_is_scipys(a, b):
    middle, spread = a / (a + b), math.sqrt(a * b / (a + b + 1)) / (a + b)
    x = np.clip(np.concatenate([np.linspace(0, 1, 101), middle + spread * np.linspace(-6, 6, 101)]), 0, 1)
    found = beta_cdf(*(torch.tensor(v, dtype=torch.float64) for v in (x, a, b)))
    np.testing.assert_allclose(found.numpy(), beta.cdf(x, a, b), rtol=0, atol=2e-9)


def test_huber_mean_is_the_minimiser():
    x = torch.randn(50, dtype=torch.float64)
    x[0] = 1e6
    m = HuberMean(1.0)(x, torch.ones(50, dtype=torch.float64))
    median = x.sort().values[24:26].mean()
    delta = 1.4826 * (x - median).abs().sort().values[24:26].mean()
    slope = ((m - x) / ((m - x) ** 2 + delta**2).sqrt()).sum()
    assert abs(slope.item()) < 1e-6
    assert HuberMean()(torch.full((5,), 2.0), torch.ones(5)) == 2


@pytest.mark.parametrize("reducer", ALL, ids=str)
def test_scale_shift_and_shares(reducer):
    x = torch.randn(31, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    w = torch.rand(31, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    value = reducer(x, w)
    (share,) = torch.autograd.grad(value, x)
    assert share.sum().item() == pytest.approx(1, abs=1e-9)
    assert (share >= 0).all()
    assert reducer(7 * x - 3, w).item() == pytest.approx(7 * value.item() - 3, rel=1e-9)
    assert reducer(x, 5 * w).item() == pytest.approx(value.item(), rel=1e-9)


@pytest.mark.parametrize("reducer", ALL, ids=str)
def test_samples_without_weight_vanish(reducer):
    x = torch.randn(12, dtype=torch.float64)
    if isinstance(reducer, MedianOfMeans):  # noqa: SIM108
        keep = torch.arange(12) < 9  # groups are dealt in turn: take away at the end only
    else:
        keep = torch.arange(12) % 4 != 1
    w = keep.double()
    spoiled = torch.where(keep, x, math.nan)
    assert reducer(spoiled, w).item() == pytest.approx(reducer(x[keep], w[keep]).item())
    assert reducer(x, 0 * w) == 0
    assert reducer(x[:0], w[:0]) == 0
    assert reducer(x[:1], torch.ones(1)) == pytest.approx(x[0].item())


@pytest.mark.parametrize("reducer", [SoftMedian(), TrimmedMean(0.3, 0.3), HuberMean(), MedianOfMeans(9)], ids=str)
def test_outliers_do_not_move_it_far(reducer):
    clean = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    dirty = clean.clone()
    dirty[:4] = 1e9
    ones = torch.ones(40, dtype=torch.float64)
    assert abs(reducer(dirty, ones) - reducer(clean, ones)) < 1


@pytest.mark.parametrize("reducer", [*ALL[:6], HuberMean(iterations=2), ALL[7]], ids=str)
def test_compiles(reducer):
    z, y = torch.randn(16, 4), torch.randint(4, (16,))
    torch._dynamo.reset()
    compiled = torch.compile(lambda z: cross_entropy(z, y, reduction=reducer), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(z), cross_entropy(z, y, reduction=reducer))


@pytest.mark.parametrize("reducer", ALL, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_type(reducer, dtype):
    assert cross_entropy(torch.randn(16, 4, dtype=dtype), torch.zeros(16).long(), reduction=reducer).dtype == dtype


def test_ignored_samples_are_left_out_of_the_median():
    z, y = torch.randn(9, 3), torch.randint(3, (9,))
    padded = torch.cat([z, torch.full((4, 3), math.nan)]), torch.cat([y, torch.full((4,), -100)])
    median = SoftMedian()
    torch.testing.assert_close(cross_entropy(*padded, reduction=median), cross_entropy(z, y, reduction=median))
    assert cross_entropy(z, y, reduction=median).item() == pytest.approx(
        cross_entropy(z, y, reduction="none").median().item(), rel=1e-6
    )


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SoftMedian(0.0), "bandwidth"),
        (lambda: SoftMedian(q=1.5), "q"),
        (lambda: SoftMedian(kernel="box"), "kernel"),
        (lambda: TrimmedMean(0.5, 0.5), "low"),
        (lambda: TopMean(0.0), "share"),
        (lambda: HuberMean(-1.0), "delta"),
        (lambda: MedianOfMeans(0), "groups"),
        (lambda: HarrellDavis(1.0), "q"),
    ],
)
def test_bad_settings_are_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()


@pytest.mark.parametrize("reducer", ROBUST, ids=str)
def test_what_is_rejected_may_be_anything(reducer):
    """Up to a tenth of infinite losses on either side, and with weights: the value is that with huge ones instead."""
    x = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    w = torch.rand(40, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) + 0.5
    for end in (math.inf, -math.inf):
        spoiled, huge = x.clone(), x.clone()
        spoiled[[3, 13]], huge[[3, 13]] = end, math.copysign(1e30, end)
        spoiled.requires_grad_()
        for weight in (torch.ones(40, dtype=torch.float64), w):
            value = reducer(spoiled, weight)
            (share,) = torch.autograd.grad(value, spoiled)
            assert value.item() == pytest.approx(reducer(huge, weight).item(), rel=1e-9)
            assert share.isfinite().all()
            assert share[[3, 13]].abs().max() == 0
            assert share.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("reducer", ALL, ids=str)
def test_an_infinite_loss_makes_no_nan(reducer):
    """Rejected or not: what counts it is infinite, and says so."""
    for x in ([1.0, math.inf], [math.inf] * 3, [1.0, 2.0, math.inf, math.inf], [1.0, math.inf, math.inf]):
        assert not math.isnan(_of(reducer, x)), f"{reducer} of {x}"


def test_huber_mean_of_tiny_losses():
    x = torch.tensor([1.0, 2.0, 3.0, 100.0])
    assert HuberMean()(x * 1e-25, torch.ones(4)) == pytest.approx(1e-25 * HuberMean()(x, torch.ones(4)).item())


@pytest.mark.parametrize("reducer", ALL, ids=str)
def test_weights_are_held_constant_and_that_is_said(reducer):
    x, w = torch.arange(4.0), torch.ones(4, requires_grad=True)
    with pytest.raises(ValueError, match=rf"{type(reducer).__name__}.*detach"):
        reducer(x, w)
    with pytest.raises(ValueError, match="sample_weight"):
        cross_entropy(torch.randn(4, 3), torch.zeros(4).long(), weight=w[:3], reduction=reducer)
    assert reducer(x, w.detach()).isfinite()
    with torch.no_grad():
        assert reducer(x, w).isfinite()


@pytest.mark.parametrize("reducer", ALL, ids=str)
def test_autocast_changes_nothing(reducer):
    x = torch.randn(50, generator=torch.Generator().manual_seed(0)).exp()
    expected = reducer(x, torch.ones(50))
    with torch.autocast("cpu", torch.bfloat16):
        found = reducer(x, torch.ones(50))
    assert found.dtype == torch.float32
    assert found == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [3, 7, 10, 30, 50, 70, 1000])
def test_as_many_as_can_be_rejected_may_be_infinite(n, dtype):
    """At the very edge of a share, where rounding must not let one in."""
    middle = (n - 1) // 2
    most = {
        TrimmedMean(0.0, 0.1): n // 10,
        TrimmedMean(0.3, 0.3): 3 * n // 10,
        SoftMedian(1e-9): middle,
        SoftMedian(0.2): 3 * n // 10,
        SoftMedian(0.2, kernel="uniform"): 3 * n // 10,
        HuberMean(): middle,
        MedianOfMeans(5): 2 * (n >= 5),
        MedianOfMeans(7): 3 * (n >= 7),
    }
    for reducer, spoiled in most.items():
        x = torch.arange(n, dtype=dtype)
        x[n - spoiled :] = math.inf
        for weight in (1.0, 0.37):
            value = reducer(x, torch.full((n,), weight, dtype=dtype))
            assert value.isfinite(), f"{reducer} of {n} losses, {spoiled} of them infinite"
            assert value.dtype == dtype
