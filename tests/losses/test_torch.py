"""Cross-entropy agrees with torch's wherever both are defined, weights, smoothing and masks included."""

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from gradwright.losses import (
    cross_entropy,
    focal,
    gce,
    multilabel_cross_entropy,
    soft_accuracy,
    sparse_multilabel_cross_entropy,
    tailr,
)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("loss", [cross_entropy, lambda *a, **k: tailr(*a, 0.0, **k)], ids=["cross_entropy", "tailr"])
def test_cross_entropy_is_torchs(reduction, smoothing, weighted, soft, loss):
    if soft and smoothing and weighted and loss is not cross_entropy:
        pytest.skip("the same code as cross_entropy")
    z = torch.randn(6, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(5, dtype=torch.float64) if weighted else None
    if soft:
        y = torch.rand(6, 5, 3, 2, dtype=torch.float64).softmax(1)
    else:
        y = torch.randint(5, (6, 3, 2))
        y[0, 1] = -100
    expected = F.cross_entropy(z, y, weight, label_smoothing=smoothing, reduction=reduction)
    found = loss(z, y, weight=weight, label_smoothing=smoothing, reduction=reduction, dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    (a,), (b,) = (torch.autograd.grad(value.sum(), z, retain_graph=True) for value in (found, expected))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", [cross_entropy, gce, focal, soft_accuracy])
def test_soft_targets_may_be_differentiated(loss):
    """At 0 too, where a class adds nothing: its loss is the derivative."""
    z = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    q.requires_grad_()
    (slope,) = torch.autograd.grad(loss(z, q, reduction="sum"), q)
    each = torch.stack([loss(z, torch.full((3,), k), reduction="none") for k in range(4)], -1)
    torch.testing.assert_close(slope, each)


def test_class_weights_under_vmap():
    z, y, w = torch.randn(5, 4), torch.randint(4, (5,)), torch.rand(4)
    each = torch.func.vmap(lambda z, y: cross_entropy(z, y, weight=w, reduction="sum"))(z, y)
    torch.testing.assert_close(each, cross_entropy(z, y, weight=w, reduction="none"))


def test_one_label_is_binary_cross_entropy():
    s, t = torch.randn(20, 1, dtype=torch.float64), torch.rand(20, 1, dtype=torch.float64)
    t[:8] = t[:8].round()
    hard = multilabel_cross_entropy(s[:8], t[:8], reduction="none")
    expected = F.binary_cross_entropy_with_logits(s[:8], t[:8], reduction="none")
    torch.testing.assert_close(hard, expected[:, 0])


@pytest.mark.parametrize("size", [1.0, 50.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sparse_is_dense(size, dtype):
    torch.manual_seed(0)
    z = (torch.rand(30, 40, dtype=dtype) * 2 - 1) * size
    z[0, :3] = size
    labels = torch.randint(40, (30, 6))
    labels[torch.rand(30, 6) < 0.4] = -100
    labels[0, :3] = torch.arange(3)
    labels[1] = 7
    labels[2] = -100
    dense = torch.zeros(30, 41, dtype=dtype).scatter(1, torch.where(labels < 0, 40, labels), 1.0)[:, :40]
    for margin, threshold in ((0.0, 0.0), (0.3, -0.2)):
        options = {"margin": margin, "threshold": threshold, "reduction": "none"}
        one, other = z.clone().requires_grad_(), z.clone().requires_grad_()
        a = sparse_multilabel_cross_entropy(one, labels, **options)
        b = multilabel_cross_entropy(other, dense, **options)
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
        slopes = [torch.autograd.grad(value.sum(), x)[0] for value, x in ((a, one), (b, other))]
        torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-6)


def test_sparse_where_labels_dominate():
    z = torch.tensor([[20.0, 0.0, 0.0], [30.0, 0.0, 0.0]])
    each = sparse_multilabel_cross_entropy(z, torch.tensor([[0], [0]]), reduction="none")
    assert each.tolist() == pytest.approx([math.log(3)] * 2, rel=1e-6)


def test_hard_labels_drawn_by_chance_are_not_calibrated_by_either_rule():
    """C labels that hold with probability t, independently: the best score, from the population loss."""
    found = []
    for labels in (1, 2, 3, 6):
        scores = torch.linspace(-3, 1, 40001, dtype=torch.float64)
        expected = torch.zeros_like(scores)
        for k in range(labels + 1):
            share = math.comb(labels, k) * 0.3**k * 0.7 ** (labels - k)
            s = scores.unsqueeze(-1).expand(-1, labels)
            hot = (torch.arange(labels) < k).double().expand_as(s)
            expected += share * multilabel_cross_entropy(s, hot, reduction="none")
        found.append(torch.sigmoid(scores[expected.argmin()]).item())
    assert found == pytest.approx([0.3, 0.3108, 0.3207, 0.3443], abs=1e-4)


def test_class_weights_keep_gradients_bounded():
    s = torch.randn(4, 6, requires_grad=True)
    t = (torch.rand(4, 6) < 0.5).float()
    w, p = torch.rand(6) * 10, torch.rand(6) * 10
    loss = multilabel_cross_entropy(s, t, weight=w, pos_weight=p, reduction="sum")
    pull = torch.where(t > 0, (w * p) * torch.exp(-s), 0.0).sum(-1)
    push = torch.where(t < 1, w * torch.exp(s), 0.0).sum(-1)
    torch.testing.assert_close(loss, (torch.log1p(pull) + torch.log1p(push)).sum())
    (slope,) = torch.autograd.grad(loss, s)
    assert (slope.clamp(min=0).sum(-1) < 1).all()
    assert (slope.clamp(max=0).sum(-1) > -1).all()
