"""Worked numbers: z = (2, 1, 0) and others, from float64 scripts that share no code with the losses."""

import math

import pytest
import torch

from gradwright import losses as gl
from gradwright.losses.pairwise.accuracy import Miss
from gradwright.losses.per_row.cross_entropy import Log
from gradwright.losses.per_row.focal import Focal
from gradwright.losses.per_row.gce import BoxCox
from gradwright.losses.per_row.poly import Poly
from gradwright.losses.per_row.sce import Symmetric
from gradwright.losses.per_row.tailr import Tailored

Z = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)


def _at(function, y, *args, z=Z, **kwargs):
    return function(z, torch.tensor([y]), *args, **kwargs).item()


def _gradient(function, z, target, **kwargs):
    z = z.clone().requires_grad_()
    return torch.autograd.grad(function(z, target, **kwargs), z)[0].flatten().tolist()


TAILR = [  # y, gamma, floor, weight, weighted, loss
    (0, 0.1, 0.3, 0.9520894566, 0.3880773412, 0.3983440921),
    (1, 0.1, 0.3, 0.7641660372, 1.0756446718, 1.2651508636),
    (2, 0.1, 0.3, 0.4973308767, 1.1973767851, 1.8990069311),
    (2, 0.8, 0.2, 0.2000000000, 0.4815211929, 1.0044273365),
    (2, 1.0, 0.0, 0.0900305732, 0.2167581449, 0.9099694268),
    (1, 0.5, 0.0, 0.3932238665, 0.5535042598, 0.9484595399),
]


@pytest.mark.parametrize(("y", "gamma", "floor", "weight", "weighted", "loss"), TAILR)
def test_tailr(y, gamma, floor, weight, weighted, loss):
    assert _at(gl.tailr, y, gamma, floor=floor, form="weighted") == pytest.approx(weighted, rel=1e-9)
    # where the floor holds W up, the table lists φ without its continuation −m ln p + C
    if (gamma, floor) != (0.8, 0.2):
        assert _at(gl.tailr, y, gamma, floor=floor) == pytest.approx(loss, rel=1e-9)
    else:
        assert _at(gl.tailr, y, gamma) == pytest.approx(loss, rel=1e-9)
        assert _at(gl.tailr, y, gamma, floor=floor) == pytest.approx(0.2 * 2.4076059644 + 0.5532558901, rel=1e-9)
    p = Z.softmax(-1)[0, y]
    assert gl.LOSSES["tailr"].weight(p, gamma=gamma, floor=floor).item() == pytest.approx(weight, rel=1e-9)


def test_tailr_gradient_and_smoothing():
    for form in ("loss", "weighted"):
        gradient = _gradient(gl.tailr, Z, torch.tensor([2]), gamma=0.3, form=form)
        assert gradient == pytest.approx([0.1649820764, 0.0606935141, -0.2256755904], rel=1e-9)
    smoothed = _at(gl.tailr, 0, 0.1, floor=0.3, form="weighted", label_smoothing=0.1)
    assert smoothed == pytest.approx(0.4900302035, rel=1e-9)


def test_tailr_where_the_probability_underflows():
    z = torch.tensor([[0.0, -200.0]], dtype=torch.float64)
    assert _at(gl.tailr, 1, 0.1, z=z) == pytest.approx(2.5584278811, rel=1e-9)
    assert _at(gl.tailr, 1, 0.1, form="weighted", z=z) == pytest.approx(1.3839e-86 * 200, rel=1e-3)


@pytest.mark.parametrize(("delta", "loss"), [(1e-3, 0.7002451144), (1e-6, 0.7000002450), (1e-9, 0.7000000002)])
def test_tailr_near_gamma_one(delta, loss):
    z = torch.tensor([[0.3, 0.7]], dtype=torch.float64).log()
    assert _at(gl.tailr, 0, 1 - delta, z=z) == pytest.approx(loss, abs=1e-10)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_tailr_ends_are_cross_entropy_and_accuracy(reduction):
    z = 5 * torch.randn(64, 10, dtype=torch.float64)
    y = torch.randint(10, (64,))
    for form in ("loss", "weighted"):
        here = gl.tailr(z, y, 0.0, form=form, reduction=reduction)
        torch.testing.assert_close(
            here, torch.nn.functional.cross_entropy(z, y, reduction=reduction), rtol=0, atol=1e-12 * 64
        )
    p = z.softmax(-1)[torch.arange(64), y]
    torch.testing.assert_close(gl.tailr(z, y, 1.0, reduction="none"), 1 - p, rtol=0, atol=1e-12)


