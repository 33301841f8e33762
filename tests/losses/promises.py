"""What every loss promises, as checks of a row of the table that raise ``AssertionError`` with a sentence.

An exception stands on the loss, in ``LOSSES[name].exceptions``, with its reason.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from gradwright.losses import PROMISES, HarrellDavis, HuberMean, MedianOfMeans, SoftMedian, TopMean, TrimmedMean
from tests.losses.table import EMBEDDINGS, Row

PROMISE_CHECKS = {}
ROBUST = (SoftMedian(), SoftMedian(0.2, kernel="uniform"), TrimmedMean(0.0, 0.3), HuberMean(), MedianOfMeans(5))
REDUCERS = (*ROBUST, TopMean(), HarrellDavis())


def promise(function):
    assert function.__name__ in PROMISES
    PROMISE_CHECKS[function.__name__] = function
    return function


def _reduced(row: Row) -> str:
    """The reduction under which a class more or less changes nothing else: entries of sigmoids are counted by it."""
    return "mean" if callable(row.settings.get("reduction")) else "sum"


def _gradient(call, logits: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    loss = call(logits)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach(), gradient


def _more(row: Row, **more):
    """Settings of a call, less a reduction where the form has its own."""
    if callable(row.settings.get("reduction")):
        more.pop("reduction", None)
    return more


def _among(row: Row, target: Tensor, kept: list[int], classes: int) -> Tensor:
    """A target of the classes that are kept, as one of all classes."""
    if row.target in ("index", "joint", "labels"):
        return torch.where(target >= 0, torch.tensor(kept)[target.clamp(min=0)], target)
    whole = torch.zeros(*target.shape[:-1], classes, dtype=target.dtype)
    whole[..., kept] = target
    return whole


@promise
def shut_out(row: Row) -> None:
    for dtype in (torch.float64, torch.float32):
        for kept in ([0, 2, 3, 5], [1, 4], [3]):
            z = (3 * row.logits(6, 6)).to(dtype)
            part, target = z[..., kept], row.targets(6, len(kept))
            if row.target == "soft":
                target = torch.rand(6, len(kept), generator=torch.Generator().manual_seed(1), dtype=dtype) + 0.1
                target = target / target.sum(-1, keepdim=True)
            z[..., [k for k in range(6) if k not in kept]] = -math.inf
            whole = _among(row, target, kept, 6)
            more = {"reduction": _reduced(row)}
            vectors = torch.cat([EMBEDDINGS, -EMBEDDINGS[:1]])

            def of(classes, target, more=more, vectors=vectors):
                given = {**more, "embeddings": vectors[classes]} if "embeddings" in row.settings else more
                return lambda logits: row.plain(logits, target, **_more(row, **given))

            expected, slope = _gradient(of(kept, target), part)
            close = {"rtol": 1e-9, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 2e-5, "atol": 2e-6}
            call = of(list(range(6)), whole)
            for loss, gradient in (_gradient(call, z), (call(z), torch.func.grad(call)(z))):
                torch.testing.assert_close(loss, expected, **close)
                torch.testing.assert_close(gradient[..., kept], slope, **close)
                assert gradient[..., [k for k in range(6) if k not in kept]].abs().max() == 0


@promise
def shut_label(row: Row) -> None:
    for dtype in (torch.float64, torch.float32):
        z = row.logits(5, 4).to(dtype)
        kinds = {"index": torch.full((5,), 2), "joint": torch.full((5, 3), 2), "labels": torch.tensor([[2, 0]] * 5)}
        target = kinds.get(row.target, torch.tensor([0.25, 0.0, 0.75, 0.0], dtype=dtype).expand(5, 4))
        far, endless = z.clone(), z.clone()
        far[..., 2], endless[..., 2] = -20.0, -math.inf
        near = row.call(far, target, **_more(row, reduction="sum"))

        def call(z, target=target):
            return row.call(z, target, **_more(row, reduction="sum"))

        for loss, gradient in (_gradient(call, endless), (call(endless), torch.func.grad(call)(endless))):
            assert loss >= near - 1e-4 or "label_smoothing" in row.settings, (
                f"a label at −20 costs {near}, one that is shut out {loss}"
            )
            assert gradient.isfinite().all(), "a gradient is not finite"
        if (
            row.entry.curve is not None
            and row.target == "index"
            and not {"form", "label_smoothing"} & set(row.settings)
        ):
            settings = {k: v for k, v in row.settings.items() if k not in ("temperature", "reduction")}
            limit = row.entry.curve(**settings).at_zero()[0]
            assert loss == math.inf if limit == math.inf else loss == pytest.approx(5 * limit, rel=1e-6)


@promise
def outliers(row: Row) -> None:
    if callable(row.settings.get("reduction")):
        return
    z, target = row.logits(11, 4), row.targets(11, 4)
    hot = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.float64)
    kinds = {"index": torch.tensor(1), "joint": torch.tensor([1] * 3), "labels": torch.tensor([1, -100])}
    target[3] = kinds.get(row.target, hot)
    z[3, ..., 1] = -math.inf
    each = row.call(z, target, reduction="none")
    weight = torch.ones(each.numel(), dtype=torch.float64)
    for reducer in ROBUST:
        loss, gradient = _gradient(lambda z, reducer=reducer: row.call(z, target, reduction=reducer), z)
        assert loss.isfinite(), f"{reducer} of a batch with an infinite loss is {loss}"
        assert gradient.isfinite().all(), (
            f"{reducer} of a batch with an infinite loss has a gradient that is not finite"
        )
        huge = torch.where(each.isinf(), 1e30, each).reshape(-1)
        torch.testing.assert_close(loss, reducer(huge, weight), rtol=1e-7, atol=1e-9)
        if each.reshape(11, -1)[3].isinf().all():
            assert (gradient[3] == 0).all(), f"{reducer} rejects the sample, but its gradient is {gradient[3]}"


@promise
def zero_weight(row: Row) -> None:
    z, target = row.logits(5, 4), row.targets(5, 4)
    if row.target == "joint":  # weights belong to the rows of a group
        weight = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64).expand(5, 3)
        keep = torch.tensor([0, 2])
        expected, slope = _gradient(lambda z: row.call(z, target[:, keep], sample_weight=weight[:, keep]), z[:, keep])
        z[:, 1] = math.nan
        loss, gradient = _gradient(lambda z: row.call(z, target, sample_weight=weight), z)
        torch.testing.assert_close(gradient[:, keep], slope)
        assert (gradient[:, 1] == 0).all()
    else:
        weight = torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0], dtype=torch.float64)
        keep = torch.tensor([0, 1, 3, 4])
        expected, slope = _gradient(lambda z: row.call(z, target[keep], sample_weight=weight[keep]), z[keep])
        z[2] = math.nan
        target[2] = math.nan if target.is_floating_point() else 77
        loss, gradient = _gradient(lambda z: row.call(z, target, sample_weight=weight), z)
        torch.testing.assert_close(gradient[keep], slope)
        assert (gradient[2] == 0).all()
    torch.testing.assert_close(loss, expected)
    along = torch.ones_like(z)
    (_, tangent) = torch.func.jvp(lambda z: row.call(z, target, sample_weight=weight), (z,), (along,))
    torch.testing.assert_close(tangent, gradient.sum())


@promise
def autocast(row: Row) -> None:
    """Gradients are taken outside the block, as torch asks for."""
    target = row.targets(6, 4)
    for dtype in (torch.float32, torch.bfloat16):
        z = row.logits(6, 4, dtype).requires_grad_()
        call = lambda z: row.call(z, target)  # noqa: E731
        plain, (transformed, pull) = call(z), torch.func.vjp(call, z.detach())
        with torch.autocast("cpu", torch.bfloat16):
            cast, (cast_transformed, cast_pull) = call(z), torch.func.vjp(call, z.detach())
        assert cast.dtype == cast_transformed.dtype == torch.float32
        one = torch.ones(())
        for found, expected in (
            (cast, plain),
            (cast_transformed, transformed),
            (torch.autograd.grad(cast, z)[0], torch.autograd.grad(plain, z)[0]),
            (cast_pull(one)[0], pull(one)[0]),
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


@promise
def forward_mode(row: Row) -> None:
    target = row.targets(6, 4)
    for dtype in (torch.float64, torch.float32):
        z, along = row.logits(6, 4, dtype), row.logits(6, 4, dtype, seed=9)
        call = lambda z: row.call(z, target.to(z.dtype) if target.is_floating_point() else target)  # noqa: E731
        expected = (_gradient(call, z)[1] * along).sum()
        close = {"rtol": 1e-8, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(torch.func.jvp(call, (z,), (along,))[1], expected, **close)
        with forward_ad.dual_level():
            loss = forward_ad.unpack_dual(call(forward_ad.make_dual(z, along)))
        torch.testing.assert_close(loss.tangent, expected, **close)


@promise
def weight_gradient(row: Row) -> None:
    shape = (5, 3) if row.target == "joint" else (5,)
    z, target = row.logits(5, 4), row.targets(5, 4)
    weight = torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.5
    call = lambda w, **more: row.call(z, target, sample_weight=w, **more)  # noqa: E731
    if not callable(row.settings.get("reduction")):
        weight.requires_grad_()
        for reduction in ("mean", "sum"):
            assert torch.autograd.gradcheck(lambda w, r=reduction: call(w, reduction=r), weight)
    if row.target == "joint":
        with pytest.raises(ValueError, match=r"sample_weight\[0, 0\] is 0"):
            call(torch.zeros(shape, dtype=torch.float64, requires_grad=True))
        return
    weight = weight.detach().requires_grad_()
    for reducer in REDUCERS:
        with pytest.raises(ValueError, match=r"sample_weight.*detach"):
            call(weight, reduction=reducer)
        assert call(weight.detach(), reduction=reducer).isfinite()
    if row.settings.get("standardize") or callable(row.settings.get("reduction")):
        return
    # learning which samples help begins at weights of 0: the loss of each is the derivative by its weight
    nothing = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(call(nothing, reduction="sum"), nothing)
    each = row.call(z, target, reduction="none")
    torch.testing.assert_close(slope, each)
    (_, tangent) = torch.func.jvp(lambda w: call(w, reduction="sum"), (nothing.detach(),), (weight.detach(),))
    torch.testing.assert_close(tangent, (each * weight.detach()).sum())


assert PROMISE_CHECKS.keys() == PROMISES.keys()
