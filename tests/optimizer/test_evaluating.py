"""Evaluation weights: put in place and taken away without a trace."""

import pytest
import torch

import gradwright
from gradwright import AdamW, ScheduleFreeAdamW
from gradwright.contract.training import changes, copies, snapshot
from tests.optimizer.models import leaf, train


@pytest.fixture
def optimizer():
    found = ScheduleFreeAdamW([leaf(seed=1), leaf(5, seed=2)], lr=0.1)
    train(found, 4)
    return found


def _weights(optimizer):
    return [param.detach().clone() for group in optimizer.param_groups for param in group["params"]]


def _equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other))


def _averages(optimizer):
    """x = y + (1 - 1 / beta)(z - y), from the state."""
    beta = optimizer.param_groups[0]["betas"][0]
    params = optimizer.param_groups[0]["params"]
    return [p.detach() + (1 - 1 / beta) * (optimizer.state[p]["schedule_free.z"] - p.detach()) for p in params]


def test_the_block_holds_the_average_and_leaves_no_trace(optimizer):
    before, average = snapshot(optimizer), _averages(optimizer)
    with optimizer.evaluating():
        for found, expected in zip(_weights(optimizer), average):
            torch.testing.assert_close(found, expected)
        assert not _equal(
            _weights(optimizer), [before["the weights of parameter 0"], before["the weights of parameter 1"]]
        )
    assert not changes(before, snapshot(optimizer))


def test_an_exception_restores_too(optimizer):
    before = snapshot(optimizer)
    with pytest.raises(RuntimeError, match="in the block"), optimizer.evaluating():
        raise RuntimeError("in the block")
    assert not changes(before, snapshot(optimizer))


def test_weights_written_in_the_block_are_lost(optimizer):
    before = snapshot(optimizer)
    with optimizer.evaluating(), torch.no_grad():
        optimizer.param_groups[0]["params"][0].fill_(torch.nan)
    assert not changes(before, snapshot(optimizer))


def test_blocks_nest(optimizer):
    before = snapshot(optimizer)
    with optimizer.evaluating():
        inside = _weights(optimizer)
        with optimizer.evaluating():
            assert _equal(inside, _weights(optimizer))
        assert _equal(inside, _weights(optimizer))
    assert not changes(before, snapshot(optimizer))


def test_eval_and_train_are_the_block_in_two_halves(optimizer):
    before, average = snapshot(optimizer), _averages(optimizer)
    optimizer.eval()
    optimizer.eval()
    for found, expected in zip(_weights(optimizer), average):
        torch.testing.assert_close(found, expected)
    optimizer.train()
    optimizer.train()
    assert not changes(before, snapshot(optimizer))


def test_a_block_inside_eval_stays_in_eval(optimizer):
    optimizer.eval()
    inside = _weights(optimizer)
    with optimizer.evaluating():
        assert _equal(inside, _weights(optimizer))
    assert _equal(inside, _weights(optimizer))


def test_a_step_with_evaluation_weights_is_refused(optimizer):
    optimizer.eval()
    before = snapshot(optimizer)
    with pytest.raises(RuntimeError, match=r"evaluation weights are in place; call optimizer.train\(\)"):
        train(optimizer)
    assert not changes(before, snapshot(optimizer))
    optimizer.train()
    train(optimizer)


def test_a_checkpoint_of_eval_mode_resumes_exactly(optimizer):
    straight = ScheduleFreeAdamW([leaf(seed=1), leaf(5, seed=2)], lr=0.1)
    train(straight, 8)
    optimizer.eval()
    saved, weights = optimizer.state_dict(), _weights(optimizer)
    resumed = ScheduleFreeAdamW(copies(weights), lr=0.1)
    resumed.load_state_dict(saved)
    resumed.train()
    train(resumed, 4, first=4)
    assert not changes(snapshot(straight), snapshot(resumed))


def test_a_checkpoint_of_train_mode_ends_eval(optimizer):
    saved, weights = optimizer.state_dict(), _weights(optimizer)
    other = ScheduleFreeAdamW(copies(weights), lr=0.1)
    train(other, 2)
    other.eval()
    with torch.no_grad():
        for param, value in zip(other.param_groups[0]["params"], weights):
            param.copy_(value)
    other.load_state_dict(saved)
    train(other, 2, first=4)
    train(optimizer, 2, first=4)
    assert not changes(snapshot(optimizer), snapshot(other))


def test_before_the_first_step_the_weights_are_their_own_average():
    optimizer = ScheduleFreeAdamW([leaf()])
    before = snapshot(optimizer)
    with optimizer.evaluating():
        assert not changes(before, snapshot(optimizer))
    assert not changes(before, snapshot(optimizer))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_type_is_restored_bit_for_bit(dtype):
    optimizer = ScheduleFreeAdamW([leaf().detach().to(dtype).requires_grad_()], lr=0.1)
    train(optimizer, 3)
    before = snapshot(optimizer)
    with optimizer.evaluating():
        assert optimizer.param_groups[0]["params"][0].dtype == dtype
    assert not changes(before, snapshot(optimizer))


