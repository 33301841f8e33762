"""Input that does not fit is refused with the argument, the place and the way out."""

import math

import pytest
import torch

from gradwright import losses as gl

Z = torch.randn(4, 3)
Y = torch.tensor([0, 1, 2, 0])
IMAGE = torch.randn(2, 3, 4, 5)


def _with(tensor, index, value):
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


SOFT = Z.softmax(-1)

CASES = [
    (lambda: gl.cross_entropy(Z, Y[:3]), r"target has shape \(3,\).*need a target of shape \(4,\)"),
    (lambda: gl.cross_entropy(IMAGE, torch.zeros(2, 4, 5, dtype=torch.long)), "dim=1"),
    (lambda: gl.cross_entropy(Z, torch.eye(3)), r"target has shape \(3, 3\).*\(4, 3\)"),
    (lambda: gl.cross_entropy(Z, torch.ones(4, 3, dtype=torch.long)), "floating"),
    (lambda: gl.cross_entropy(Z, _with(Y, 2, 7)), r"target\[2\] is 7: it must name one of 3 classes"),
    (lambda: gl.tailr(Z, _with(Y, 1, -1)), r"target\[1\] is -1"),
    (lambda: gl.focal(_with(Z, (1, 2), math.nan), Y), r"logits\[1, 2\] is nan"),
    (lambda: gl.gce(_with(Z, (3, 0), math.inf), Y), r"logits\[3, 0\] is inf"),
    (lambda: gl.exact(_with(Z, (0, 1), math.nan), Y), r"logits\[0, 1\] is nan"),
    (
        lambda: gl.poly1(_with(IMAGE, (1, 2, 3, 4), math.nan), torch.zeros(2, 4, 5, dtype=torch.long), dim=1),
        r"logits\[1, 2, 3, 4\] is nan",
    ),
    (lambda: gl.cross_entropy(Z, 2 * SOFT), r"target's row 0 sums to 2.*divide it by its sum"),
    (lambda: gl.sce(Z, _with(SOFT, (2, 1), -0.1)), r"target\[2, 1\] is -0.1"),
    (lambda: gl.cross_entropy(Z, Y, weight=torch.tensor([1.0, -1.0, 1.0])), r"weight\[1\] is -1"),
    (lambda: gl.cross_entropy(Z, Y, weight=torch.ones(4)), r"weight has shape \(4,\); it must be \(3,\)"),
    (lambda: gl.cross_entropy(Z, Y, sample_weight=torch.tensor([1.0, 1, 1, -2])), r"sample_weight\[3\] is -2"),
    (lambda: gl.cross_entropy(Z, Y, sample_weight=torch.ones(3)), r"sample_weight has shape \(3,\)"),
    (lambda: gl.cross_entropy(Z, Y, dim=2), "dim=2"),
    (lambda: gl.cross_entropy(Z, Y, reduction="avg"), "reduction='avg'"),
    (lambda: gl.cross_entropy(Z[:, :0], Y), "no classes"),
    (lambda: gl.cross_entropy(torch.tensor(1.0), torch.tensor(0)), "single number"),
    (lambda: gl.cross_entropy(Z, Y, label_smoothing=1.5), "label_smoothing=1.5"),
    (lambda: gl.tailr(Z, Y, 1.5), "gamma=1.5"),
    (lambda: gl.tailr(Z, Y, form="soft"), "form='soft'"),
    (lambda: gl.focal(Z, Y, -1.0), "focus=-1"),
    (lambda: gl.gce(Z, Y, 0.0 / 1 - 0.1), "q=-0.1"),
    (lambda: gl.poly1(Z, Y, -2.0), "eps=-2"),
    (lambda: gl.logit_norm(Z, Y, 0.0), "temperature=0"),
    (lambda: gl.exact(Z, Y, 0.0), "sigma=0"),
    (lambda: gl.exact(Z, Y, margin=-1.0), "margin=-1"),
    (lambda: gl.exact(Z, Y, nodes=1), "nodes=1"),
    (lambda: gl.emo(Z, Y, torch.ones(4, 2)), r"embeddings has shape \(4, 2\)"),
    (lambda: gl.multilabel_cross_entropy(Z, _with(SOFT, (1, 1), 1.5)), r"target\[1, 1\] is 1.5"),
    (lambda: gl.multilabel_cross_entropy(_with(Z, (2, 0), math.nan), SOFT), r"logits\[2, 0\] is nan"),
    (lambda: gl.multilabel_cross_entropy(Z, SOFT, mask=torch.ones(4, 3)), "mask.*bool"),
    (lambda: gl.multilabel_cross_entropy(Z, SOFT[:2]), r"target has shape \(2, 3\)"),
    (lambda: gl.sparse_multilabel_cross_entropy(Z, torch.tensor([[0], [1], [3], [0]])), r"labels\[2, 0\] is 3"),
    (lambda: gl.sparse_multilabel_cross_entropy(Z, Y), r"labels has shape \(4,\)"),
    (lambda: gl.joint_cross_entropy(Z[0], Y[0]), r"\(\.\.\., n, m\)"),
    (lambda: gl.soft_f1(Z * 10, SOFT), "probabilities"),
    (lambda: gl.gce(_with(Z, 1, -math.inf), Y), r"logits\[1, 0\] and all other classes .* -inf"),
    (lambda: gl.joint_cross_entropy(_with(Z, 2, -math.inf), Y), r"logits\[2, 0\] and all other"),
    (lambda: gl.score_threshold(1.0), "share"),
    (lambda: gl.checking("sometimes").__enter__(), "where='sometimes'"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_is_refused_with_the_place(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gl.cross_entropy(Z.long(), Y), "logits has dtype"),
        (lambda: gl.pairwise_sigmoid(Z, SOFT), "class indices"),
        (lambda: gl.sparse_multilabel_cross_entropy(Z, SOFT), "labels has dtype"),
        (lambda: gl.Focal(focuss=2.0), "focuss"),
        (lambda: gl.Focal()(Z, Y, focus=1.0), "focus"),
        (lambda: gl.LOSSES["exact"].weight(torch.tensor(0.5)), "no function"),
    ],
)
def test_types_and_unknown_settings_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_what_does_not_count_is_not_checked():
    z, y = _with(Z, 1, math.nan), _with(Y, 1, -100)
    assert gl.cross_entropy(z, y).isfinite()
    assert gl.cross_entropy(z, Y, sample_weight=torch.tensor([1.0, 0.0, 1.0, 1.0])).isfinite()
    assert gl.cross_entropy(_with(Z, 1, -math.inf), y).isfinite()


