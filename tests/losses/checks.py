"""The checks of the contract for losses: functions of a row that raise ``AssertionError`` with a sentence."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import torch
from torch import Tensor

from gradwright.losses import TRAITS
from tests.losses.table import EMBEDDINGS, Row

CHECKS = {}
TRAIT_CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def trait(function):
    assert function.__name__ in TRAITS
    TRAIT_CHECKS[function.__name__] = function
    return function


def _gradient(row: Row, logits: Tensor, target: Tensor, **more) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    loss = row.call(logits, target, **more)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach(), gradient


def _blank(row: Row, target: Tensor) -> Tensor:
    return torch.full_like(target, -100)


def _ignores(row: Row) -> bool:
    return row.target in ("index", "joint")


@check
def gradient_is_right(row: Row) -> None:
    logits = row.logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: row.call(z, row.targets()), logits)


@check
def second_gradient_is_right(row: Row) -> None:
    logits = row.logits(3, 3).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda z: row.call(z, row.targets(3, 3)), logits)


@check
def finite_for_large_logits(row: Row) -> None:
    if row.target == "probabilities":
        return
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for size in (1e4, 300.0, 30.0):
            for seed in range(4):
                z = row.logits(6, 5, seed=seed) * size
                z = torch.where(z.abs() > size, size * z.sign(), z).to(dtype)
                loss, gradient = _gradient(row, z, row.targets(6, 5))
                assert loss.isfinite().all(), f"{dtype} at {size:g}: the loss is {loss}"
                assert gradient.isfinite().all(), f"{dtype} at {size:g}: a gradient is not finite"
                assert loss.dtype == torch.float32, f"half types are computed in float32, not {loss.dtype}"


@check
def finite_at_certainty(row: Row) -> None:
    """Equal, zero and saturated logits are the places where formulas are 0 / 0."""
    for z in (torch.zeros(4, 3), torch.eye(4)[:, :3] * 1e4, -torch.eye(4)[:, :3] * 1e4, torch.full((4, 3), 1e4)):
        if row.target == "joint":
            z = z.unsqueeze(1).expand(4, 3, 3)
        if row.target == "probabilities":
            z = z.clamp(0.0, 1.0)
        for seed in (1, 2):
            loss, gradient = _gradient(row, z.clone(), row.targets(4, 3, seed))
            assert loss.isfinite().all()
            assert gradient.isfinite().all()


@check
def half_types_are_close(row: Row) -> None:
    z, target = row.logits(), row.targets()
    exact = row.call(z, target)
    for dtype in (torch.bfloat16, torch.float16):
        loss = row.call(z.to(dtype), target)
        torch.testing.assert_close(loss.double(), row.call(z.to(dtype).double(), target), rtol=2e-5, atol=2e-5)
        torch.testing.assert_close(loss.double(), exact, rtol=0.1, atol=0.2)


@check
def nothing_is_zero(row: Row) -> None:
    """An empty batch, and one in which all is ignored, cost 0 with a gradient of 0."""
    z = row.logits(0).requires_grad_()
    loss = row.call(z, row.targets(0))
    assert loss.item() == 0
    loss.backward()
    assert z.grad is not None
    if _ignores(row):
        z = row.logits()
        loss, gradient = _gradient(row, z * math.nan, _blank(row, row.targets()))
        assert loss.item() == 0, f"the loss of nothing is {loss}"
        assert (gradient == 0).all()


@check
def ignored_rows_have_no_part(row: Row) -> None:
    if not _ignores(row) or row.settings.get("reduction"):
        return
    z, target = row.logits(6), row.targets(6)
    target[1], target[4] = -100, -100
    keep = torch.tensor([0, 2, 3, 5])
    z[1], z[4] = math.nan, math.inf
    kept, slope = _gradient(row, z[keep], target[keep], reduction="sum")
    loss, gradient = _gradient(row, z, target, reduction="sum")
    torch.testing.assert_close(loss, kept)
    torch.testing.assert_close(gradient[keep], slope)
    assert (gradient[[1, 4]] == 0).all()


@check
def one_class_works(row: Row) -> None:
    target = row.targets(3, 1)
    if row.target == "soft":
        target = torch.ones(3, 1, dtype=torch.float64)
    loss, gradient = _gradient(row, row.logits(3, 1), target)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    alone = row.target in ("index", "soft") and not row.settings.get("margin")
    if alone and row.name not in ("normalized_cross_entropy",):
        assert loss.abs().max() < 1e-12, f"with one class nothing can be wrong, but the loss is {loss}"


@check
def all_negative_rows_work(row: Row) -> None:
    if row.target not in ("multihot", "shares", "labels", "probabilities"):
        return
    target = torch.full((5, 2), -100) if row.target == "labels" else torch.zeros(5, 4, dtype=torch.float64)
    loss, gradient = _gradient(row, row.logits(), target)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert (gradient >= 0).all(), "without labels every score has to fall"


@check
def reductions_agree(row: Row) -> None:
    if row.name == "soft_f1" or callable(row.settings.get("reduction")):
        return
    z, target = row.logits(), row.targets()
    each = row.call(z, target, reduction="none")
    torch.testing.assert_close(row.call(z, target, reduction="sum"), each.sum())
    torch.testing.assert_close(row.call(z, target, reduction="mean"), each.mean())
    torch.testing.assert_close(row.call(z, target, reduction=lambda x, w: (x * w).max()), each.max())


@check
def sample_weights_count(row: Row) -> None:
    """Doubling a sample's weight is having it twice; with weight 0 it might hold NaN."""
    if row.name in ("soft_f1", "sigmoid_focal") or row.target == "joint" or row.settings.get("reduction"):
        return
    if row.settings.get("standardize"):
        return
    z, target = row.logits(), row.targets()
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 3.0], dtype=torch.float64)
    order = torch.tensor([0, 1, 1, 3, 4, 4, 4])
    expected = row.call(z[order], target[order])
    z[2] = math.nan
    if row.target in ("multihot", "shares", "labels"):
        z[2] = 7.0
    loss, gradient = _gradient(row, z, target, sample_weight=weight)
    torch.testing.assert_close(loss, expected)
    assert (gradient[2] == 0).all()


