"""BatchNorm statistics for averaged weights."""

import pytest
import torch
from torch import nn

import gradwright as gw
from gradwright.training import recompute_batch_norm, recomputed_batch_norm


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))


def batches(count=4, size=16):
    stream = torch.Generator().manual_seed(1)
    return [torch.randn(size, 3, generator=stream) * 2 + 1 for _ in range(count)]


@pytest.fixture
def trained():
    model = network()
    optimizer = gw.ScheduleFreeAdamW(model.parameters(), lr=0.1)
    for x in batches(8):
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_statistics_are_those_of_the_average(trained):
    model, optimizer = trained
    with optimizer.evaluating():
        assert recompute_batch_norm(model, batches(), optimizer) == 1
        hidden = [model[0](x).detach() for x in batches()]
        torch.testing.assert_close(model[1].running_mean, torch.stack([h.mean(0) for h in hidden]).mean(0))
        torch.testing.assert_close(model[1].running_var, torch.stack([h.var(0) for h in hidden]).mean(0))


def test_modes_momentum_and_gradients_stay_as_they_were(trained):
    model, optimizer = trained
    model.train()
    model[2].eval()
    modes = [module.training for module in model.modules()]
    gradients = [param.grad.clone() for param in model.parameters()]
    with optimizer.evaluating():
        recompute_batch_norm(model, batches(), optimizer)
    assert [module.training for module in model.modules()] == modes
    assert model[1].momentum == 0.1
    assert all(torch.equal(param.grad, old) for param, old in zip(model.parameters(), gradients))


def test_so_many_batches_and_no_more(trained):
    model, optimizer = trained
    stream = iter(batches(5))
    with optimizer.evaluating():
        recompute_batch_norm(model, stream, optimizer, limit=2)
    assert len(list(stream)) == 3
    assert model[1].num_batches_tracked == 2


def test_pairs_and_a_forward_of_ones_own():
    model = network()
    recompute_batch_norm(model, [(x, None) for x in batches()])
    by_pairs = model[1].running_mean.clone()
    recompute_batch_norm(model, [{"x": x} for x in batches()], forward=lambda batch: model(batch["x"]))
    assert torch.equal(model[1].running_mean, by_pairs)


@pytest.mark.parametrize(
    ("given", "message"),
    [([], "batches is empty"), ([{"x": 1}], "give forward="), ([torch.zeros(4, 7)], "shapes cannot be multiplied")],
)
def test_what_fails_leaves_the_statistics_alone(given, message):
    model = network()
    model(batches(1)[0])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises((ValueError, RuntimeError), match=message):
        recompute_batch_norm(model, given)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model[1].momentum == 0.1
    assert model.training


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="limit=0 must be at least 1"):
        recompute_batch_norm(network(), batches(), limit=0)


def test_the_weights_of_training_are_refused(trained):
    model, optimizer = trained
    with pytest.raises(RuntimeError, match=r"call it inside optimizer.evaluating\(\)"):
        recompute_batch_norm(model, batches(), optimizer)


def test_without_an_average_there_is_nothing_to_check():
    model = network()
    assert recompute_batch_norm(model, batches(), gw.AdamW(model.parameters())) == 1


def test_models_without_such_layers_are_left_alone():
    assert recompute_batch_norm(nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1, track_running_stats=False)), []) == 0


def buffers(model):
    return [buffer.clone() for buffer in model.buffers()]


def test_for_the_time_being_the_statistics_are_those_of_the_average(trained):
    model, optimizer = trained
    before = buffers(model)
    with optimizer.evaluating(), recomputed_batch_norm(model, batches(), optimizer) as count:
        assert count == 1
        inside = buffers(model)
        model(batches()[0])  # whatever happens within
    assert all(torch.equal(new, old) for new, old in zip(buffers(model), before))
    with optimizer.evaluating():
        recompute_batch_norm(model, batches(), optimizer)
    assert all(torch.equal(new, old) for new, old in zip(buffers(model), inside))


def test_the_statistics_of_training_come_back_after_an_error(trained):
    model, optimizer = trained
    before = buffers(model)
    with pytest.raises(KeyError), optimizer.evaluating(), recomputed_batch_norm(model, batches(), optimizer):
        raise KeyError
    with (
        pytest.raises(ValueError, match="batches is empty"),
        optimizer.evaluating(),
        recomputed_batch_norm(model, [], optimizer),
    ):
        pass
    with pytest.raises(RuntimeError, match="weights of training"), recomputed_batch_norm(model, batches(), optimizer):
        pass
    assert all(torch.equal(new, old) for new, old in zip(buffers(model), before))
    assert model[1].momentum == 0.1