def test_classes_of_weight_zero_may_be_shut_out():
    """0 · ∞: a class whose samples count nothing, and which no sample may be given to."""
    z, weight = _with(Z, (slice(None), 2), -math.inf).requires_grad_(), torch.tensor([1.0, 2.0, 0.0])
    for loss in (gl.cross_entropy, gl.focal, gl.tailr, gl.poly1, gl.sce, gl.exact):
        for settings in ({}, {"label_smoothing": 0.1} if loss in (gl.cross_entropy, gl.focal, gl.poly1) else {}):
            value = loss(z, Y, weight=weight, **settings)
            (slope,) = torch.autograd.grad(value, z)
            assert value.isfinite(), loss.__name__
            assert slope.isfinite().all(), loss.__name__


def test_a_class_that_is_shut_out():
    z = _with(Z, (slice(None), 2), -math.inf).requires_grad_()
    y = torch.tensor([0, 1, 1, 0])
    for loss in (gl.cross_entropy, gl.tailr, gl.focal, gl.gce, gl.sce, gl.soft_accuracy):
        (slope,) = torch.autograd.grad(loss(z, y), z)
        assert slope.isfinite().all(), loss.__name__
        assert (slope[:, 2] == 0).all()


def test_nothing_is_looked_at_under_transforms():
    bad = _with(Z, (0, 0), math.nan)
    each = torch.func.vmap(lambda z, y: gl.cross_entropy(z, y))(bad, Y)
    assert each[0].isnan()
    with gl.checking("never"):
        assert gl.cross_entropy(bad, Y).isnan()
    with pytest.raises(ValueError, match="nan"):
        gl.cross_entropy(bad, Y)


def test_modules_move_and_save_their_weights():
    loss = gl.CrossEntropy(weight=torch.ones(3), label_smoothing=0.1)
    assert "weight" in loss.state_dict()
    assert loss.double().weight.dtype == torch.float64
    assert repr(loss) == "CrossEntropy(label_smoothing=0.1, weight=<tensor>)"
    assert loss.label_smoothing == 0.1