@check
def any_dimension_of_classes(row: Row) -> None:
    if row.target not in ("index", "soft", "multihot", "shares") or row.name == "sigmoid_focal":
        return
    z, target = row.logits(6), row.targets(6)
    image = z.view(2, 3, -1).movedim(-1, 1)
    targets = target.view(2, 3) if row.target == "index" else target.view(2, 3, -1).movedim(-1, 1)
    torch.testing.assert_close(row.call(image, targets, dim=1), row.call(z, target))
    single = target[0]
    torch.testing.assert_close(row.call(z[0], single), row.call(z[:1], target[:1]))


@check
def one_hot_is_index(row: Row) -> None:
    if row.target != "index" or "soft_targets" not in row.entry.traits:
        return
    z, target = row.logits(), row.targets()
    hot = torch.nn.functional.one_hot(target, 4).double()
    if row.settings.get("label_smoothing") and row.name == "tailr":
        return
    weight = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    reduction = {} if callable(row.settings.get("reduction")) else {"reduction": "sum"}
    torch.testing.assert_close(row.call(z, hot, **reduction), row.call(z, target, **reduction))
    if reduction and not row.settings.get("label_smoothing"):
        torch.testing.assert_close(
            row.call(z, hot, weight=weight, **reduction), row.call(z, target, weight=weight, **reduction)
        )


@check
def compiles_whole(row: Row) -> None:
    z, target = row.logits(), row.targets()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        compiled = torch.compile(lambda z, t: row.call(z, t), fullgraph=True, backend="aot_eager")
        expected, slope = _gradient(row, z, target)
        z.requires_grad_()
        loss = compiled(z, target)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, z)[0], slope)


@check
def vmaps(row: Row) -> None:
    """Per-sample gradients by ``vmap(grad)`` are those of a loop."""
    if row.settings.get("standardize") or row.name == "soft_f1":
        return
    z, target = row.logits(), row.targets()
    each = torch.func.vmap(torch.func.grad(lambda z, t: row.call(z, t)))(z, target)
    loop = torch.stack([_gradient(row, a, b)[1] for a, b in zip(z, target)])
    torch.testing.assert_close(each, loop)


@check
def the_module_is_the_function(row: Row) -> None:
    z, target = row.logits(), row.targets()
    settings = dict(row.settings)
    if "embeddings" in settings:
        settings["embeddings"] = EMBEDDINGS[:4]
    module = row.entry.module(**settings)
    expected = row.call(z, target)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    for one in (module, again):
        torch.testing.assert_close(one(z, target), expected)
    assert repr(module).startswith(row.entry.module.__name__)