def test_recipes_with_one_set_of_weights_are_not_touched():
    optimizer = AdamW([leaf()])
    train(optimizer, 2)
    before = snapshot(optimizer)
    with optimizer.evaluating():
        assert not changes(before, snapshot(optimizer))
        train(optimizer, 1, first=2)


def test_groups_mix():
    averaged, plain = leaf(seed=1), leaf(seed=2)
    optimizer = gradwright.Optimizer(
        [{"params": [averaged], "recipe": "ScheduleFreeAdamW"}, {"params": [plain], "recipe": "AdamW"}]
    )
    train(optimizer, 3)
    before = averaged.detach().clone(), plain.detach().clone()
    with optimizer.evaluating():
        assert not torch.equal(averaged, before[0])
        assert torch.equal(plain, before[1])
    assert torch.equal(averaged, before[0])


def test_two_averages_in_one_chain_are_refused():
    from gradwright.core import chain
    from gradwright.transforms import ScheduleFree

    with pytest.raises(ValueError, match="ScheduleFree and ScheduleFree each keep weights"):
        chain(ScheduleFree(0.1), ScheduleFree(0.1))


AVERAGES = [ScheduleFreeAdamW, gradwright.ScheduleFreePlus, gradwright.averaged(AdamW), gradwright.DoG]


@pytest.mark.parametrize("recipe", AVERAGES, ids=lambda recipe: recipe.recipe_name)
def test_a_checkpoint_that_is_loaded_in_eval_mode_never_makes_training_weights_of_evaluation_weights(recipe):
    optimizer = recipe([leaf(seed=1), leaf(5, seed=2)])
    train(optimizer, 3)
    saved = optimizer.state_dict()
    train(optimizer, 2, first=3)
    own = _weights(optimizer)
    optimizer.eval()
    assert not _equal(own, _weights(optimizer))
    optimizer.load_state_dict(saved)
    assert _equal(own, _weights(optimizer))
    assert not any("training_weights" in state for state in optimizer.state.values())
    train(optimizer, 1, first=3)


@pytest.mark.parametrize("weights_first", [True, False])
@pytest.mark.parametrize("saved_in_eval", [True, False])
@pytest.mark.parametrize("loaded_in_eval", [True, False])
@pytest.mark.parametrize("recipe", AVERAGES[:3], ids=lambda recipe: recipe.recipe_name)
def test_a_whole_checkpoint_resumes_exactly_in_whichever_mode_and_order(
    recipe, loaded_in_eval, saved_in_eval, weights_first
):
    straight, other = (recipe([leaf(seed=1), leaf(5, seed=2)]) for _ in range(2))
    train(straight, 3)
    if saved_in_eval:
        straight.eval()
    saved, weights = straight.state_dict(), _weights(straight)
    train(other, 5)
    if loaded_in_eval:
        other.eval()

    def load_weights():
        with torch.no_grad():
            for param, value in zip(other.param_groups[0]["params"], weights):
                param.copy_(value)

    for load in [load_weights, lambda: other.load_state_dict(saved)][:: 1 if weights_first else -1]:
        load()
    assert not changes(snapshot(straight), snapshot(other))
    straight.train()
    other.train()
    train(straight, 2, first=3)
    train(other, 2, first=3)
    assert not changes(snapshot(straight), snapshot(other))


def test_a_parameter_that_the_checkpoint_does_not_know_keeps_its_training_weights():
    optimizer = ScheduleFreeAdamW([("a", leaf(seed=1)), ("b", leaf(5, seed=2))], lr=0.1)
    train(optimizer, 3)
    own = _weights(optimizer)
    alone = ScheduleFreeAdamW([("a", leaf(seed=1))], lr=0.1)
    train(alone, 3)
    optimizer.eval()
    with pytest.warns(UserWarning, match="starts 'b' afresh"):
        optimizer.load_state_dict(alone.state_dict())
    assert _equal(own, _weights(optimizer))


def test_a_checkpoint_that_is_refused_leaves_the_evaluation_weights_in_place(optimizer):
    optimizer.eval()
    before = snapshot(optimizer)
    damaged = optimizer.state_dict()
    del damaged["state"][1]["schedule_free.z"]
    with pytest.raises(ValueError, match=r"lacks 'schedule_free.z'"):
        optimizer.load_state_dict(damaged)
    assert not changes(before, snapshot(optimizer))


def test_evaluation_weights_of_half_precision_and_with_nan_are_known_again():
    param = leaf().detach().bfloat16().requires_grad_()
    optimizer = ScheduleFreeAdamW([param], lr=0.1)
    train(optimizer, 2)
    saved = optimizer.state_dict()
    with torch.no_grad():
        param[0, 0] = torch.nan
    own = param.detach().clone()
    optimizer.eval()
    optimizer.load_state_dict(saved)
    torch.testing.assert_close(param.detach(), own, rtol=0, atol=0, equal_nan=True)
