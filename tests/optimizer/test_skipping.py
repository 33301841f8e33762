"""skip_nonfinite: a step with a gradient that is not finite is left out whole, on the host's word or the device's."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.contract.training import Training, changes, snapshot
from gradwright.engine import rows
from gradwright.observe import Watch
from gradwright.optimizer import skipping
from gradwright.optimizer.skipping import Skipping
from tests.contract.table import FIRST
from tests.engine.rows import SAMPLE, params


@pytest.fixture
def on_device(monkeypatch):
    """Let the host count steps before it knows whether they are taken, as with tensors on a GPU."""
    monkeypatch.setattr(Skipping, "_decides_on_host", lambda self, params, grads: False)


def broken(gradients, bad, at=-1):
    gradients[at] = gradients[at].clone()
    gradients[at].view(-1)[gradients[at].numel() // 2] = bad
    return gradients


def with_two_skips(row, **arguments):
    """A training with two bad steps, and one without these."""
    plain, other = (
        Training(row.recipe, row.knobs, **kind) for kind in (arguments, {**arguments, "skip_nonfinite": True})
    )
    for bad in (torch.nan, -torch.inf, None):
        plain.step(2)
        other.step(2)
        if bad is not None:
            other.step_on(broken(other.gradients(), bad, at=0))
            other.time -= 1
    return plain.optimizer, other.optimizer


@pytest.mark.parametrize("row", params(FIRST))
def test_what_the_device_skips_changes_nothing(row, on_device):
    plain, other = with_two_skips(row, engine="eager")
    assert other.skipped == 2
    assert not changes(snapshot(plain), snapshot(other))


@pytest.mark.parametrize("row", params(SAMPLE[:4]))
def test_kernels_of_the_host_are_not_started(row, compiler):
    plain, other = with_two_skips(row)
    assert other.skipped == 2
    assert not changes(snapshot(plain), snapshot(other))


def test_the_host_takes_its_count_back_when_the_next_step_begins(on_device):
    param = torch.ones(3, requires_grad=True)
    optimizer = gw.NAdam([param], skip_nonfinite=True, engine="eager")
    param.grad = torch.full((3,), torch.nan)
    optimizer.step()
    assert optimizer.stepped is None
    assert optimizer.param_groups[0]["clock"] == 1
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["clock"] == 0
    assert saved["state"][0]["step"] == 0
    assert optimizer.skipped == 1
    assert optimizer.stepped is False
    param.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[param]["step"] == 1
    assert optimizer.skipped == 1
    assert optimizer.stepped


@pytest.mark.parametrize("kind", ["host", "device"])
def test_one_bad_entry_of_any_group_stops_all(kind, request):
    if kind == "device":
        request.getfixturevalue("on_device")
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    optimizer = gw.route(
        net, {"matrix & !embedding & !head": gw.Muon, "*": gw.clipped(gw.AdamW)}, skip_nonfinite=True, engine="eager"
    )
    net(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    before, _ = snapshot(optimizer), optimizer.skipped
    net[2].bias.grad[1] = torch.inf
    optimizer.step()
    assert optimizer.skipped == 1
    assert not changes(before, snapshot(optimizer))


def test_a_common_scale_survives_an_infinite_gradient():
    net = nn.Linear(3, 2)
    optimizer = gw.Surefoot(net.parameters(), skip_nonfinite=True)
    for step in range(6):
        net.zero_grad()
        net(torch.ones(1, 3)).square().sum().backward()
        if step == 2:
            net.bias.grad[0] = torch.inf
        optimizer.step()
    assert optimizer.skipped == 1
    assert all(p.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize(
    "gradient", [[1e38, 1e38, 1e38], [6e4] * 3, [1e-45, 0.0, -0.0]], ids=["large", "half", "small"]
)
def test_large_finite_gradients_are_finite(gradient):
    dtype = torch.float16 if gradient[0] == 6e4 else torch.float32
    param = torch.zeros(3, dtype=dtype, requires_grad=True)
    param.grad = torch.tensor(gradient, dtype=dtype)
    optimizer = gw.Lion([param], skip_nonfinite=True)
    optimizer.step()
    assert optimizer.skipped == 0
    assert optimizer.state[param]["step"] == 1


@pytest.mark.parametrize("imaginary", [0.0, torch.nan])
def test_complex_empty_and_missing_gradients(imaginary):
    tensors = [torch.ones(2, dtype=torch.complex64), torch.ones(0), torch.ones(2)]
    leaves = [tensor.requires_grad_() for tensor in tensors]
    leaves[0].grad, leaves[1].grad = torch.full((2,), complex(1.0, imaginary)), torch.ones(0)
    optimizer = gw.AdamW(leaves, skip_nonfinite=True)
    optimizer.step()
    assert optimizer.skipped == int(imaginary != 0.0)


@pytest.mark.parametrize("bad", [False, True])
def test_rows_of_a_table(bad, on_device, monkeypatch):
    monkeypatch.undo()
    table = nn.Embedding(10, 3, sparse=True)
    optimizer = gw.Adam(table.parameters(), skip_nonfinite=True)
    for step in range(2):
        optimizer.zero_grad()
        loss = table(torch.tensor([1, 1, 4])).sum()
        (loss * torch.nan if bad and step else loss).backward()
        optimizer.step()
    assert optimizer.skipped == int(bad)
    assert optimizer.state[table.weight][rows.AGES].tolist() == [0, 2 - bad, 0, 0, 2 - bad, *[0] * 5]


def test_a_loss_that_a_recipe_uses_counts():
    param = torch.ones(2, requires_grad=True)
    optimizer = gw.AdaLo([param], skip_nonfinite=True)
    other = gw.AdamW([param], skip_nonfinite=True)
    param.grad = torch.ones(2)
    for loss in (torch.tensor(torch.nan), float("inf")):
        optimizer.step(loss=loss)
        other.step(loss=loss)
    assert (optimizer.skipped, other.skipped) == (2, 0)
    with pytest.raises(ValueError, match="needs the loss"):
        optimizer.step()


def test_beside_a_scaler():
    """The scaler judges first; what breaks behind it, as a clip by an infinite norm, is left to the optimizer."""
    training = Training(gw.AdamW, {}, skip_nonfinite=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    param = training.params[0]

    def spoil():
        param.grad.fill_(torch.nan)

    def closure():
        training.optimizer.zero_grad()
        return param.square().sum()

    before = snapshot(training.optimizer)
    training.optimizer.step(closure, scaler=scaler, on_unscaled=spoil)
    assert training.optimizer.skipped == 1
    assert not changes(before, snapshot(training.optimizer))
    training.optimizer.step(lambda: closure() * torch.inf, scaler=scaler)
    assert training.optimizer.skipped == 1
    assert scaler.get_scale() == 4.0
    training.optimizer.step(closure, scaler=scaler)
    assert changes(before, snapshot(training.optimizer))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
def test_copies_go_on(again):
    param = torch.ones(2, requires_grad=True)
    optimizer = gw.AdamW([param], skip_nonfinite=True)
    param.grad = torch.full((2,), torch.inf)
    optimizer.step()
    other = again(optimizer)
    assert other.skip_nonfinite
    assert other.skipped == 1
    (held,) = other.param_groups[0]["params"]
    held.grad = torch.full((2,), torch.inf)
    other.step()
    assert other.skipped == 2
    assert optimizer.skipped == 1


def test_a_run_that_never_steps_is_told(monkeypatch):
    monkeypatch.setattr(skipping, "IN_A_ROW", 3)
    param = torch.ones(2, requires_grad=True)
    optimizer = gw.AdamW([param], skip_nonfinite=True)
    param.grad = torch.full((2,), torch.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        optimizer.step()
        with pytest.raises(UserWarning, match="the last 3 steps were all skipped"):
            optimizer.step()


def test_what_cannot_be_had_is_refused():
    net = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="skip_nonfinite=1 is a int; give True or False"):
        gw.AdamW(net.parameters(), skip_nonfinite=1)
    with pytest.raises(ValueError, match="skip_nonfinite=True needs all gradients before the first is used"):
        gw.training.release(net, gw.AdamW(net.parameters(), skip_nonfinite=True))


def test_a_graph_cannot_be_captured(monkeypatch):
    param = torch.ones(2, requires_grad=True)
    param.grad = torch.ones(2)
    optimizer = gw.AdamW([param], skip_nonfinite=True)
    monkeypatch.setattr(skipping, "capturing", lambda: True)
    with pytest.raises(RuntimeError, match="within a CUDA graph"):
        optimizer.step()
    assert torch.equal(param.detach(), torch.ones(2))


def test_a_watch_sees_that_no_step_was_taken():
    net = nn.Linear(2, 1)
    optimizer = gw.AdamW(net.parameters(), skip_nonfinite=True)
    with Watch(net, optimizer) as watch:
        for step in range(4):
            optimizer.zero_grad()
            loss = net(torch.ones(1, 2)).sum()
            (loss * torch.nan if step == 2 else loss).backward()
            optimizer.step()
            watch.step(loss)
        assert [window.skipped for window in watch.record().windows] == [False, False, True, False]


def test_whole_models_and_routes_take_it():
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    assert gw.build("AdamW", net, skip_nonfinite=True).skip_nonfinite
    assert gw.AdamW.bind(lr=0.1)(net.parameters(), skip_nonfinite=True).skip_nonfinite
    assert gw.lookahead(gw.AdamW)(net.parameters(), skip_nonfinite=True).skip_nonfinite