@check
def weight_is_the_gradient(row: Row) -> None:
    """∂φ/∂z = W(p_y) (p − onehot), for losses that are curves of one probability."""
    if row.entry.curve is None or row.target != "index" or row.settings.get("label_smoothing"):
        return
    if callable(row.settings.get("reduction")):
        return
    scale = 1 / row.settings.get("temperature", 1.0)
    settings = {k: v for k, v in row.settings.items() if k not in ("form", "temperature")}
    z, target = 3 * row.logits(200), row.targets(200)
    _, gradient = _gradient(row, z, target, reduction="sum")
    p = torch.softmax(z * scale, -1)
    own = p.gather(-1, target.unsqueeze(-1))
    expected = row.entry.weight(own, **settings) * (p - torch.nn.functional.one_hot(target, 4))
    torch.testing.assert_close(gradient, expected * scale, rtol=1e-9, atol=1e-12)


def _each(row: Row, z: Tensor, target: Tensor) -> Tensor:
    """Losses of samples, also where the form has a reducer of its own."""
    return row.call(z, target, reduction="none")


@trait
def bounded(row: Row) -> None:
    if row.target == "probabilities":
        z, target = row.logits(), row.targets()
        assert row.call(1 - target, target) <= 1
        assert row.call(z, target) <= 1
        return
    z, target = row.logits(50), row.targets(50)
    near, far = (_each(row, z * size, target).max() for size in (1e3, 1e7))
    assert far <= near * (1 + 1e-3) + 1e-6, f"at logits of 1e7 a loss is {far}, at 1e3 {near}"
    if row.entry.curve is not None and "bounded" in row.entry.traits:
        settings = {k: v for k, v in row.settings.items() if k not in ("form", "temperature", "label_smoothing")}
        if row.settings.get("form") != "weighted":
            assert far <= row.entry.curve(**settings).at_zero()[0] * (1 + 1e-9)


@trait
def convex(row: Row) -> None:
    a, b, target = 3 * row.logits(200, seed=5), 3 * row.logits(200, seed=6), row.targets(200)
    middle = _each(row, (a + b) / 2, target)
    assert (middle <= (_each(row, a, target) + _each(row, b, target)) / 2 + 1e-9).all()


@trait
def proper(row: Row) -> None:
    """The expected loss Σ qₖ ℓ(z, k) has no gradient at softmax(z) = q."""
    if row.settings.get("label_smoothing") or callable(row.settings.get("reduction")):
        return
    q = row.logits(1).softmax(-1)[0]
    z = q.log().repeat(4, 1)
    _, gradient = _gradient(row, z, torch.arange(4), sample_weight=q, reduction="sum")
    assert gradient.sum(0).abs().max() < 1e-12


@trait
def sceptical(row: Row) -> None:
    settings = {k: v for k, v in row.settings.items() if k not in ("form", "temperature", "label_smoothing")}
    w = row.entry.weight(torch.logspace(-12, 0, 200, dtype=torch.float64).clamp(max=1 - 1e-9), **settings)
    assert (w.diff() >= 0).all()
    assert w[0] < 1e-3


@trait
def symmetric(row: Row) -> None:
    z = 3 * row.logits()
    total = sum(_each(row, z, torch.full((5,), k)) for k in range(4))
    torch.testing.assert_close(total, total[:1].expand(5))


@trait
def accuracy(row: Row) -> None:
    if row.target != "index":
        return
    z, target = row.logits(100), row.targets(100)
    sharp = "sigma" if row.name == "exact" else "temperature"
    if row.settings.get("form") == "log":
        return
    loss = row.call(z, target, **{sharp: 1e-5})
    assert abs(loss.item() - (z.argmax(-1) != target).double().mean().item()) < 1e-6


@trait
def shift_invariant(row: Row) -> None:
    z, target = row.logits(), row.targets()
    torch.testing.assert_close(row.call(z + 37.5, target), row.call(z, target))


@trait
def soft_targets(row: Row) -> None:
    shape = (5, 3, 4) if row.target == "joint" else (5, 4)
    target = torch.full(shape, 0.25, dtype=torch.float64)
    assert row.call(row.logits(), target).isfinite()


@trait
def multilabel(row: Row) -> None:
    target = torch.arange(4).repeat(5, 1) if row.target == "labels" else torch.ones(5, 4, dtype=torch.float64)
    assert row.call(row.logits(), target).isfinite()


@trait
def batch(row: Row) -> None:
    z, target = row.logits(), row.targets()
    parts = torch.stack([row.call(z[i : i + 1], target[i : i + 1]) for i in range(5)])
    assert (parts.mean() - row.call(z, target)).abs() > 1e-3


assert TRAIT_CHECKS.keys() == TRAITS.keys()
