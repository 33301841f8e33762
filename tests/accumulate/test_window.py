"""A window of ragged micro-batches is one large batch."""

import math

import pytest
import torch

from gradwright.training import Window, count_targets
from tests.accumulate.ragged import furthest, large_batch, loss_sum, micro_batches, model


def accumulated(batches, planned=None, shift=False, broken=(), **backward):
    net = model(batches[0][0].dtype)
    window = Window(net.parameters(), planned)
    for index, (inputs, labels) in enumerate(batches):
        losses = loss_sum(net, inputs, labels, shift)
        if index in broken:
            losses = losses * math.nan
        taken = window.backward(losses, count_targets(labels, shift=shift), **backward)
        assert taken == (index not in broken)
    return [param.grad for param in net.parameters()], window.close()


def targets_of(batches, shift=False):
    return sum(count_targets(labels, shift=shift) for _, labels in batches)


@pytest.mark.parametrize("planned", [False, True], ids=["counted", "planned"])
@pytest.mark.parametrize("shift", [False, True], ids=["aligned", "shifted"])
@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_the_gradient_is_that_of_the_large_batch(count, shift, planned):
    batches = micro_batches(count)
    found, closed = accumulated(batches, targets_of(batches, shift) if planned else None, shift)
    expected, loss = large_batch(batches, shift)
    assert furthest(found, expected) < 1e-13
    assert closed.loss == pytest.approx(loss, rel=1e-13)
    assert closed[1:] == (targets_of(batches, shift), 0)


@pytest.mark.parametrize("planned", [False, True], ids=["counted", "planned"])
def test_float32_agrees_to_1e_6(planned):
    batches = micro_batches(9, dtype=torch.float32)
    found, _ = accumulated(batches, targets_of(batches) if planned else None)
    expected, _ = large_batch(batches)
    assert furthest(found, expected) < 1e-6


def test_a_mean_of_means_would_be_another_gradient():
    batches = micro_batches(6)
    net = model()
    for inputs, labels in batches:
        (loss_sum(net, inputs, labels) / count_targets(labels) / len(batches)).backward()
    expected, _ = large_batch(batches)
    assert furthest([param.grad for param in net.parameters()], expected) > 0.05


def test_the_worked_example():
    """Losses [2, 4] and six times 1: the mean of means is 2, that of tokens 1.5."""
    weight = torch.ones((), requires_grad=True)
    window = Window([weight])
    for losses in ([2.0, 4.0], [1.0] * 6):
        window.backward((weight * torch.tensor(losses)).sum(), len(losses))
    assert window.close() == (1.5, 8, 0)
    assert weight.grad.item() == 1.5


@pytest.mark.parametrize("planned", [False, True], ids=["counted", "planned"])
@pytest.mark.parametrize("broken", [(0,), (2,), (1, 4), (5,)])
def test_a_micro_batch_that_is_not_finite_is_left_out_and_the_others_keep_their_weights(broken, planned):
    batches = micro_batches(6)
    found, closed = accumulated(batches, targets_of(batches) if planned else None, broken=broken)
    kept = [batch for index, batch in enumerate(batches) if index not in broken]
    expected, loss = large_batch(kept)
    assert furthest(found, expected) < 1e-13
    assert closed == (pytest.approx(loss, rel=1e-13), targets_of(kept), len(broken))


def test_a_window_with_nothing_in_it_leaves_no_gradient():
    batches = micro_batches(2)
    found, closed = accumulated(batches, broken=(0, 1))
    assert found == [None] * 4
    assert math.isnan(closed.loss)
    assert closed[1:] == (0, 2)


def test_micro_batches_without_targets_add_nothing():
    batches = micro_batches(3)
    inputs, labels = batches[0]
    found, closed = accumulated([(inputs, torch.full_like(labels, -100)), *batches])
    expected, _ = large_batch(batches)
    assert furthest(found, expected) < 1e-13
    assert closed[1:] == (targets_of(batches), 0)


def test_a_scaler_scales_before_backward():
    batches = micro_batches(4)
    scaled, closed = accumulated(batches, scale=lambda loss: 1024 * loss)
    expected, loss = large_batch(batches)
    assert furthest([g / 1024 for g in scaled], expected) < 1e-13
    assert closed.loss == pytest.approx(loss)


def test_parameters_that_take_no_part_keep_no_gradient():
    net, idle = model(), torch.nn.Parameter(torch.ones(3))
    window = Window([*net.parameters(), idle])
    inputs, labels = micro_batches(1)[0]
    window.backward(loss_sum(net, inputs, labels), count_targets(labels))
    window.close()
    assert idle.grad is None


def test_counting_targets():
    labels = torch.tensor([[5, 6, 7, -100], [8, 9, -100, -100]])
    assert count_targets(labels) == 5
    assert count_targets(labels, shift=True) == 3
    assert count_targets(labels, ignore_index=7) == 7
    assert count_targets(torch.tensor(3)) == 1
    with pytest.raises(ValueError, match="time dimension"):
        count_targets(torch.tensor(3), shift=True)


def test_misuse_is_refused_by_name():
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="planned=0"):
        Window([weight], 0)
    with pytest.raises(ValueError, match="gradients='mean'"):
        Window([weight], gradients="mean")
    with pytest.raises(TypeError, match="parameters"):
        Window([])
    window = Window([weight])
    with pytest.raises(ValueError, match="reduction='sum'"):
        window.backward(weight * 2, 2)
    with pytest.raises(ValueError, match="targets=-1"):
        window.backward(weight.sum(), -1)
    window.close()
    with pytest.raises(RuntimeError, match="closed"):
        window.close()
    with pytest.raises(RuntimeError, match="closed"):
        window.backward(weight.sum(), 1)
