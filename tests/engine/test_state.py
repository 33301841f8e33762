"""State that users replace, copy, save and load is the state that kernels read."""

import copy
import io
import pickle

import pytest
import torch

from gradwright import AdaLo, AdamW, Lamb, Muon, NAdam, lookahead
from tests.engine.pair import Pair, leaves, left_to_eager

pytestmark = pytest.mark.usefixtures("compiler")

SHAPES = ((6, 4), (5,), (6, 4))
RECIPES = pytest.mark.parametrize("recipe", [AdamW, Lamb, NAdam, AdaLo, lookahead(AdamW)], ids=lambda r: r.recipe_name)


def unpickled(optimizer):
    return pickle.loads(pickle.dumps(optimizer))


def states(optimizer):
    return [optimizer.state[param] for group in optimizer.param_groups for param in group["params"]]


def test_a_replaced_tensor():
    pair = Pair(AdamW, leaves(*SHAPES)).steps(2)
    for optimizer in (pair.fused, pair.eager):
        for state in states(optimizer):
            state["ema.m"] = 0.5 * state["ema.m"]
    pair.steps(2).close()


def test_a_written_tensor():
    pair = Pair(AdamW, leaves(*SHAPES)).steps(2)
    for optimizer in (pair.fused, pair.eager):
        for state in states(optimizer):
            state["ema.m"].zero_()
            state["step"] = 7.0
    pair.steps(2).close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_replaced_dictionary(which):
    pair = Pair(AdamW, leaves(*SHAPES)).steps(2)
    for optimizer in (pair.fused, pair.eager):
        param = optimizer.param_groups[0]["params"][which]
        fresh = {key: 0 * value for key, value in optimizer.state[param].items()}
        optimizer.state[param] = fresh
    pair.steps(2).close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_forgotten_state_starts_afresh(which):
    pair = Pair(AdamW, leaves(*SHAPES)).steps(2)
    for optimizer in (pair.fused, pair.eager):
        del optimizer.state[optimizer.param_groups[0]["params"][which]]
    pair.steps(2).close()
    for optimizer in (pair.fused, pair.eager):
        optimizer.state.clear()
    pair.steps(2).close()


def test_a_tensor_of_another_shape_is_refused_by_every_engine():
    pair = Pair(AdamW, leaves((6, 4), (5,))).steps(2)
    for optimizer in (pair.fused, pair.eager):
        states(optimizer)[0]["ema.m"] = torch.zeros(3, 4)
        before = [param.detach().clone() for param in pair.params(optimizer)]
        with pytest.raises(RuntimeError, match=r"'ema\.m' .* has shape \(3, 4\), expected \(6, 4\).* Copy into state"):
            optimizer.step()
        assert all(map(torch.equal, pair.params(optimizer), before))


@pytest.mark.parametrize(
    "changed",
    [lambda m: m.t().contiguous().t(), torch.Tensor.double, lambda m: m.repeat(2, 2)[:6, :4]],
    ids=["layout", "type", "stride"],
)
def test_a_tensor_that_is_held_otherwise_keeps_its_values(changed):
    pair = Pair(AdamW, leaves((6, 4), (5,))).steps(2)
    for optimizer in (pair.fused, pair.eager):
        states(optimizer)[0]["ema.m"] = changed(states(optimizer)[0]["ema.m"])
    pair.steps(2).close()


@RECIPES
@pytest.mark.parametrize("how", [copy.deepcopy, unpickled])
def test_copies_go_on_as_the_original(recipe, how):
    optimizer = recipe(leaves(*SHAPES)(), engine="cpp")
    train(optimizer, 0, 3)
    other = how(optimizer)
    assert other.engine == "cpp"
    train(optimizer, 3, 3)
    train(other, 3, 3)
    for one, two in zip(optimizer.param_groups[0]["params"], other.param_groups[0]["params"]):
        assert one is not two
        assert torch.equal(one, two)
    assert left_to_eager(other) == 0


@RECIPES
def test_a_checkpoint_goes_on_in_either_engine(recipe):
    optimizer = recipe(leaves(*SHAPES)(), engine="cpp")
    train(optimizer, 0, 3)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    ends = {}
    for engine in ("cpp", "eager"):
        params = [param.detach().clone().requires_grad_() for param in optimizer.param_groups[0]["params"]]
        other = recipe(params, engine=engine)
        train(other, 0, 1)
        for param, source in zip(params, optimizer.param_groups[0]["params"]):
            param.data.copy_(source.data)
        file.seek(0)
        other.load_state_dict(torch.load(file))
        train(other, 3, 3)
        ends[engine] = params
    train(optimizer, 3, 3)
    for straight, resumed, eager in zip(optimizer.param_groups[0]["params"], ends["cpp"], ends["eager"]):
        assert torch.equal(straight, resumed)
        torch.testing.assert_close(straight, eager, rtol=1e-5, atol=1e-6)


def train(optimizer, first, count):
    for time in range(first, first + count):
        for index, param in enumerate(optimizer.param_groups[0]["params"]):
            stream = torch.Generator().manual_seed(100 * time + index)
            param.grad = torch.randn(param.shape, generator=stream)
        optimizer.step(loss=1.0 + 1.0 / (1 + time))


def test_shared_state_is_one_tensor_and_moves():
    pair = Pair(AdaLo, leaves(*SHAPES)).steps(3)
    values = [state["loss_scale"] for state in states(pair.fused)]
    assert len({id(value) for value in values}) == 1
    assert values[0].item() != 0
    pair.close()


def test_evaluation_weights():
    from gradwright import ScheduleFreeAdamW

    pair = Pair(ScheduleFreeAdamW, leaves(*SHAPES), lr=0.1).steps(4)
    with pair.fused.evaluating(), pair.eager.evaluating():
        pair.close()
    pair.steps(2).close()


@pytest.mark.parametrize("engine", ["cpp", "torch", "eager"])
def test_what_moved_before_a_refused_step_is_not_taken_for_known_after_it(engine):
    """The look had seen the new memory, and the tables of kernels still held the old."""
    params = leaves(*SHAPES)()
    optimizer = AdamW(params, engine=engine, lr=0.1)
    train(optimizer, 0, 2)
    for param in params:
        param.data = param.data.clone()
        param.grad = torch.ones_like(param)
    params[1].grad.data = torch.ones(3)
    before = [param.detach().clone() for param in params]
    with pytest.raises(RuntimeError, match="gradient"):
        optimizer.step()
    assert all(map(torch.equal, params, before))
    params[1].grad = torch.ones(5)
    optimizer.step()
    assert not any(map(torch.equal, params, before))


@pytest.mark.parametrize("engine", ["cpp", "torch", "eager"])
def test_a_weight_that_a_recipe_cannot_serve_any_more_is_refused_before_the_step(engine):
    first, second = leaves((6, 4), (6, 4))()
    optimizer = Muon([first, second], engine=engine)
    first.grad, second.grad = torch.ones(6, 4), torch.ones(6, 4)
    optimizer.step()
    second.data, second.grad = torch.ones(24), None
    optimizer.state.pop(second)
    first.grad, second.grad = torch.ones(6, 4), torch.ones(24)
    before = first.detach().clone()
    with pytest.raises(RuntimeError, match=r"Muon: .*parameter 1"):
        optimizer.step()
    assert torch.equal(first, before)