VALUES = [
    (gl.cross_entropy, {"label_smoothing": 0.1}, (0.50760596, 1.40760596, 2.30760596)),
    (gl.focal, {"focus": 2.0}, (0.0456778, 0.80294782, 1.99360453)),
    (gl.poly1, {"eps": 1.0}, (0.74236501, 2.16287749, 3.31757539)),
    (gl.gce, {"q": 0.7}, (0.35461356, 0.89525973, 1.16373668)),
    (gl.sce, {}, (3.12400534, 7.09706845, 8.62188875)),
    (gl.normalized_cross_entropy, {}, (0.09652464, 0.33333333, 0.57014203)),
    (gl.logit_norm, {"temperature": 1.0}, (0.71698532, 1.16419889, 1.61141247)),
    (gl.logit_norm, {"temperature": 0.04}, (1.395e-05, 11.18035333, 22.36069272)),
    (gl.pairwise_sigmoid, {}, (0.3881443434, 1.0, None)),
    (gl.pairwise_cubic, {}, (0.0, 1.0, None)),
]


@pytest.mark.parametrize(("function", "settings", "expected"), VALUES)
def test_values(function, settings, expected):
    for y, value in enumerate(expected):
        if value is not None:
            assert _at(function, y, **settings) == pytest.approx(value, rel=6e-8, abs=5e-9)


def test_focal_weights_and_binary():
    w = gl.LOSSES["focal"].weight(Z.softmax(-1)[0], focus=2.0)
    assert w.tolist() == pytest.approx([0.29360759, 1.09078885, 1.22253093], rel=1e-7)
    s = torch.tensor([1.5, 1.5], dtype=torch.float64)
    each = gl.sigmoid_focal(s, torch.tensor([1.0, 0.0]), reduction="none")
    assert each.tolist() == pytest.approx([0.0016757117, 0.8529542367], rel=3e-8)
    plain = gl.sigmoid_focal(torch.logit(torch.tensor([0.9])).double(), torch.tensor([0.0]), alpha=None)
    assert plain.item() * 0.75 == pytest.approx(1.3988, rel=1e-4)


def test_logit_norm_is_orthogonal_and_bounded_below():
    gradient = _gradient(gl.logit_norm, Z, torch.tensor([0]), temperature=0.5)
    assert gradient == pytest.approx([-0.15819133, 0.31638266, 0.09486392], rel=1e-6)
    assert abs(sum(g * z for g, z in zip(gradient, (2.0, 1.0, 0.0)))) < 1e-7
    best = torch.tensor([[1.0, -0.5, -0.5]], dtype=torch.float64)
    assert _at(gl.logit_norm, 0, 1.0, z=best) == pytest.approx(0.4622645798, rel=1e-6)


def test_multilabel():
    s = torch.tensor([[2.0, -1.0, 0.5, -3.0]], dtype=torch.float64)
    f = gl.multilabel_cross_entropy
    y = torch.tensor([[1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    assert f(s, y).item() == pytest.approx(0.9039691364, rel=1e-9)
    expected = [-0.0776955791, 0.2594964603, -0.3482074279, 0.0351190270]
    assert _gradient(f, s, y) == pytest.approx(expected, rel=1e-8)
    assert f(s, 0 * y).item() == pytest.approx(2.3471227881, rel=1e-9)
    assert f(s, 0 * y + 1).item() == pytest.approx(3.2005360626, rel=1e-9)
    assert f(0 * s, y).item() == pytest.approx(2.1972245773, rel=1e-9)
    t = torch.tensor([[0.2, 0.5, 0.9]], dtype=torch.float64)
    s = torch.tensor([[0.0, 1.0, -1.0]], dtype=torch.float64)
    assert f(s, t).item() == pytest.approx(2.5048452726, rel=1e-9)
    assert _gradient(f, s, t) == pytest.approx([0.1981045047, 0.3772514764, -0.6271842677], rel=1e-8)
    best = gl.score_threshold(t)
    assert best[0].tolist() == pytest.approx([-0.6931471806, 0.0, 1.0986122887], abs=1e-9)
    assert f(best, t).item() == pytest.approx(1.5769147207, rel=1e-9)
    assert _gradient(f, best, t) == pytest.approx([0, 0, 0], abs=1e-12)
    torch.testing.assert_close(gl.label_share(best), t)
    masked = torch.tensor([[2.0, math.nan, 0.5]], dtype=torch.float64)
    mask = torch.tensor([[True, False, True]])
    loss = f(masked, torch.tensor([[1.0, 0.0, 0.0]]), mask=mask)
    assert loss.item() == pytest.approx(1.1010049952, rel=1e-9)


def test_joint():
    s = torch.tensor([[5.0, 2.0, 1.0], [3.0, 6.0, 0.0], [1.0, 2.0, 8.0]], dtype=torch.float64)
    f, apart, same = gl.joint_cross_entropy, torch.tensor([0, 1, 2]), torch.tensor([0, 0, 2])
    assert f(s, apart).item() == pytest.approx(0.1202145662, rel=1e-8)
    assert f(s, apart, form="L3").item() == pytest.approx(0.1541793378, rel=1e-8)
    assert f(s, same).item() == pytest.approx(3.0575477043, rel=1e-9)
    assert gl.cross_entropy(s, same, reduction="sum").item() == pytest.approx(3.1202145662, rel=1e-9)
    two = torch.tensor([[2.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [-3.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 1])
    assert f(two, labels).item() == pytest.approx(0.9039691364, rel=1e-9)
    assert f(two, labels, form="L3").item() == pytest.approx(1.3680531724, rel=1e-9)
    assert f(2 * two, labels, form="L3").item() == pytest.approx(0.9039691364, rel=1e-9)
    wrong = torch.tensor([[10.0, 5.0, -15.0]], dtype=torch.float64)
    assert f(wrong, torch.tensor([1]), form="L3").item() == pytest.approx(0.0067153485, rel=1e-7)
    assert f(wrong, torch.tensor([1])).item() == pytest.approx(5.0067153485, rel=1e-9)


def test_joint_soft_minima():
    t = torch.tensor([[0.6652, 0.0213, 0.3135]], dtype=torch.float64)
    assert _gradient(gl.joint_cross_entropy, t.log(), t, form="L3") == pytest.approx([0, 0, 0], abs=1e-12)
    flat = torch.tensor([[0.52356073, 0.10959875, 0.36684052]], dtype=torch.float64)  # by scipy, from the formula
    assert _gradient(gl.joint_cross_entropy, flat.log(), t) == pytest.approx([0, 0, 0], abs=1e-7)


@pytest.mark.parametrize(
    "curve",
    [
        Log(),
        Tailored(0.0, 0.3),
        Tailored(0.1),
        Tailored(0.1, 0.3),
        Tailored(1.0),
        Focal(0.0),
        Focal(0.5),
        Focal(2.0),
        Poly(-0.5),
        Poly(2.0, 2.0),
        BoxCox(0.0),
        BoxCox(0.0, 0.2),
        BoxCox(0.7),
        BoxCox(0.7, 0.2),
        Symmetric(),
        Symmetric(0.0),
        Miss(),
    ],
    ids=str,
)
def test_what_a_curve_says_of_zero_is_its_limit(curve):
    limit, weight = curve.at_zero()
    far = torch.tensor([-600.0, -math.inf], dtype=torch.float64, requires_grad=True)
    value = curve.of(far)
    (slope,) = torch.autograd.grad(value.sum(), far)
    assert slope.tolist() == pytest.approx([-weight] * 2, abs=1e-9)
    assert value[1].item() == limit
    assert curve.weight(far[0].detach().exp()).item() == pytest.approx(weight, abs=1e-9)
    if math.isinf(limit):
        assert weight > 0
        assert value[0].item() == pytest.approx(600 * weight, abs=15)
    else:
        assert weight == 0
        assert value[0].item() == pytest.approx(limit)
